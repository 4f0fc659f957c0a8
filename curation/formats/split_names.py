"""What sources and Assay call their splits."""

from __future__ import annotations

from collections import Counter

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


def map_splits(rows: list[dict], split_map: dict[str, str], notes: list[str]) -> None:
    """Give each sample its source's split, in place.

    Samples without a label go to pool, unless Assay exported them with a split. `notes` gets a
    line for each split that loses samples so. UserError where a name means no split.
    """
    names = Counter(row["split"] for row in rows if row["split"])
    meant = {name: SPLITS.get(split_map.get(name, name).strip().lower()) for name in names}
    if unknown := [name for name in names if meant[name] is None]:
        found = ", ".join(f"{name} ({names[name]:,})" for name in unknown)
        raise UserError(
            f"expected train, val, test, pool or guard, found {found}",
            "say what they are: --split-map " + ",".join(f"{name}=pool" for name in unknown),
        )
    unlabelled = [
        row for row in rows if row["label"] is None and not (row["split"] and "id" in row)
    ]
    moved = Counter(meant.get(row["split"]) for row in unlabelled)
    for row in rows:
        row["split"] = meant.get(row["split"])
    for row in unlabelled:
        row["split"] = "pool"
    notes += [
        f"{n:,} unlabelled rows of {split} go to pool"
        for split, n in moved.items()
        if split not in (None, "pool")
    ]
