"""What the score of one label is made of, step by step, from the files of the last scan."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import NotScanned, UserError
from assay.curation.features.scan_settings import is_scanned, read_settings
from assay.curation.label_quality import live
from assay.curation.label_quality.judges import load_judge
from assay.curation.label_quality.kernel_columns import judged_folder, read_columns
from assay.curation.label_quality.neighbor_votes import count_votes, find_voters
from assay.curation.label_quality.partitioned_scores import PartitionedScores
from assay.curation.label_quality.sampled_probe import (
    SMALL,
    SampledProbe,
    add_copies,
    load_sampled_probe,
)
from assay.curation.label_quality.score_files import LabelScores, StoredProbe
from assay.curation.label_quality.scoring import without_locked
from assay.curation.label_quality.second_opinion import AlignedOpinion
from assay.curation.review.live_excerpt import find_rows
from assay.curation.review.partitioned_queue import read_neighbourhood
from assay.curation.review.partitioned_status import load_judged
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Rows, SideBySide
from assay.curation.storage.top_probs import TopProbs
from assay.curation.tasks.base import task_of
from assay.curation.versioning.state_building import is_large, open_state

if TYPE_CHECKING:
    import pandas as pd

AGREES = 1e-3  # so far the steps may be from what the last scan wrote in single precision


@dataclass(frozen=True)
class Copies:
    """The samples that leave the model together, this one among them, g in all."""

    own: int  # its place among them
    hat: np.ndarray  # (g, g)
    fitted: np.ndarray  # (g, k)
    targets: np.ndarray  # (g, k)


@dataclass(frozen=True)
class Steps:
    """From the fit to the probabilities; arrays are (k,), by class."""

    fitted: np.ndarray  # score by the whole fit
    target: np.ndarray  # 1 for the label, 0 for others; with several labels less each class's share
    leverage: float | None  # None where it was predicted, not fitted
    copies: Copies | None  # None where it leaves alone, or with too many to list
    group: int  # how many leave together
    alone: np.ndarray  # score without it and its copies
    votes: np.ndarray  # share of the neighbours' votes
    voters: int
    share: float  # what the votes count
    scores: np.ndarray  # alone + share * votes
    stretch: np.ndarray
    knots: np.ndarray  # of the curve from scores to logits; empty with several labels
    heights: np.ndarray  # (m,) logits at the knots; with several labels (2, k): at scores 0 and 1
    logits: np.ndarray
    said: np.ndarray  # the probe's probabilities
    second: np.ndarray | None  # a second opinion's, where there is one
    weight: float  # of it
    columns: int  # of the model, the bias among them
    strength: float  # lambda


@dataclass(frozen=True)
class ScoreParts:
    """What is known of one sample's label."""

    sample: str
    state: pd.DataFrame  # that holds it and its neighbours
    row: pd.Series | None  # of score_labels: score, suggestion, ...; None where it has no score
    classes: list[str]
    probs: np.ndarray  # (k,) out of sample, as written by the last scan or edit
    few: np.ndarray  # (k,) bool: classes too small to judge
    steps: Steps | None  # None where the files of the scan do not tell
    agree: bool  # whether the steps end at `probs`


def read_score_parts(bench: Bench, sample: str) -> ScoreParts:
    """Read what the score of a sample is made of; NotScanned where it has none.

    sample: the id of one that is neither test nor guard.
    """
    with suppress(UserError):  # of what is not scanned there is none
        live.refresh_scores(bench)
    state = read_neighbourhood(bench, sample)
    large = is_large(bench) and is_scanned(bench)
    kept, row, probe, X = (read_large if large else read_small)(bench, sample, state)
    at = np.flatnonzero(kept.ids == sample.encode()) if kept is not None else []
    if sample not in state.index or not len(at):
        raise NotScanned(
            "expected a train or val sample that was scanned, found another",
            f"run: assay scan -b {bench.given}",
        )
    probs = spread_out(kept.pred_probs, int(at[0]))
    steps = None if probe is None else follow_steps(bench, sample, probe, X, kept.classes)
    if steps is not None and steps.said.shape != probs.shape:
        steps = None
    agree = steps is not None and agrees(end_of(steps), probs)
    return ScoreParts(sample, state, row, kept.classes, probs, kept.few, steps, agree)


def spread_out(probs: np.ndarray | TopProbs, at: int) -> np.ndarray:
    """Give the probabilities of one row by class; of many classes those not listed are 0."""
    if not isinstance(probs, TopProbs):
        return np.asarray(probs[at], "f8")
    out = np.zeros(probs.k)
    out[probs.at[at]] = probs.p[at]
    return out


def agrees(steps: np.ndarray, written: np.ndarray) -> bool:
    """Say whether probabilities (k,) are those that were written, where these are listed."""
    listed = written > 0
    return bool(np.abs(steps - written)[listed].max(initial=0) < AGREES)


def end_of(steps: Steps) -> np.ndarray:
    """Mix a second opinion into the probe's probabilities (k,), as the product does."""
    from assay.curation.label_quality.second_opinion import mix

    if steps.second is None:
        return steps.said
    known = ~np.isnan(steps.second)
    if steps.weight == 1:
        return np.where(known, np.nan_to_num(steps.second), steps.said)
    theirs = np.nan_to_num(steps.second)[None]
    return mix(steps.said[None], theirs, known, steps.weight)[0]


# ---- from the files


def read_small(bench: Bench, sample: str, state: pd.DataFrame) -> tuple:
    """Read (scores, its row of them, the probe of its copies alone, their columns)."""
    kept = LabelScores.load(bench)
    if kept is None:
        return None, None, None, None
    found = kept.scores.to_frame(bench.state(kept.upto)) if kept.scores is not None else None
    row = found.loc[sample] if found is not None and sample in found.index else None
    stored, part = StoredProbe.load(bench), without_locked(state)
    ids = np.asarray(part.index, "S32")
    if (
        stored is None
        or stored.classes != kept.classes
        or stored.folder != judged_folder(read_settings(bench))
        or not np.array_equal(stored.ids, ids)
        or sample.encode() not in ids
    ):
        return kept, row, None, None
    whole = stored.probe
    place = int(np.flatnonzero(ids == sample.encode())[0])
    rows = np.flatnonzero(whole.groups == whole.groups[place])
    probe = SampledProbe(whole.mean, whole.scale, whole.k)
    for name in SMALL:
        setattr(probe, name, getattr(whole, name))
    probe.ranks, probe.y, probe.groups = rows, whole.y[rows], whole.groups[rows]
    probe.h = whole.h[rows]
    if probe.vote:
        near = find_voters(bench, part)[rows]
        probe.voting = np.unique(near[near >= 0])
        probe.votes = whole.y[probe.voting]
        probe.near = np.where(near < 0, -1, np.searchsorted(probe.voting, near))
    hashes = part.content_hash.iloc[rows].to_numpy("S32")
    probe.place = int(np.flatnonzero(rows == place)[0])
    return kept, row, probe, read_columns(bench, read_settings(bench), hashes, few=True)


def read_large(bench: Bench, sample: str, state: pd.DataFrame) -> tuple:
    """Read the same of a large bench, no more than it takes."""
    scores, now = PartitionedScores.load(bench), open_state(bench)
    rows = now.locate([sample])
    kept = load_judged(bench, now, scores, rows)
    rank = scores.ranks(rows)
    if not len(rows) or rows[0] < 0 or rank[0] < 0:
        return kept, None, None, None
    found = scores.frame(rows, now.frame(rows))
    row = found.loc[sample] if sample in found.index else None
    ranks = add_copies(bench, rank)
    hashes = now.frame(find_rows(scores, ranks), ["content_hash"]).content_hash.to_numpy("S32")
    stored = load_sampled_probe(bench, scores, ranks, hashes)
    if stored is None:
        return kept, row, None, None
    stored.probe.place = int(np.flatnonzero(ranks == rank[0])[0])
    return kept, row, stored.probe, read_columns(bench, read_settings(bench), hashes, few=True)


# ---- step by step


MOST = 8  # copies whose numbers are listed


def follow_steps(
    bench: Bench, sample: str, probe: SampledProbe, X: Rows | SideBySide, classes: list[str]
) -> Steps:
    """Follow the score of one sample from the fit to the probabilities.

    probe: of its copies and itself, at `place`; X (g, d): their columns.
    """
    at, Z = probe.place, probe.standardize(np.asarray(X[np.arange(len(probe.y))]))
    fitted, targets = Z @ (probe.inverse @ probe.XtY), probe.targets(probe.y)
    own = bool(probe.fitted_rows[at])
    members = np.flatnonzero(probe.fitted_rows) if own else np.array([at])
    copies = None
    if 1 < len(members) <= MOST:
        hat = Z[members] @ probe.inverse @ Z[members].T
        place = int(np.flatnonzero(members == at)[0])
        copies = Copies(place, hat, fitted[members], targets[members])
    alone = probe.out_of_group(X)[at]
    if own and len(members) == 1:  # in double precision all the way
        alone = (fitted[at] - probe.h[at] * targets[at]) / (1 - probe.h[at])
    elif not own:
        alone = fitted[at]
    votes, voters = np.zeros(probe.k), 0
    if probe.vote:
        near, theirs = probe.voters(np.array([at]))
        votes = count_votes(near, theirs, probe.k)[0]
        has = theirs if theirs.ndim == 1 else theirs.max(1, initial=-1)
        voters = int((has[near[near >= 0]] >= 0).sum())
    scores = alone + float(probe.vote) * votes
    if probe.heights.ndim == 2:
        logits = probe.heights[0] + scores * np.diff(probe.heights, axis=0)[0]
    else:
        logits = probe.curve.logits((scores * probe.stretch)[None])[0]
    second, weight = read_second(bench, sample, classes, probe.y[at])
    return Steps(
        fitted=fitted[at],
        target=targets[at],
        leverage=float(probe.h[at]) if own else None,
        copies=copies,
        group=len(members),
        alone=alone,
        votes=votes,
        voters=voters,
        share=float(probe.vote),
        scores=scores,
        stretch=np.asarray(probe.stretch),
        knots=probe.knots if probe.heights.ndim == 1 else np.empty(0),
        heights=probe.heights,
        logits=logits,
        said=probe.probabilities(scores[None])[0],
        second=second,
        weight=weight,
        columns=len(probe.inverse),
        strength=float(probe.lam),
    )


def read_second(
    bench: Bench, sample: str, classes: list[str], y: np.ndarray | int
) -> tuple[np.ndarray | None, float]:
    """Read a second opinion on one sample: (its probabilities (k,), NaN for classes unknown to it; its weight)."""
    judge = load_judge(bench)
    if judge is None or judge.second is None:
        return None, 0.0
    several = task_of(bench).name == "multilabel"
    one = np.array([sample.encode()], "S32")
    aligned = AlignedOpinion(judge.second, classes, one, several)
    if not len(aligned.rows):
        return None, 0.0
    if not several and int(y) >= 0 and not aligned.known[int(y)]:
        return None, 0.0  # one of a class that it has never heard of is the probe's to judge
    weight = 1.0 if several else aligned.weight
    return np.where(aligned.known, aligned.probs[0], np.nan), float(weight)
