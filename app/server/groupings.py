"""Sort samples into groups by class, pair, cluster, duplicates or reviewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.filtering.facets import encode
from assay.curation.filtering.table import SampleTable
from assay.curation.versioning.class_list import list_classes

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

NO_GROUP, SURE = "none", "not doubted"
GROUPS = dict(
    label="class",
    pair="label and suggestion",
    cluster="cluster",
    duplicate_group="duplicates",
    reviewers="reviewer",
    split="split",
)


def sort_groups(
    bench: Bench, table: SampleTable, positions: np.ndarray, by: str
) -> tuple[np.ndarray, list[tuple[str, int]]]:
    """Put the samples of a group together; within it the order stays.

    Returns the positions, and each group's name and size: classes as they are declared, others by size, samples without
    a value last.
    """
    if by not in GROUPS:
        raise UserError(
            f"expected one of {', '.join(GROUPS)} to group by, found {by[:40]!r}",
            "choose one of them",
        )
    codes, names = encode_groups(table, positions, by)
    sizes = np.bincount(codes + 1, minlength=len(names) + 1)[1:]
    there = [int(i) for i in np.flatnonzero(sizes)]
    if by == "label":
        place = {name: i for i, name in enumerate(list_classes(bench))}
        there.sort(key=lambda i: place.get(names[i], len(place)))
    else:
        there.sort(key=lambda i: (names[i] == SURE, -sizes[i], names[i]))
    rank = np.full(len(names) + 1, len(there))  # the last, -1, is that of those without a value
    rank[there] = np.arange(len(there))
    order = np.argsort(rank[codes], kind="stable")
    groups = [(names[i], int(sizes[i])) for i in there]
    left = int((codes < 0).sum())
    return positions[order], [*groups, (NO_GROUP, left)] if left else groups


def encode_groups(
    table: SampleTable, positions: np.ndarray, by: str
) -> tuple[np.ndarray, list[str]]:
    """Number the group of each sample (n,), and name the groups.

    -1 for none.
    """
    if by == "pair":
        return encode_pairs(table, positions)
    if by in ("reviewers", "duplicate_group"):
        values = table.rows(positions, [by])[by]
        words = [
            ", ".join(v) if isinstance(v, tuple) else "" if v != v else f"{v:g}" for v in values
        ]
        names, codes = np.unique(np.array(words, object).astype(str), return_inverse=True)
        none = np.flatnonzero(names == "")
        return np.where(np.isin(codes, none), -1, codes), names.tolist()
    return encode_texts(table, positions, by)


def encode_texts(table: SampleTable, positions: np.ndarray, by: str) -> tuple[np.ndarray, list]:
    """Number the values of a column of texts."""
    array = encode(table.snapshot.array(by))
    return array.indices.fill_null(-1).to_numpy()[positions], array.dictionary.to_pylist()


def encode_pairs(table: SampleTable, positions: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Number the pairs of label and suggestion of doubted labels."""
    given, labels = encode_texts(table, positions, "label")
    hint, classes = encode_texts(table, positions, "suggestion")
    doubted = table.snapshot.array("flagged").fill_null(False).to_numpy(zero_copy_only=False)
    pairs = (given.astype("i8") + 1) * (len(classes) + 1) + hint + 1
    pairs = np.where(doubted[positions] & (hint >= 0), pairs, -1)
    different, codes = np.unique(pairs, return_inverse=True)
    names = [SURE if p < 0 else name_pair(int(p), labels, classes) for p in different]
    return np.where(table.snapshot.locked[positions], -1, codes), names


def name_pair(pair: int, labels: list[str], classes: list[str]) -> str:
    """Name a label and its suggestion."""
    given, hint = divmod(pair, len(classes) + 1)
    return f"{labels[given - 1] if given else 'no label'} → {classes[hint - 1]}"
