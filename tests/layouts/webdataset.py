"""WebDataset shards as webdataset's ShardWriter writes them, read back by webdataset."""

from pathlib import Path

import webdataset

from tests.layouts.base import CLASSES, Layout, pixel_hash


def write_shards(folder, pictures, **fields):
    """Shards of seven samples for each split; fields: ending -> what a picture has there."""
    root = folder / "shards"
    root.mkdir()
    for split in ("train", "val", "test"):
        with webdataset.ShardWriter(
            f"{root}/zoo-{split}-%06d.tar", maxcount=7, verbose=0, mtime=1.5
        ) as writer:
            for p in (p for p in pictures if p.split == split):
                writer.write(
                    {"__key__": p.name, "png": p.png}
                    | {ending: make(p) for ending, make in fields.items()}
                )
    return root


def write_numbers(folder, pictures):
    root = write_shards(folder, pictures, cls=lambda p: CLASSES.index(p.label))
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    return root


def write_bare_numbers(folder, pictures):
    return write_shards(folder, pictures, cls=lambda p: int(p.label))


def write_both(folder, pictures):
    """The number in .cls and the name in .json, as converters of ImageNet write them."""
    return write_shards(
        folder,
        pictures,
        cls=lambda p: CLASSES.index(p.label),
        json=lambda p: {"class_name": p.label, "site": p.name[-1], "box": [1, 2]},
    )


def write_fields(folder, pictures):
    """One tar of the standard library, of folders, the label a field of .json among others."""
    import io
    import json
    import tarfile

    path = folder / "zoo.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for p in pictures:
            text = json.dumps({"id": p.name, "label": p.label, "été": [1.50, None]}, indent=2)
            for ending, blob in ((".json", text.encode()), (".png", p.png)):
                info = tarfile.TarInfo(f"./{'deep/' * 30}{p.name}{ending}")
                info.size, info.mtime, info.uname = len(blob), 1_700_000_000, "ann"
                tar.addfile(info, io.BytesIO(blob))
    return path


def write_texts(folder, pictures):
    return write_shards(folder, pictures, txt=lambda p: p.label)


def read_shards(path, label):
    found = {}
    shards = [path] if path.is_file() else sorted(path.glob("*.tar"))
    for sample in webdataset.WebDataset([str(s) for s in shards], shardshuffle=False).decode("pil"):
        found[pixel_hash(sample["png"])] = label(sample)
    return found


def read_numbers(path):
    names = (path / "classes.txt").read_text().split()
    return read_shards(path, lambda sample: names[sample["cls"]])


def read_both(path):
    def label(sample):
        assert CLASSES[sample["cls"]] == sample["json"]["class_name"]
        return sample["json"]["class_name"]

    return read_shards(Path(path), label)


LAYOUTS = [
    Layout("WebDataset, numbers and classes.txt", write_numbers, read_numbers),
    Layout(
        "WebDataset, numbers alone",
        write_bare_numbers,
        lambda path: read_shards(path, lambda sample: str(sample["cls"])),
        numbers=True,
    ),
    Layout("WebDataset, numbers and names", write_both, read_both),
    Layout(
        "WebDataset, a tar with JSON",
        write_fields,
        lambda path: read_shards(path, lambda sample: sample["json"]["label"]),
        splits={},
    ),
    Layout(
        "WebDataset, texts",
        write_texts,
        lambda path: read_shards(path, lambda sample: sample["txt"]),
    ),
]
