"""Measure a split: its counts, leaks, and the probe's accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.issues.copies import load_copies
from assay.curation.issues.leakage import GIVEN_AWAY, match_leaks
from assay.curation.label_quality import judges, probe, scoring
from assay.curation.splits import SPLITS
from assay.curation.statistics.clustered import grouped_accuracy
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.versioning.class_list import count_by_split

if TYPE_CHECKING:
    import pandas as pd

JUDGED = ("train", "val", "test")


@dataclass(frozen=True)
class SplitQuality:
    """What can be said of a split, for before and after."""

    splits: dict[str, int]  # kept samples of each
    classes: dict[str, dict[str, int]]  # class -> split -> labelled samples
    near_duplicates: (
        int | None
    )  # samples that (nearly) equal one that judges them; None: not scanned
    groups: (
        int | None
    )  # groups of train or val samples that a split that judges them has, too; None: no column
    leaking: int | None  # samples of either kind
    accuracy: dict | None  # of the probe on val: estimate, low, high, n; None: see why
    why: str = ""  # why there is no accuracy


def measure_split(
    bench: Bench,
    state: pd.DataFrame,
    whole: pd.DataFrame,
    groups: Sequence[str | None] | None,
    families: np.ndarray,
    locked: Sequence[str],
) -> SplitQuality:
    """Measure the split of a state.

    whole: the state in which leaks are counted, such as with the held-out ones let in. groups (n,): names of the
    column that was given. families (n,): who is no independent sample. locked: splits whose labels are not counted.
    """
    kept = state[state.keep]
    seen = kept[kept.label.notna() & ~kept.split.isin(locked) & kept.split.isin(JUDGED)]
    counts = kept.split.value_counts()
    classes: dict[str, dict[str, int]] = {}
    for (label, split), n in count_by_split(task_of(bench), seen).stack().items():
        if not n:
            continue
        classes.setdefault(label, {})[split] = int(n)
    near = find_leaks(bench, whole)
    crossing = None if groups is None else find_crossing(whole, groups)
    accuracy, why = measure_accuracy(bench, state, families)
    return SplitQuality(
        splits={s: int(counts[s]) for s in SPLITS if s in counts},
        classes={label: classes[label] for label in sorted(classes)},
        near_duplicates=None if near is None else len(near),
        groups=None if crossing is None or groups is None else len({groups[i] for i in crossing}),
        leaking=None
        if near is None and crossing is None
        else len({*(near or ()), *(crossing or ())}),
        accuracy=accuracy,
        why=why,
    )


def find_leaks(bench: Bench, state: pd.DataFrame) -> dict[int, tuple[int, float]] | None:
    """Find the rows that (nearly) equal one that judges them.

    None where the images are not scanned.
    """
    try:
        copies = load_copies(bench, state)
    except UserError:
        return None
    return match_leaks(state, copies.near, copies.node)


def find_crossing(state: pd.DataFrame, groups: Sequence[str | None]) -> list[int]:
    """Find rows whose group is in a split that judges them."""
    import pandas as pd

    frame = pd.DataFrame(dict(group=list(groups), split=state.split.to_numpy(object)))
    frame = frame[state.keep.to_numpy() & frame.group.notna()]
    out: list[int] = []
    for leaky, others in GIVEN_AWAY[:2]:
        judged = set(frame.group[frame.split.isin(others)])
        out += frame.index[(frame.split == leaky) & frame.group.isin(judged)].tolist()
    return out


def measure_accuracy(
    bench: Bench, state: pd.DataFrame, families: np.ndarray
) -> tuple[dict | None, str]:
    """Measure the probe's accuracy on val, fitted to train.

    Returns (estimate, "") or (None, why not). Against the labels as they are. families (n,): samples of one family
    are no independent answers.
    """
    use = (state.keep & state.split.isin(("train", "val")) & state.label.notna()).to_numpy()
    part = state[use]
    val = (part.split == "val").to_numpy()
    task = task_of(bench)
    classes, y = scoring.find_targets(part, None, task)
    if not val.any() or len(classes) < 2:
        what = "no labelled val sample" if not val.any() else "one class in train"
        return None, what
    try:
        X, copies = judges.load_features(bench, part)
    except UserError:
        return None, "the images are not scanned"
    rows, asked = np.flatnonzero(~val), np.flatnonzero(val)
    fitted = probe.fit(X[rows], y[rows], copies[rows], len(classes))
    best = task.predict(fitted.predict(X[asked]), classes)
    hit = task.correct(best, part.label.to_numpy(object)[asked])
    p, low, high = grouped_accuracy(hit, families[use][asked])
    return dict(estimate=p, low=low, high=high, n=len(asked)), ""
