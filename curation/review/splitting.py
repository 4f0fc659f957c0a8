"""Split a class: add new ones, and queue its samples to decide which they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.label_quality import live
from assay.curation.review.queue import COLUMNS
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.versioning.changes import find_known_labels
from assay.curation.versioning.class_changes import add_classes, explain_unknown
from assay.curation.versioning.class_list import list_entries
from assay.curation.versioning.class_names import read_names

if TYPE_CHECKING:
    import pandas as pd


def split_class(
    bench: Bench, name: str, into: Iterable[str], who: str
) -> tuple[pd.DataFrame, dict]:
    """Add the classes that a class is split into, and queue its samples.

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
    locked = state.keep & (state.label == name) & state.split.isin(LOCKED)
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
    state = bench.state()
    rows = state[state.keep & (state.label == name) & ~state.split.isin(LOCKED)]
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
