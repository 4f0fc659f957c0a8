"""How a folder, a CSV or a Parquet file says which images there are, with which label and split."""

import re
from collections import Counter, namedtuple

from assay.curation.errors import UserError

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "pool": "pool",
    "unlabeled": "pool",
    "unlabelled": "pool",
    "guard": "guard",
}

Source = namedtuple("Source", "frame left_out kind name notes")  # what read_source returns


def as_texts(values, column):
    """Labels, ids, ... as text: 3 and 3.0 are "3"; an empty cell, blanks and NaN are None."""
    if any(isinstance(v, list | dict) for v in values):
        raise UserError(
            f"expected text or numbers in the column {column}, found lists or structs",
            "name another column",
        )
    texts = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]
    texts = [
        None if v is None or not t.strip() or t.lower() == "nan" else t
        for v, t in zip(values, texts, strict=True)
    ]
    floats = all(
        t is None or re.fullmatch(r"-?\d+\.0+", t) for t in texts
    )  # what pandas makes of whole numbers with a gap
    return [t and t.split(".")[0] for t in texts] if floats else texts


def map_splits(rows, split_map, notes):
    names = Counter(row["split"] for row in rows if row["split"])
    meant = {name: SPLITS.get(split_map.get(name, name).strip().lower()) for name in names}
    if unknown := [name for name in names if meant[name] is None]:
        raise UserError(
            f"expected train, val, test, pool or guard, found {', '.join(f'{u} ({names[u]:,})' for u in unknown)}",
            "say what they are: --split-map " + ",".join(f"{u}=pool" for u in unknown),
        )
    astray = [row for row in rows if row["label"] is None and not (row["split"] and "id" in row)]
    moved = Counter(meant.get(row["split"]) for row in astray)
    for row in rows:
        row["split"] = meant.get(row["split"])
    for row in astray:
        row["split"] = "pool"
    notes += [
        f"{n:,} unlabelled rows of {split} go to pool"
        for split, n in moved.items()
        if split not in (None, "pool")
    ]
