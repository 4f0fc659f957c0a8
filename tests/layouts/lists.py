"""Labels in texts and tables beside images, as ImageNet, CUB, Food-101, Kaggle and Roboflow have them."""

import csv
from pathlib import Path

from assay.curation.formats.base import ImportOptions
from tests.layouts.base import CLASSES, Layout, pixel_hash


def put(place, p):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(p.png)


def hashes(path):
    """{name: pixels} of the images below a folder."""
    return {f.stem: pixel_hash(f.read_bytes()) for f in Path(path).rglob("*.png")}


def write_imagenet(folder, pictures):
    """A path and the number of a class a line, as Caffe's tools and ImageNet's lists have it."""
    root = folder / "imagenet"
    lists = {}
    for p in pictures:
        put(root / p.split / f"{p.name}.png", p)
        line = f"{p.split}/{p.name}.png {CLASSES.index(p.label)}\n"
        lists.setdefault(p.split, []).append(line)
    for split, lines in lists.items():
        (root / f"{split}.txt").write_text("".join(lines))
    words = "".join(f"n0000000{i} {name}\n" for i, name in enumerate(CLASSES))
    (root / "synset_words.txt").write_text(words)
    return root


def read_imagenet(path):
    known = hashes(path)
    words = [line.split(" ", 1)[1] for line in (path / "synset_words.txt").read_text().splitlines()]
    out = {}
    for split in ("train", "val", "test"):
        for line in (path / f"{split}.txt").read_text().splitlines():
            file, number = line.rsplit(" ", 1)
            out[known[Path(file).stem]] = words[int(number)]
    return out


def write_cub(folder, pictures):
    root = folder / "CUB"
    out = {name: [] for name in ("images", "image_class_labels", "train_test_split")}
    for i, p in enumerate(pictures, 1):
        number = CLASSES.index(p.label) + 1
        put(root / "images" / f"{number:03}.{p.label}" / f"{p.name}.png", p)
        out["images"].append(f"{i} {number:03}.{p.label}/{p.name}.png")
        out["image_class_labels"].append(f"{i} {number}")
        out["train_test_split"].append(f"{i} {int(p.split != 'test')}")
    out["classes"] = [f"{i} {name}" for i, name in enumerate(CLASSES, 1)]
    for name, lines in out.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return root


def read_cub(path):
    """As pandas recipes for CUB read it."""
    tables = {
        name: dict(line.split(" ", 1) for line in (path / f"{name}.txt").read_text().splitlines())
        for name in ("images", "image_class_labels", "classes")
    }
    known = hashes(path)
    return {
        known[Path(file).stem]: tables["classes"][tables["image_class_labels"][i]]
        for i, file in tables["images"].items()
    }


def write_food(folder, pictures):
    root = folder / "food-101"
    lists = {}
    for p in pictures:
        put(root / "images" / p.label / f"{p.name}.png", p)
        lists.setdefault(p.split, []).append(f"{p.label}/{p.name}")
    (root / "meta").mkdir()
    for split, lines in lists.items():
        (root / "meta" / f"{split}.txt").write_text("\n".join(lines))
    (root / "meta" / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return root


def read_food(path):
    """As torchvision reads it: a line is class/name, and its image lies there."""
    out = {}
    for split in ("train", "val", "test"):
        for line in (path / "meta" / f"{split}.txt").read_text().splitlines():
            blob = (path / "images" / f"{line}.png").read_bytes()
            out[pixel_hash(blob)] = line.split("/")[0]
    return out


def write_pets(folder, pictures):
    root = folder / "pets"
    for p in pictures:
        put(root / "images" / f"{p.name}.png", p)
    (root / "annotations").mkdir()
    lines = {}
    for p in pictures:
        species = 1 + (p.label == "cow")
        line = f"{p.name} {CLASSES.index(p.label) + 1} {species} 1\n"
        lines.setdefault("test" if p.split == "test" else "trainval", []).append(line)
    for name, found in lines.items():
        (root / "annotations" / f"{name}.txt").write_text(
            "#Image CLASS-ID SPECIES ID\n" + "".join(found)
        )
    (root / "annotations" / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return root


def read_pets(path):
    known, out = hashes(path), {}
    names = (path / "annotations" / "classes.txt").read_text().split()
    for name in ("trainval", "test"):
        for line in (path / "annotations" / f"{name}.txt").read_text().splitlines()[1:]:
            stem, number, *_ = line.split()
            out[known[stem]] = names[int(number) - 1]
    return out


def write_kaggle(folder, pictures):
    root = folder / "competition"
    rows = []
    for p in pictures:
        put(root / "train" / f"{p.name}.png", p)
        rows.append((p.name, p.label, "it's, well, fine"))
    with open(root / "train.csv", "w", newline="") as f:
        csv.writer(f).writerows([("id", "breed", "note"), *rows])
    (root / "sample_submission.csv").write_text("id,ape,bee,cow\npic_000,0.3,0.3,0.3\n")
    return root


def read_kaggle(path):
    known = hashes(path)
    with open(path / "train.csv", newline="") as f:
        return {known[row["id"]]: row["breed"] for row in csv.DictReader(f)}


def write_split_tables(folder, pictures):
    root = folder / "tables"
    for split in ("train", "val", "test"):
        put_all = [p for p in pictures if p.split == split]
        for p in put_all:
            put(root / split / "images" / f"{p.name}.png", p)
        rows = "".join(f'"{p.name}.png";{p.label}\r\n' for p in put_all)
        (root / split / "labels.csv").write_bytes(f"file;label\r\n{rows}".encode("utf-8-sig"))
    return root


def read_split_tables(path):
    known, out = hashes(path), {}
    for split in ("train", "val", "test"):
        with open(path / split / "labels.csv", newline="", encoding="utf-8-sig") as f:
            for row in csv.DictReader(f, delimiter=";"):
                out[known[Path(row["file"]).stem]] = row["label"]
    return out


def write_roboflow(folder, pictures):
    root = folder / "roboflow"
    for split in ("train", "val", "test"):
        rows = []
        for p in (p for p in pictures if p.split == split):
            name = {"val": "valid"}.get(split, split)
            put(root / name / f"{p.name}.png", p)
            rows.append(f"{p.name}.png, {', '.join(str(int(c == p.label)) for c in CLASSES)}")
        text = "filename, " + ", ".join(CLASSES) + "\n" + "\n".join(rows) + "\n"
        (root / name / "_classes.csv").write_text(text)
    (root / "README.roboflow.txt").write_text("exported")
    return root


def read_roboflow(path):
    out = {}
    for file in path.rglob("_classes.csv"):
        with open(file, newline="") as f:
            for row in csv.DictReader(f, skipinitialspace=True):
                (label,) = [c for c in list(row)[1:] if row[c] == "1"]
                out[pixel_hash((file.parent / row["filename"]).read_bytes())] = label
    return out


def write_cvat(folder, pictures):
    """By the writer of FiftyOne for CVAT's images."""
    import fiftyone.utils.cvat as fouc

    root = folder / "cvat"
    images = []
    for i, p in enumerate(pictures):
        put(root / "images" / f"{p.name}.png", p)
        tag = fouc.CVATImageTag(p.label)
        images.append(fouc.CVATImage(i, f"{p.name}.png", 10, 12, tags=[tag]))
    labels = fouc.CVATTaskLabels(labels=[{"name": name, "attributes": []} for name in CLASSES])
    writer = fouc.CVATImageAnnotationWriter()
    writer.write(labels, images, str(root / "annotations.xml"))
    return root


def read_cvat(path):
    import fiftyone.utils.cvat as fouc

    known = hashes(path)
    _, _, images = fouc.load_cvat_image_annotations(str(path / "annotations.xml"))
    return {known[Path(image.name).stem]: image.tags[0].label for image in images}


TRAIN_TEST = {"train": "train", "val": "train", "test": "test"}
LAYOUTS = [
    Layout("lists of paths and numbers", write_imagenet, read_imagenet),
    Layout("CUB's numbered lists", write_cub, read_cub, splits=TRAIN_TEST),
    Layout("Food-101's lists", write_food, read_food),
    Layout(
        "Oxford pets' lists",
        write_pets,
        read_pets,
        ImportOptions(columns={"label": "2"}),
        splits=TRAIN_TEST,
    ),
    Layout("Kaggle's table", write_kaggle, read_kaggle, splits={}, unread=(".csv",)),
    Layout("a table in each split's folder", write_split_tables, read_split_tables),
    Layout("Roboflow's classes", write_roboflow, read_roboflow, unread=(".txt",)),
    Layout("CVAT's tags", write_cvat, read_cvat, splits={}),
]
