"""Tables, as pandas, the standard library, pyarrow and openpyxl write them and read them back."""

import csv
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from assay.curation.formats.base import ImportOptions
from tests.layouts.base import CLASSES, Layout, pixel_hash

BESIDE = ImportOptions(format="table")  # the table in a folder of images
ANYWHERE = ImportOptions(images="/")  # absolute paths, so that a table can be read anywhere
WORDS = {"train": "training_set", "val": "valid", "test": "TEST"}


def write_images(folder, pictures, ending=".png"):
    places = [folder / "images" / f"{p.name}{ending}" for p in pictures]
    for p, place in zip(pictures, places):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(p.png)
    return [str(place) for place in places]


def make_rows(folder, pictures):
    paths = write_images(folder, pictures)
    return pd.DataFrame(
        dict(
            file_name=paths,
            note=[f'"{p.name}", {i}' if i % 3 else None for i, p in enumerate(pictures)],
            label=[p.label for p in pictures],
            subset=[WORDS[p.split] for p in pictures],
        )
    )


def labels_of(frame, image="file_name", label="label"):
    return {
        pixel_hash(Path(path).read_bytes()): name for path, name in zip(frame[image], frame[label])
    }


# name, its ending, how it is written, how it is read back
FILES = [
    (
        "csv",
        ".csv",
        lambda t, f: t.to_csv(f, index=False, quoting=csv.QUOTE_NONNUMERIC),
        pd.read_csv,
    ),
    (
        "csv of a spreadsheet",
        ".csv",
        lambda t, f: t.to_csv(f, sep=";", encoding="utf-8-sig", lineterminator="\r\n", index=False),
        lambda f: pd.read_csv(f, sep=";"),
    ),
    (
        "tsv in UTF-16",
        ".tsv",
        lambda t, f: t.to_csv(f, sep="\t", encoding="utf-16"),
        lambda f: pd.read_csv(f, sep="\t", encoding="utf-16"),
    ),
    (
        "csv with bars",
        ".csv",
        lambda t, f: t.to_csv(f, sep="|", index=False),
        lambda f: pd.read_csv(f, sep="|"),
    ),
    (
        "json lines",
        ".jsonl",
        lambda t, f: t.to_json(f, orient="records", lines=True),
        lambda f: pd.read_json(f, lines=True),
    ),
    (
        "json rows",
        ".json",
        lambda t, f: t.to_json(f, orient="records", indent=2),
        lambda f: pd.DataFrame(json.loads(f.read_text())),
    ),
    ("json columns", ".json", lambda t, f: t.to_json(f), pd.read_json),
    (
        "json split",
        ".json",
        lambda t, f: t.to_json(f, orient="split", indent=1),
        lambda f: pd.read_json(f, orient="split"),
    ),
    (
        "json table",
        ".json",
        lambda t, f: t.to_json(f, orient="table"),
        lambda f: pd.DataFrame(json.loads(f.read_text())["data"]),
    ),
    ("parquet", ".parquet", lambda t, f: t.to_parquet(f, row_group_size=7), pd.read_parquet),
    ("feather", ".feather", lambda t, f: t.to_feather(f), pd.read_feather),
    ("excel", ".xlsx", lambda t, f: t.to_excel(f, index=False), pd.read_excel),
]


def make_layout(name, ending, write, read, text):
    def write_it(folder, pictures):
        path = folder / f"labels{ending}"
        write(make_rows(folder, pictures), path)
        return path

    splits = {"train": "train", "val": "val", "test": "test"}
    return Layout(name, write_it, lambda f: labels_of(read(f)), ANYWHERE, splits, text=text)


def write_ids(folder, pictures):
    """A JSON object by image, images beside it."""
    write_images(folder / "photos", pictures)
    rows = {f"{p.name}.png": {"label": p.label, "split": p.split, "n": 1e5} for p in pictures}
    (folder / "photos" / "labels.json").write_text(json.dumps(rows, indent=4))
    return folder / "photos"


def read_ids(folder):
    rows = json.loads((folder / "labels.json").read_text())
    return {
        pixel_hash((folder / "images" / name).read_bytes()): row["label"]
        for name, row in rows.items()
    }


def write_pairs(folder, pictures):
    """{image: label}, as annotation scripts dump it."""
    write_images(folder / "photos", pictures)
    pairs = {f"images/{p.name}.png": p.label for p in pictures}
    (folder / "photos" / "labels.json").write_text(json.dumps(pairs))
    return folder / "photos"


def read_pairs(folder):
    pairs = json.loads((folder / "labels.json").read_text())
    return {pixel_hash((folder / name).read_bytes()): label for name, label in pairs.items()}


def write_kaggle(folder, pictures):
    """Ids without an ending, images in a folder called as somebody liked."""
    write_images(folder / "pets", pictures)
    rows = [(p.name, p.label, int(p.split == "test")) for p in pictures]
    frame = pd.DataFrame(rows, columns=["Id", "breed", "is_test"])
    frame.to_csv(folder / "pets" / "labels.csv", index=False)
    return folder / "pets"


def read_kaggle(folder):
    frame = pd.read_csv(folder / "labels.csv")
    paths = [folder / "images" / f"{name}.png" for name in frame.Id]
    return labels_of(frame.assign(path=paths), "path", "breed")


def write_numbered(folder, pictures):
    """A class by its number and its name, from Windows."""
    write_images(folder / "shop", pictures)
    rows = [
        (f"C:\\data\\images\\{p.name}.png", CLASSES[::-1].index(p.label), p.label, p.split)
        for p in pictures
    ]
    frame = pd.DataFrame(rows, columns=["ImagePath", "label", "label_name", "phase"])
    frame.to_csv(folder / "shop" / "labels.csv", index=False)
    return folder / "shop"


def read_numbered(folder):
    frame = pd.read_csv(folder / "labels.csv")
    names = dict(zip(frame.label, frame.label_name)) | dict(enumerate(CLASSES[::-1]))
    assert [names[n] for n in frame.label] == list(frame.label_name)
    assert sorted(names) == list(range(len(names))), "new ones are counted on"
    paths = [folder / "images" / path.split("\\")[-1] for path in frame.ImagePath]
    return labels_of(frame.assign(path=paths), "path", "label_name")


def write_one_hot(folder, pictures):
    """A column for each class, as the ISIC archive has it."""
    write_images(folder / "skin", pictures)
    frame = pd.DataFrame(
        dict(image=[p.name for p in pictures])
        | {c: [float(p.label == c) for p in pictures] for c in CLASSES}
    )
    frame.to_csv(folder / "skin" / "truth.csv", index=False)
    return folder / "skin"


def read_one_hot(folder):
    frame = pd.read_csv(folder / "truth.csv")
    paths = [folder / "images" / f"{name}.png" for name in frame.image]
    return labels_of(frame.assign(path=paths, label=frame[CLASSES].idxmax(axis=1)), "path")


def write_bytes_table(folder, pictures):
    """Image bytes in Parquet, a categorical label, in small row groups."""
    frame = pd.DataFrame(
        dict(
            image=[p.png for p in pictures],
            label=pd.Categorical([p.label for p in pictures], CLASSES[::-1]),
            split=[p.split for p in pictures],
        )
    )
    frame.to_parquet(folder / "pets.parquet", row_group_size=8, compression="zstd")
    return folder / "pets.parquet"


def read_bytes_table(path):
    frame = pd.read_parquet(path)
    assert list(frame.label.cat.categories)[:3] == CLASSES[::-1]
    return {pixel_hash(image): label for image, label in zip(frame.image, frame.label)}


def write_shards(folder, pictures):
    """Parquet shards whose names tell the split."""
    (folder / "pets").mkdir()
    for split in WORDS:
        rows = [p for p in pictures if p.split == split]
        for k in range(2):
            part = rows[k::2]
            table = pa.table(dict(image=[p.png for p in part], label=[p.label for p in part]))
            pq.write_table(table, folder / "pets" / f"{split}-{k:05}-of-00002.parquet")
    return folder / "pets"


def read_shards(folder):
    frame = pd.concat(pd.read_parquet(f) for f in sorted(folder.glob("*.parquet")))
    return {pixel_hash(image): label for image, label in zip(frame.image, frame.label)}


def write_stream(folder, pictures):
    """An Arrow stream of several batches with a dictionary."""
    table = pa.Table.from_pandas(make_rows(folder, pictures))
    table = table.set_column(2, "label", table["label"].dictionary_encode())
    with pa.ipc.new_stream(folder / "rows.arrow", table.schema) as out:
        out.write_table(table, max_chunksize=9)
    return folder / "rows.arrow"


def read_stream(path):
    with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
        return labels_of(stream.read_all().to_pandas())


LAYOUTS = [
    *(make_layout(*file, text=file[0].startswith(("csv", "json lines"))) for file in FILES),
    Layout("json by image", write_ids, read_ids, BESIDE),
    Layout("json pairs", write_pairs, read_pairs, BESIDE, splits={}),
    Layout(
        "kaggle ids",
        write_kaggle,
        read_kaggle,
        BESIDE,
        splits={"train": "train", "val": "train", "test": "test"},
    ),
    Layout("numbers and names", write_numbered, read_numbered, BESIDE),
    Layout("one-hot columns", write_one_hot, read_one_hot, BESIDE, splits={}),
    Layout("parquet of images", write_bytes_table, read_bytes_table),
    Layout("parquet shards", write_shards, read_shards),
    Layout("arrow stream", write_stream, read_stream, ANYWHERE),
]
