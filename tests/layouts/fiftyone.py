"""Data sets on disk that a real FiftyOne exported, read back by FiftyOne itself."""

from pathlib import Path

from assay.curation.formats.base import ImportOptions
from tests.fiftyone_process import ask_fiftyone
from tests.layouts.base import CLASSES, Layout, pixel_hash


def list_rows(folder, pictures):
    """[file, label, tags] of pictures that lie in a folder."""
    (folder / "raw").mkdir(exist_ok=True)
    rows = []
    for p in pictures:
        file = folder / "raw" / f"{p.name}.png"
        file.write_bytes(p.png)
        rows.append([str(file), p.label, [p.split, "zoo"]])
    return rows


def writer(kind, **options):
    def write(folder, pictures):
        out = folder / "animals"
        rows = list_rows(folder, pictures)
        ask_fiftyone(do="write", rows=rows, out=str(out), kind=kind, **options)
        return out

    return write


def write_rich(folder, pictures):
    ask_fiftyone(do="rich", rows=list_rows(folder, pictures), out=str(folder / "animals"))
    return folder / "animals"


def reader(kind, **options):
    def read(path):
        rows = ask_fiftyone(do="read", path=str(path), kind=kind, **options)
        return {pixel_hash(Path(file).read_bytes()): label for file, label, _ in rows}

    return read


DATASET, LABELS = "FiftyOneDataset", "FiftyOneImageClassificationDataset"
TREE = "ImageClassificationDirectoryTree"
LAYOUTS = [
    Layout("fiftyone data set", writer(DATASET), reader(DATASET), needs="fiftyone"),
    Layout(
        "fiftyone data set of several fields",
        write_rich,
        reader(DATASET, field="first"),
        ImportOptions(columns={"label": "first"}),
        needs="fiftyone",
    ),
    Layout("fiftyone labels", writer(LABELS), reader(LABELS), splits={}, needs="fiftyone"),
    Layout(
        "fiftyone labels by number",
        writer(LABELS, classes=CLASSES[::-1], pretty_print=True),
        reader(LABELS),
        splits={},
        needs="fiftyone",
        text=False,
    ),
    Layout("fiftyone class folders", writer(TREE), reader(TREE), splits={}, needs="fiftyone"),
]
