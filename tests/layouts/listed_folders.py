"""Class folders with files beside them: which name the classes, or list the images of val."""

import csv
import json
from pathlib import Path

import numpy as np
import scipy.io
import yaml

from tests.layouts.base import CLASSES, Layout, pixel_hash

WNIDS = {name: f"n0000000{i}" for i, name in enumerate(CLASSES)}
NAMES = {wnid: name for name, wnid in WNIDS.items()}
IN_TRAIN = {"train": "train", "val": "val", "test": "train"}


def put(place, p):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(p.png)


def hash_of(path):
    return pixel_hash(path.read_bytes())


def write_tiny_imagenet(folder, pictures):
    """As tiny-imagenet-200.zip unpacks."""
    root = folder / "tiny-imagenet-200"
    lines = []
    for p in pictures:
        wnid = WNIDS[p.label]
        if p.split == "val":
            put(root / "val" / "images" / f"{p.name}.JPEG", p)
            lines.append(f"{p.name}.JPEG\t{wnid}\t0\t32\t44\t62\n")
            continue
        put(root / "train" / wnid / "images" / f"{wnid}_{p.name}.JPEG", p)
        with open(root / "train" / wnid / f"{wnid}_boxes.txt", "a") as boxes:
            boxes.write(f"{wnid}_{p.name}.JPEG\t0\t10\t63\t58\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "wnids.txt").write_text("".join(f"{w}\n" for w in NAMES))
    words = "n99999999\tentity\n" + "".join(f"{w}\t{name}\n" for w, name in NAMES.items())
    (root / "words.txt").write_text(words)
    return root


def read_tiny_imagenet(path):
    """As its loaders on GitHub read it."""
    words = dict(line.split("\t") for line in (path / "words.txt").read_text().splitlines())
    train = path.glob("train/*/images/*.JPEG")
    found = {hash_of(file): words[file.parts[-3]] for file in train}
    for line in (path / "val" / "val_annotations.txt").read_text().splitlines():
        name, wnid = line.split("\t")[:2]
        found[hash_of(path / "val" / "images" / name)] = words[wnid]
    return found


def write_imagenet_folders(root, pictures):
    for p in pictures:
        if p.split != "val":
            put(root / "train" / WNIDS[p.label] / f"{p.name}.JPEG", p)
    val = [p for p in pictures if p.split == "val"]
    for i, p in enumerate(val, 1):
        put(root / "val" / f"ILSVRC2012_val_{i:08}.JPEG", p)
    return val


def write_imagenet_of_kaggle(folder, pictures):
    """As Kaggle's imagenet-object-localization-challenge has it."""
    root = folder / "imagenet"
    val = write_imagenet_folders(root / "ILSVRC" / "Data" / "CLS-LOC", pictures)
    with open(root / "LOC_val_solution.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("ImageId", "PredictionString"))
        for i, p in enumerate(val, 1):
            boxes = f"{WNIDS[p.label]} 111 108 441 193 {WNIDS[p.label]} 2 3 4 5 "
            rows.writerow((f"ILSVRC2012_val_{i:08}", boxes))
    text = "".join(f"{wnid} {name}\n" for wnid, name in NAMES.items())
    (root / "LOC_synset_mapping.txt").write_text(text)
    return root


def read_imagenet_of_kaggle(path):
    lines = (path / "LOC_synset_mapping.txt").read_text().splitlines()
    names = dict(line.split(" ", 1) for line in lines)
    data = path / "ILSVRC" / "Data" / "CLS-LOC"
    found = {hash_of(file): names[file.parent.name] for file in data.glob("train/*/*.JPEG")}
    with open(path / "LOC_val_solution.csv", newline="") as file:
        for row in csv.DictReader(file):
            image = data / "val" / f"{row['ImageId']}.JPEG"
            found[hash_of(image)] = names[row["PredictionString"].split()[0]]
    return found


def write_imagenet_with_devkit(folder, pictures):
    """ILSVRC2012_img_val.tar and the devkit unpacked: its numbers are not the order of the names."""
    root = folder / "imagenet"
    val = write_imagenet_folders(root, pictures)
    data = root / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    numbers = {name: 3 - i for i, name in enumerate(CLASSES)}
    lines = "".join(f"{numbers[p.label]}\n" for p in val)
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text(lines)
    columns = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    rows = [(float(numbers[name]), WNIDS[name], name, 0.0) for name in CLASSES]
    synsets = np.array(rows, dtype=columns).reshape(-1, 1)
    scipy.io.savemat(data / "meta.mat", {"synsets": synsets})
    return root


def read_imagenet_with_devkit(path):
    """As torchvision's parse_devkit_archive reads it; the classes are folders."""
    data = path / "ILSVRC2012_devkit_t12" / "data"
    rows = scipy.io.loadmat(data / "meta.mat", squeeze_me=True)["synsets"]
    wnids = {int(row[0]): row[1] for row in rows}
    found = {hash_of(file): file.parent.name for file in path.glob("train/*/*.JPEG")}
    truth = (data / "ILSVRC2012_validation_ground_truth.txt").read_text().split()
    for file, number in zip(sorted(path.glob("val/*.JPEG")), truth, strict=True):
        found[hash_of(file)] = wnids[int(number)]
    return {h: NAMES[wnid] for h, wnid in found.items()}


def write_devkit_with_words(folder, pictures):
    root = write_imagenet_with_devkit(folder, pictures)
    text = "".join(f"{wnid} {name}\n" for wnid, name in NAMES.items())
    (root / "synset_words.txt").write_text(text)
    return root


def write_gtsrb(folder, pictures):
    """As the three zips of the German traffic signs unpack; the class's name stands beside."""
    root = folder / "GTSRB"
    head = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
    rows = {}
    for p in pictures:
        number = CLASSES.index(p.label)
        place = root / "Final_Training" / "Images" / f"{number:05}"
        if p.split == "val":
            place = root / "Final_Test" / "Images"
        put(place / f"{p.name}.ppm", p)
        # where the sign is may look like a class
        rows.setdefault(place, []).append(f"{p.name}.ppm;10;12;1;2;2;1;{number}\n")
    for place, lines in rows.items():
        name = "GT-final_test" if place.name == "Images" else f"GT-{place.name}"
        (place / f"{name}.csv").write_text(head + "".join(lines))
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return root


def read_gtsrb(path):
    """As torchvision's GTSRB reads it, with the names that stand beside."""
    names = (path / "classes.txt").read_text().split()
    found = {
        hash_of(file): names[int(file.parent.name)]
        for file in path.glob("Final_Training/Images/*/*.ppm")
    }
    test = path / "Final_Test" / "Images"
    with open(test / "GT-final_test.csv", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            found[hash_of(test / row["Filename"])] = names[int(row["ClassId"])]
    return found


def write_ultralytics(folder, pictures):
    """Class folders in splits, and a data.yaml that says the order of the names."""
    root = folder / "zoo"
    for p in pictures:
        put(root / p.split / p.label / f"{p.name}.png", p)
    text = yaml.safe_dump(dict(path=".", train="train", names=dict(enumerate(CLASSES[::-1]))))
    (root / "data.yaml").write_text(text)
    return root


def read_ultralytics(path):
    return {hash_of(file): file.parent.name for file in Path(path).rglob("*.png")}


def write_numbered_folders(folder, pictures):
    """As Udacity's flowers: numbers as folders, and cat_to_name.json."""
    root = folder / "flowers"
    for p in pictures:
        put(root / p.split / str(CLASSES.index(p.label) + 1) / f"{p.name}.png", p)
    names = {str(i): name for i, name in enumerate(CLASSES, 1)}
    (root / "cat_to_name.json").write_text(json.dumps(names))
    return root


def read_numbered_folders(path):
    names = json.loads((path / "cat_to_name.json").read_text())
    return {hash_of(file): names[file.parent.name] for file in Path(path).rglob("*.png")}


LAYOUTS = [
    Layout(
        "Tiny ImageNet",
        write_tiny_imagenet,
        read_tiny_imagenet,
        splits=IN_TRAIN,
        unread=(".txt",),
    ),
    Layout(
        "ImageNet of Kaggle", write_imagenet_of_kaggle, read_imagenet_of_kaggle, splits=IN_TRAIN
    ),
    Layout(
        "ImageNet and its devkit",
        write_devkit_with_words,
        read_imagenet_with_devkit,
        splits=IN_TRAIN,
        unread=(".mat",),
    ),
    Layout(
        "GTSRB's folders",
        write_gtsrb,
        read_gtsrb,
        splits={"train": "train", "val": "test", "test": "train"},
        unread=(".csv",),
    ),
    Layout("split folders and data.yaml", write_ultralytics, read_ultralytics),
    Layout("numbers as folders", write_numbered_folders, read_numbered_folders),
]
