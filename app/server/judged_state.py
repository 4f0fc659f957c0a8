"""Judge the labels of a bench as they are now, for whoever reviews them.

All of them, or of a large bench an excerpt: see live_excerpt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.issues.disagreements import disagreement_issues, list_contested
from assay.curation.label_quality.live import ScoredState
from assay.curation.label_quality.partitioned_scores import find_least
from assay.curation.label_quality.scoring import without_locked
from assay.curation.review import queue
from assay.curation.review.live_excerpt import Excerpt, score_excerpt
from assay.curation.review.partitioned_queue import with_neighbours
from assay.curation.review.partitioned_status import load_judged
from assay.curation.statistics.sampling import random_order_rows
from assay.curation.versioning import states

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.label_quality.live import LiveProbe, LiveScores
    from assay.curation.review.live_excerpt import ValSample
    from assay.curation.storage.interface import Bench
    from assay.curation.versioning.partitioned_states import PartitionedState


@dataclass(frozen=True)
class Judged:
    """What a review session shows at one position of the log."""

    scored: ScoredState  # of all samples, or of those at hand
    rows: pd.DataFrame  # the queue
    near: pd.DataFrame  # a state of the queue's samples and their neighbours at least
    between: pd.DataFrame  # what people disagree about
    labels: list[str]  # that kept train and val samples have
    every: pd.Series  # labels, each that any sample has at least once
    find_live: Callable[[], LiveProbe | None]
    population: int | None = None  # samples in the random order, where not all are at hand
    val: ValSample | None = None  # which val labels count, where not all are at hand
    drawn: pd.Index | None = None  # of these a sample of all, class by class
    elsewhere: int = 0  # labels that the last scan flagged, of samples that are not at hand
    excerpt: Excerpt | None = None  # None: all are at hand


def judge_all(
    bench: Bench, scores: LiveScores, between: pd.DataFrame | None, seq: int, ahead: int
) -> Judged | None:
    """Judge every label; None where the log has not moved on from `seq`.

    between: what people disagree about, where it was asked lately.
    """
    upto, state = states.read_newest_state(bench)
    if upto == seq:
        return None
    scored = scores.score(upto, state)
    between = disagreement_issues(bench) if between is None else between
    rows = queue.order_queue(bench, state, scored.found, between, ahead)
    labels = list(state.label[neighbor_graph.labelled_rows(state)].unique())
    return Judged(
        scored, rows, state, between, labels, state.label, lambda: scores.load_probe(state)
    )


def judge_excerpt(
    bench: Bench, excerpt: Excerpt, between: pd.DataFrame | None, seq: int, ahead: int
) -> Judged | None:
    """Judge the labels at hand: see judge_all."""
    import pandas as pd

    now = excerpt.now
    if now.upto == seq:
        return None
    scored = score_excerpt(excerpt)
    frame = excerpt.frame
    if between is None:
        contested = now.locate(list_contested(bench))
        between = disagreement_issues(bench, state=now.frame(contested[contested >= 0]))
    # what was drawn of val is no reason to be asked about, or it would stand for others no longer
    found = scored.found[excerpt.named[frame.index.get_indexer(scored.found.index)]]
    order = random_order_rows(frame)
    left = ~frame.reviewed.to_numpy(bool)[order] & excerpt.named[order]
    waiting = list(frame.index[order[left][:ahead]])
    worst = find_least(found.score.to_numpy("f8")[~found.reviewed.to_numpy(bool)], ahead)
    doubted = found.index[~found.reviewed.to_numpy(bool)][worst]
    asked = [*between["sample"], *doubted, *waiting]
    near = with_neighbours(bench, now, now.locate(list(dict.fromkeys(asked))))
    shown = found[found.index.isin(near.index)]
    draws = queue.Draws(waiting, queue.count_reviews(frame))
    rows = queue.order_queue(bench, near, shown, between, ahead, draws=draws)
    return Judged(
        scored, rows, near, between, list_labels(now), pd.Series([key[1] for key in now.counts]),
        lambda: excerpt.live, excerpt.population, excerpt.val, frame.index[excerpt.drawn],
        excerpt.flagged_elsewhere, excerpt,
    )  # fmt: skip


def list_labels(now: PartitionedState) -> list[str]:
    """List the labels of kept train and val samples."""
    used = (of for (split, of, keep, _) in now.counts if keep and split in ("train", "val"))
    return sorted({label for label in used if label is not None})


def reach_others(
    bench: Bench, excerpt: Excerpt, scored: ScoredState, samples: list[str]
) -> tuple[pd.DataFrame, ScoredState, pd.Index]:
    """Read samples that may not be at hand: (a state with their neighbours, scores, whose they are).

    Those at hand are scored as they are now, the others as the last scan left them.
    """
    import pandas as pd

    now, scores = excerpt.now, excerpt.scores
    rows = np.sort(now.locate(samples))
    rows = rows[rows >= 0]
    near = with_neighbours(bench, now, rows)
    kept = load_judged(bench, now, scores, rows)
    ids = pd.Index(kept.ids.astype(str).astype(object))
    part = without_locked(excerpt.frame[["split"]]).index
    here = part.get_indexer(ids)
    probs = np.array(kept.pred_probs, "f8")
    probs[here >= 0] = np.asarray(scored.probs[here[here >= 0]])
    stored = scores.frame(rows, now.frame(rows))
    live = scored.found.index.intersection(ids)
    found = pd.concat([scored.found.loc[live], stored[~stored.index.isin(part)]])
    return near, ScoredState(now.upto, near, found, scored.classes, probs, scored.few), ids
