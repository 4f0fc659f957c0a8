"""Queue what a filter found; nothing of it is random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.issues.disagreements import disagreement_issues, list_contested
from assay.curation.label_quality import live
from assay.curation.label_quality.partitioned_scores import PartitionedScores, find_edited_rows
from assay.curation.review.partitioned_queue import with_neighbours
from assay.curation.review.queue import order_queue
from assay.curation.splits import LOCKED
from assay.curation.statistics.sampling import random_order_rows
from assay.curation.storage.interface import Bench
from assay.curation.versioning.sample_draws import find_random_rows
from assay.curation.versioning.state_building import is_large, open_state

if TYPE_CHECKING:
    import pandas as pd


def queue_found(bench: Bench, found: pd.Index, n: int = 200) -> pd.DataFrame:
    """List which of the found samples to review next, worst first.

    found: ids. First what people contradict each other about, then the labels that look most wrong, then what nothing
    is known of. A frame as build_queue; nothing in it counts as drawn at random, whatever a filter finds. The next
    sample of the random order is kept for a queue without a filter, or the reviews of a filter would lengthen the
    random stratum. attrs["left_out"] counts what was found and is not to be reviewed: locked, dropped, reviewed,
    reserved; attrs["waiting"] what has no room among n.
    """
    if n < 1:
        raise UserError(f"expected n of at least 1, found {n}", "for example: -n 200")
    if is_large(bench):
        state, every, scores, reserved_one = read_found(bench, found)
    else:
        state, every = bench.state(), disagreement_issues(bench)
        scores = live.label_scores(bench) if is_scanned(bench) else None
        reserved_one = reserved_sample(state)
    part = state.loc[found]
    contested = set(every["sample"])
    disagreed = np.fromiter((s in contested for s in part.index), bool, len(part))
    locked = part.split.isin(LOCKED).to_numpy()
    dropped = ~part.keep.to_numpy(bool) & ~locked
    reviewed = part.reviewed.to_numpy(bool) & ~locked & ~dropped & ~disagreed
    reserved = (part.index == reserved_one) & ~locked & ~dropped & ~reviewed & ~disagreed
    todo = part.index[~(locked | dropped | reviewed | reserved)]
    rows = place_scores(scores, part.loc[todo])
    disagreements = every[every["sample"].isin(todo)].head(n)
    if is_large(bench):  # what has no room is not explained
        worst = rows.score.sort_values(kind="stable").index[:n]
        asked = worst.union(disagreements["sample"], sort=False)
        rows = rows[rows.index.isin(asked)]
        now = open_state(bench)
        state = with_neighbours(bench, now, now.locate(list(asked)))
    queue = order_queue(bench, state, rows, disagreements, len(rows), random=0.0).head(n)
    unlabelled = queue.given_label.isna()
    queue.loc[unlabelled, "reason"] = "not labelled yet"
    made_of = dict(disagreements=int(queue["sample"].isin(disagreements["sample"]).sum()))
    queue.attrs = dict(
        made_of=made_of
        | dict(suspicious=0, random=0, again=0)
        | dict(filtered=len(queue) - made_of["disagreements"]),
        left_out=dict(
            locked=int(locked.sum()),
            dropped=int(dropped.sum()),
            reviewed=int(reviewed.sum()),
            reserved=int(reserved.sum()),
        ),
        waiting=len(todo) - len(queue),
    )
    return queue


def read_found(
    bench: Bench, found: pd.Index
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None, str | None]:
    """Read of a large bench what was found: (its state, disagreements, scores, the reserved sample)."""
    state = open_state(bench)
    part = bench.state(samples=found)
    contested = state.locate(list_contested(bench))
    every = disagreement_issues(bench, state=state.frame(contested[contested >= 0]))
    waiting = find_random_rows(state, 1).waiting
    next_one = state.frame(waiting, ["key"]).index
    scores = None
    if is_scanned(bench):
        kept = PartitionedScores.load(bench)
        scores = kept.frame(state.locate(list(part.index)), part)
        edited = state.frame(find_edited_rows(kept.state, state), ["key"]).index
        if len(edited):
            live.note_age(state.upto - kept.upto)
        scores = scores[~scores.index.isin(edited)]
    return part, every, scores, next_one[0] if len(next_one) else None


def reserved_sample(state: pd.DataFrame) -> str | None:
    """Find the next sample of the random order that nobody has reviewed."""
    order = random_order_rows(state)
    left = order[~state.reviewed.to_numpy(bool)[order]]
    return state.index[left[0]] if len(left) else None


def place_scores(scores: pd.DataFrame | None, part: pd.DataFrame) -> pd.DataFrame:
    """Give every sample of a part its score, or none.

    Frame as score_labels.
    """
    import pandas as pd

    columns = ["score", "suggestion", "confidence"]
    rows = pd.DataFrame(index=part.index, columns=columns, dtype=object)
    if scores is not None:
        rows = scores[columns].reindex(part.index)
    return rows.assign(label=part.label, reviewed=False, score=rows.score.astype(float))
