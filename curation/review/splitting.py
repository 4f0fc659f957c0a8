"""Split a class: move some samples to another, or queue them all.

What is not decided keeps its label.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.label_quality import live
from assay.curation.review.queue import COLUMNS
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import has_class, task_of
from assay.curation.tasks.multilabel import make_set, read_set
from assay.curation.versioning.changes import apply_decisions, find_known_labels
from assay.curation.versioning.class_changes import add_classes, explain_unknown
from assay.curation.versioning.class_entries import check_name
from assay.curation.versioning.class_list import list_entries
from assay.curation.versioning.class_names import read_names

if TYPE_CHECKING:
    import pandas as pd


def split_class(
    bench: Bench, name: str, into: Iterable[str], who: str
) -> tuple[pd.DataFrame, dict]:
    """Add the classes to split one into, and queue its samples.

    Nothing is relabelled: what is not decided keeps its label. Returns (queue_class; dict batch,
    name, into, added (of these, new to the list), samples (in the queue), locked (samples of test and
    guard, which no queue shows)).
    """
    into = [other for other in dict.fromkeys(into) if other != name]
    if not into:
        raise UserError(
            f"expected the classes to split {name!r} into, found none", "name one or more"
        )
    queue = queue_class(bench, name)
    with bench.connect() as con:
        entries = list_entries(read_names(con))
    new = [other for other in into if other not in entries]
    batch = add_classes(bench, new, who)["batch"] if new else None
    state = bench.state()
    locked = state.keep & has_class(task_of(bench), state.label, name) & state.split.isin(LOCKED)
    about = dict(batch=batch, name=name, into=into, added=new)
    return queue, about | dict(samples=len(queue), locked=int(locked.sum()))


def queue_class(bench: Bench, name: str) -> pd.DataFrame:
    """List the samples of a class to decide about, whoever decided before.

    Kept ones of train, val and pool; those whose label looks most wrong first, where a scan has
    judged them. A frame as build_queue makes it.
    """
    import pandas as pd

    with bench.connect() as con:
        known = find_known_labels(bench, con)
        names = read_names(con)
    if name not in known:
        raise explain_unknown(names, known, name)
    state, task = bench.state(), task_of(bench)
    rows = state[state.keep & has_class(task, state.label, name) & ~state.split.isin(LOCKED)]
    try:
        scores = live.label_scores(bench)[["score", "suggestion"]].reindex(rows.index)
    except UserError:  # not scanned: they come in their order
        scores = pd.DataFrame(dict(score=float("nan"), suggestion=None), rows.index)
    order = scores.score.sort_values(kind="stable").index
    rows, scores = rows.loc[order], scores.loc[order]
    out = pd.DataFrame(
        dict(
            rank=pd.array(range(1, len(rows) + 1), "Int64"),
            sample=rows.index,
            source_id=rows.key.to_numpy(),
            path=rows.uri.to_numpy(),
            given_label=rows.label.to_numpy(),
            suggested_label=scores.suggestion.astype(object).to_numpy(),
            score=scores.score.astype(float).to_numpy(),
            reason=f"which class is it, if not {name}?",
            random=False,
        )
    )
    return out[COLUMNS]


@dataclass(frozen=True)
class SplitPlan:
    """Which samples of a class would go to another."""

    name: str
    into: str
    added: bool  # whether `into` is a new class
    samples: list[str]  # kept ones of train, val and pool
    splits: dict[str, int]  # how many of each
    stay: int  # kept ones outside test and guard that keep their label
    skipped: int  # ids that are no such sample of the class
    locked: int  # of these, samples of test and guard

    def list_decisions(self, bench: Bench) -> list[dict]:
        """List the decisions that move the samples; of label sets all other classes stay."""
        if task_of(bench).name == "classification":
            return [dict(sample=s, label=self.into, given_label=self.name) for s in self.samples]
        given = bench.state().label.loc[self.samples]
        return [
            dict(
                sample=s, label=make_set({*read_set(was), self.into} - {self.name}), given_label=was
            )
            for s, was in given.items()
        ]

    def describe(self) -> dict:
        """Describe it as JSON, with the number of samples."""
        about = dict(name=self.name, into=self.into, added=self.added, samples=len(self.samples))
        return about | dict(
            splits=self.splits, stay=self.stay, skipped=self.skipped, locked=self.locked
        )


def plan_split(bench: Bench, name: str, into: str, samples: Iterable[str]) -> SplitPlan:
    """Plan to move a class's samples to another or a new class.

    What is asked for and cannot go is counted: samples of test and guard, of other classes, and
    dropped ones. UserError where nothing would change.
    """
    check_name(into)
    with bench.connect() as con:
        known, names = find_known_labels(bench, con), read_names(con)
    if name not in known:
        raise explain_unknown(names, known, name)
    if into == name:
        raise UserError(f"expected another class than {name!r}, found the same", "say a new name")
    state, asked, task = bench.state(), list(dict.fromkeys(samples)), task_of(bench)
    rows = state.reindex(asked)
    locked = rows.split.isin(LOCKED)
    mine = has_class(task, rows.label, name) & rows.keep.eq(True) & ~locked
    if not mine.any():
        also = "; those of test and guard only an audit decides" * bool(locked.any())
        raise UserError(
            f"expected samples of {name!r} to split off, found none", f"choose some{also}"
        )
    counts = rows.split[mine].value_counts()
    all_of = has_class(task, state.label, name) & state.keep & ~state.split.isin(LOCKED)
    return SplitPlan(
        name,
        into,
        into not in known,
        list(rows.index[mine]),
        {split: int(n) for split, n in counts.items()},
        int(all_of.sum() - mine.sum()),
        int((~mine).sum()),
        int(locked.sum()),
    )


def split_off(
    bench: Bench, name: str, into: str, samples: Iterable[str], who: str, dry: bool = False
) -> dict:
    """Move samples of a class to another one, as one batch.

    The batch adds the other class where it is new. The samples count as reviewed: somebody has
    chosen them. dry: only say what it would do. Returns {batch, name, into, added, samples, splits,
    stay, skipped, locked, rescored}: see SplitPlan.
    """
    import pandas as pd

    plan = plan_split(bench, name, into, samples)
    if dry:
        return dict(batch=None) | plan.describe() | dict(rescored=False)
    rows = pd.DataFrame(plan.list_decisions(bench))
    out = apply_decisions(bench, rows, who, f"split {name}", [into], overwrite=True)
    return dict(batch=out["batch"]) | plan.describe() | dict(rescored=out["rescored"])
