"""Find columns of a table that give the label away, name rows or say nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.media.row_cells import is_number
from assay.curation.media.rows import read_column_kinds
from assay.curation.text import format_count

REVEALING = 0.2  # of the errors of guessing are left, at most, where a column alone predicts
FEWEST = 40  # labelled rows, from which on a column can reveal
LEAVES = 32  # of the tree that one column gets
KINDS = {
    "revealing_column": Kind("a column that alone gives the label away", REVEALING, whole=True),
    "identifier_column": Kind("a column with another value in each row", 0.5, whole=True),
    "constant_column": Kind("a column that says the same in every row", 0.5, whole=True),
}


def find_columns(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find the columns of a kind."""
    limit = KINDS[kind].threshold if threshold is None else threshold
    kinds = read_column_kinds(scan.bench)
    if kind == "revealing_column":
        found = find_revealing(scan, kinds)
    elif kind == "identifier_column":
        found = [
            (0.0, f"{name} has another value in each row: vectors leave it out")
            for name, of in kinds.items()
            if of == "identifier"
        ]
    else:
        found = find_constant([scan.rows[i] for i in np.flatnonzero(scan.is_open).tolist()], kinds)
    return [Issue(kind, None, score, None, why) for score, why in found if score < limit]


def find_constant(rows: list[dict[str, Any]], kinds: dict[str, str]) -> list[tuple[float, str]]:
    """Find columns with one value, or none."""
    out = []
    for name in kinds:
        values = {row.get(name) for row in rows}
        if len(values) == 1 and rows:
            value = values.pop()
            said = "no value" if value is None else f"{str(value)[:60]!r}"
            out.append((0.0, f"{name} has {said} in all of {format_count(len(rows), 'row')}"))
    return out


def find_revealing(scan: ScanView, kinds: dict[str, str]) -> list[tuple[float, str]]:
    """Score each column by how many errors of guessing remain if it alone predicts: 0 to 1.

    A small tree learns each half of the labelled train rows and predicts the other.
    """
    from sklearn.tree import DecisionTreeClassifier

    used = scan.is_labelled & (scan.state.split == "train").to_numpy()
    at = np.flatnonzero(used)
    labels, y = np.unique(scan.state.label.to_numpy(object)[at].astype(str), return_inverse=True)
    if len(at) < FEWEST or len(labels) < 2:
        return []
    # copies are in one half
    half = scan.node[at] % 2 == 1
    guessed = np.mean(y == np.bincount(y).argmax())
    out = []
    for name, kind in kinds.items():
        if kind not in ("number", "category", "date") or guessed == 1:
            continue
        X = code_column([scan.rows[i].get(name) for i in at.tolist()])
        right = np.zeros(len(at), bool)
        for seen in (half, ~half):
            tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, random_state=0)
            if seen.any() and not seen.all():
                right[~seen] = tree.fit(X[seen], y[seen]).predict(X[~seen]) == y[~seen]
        left = (1 - right.mean()) / (1 - guessed)
        why = (
            f"{name} alone predicts {right.mean():.1%} of {format_count(len(at), 'label')}, guessing"
            f" {guessed:.1%}: is it known before the label is?"
        )
        out.append((float(min(1.0, left)), why))
    return out


def code_column(cells: list[Any]) -> np.ndarray:
    """Code cells as numbers (n, 1): words by their order in frequency, NaN where missing."""
    words, counts = np.unique([str(c) for c in cells if not is_number(c)], return_counts=True)
    place = {word: -1 - i for i, word in enumerate(words[np.argsort(-counts, kind="stable")])}
    # words lie below all numbers
    low = min((c for c in cells if is_number(c)), default=0)
    codes = [np.nan if c is None else c if is_number(c) else low + place[str(c)] for c in cells]
    return np.array(codes, "f8")[:, None]


FINDER = IssueFinder(KINDS, find_columns, media=("row",), order=115)
