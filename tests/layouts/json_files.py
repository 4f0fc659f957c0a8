"""JSON that lists its own classes beside rows of numbers, read back by the json module."""

import json

from tests.layouts.base import CLASSES, Layout, pixel_hash


def put(place, p):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(p.png)


def write_own_classes(folder, pictures):
    """A list of names, and the number of one in each row."""
    root = folder / "zoo"
    for p in pictures:
        put(root / "img" / f"{p.name}.png", p)
    rows = [dict(file=f"img/{p.name}.png", label=CLASSES.index(p.label)) for p in pictures]
    text = json.dumps(dict(classes=CLASSES, samples=rows), indent=2)
    (root / "zoo.json").write_text(text)
    return root


def read_own_classes(path):
    value = json.loads((path / "zoo.json").read_text())
    return {
        pixel_hash((path / row["file"]).read_bytes()): value["classes"][row["label"]]
        for row in value["samples"]
    }


def write_own_categories(folder, pictures):
    """COCO's categories, and the id of one in each row, in one folder with the images."""
    root = folder / "zoo"
    for p in pictures:
        put(root / f"{p.name}.png", p)
    names = [dict(id=10 * i, name=name) for i, name in enumerate(CLASSES, 1)]
    rows = [
        dict(file_name=f"{p.name}.png", category_id=10 * CLASSES.index(p.label) + 10, split=p.split)
        for p in pictures
    ]
    (root / "zoo.json").write_text(json.dumps(dict(categories=names, data=rows)))
    return root


def read_own_categories(path):
    value = json.loads((path / "zoo.json").read_text())
    names = {c["id"]: c["name"] for c in value["categories"]}
    return {
        pixel_hash((path / row["file_name"]).read_bytes()): names[row["category_id"]]
        for row in value["data"]
    }


def write_inaturalist(folder, pictures):
    """As the competitions of 2018 to 2021 have it: train2019.json and val2019.json."""
    root = folder / "inat"
    categories = [
        dict(id=i, name=name, supercategory="Insecta" if name == "bee" else "Mammalia")
        for i, name in enumerate(CLASSES)
    ]
    for split in ("train", "val", "test"):
        found = [(i, p) for i, p in enumerate(pictures) if p.split == split]
        images, annotations = [], []
        for i, p in found:
            name = f"train_val2019/{CLASSES.index(p.label)}/{p.name}.jpg"
            put(root / name, p)
            size = dict(width=10, height=12)
            images.append(dict(id=i, file_name=name, rights_holder="ann", license=1, **size))
            annotations.append(dict(id=i, image_id=i, category_id=CLASSES.index(p.label)))
        value = dict(info=dict(year=2019), images=images, licenses=[], annotations=annotations)
        (root / f"{split}2019.json").write_text(json.dumps(value | dict(categories=categories)))
    return root


def read_inaturalist(path):
    found = {}
    for file in path.glob("*.json"):
        value = json.loads(file.read_text())
        names = {c["id"]: c["name"] for c in value["categories"]}
        files = {image["id"]: image["file_name"] for image in value["images"]}
        for row in value["annotations"]:
            blob = (path / files[row["image_id"]]).read_bytes()
            found[pixel_hash(blob)] = names[row["category_id"]]
    return found


LAYOUTS = [
    Layout("JSON with its classes", write_own_classes, read_own_classes, splits={}),
    Layout("JSON with its categories", write_own_categories, read_own_categories),
    Layout("iNaturalist's JSON", write_inaturalist, read_inaturalist),
]
