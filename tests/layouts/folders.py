"""Class folders, read back by torchvision's habit: the folder of a file is its class."""

from pathlib import Path

from tests.layouts.base import Layout, pixel_hash


def write_class_folders(folder, pictures):
    for p in pictures:
        place = folder / "photos" / p.label / f"{p.name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(p.png)
    (folder / "photos" / "README.txt").write_text("from the farm")
    return folder / "photos"


def write_split_folders(folder, pictures):
    for p in pictures:
        place = folder / "photos" / p.split / p.label / f"{p.name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(p.png)
    return folder / "photos"


def read_folders(path):
    return {pixel_hash(file.read_bytes()): file.parent.name for file in Path(path).rglob("*.png")}


LAYOUTS = [
    Layout("class folders", write_class_folders, read_folders, splits={}, unread=(".txt",)),
    Layout("split folders", write_split_folders, read_folders),
]
