"""Hugging Face: what datasets writes by push_to_hub, to_parquet and save_to_disk; load_dataset reads it back."""

import json
import tempfile
from pathlib import Path

from tests.layouts.base import CLASSES, Layout, pixel_hash

NAMES = {"train": "train", "val": "validation", "test": "test"}


def features(**more):
    from datasets import ClassLabel, Features, Image, Value

    return Features(image=Image(), label=ClassLabel(names=CLASSES), age=Value("int32"), **more)


def make_split(pictures):
    from datasets import Dataset

    columns = dict(
        image=[dict(bytes=p.png, path=f"{p.name}.png") for p in pictures],
        label=[CLASSES.index(p.label) for p in pictures],
        age=list(range(len(pictures))),
    )
    return Dataset.from_dict(columns, features())


def splits_of(pictures):
    return {split: [p for p in pictures if p.split == split] for split in NAMES}


def write_hub(folder, pictures):
    """As push_to_hub lays it out: data/SPLIT-NNNNN-of-NNNNN.parquet, and a card with the features."""
    from datasets import DatasetInfo
    from huggingface_hub import DatasetCard, DatasetCardData

    data = folder / "zoo" / "data"
    data.mkdir(parents=True)
    for split, part in splits_of(pictures).items():
        made = make_split(part)
        shards = 2 if split == "train" else 1
        for i in range(shards):
            shard = made.shard(shards, i, contiguous=True)
            shard.to_parquet(data / f"{NAMES[split]}-{i:05}-of-{shards:05}.parquet")
    info = DatasetInfo(features=features())._to_yaml_dict()
    files = [dict(split=name, path=f"data/{name}-*") for name in NAMES.values()]
    head = DatasetCardData(
        dataset_info=info, configs=[dict(config_name="default", data_files=files)]
    )
    DatasetCard(f"---\n{head}\n---\n\n# Zoo\n").save(folder / "zoo" / "README.md")
    return folder / "zoo"


def write_disk_dict(folder, pictures):
    from datasets import DatasetDict

    made = {split: make_split(part) for split, part in splits_of(pictures).items()}
    DatasetDict({NAMES[s]: d for s, d in made.items()}).save_to_disk(
        folder / "zoo", num_shards=dict(train=2, validation=1, test=1)
    )
    return folder / "zoo"


def write_disk(folder, pictures):
    make_split(pictures).save_to_disk(folder / "zoo", num_shards=2)
    return folder / "zoo"


def write_single(folder, pictures):
    make_split(pictures).to_parquet(folder / "zoo.parquet")
    return folder / "zoo.parquet"


def place_pictures(folder, pictures):
    folder.mkdir(parents=True, exist_ok=True)
    for p in pictures:
        (folder / f"{p.name}.png").write_bytes(p.png)


def write_folder_of_splits(folder, pictures):
    """A metadata.csv in each split, its labels quoted where a spreadsheet would."""
    for split, part in splits_of(pictures).items():
        below = folder / "zoo" / NAMES[split]
        place_pictures(below, part)
        rows = [f'{p.name}.png,"{p.label}","it is {p.label}, really"\r\n' for p in part]
        text = "file_name,label,said\r\n" + "".join(rows)
        (below / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    return folder / "zoo"


def write_folder_jsonl(folder, pictures):
    place_pictures(folder / "zoo" / "images", pictures)
    rows = [
        json.dumps(dict(file_name=f"images/{p.name}.png", label=p.label, seen={"by": "ann"}))
        for p in pictures
    ]
    (folder / "zoo" / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder / "zoo"


def write_folder_parquet(folder, pictures):
    import pandas as pd

    place_pictures(folder / "zoo" / "images", pictures)
    names = [f"images/{p.name}.png" for p in pictures]
    table = pd.DataFrame(dict(file_name=names, label=[p.label for p in pictures]))
    table.to_parquet(folder / "zoo" / "metadata.parquet", index=False)
    return folder / "zoo"


def read_folder(path):
    from datasets import load_dataset

    found = load_dataset("imagefolder", data_dir=str(path), cache_dir=new_cache(path))
    rows = [row for part in found.values() for row in part]
    return {pixel_hash(row["image"]): row["label"] for row in rows}


def labels_of(dataset):
    names = dataset.features["label"].names
    return {
        pixel_hash(row["image"]): None if row["label"] == -1 else names[row["label"]]
        for row in dataset
    }


def new_cache(path):
    """A cache of its own, so that nothing that was read before is taken for what lies there now."""
    return tempfile.mkdtemp(dir=Path(path).parent.parent)


def load(path, **more):
    from datasets import load_dataset

    return load_dataset(str(path), cache_dir=new_cache(path), **more)


def read_hub(path):
    found = load(path)
    assert set(found) == set(NAMES.values())
    return {h: label for part in found.values() for h, label in labels_of(part).items()}


def read_disk(path):
    from datasets import DatasetDict, load_from_disk

    found = load_from_disk(str(path))
    parts = found.values() if isinstance(found, DatasetDict) else [found]
    return {h: label for part in parts for h, label in labels_of(part).items()}


def read_single(path):
    from datasets import Dataset

    return labels_of(Dataset.from_parquet(str(path), cache_dir=new_cache(path)))


LAYOUTS = [
    Layout("imagefolder csv", write_folder_of_splits, read_folder, needs="datasets"),
    Layout("imagefolder jsonl", write_folder_jsonl, read_folder, splits={}, needs="datasets"),
    Layout("imagefolder parquet", write_folder_parquet, read_folder, splits={}, needs="datasets"),
    Layout("hugging face hub", write_hub, read_hub, needs="datasets"),
    Layout("hugging face one parquet", write_single, read_single, splits={}, needs="datasets"),
    Layout("hugging face saved dict", write_disk_dict, read_disk, needs="datasets"),
    Layout("hugging face saved", write_disk, read_disk, splits={}, needs="datasets"),
]
