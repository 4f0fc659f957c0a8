"""Words that people use for splits, in names of folders and files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from assay.curation.formats.splits import SPLITS

MORE = {
    "trn": "train",
    "trainval": "train",
    "validate": "val",
    "eval": "val",
    "evaluation": "val",
    "devel": "val",
    "development": "val",
    "tst": "test",
    "holdout": "test",
    "unsup": "pool",
    "unannotated": "pool",
}
# what stands beside such a word without a meaning: training_set, seg_train, train_images
FILLERS = set("set data dataset images image imgs img pictures photos seg split folder".split())
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
    words = [word for word in words if word] or [""]
    known = {SPLITS.get(word) or MORE.get(word) for word in words}
    return known.pop() if len(words) == 1 and len(known) == 1 else None


def guess_splits(names: Iterable[str]) -> dict[str, str]:
    """Guess the splits that names mean together: birds_train and birds_test share a word.

    Names that mean none are left out.
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
