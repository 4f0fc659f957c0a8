"""A small file beside each image that holds its class, read back by a plain reader of each."""

import json
from pathlib import Path

from tests.layouts.base import CLASSES, Layout, pixel_hash


def write_beside(place, text):
    """A writer that puts what `text` says beside each picture, where `place` says."""

    def write(folder, pictures):
        root = folder / "zoo"
        for p in pictures:
            image, beside = (root / name for name in place(p))
            image.parent.mkdir(parents=True, exist_ok=True)
            beside.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(p.png)
            beside.write_text(text(p))
        (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
        return root

    return write


def read_beside(name):
    """A reader that finds the file of an image's stem and folder, and says its class.

    name: of its text and the list of classes.
    """

    def read(path):
        out, classes = {}, (Path(path) / "classes.txt").read_text().split()
        for image in Path(path).rglob("*.png"):
            (file,) = Path(path).rglob(f"{image.stem}.[tj]*")
            out[pixel_hash(image.read_bytes())] = name(file.read_text(), classes)
        return out

    return read


LAYOUTS = [
    Layout(
        "a text beside each image",
        write_beside(lambda p: (f"{p.name}.png", f"{p.name}.txt"), lambda p: f"{p.label}\n"),
        read_beside(lambda text, classes: text.strip()),
        splits={},
    ),
    Layout(
        "a number beside each image",
        write_beside(
            lambda p: (f"images/{p.split}/{p.name}.png", f"labels/{p.split}/{p.name}.txt"),
            lambda p: str(CLASSES.index(p.label)),
        ),
        read_beside(lambda text, classes: classes[int(text)]),
    ),
    Layout(
        "JSON beside each image",
        write_beside(
            lambda p: (f"{p.split}/{p.name}.png", f"{p.split}/{p.name}.json"),
            lambda p: json.dumps(dict(seen_by="ann", label=p.label), indent=1),
        ),
        read_beside(lambda text, classes: json.loads(text)["label"]),
    ),
]
