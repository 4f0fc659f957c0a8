"""Words for splits in columns and in folders' and files' names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable

from assay.curation.errors import UserError
from assay.curation.text import format_count

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "evaluation": "val",
    "test": "test",
    "testing": "test",
    "holdout": "test",
    "heldout": "test",
    "pool": "pool",
    "unlabeled": "pool",
    "unlabelled": "pool",
    "guard": "guard",
}
MORE = {
    "trn": "train",
    "trainval": "train",
    "validate": "val",
    "devel": "val",
    "development": "val",
    "tst": "test",
    "holdout": "test",
    "unsup": "pool",
    "unannotated": "pool",
}
# what stands beside such a word without a meaning: training_set, seg_train, train_images
FILLERS = set("set data dataset images image imgs img pictures photos seg split folder".split())
GLUED = re.compile("(set|data|images?|imgs?|split)$")  # trainset, testdata
UNLABELLED = ("unlabeled", "unlabelled", "unsup", "unannotated")
FOLD = re.compile(r"(cv|k)?[ _-]?(fold|split|part|partition)s?[ _-]?\d+|cv[ _-]?\d+", re.IGNORECASE)


def guess_split(name: str) -> str | None:
    """Guess the split that a name means, such as training_set or train2017.

    None where a word is left that means none: a training_shoe is a class.
    """
    plain = name.strip().lower()
    if plain in SPLITS:
        return SPLITS[plain]
    words = [word for word in re.split(r"[^a-z0-9]+", plain) if word and word not in FILLERS]
    words = [re.sub(r"\d+$", "", word) for word in words]
    words = [word for word in words if word]
    word = "".join(words)  # hold-out is one word
    if len(words) > 1:
        return SPLITS.get(word)
    return SPLITS.get(word) or MORE.get(word) or SPLITS.get(GLUED.sub("", word))


def read_split_word(word: str, split_map: dict[str, str] | None = None) -> str | None:
    """Read a source's word for a split, such as training_set.

    It means what `split_map` says, else what people mean by it.
    """
    return guess_split((split_map or {}).get(word, word))


def guess_splits(names: Iterable[str]) -> dict[str, str]:
    """Guess the splits that several names mean together: {name: split}.

    birds_train and birds_test share the word birds, which is ignored. Names that mean none are left
    out.
    """
    names = list(names)
    found = {name: split for name in names if (split := guess_split(name))}
    shared = re.sub(r"[^_ .-]*$", "", os.path.commonprefix(names))  # whole words of it
    if not found and len(names) > 1 and shared:
        apart = {name: guess_split(name[len(shared) :]) for name in names}
        if None not in apart.values() and len(set(apart.values())) > 1:
            return {name: split for name, split in apart.items() if split}
    return found


def is_fold(name: str) -> bool:
    """Whether a name counts folds: fold1, cv_3."""
    return bool(FOLD.fullmatch(name.strip()))


def map_splits(rows: list[dict], split_map: dict[str, str], notes: list[str]) -> None:
    """Give each sample its source's split, in place.

    Samples without a label go to pool, unless Assay exported them with a split. `notes` gets a
    line for each split that loses samples so. UserError where a name means no split.
    """
    names = Counter(row["split"] for row in rows if row["split"])
    meant = {name: read_split_word(name, split_map) for name in names}
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
        f"{format_count(n, 'unlabelled row')} of {split} go to pool"
        for split, n in moved.items()
        if split not in (None, "pool")
    ]
