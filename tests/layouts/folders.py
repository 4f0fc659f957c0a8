"""Class folders, read back by torchvision's habit: the folder of a file is its class."""

from pathlib import Path

from assay.curation.formats.base import ImportOptions
from tests.layouts.base import Layout, pixel_hash


def write_class_folders(folder, pictures):
    for p in pictures:
        place = folder / "photos" / p.label / f"{p.name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(p.png)
    (folder / "photos" / "README.txt").write_text("from the zoo")
    return folder / "photos"


def write_split_folders(folder, pictures):
    for p in pictures:
        place = folder / "photos" / p.split / p.label / f"{p.name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(p.png)
    return folder / "photos"


def read_folders(path):
    return {pixel_hash(file.read_bytes()): file.parent.name for file in Path(path).rglob("*.png")}


def placing(place):
    """A writer that puts each picture where `place` says."""

    def write(folder, pictures):
        for p in pictures:
            target = folder / "photos" / f"{place(p)}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(p.png)
        return folder / "photos"

    return write


def batch(p):
    return f"2024-0{1 + int(p.name[-3:]) % 2}"


WORDS = dict(train="training_set", val="valid", test="test_set")
DOUBLED = dict(train="seg_train", val="seg_dev", test="seg_test")
KINDS = dict(ape="animal", bee="animal", cow="beast")


def read_names(path):
    """As fast.ai's course reads cats and dogs: what stands before the last dot is the class."""
    return {
        pixel_hash(file.read_bytes()): file.stem.rpartition(".")[0]
        for file in Path(path).rglob("*.png")
    }


def read_tops(path):
    return {
        pixel_hash(file.read_bytes()): file.relative_to(path).parts[0]
        for file in Path(path).rglob("*.png")
    }


LAYOUTS = [
    Layout("class folders", write_class_folders, read_folders, splits={}, unread=(".txt",)),
    Layout("split folders", write_split_folders, read_folders),
    Layout("other words", placing(lambda p: f"{WORDS[p.split]}/{p.label}/{p.name}"), read_folders),
    Layout(
        "doubled split folders",
        placing(lambda p: f"{DOUBLED[p.split]}/{DOUBLED[p.split]}/{p.label}/{p.name}"),
        read_folders,
    ),
    Layout(
        "images inside splits",
        placing(lambda p: f"set/{p.split}/images/{p.label}/{p.name}"),
        read_folders,
    ),
    Layout("splits inside classes", placing(lambda p: f"{p.label}/{p.split}/{p.name}"), read_tops),
    Layout(
        "batches of classes",
        placing(lambda p: f"{batch(p)}/{p.label}/{p.name}"),
        read_folders,
        ImportOptions(class_level=2),
        splits={},
    ),
    Layout(
        "a taxonomy in splits",
        placing(lambda p: f"{p.split}/{KINDS[p.label]}/{p.label}/{p.name}"),
        read_folders,
        ImportOptions(class_level=-1),
    ),
    Layout(
        "names that begin with the class",
        placing(lambda p: f"{p.split}/{p.label}.{int(p.name[-3:])}"),
        read_names,
        ImportOptions(format="file-names"),
    ),
]
