"""Find which train labels made the model's mistakes.

Without train sample i the ridge weights are W - A^-1 x_i (y_i - p_i)' / (1 - h_i), so that what its absence does to
any score is known for all samples at once, exactly and without refitting. (Cook, Detection of influential
observation in linear regression, Technometrics 19, 1977.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import NotScanned, UserError
from assay.curation.label_quality.live import LiveProbe, LiveScores, ScoredState
from assay.curation.label_quality.neighbor_votes import count_votes
from assay.curation.label_quality.probe import Probe
from assay.curation.label_quality.scoring import class_indices, without_locked
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Rows
from assay.curation.tasks.base import refuse_task
from assay.curation.text import format_count
from assay.curation.versioning import state_building, states
from assay.curation.versioning.state_building import is_large

if TYPE_CHECKING:
    import pandas as pd


class Influences(NamedTuple):
    """What the absence of each train sample would do to some mistakes."""

    found: pd.Series  # by train sample, the strongest first: log-odds
    mistakes: list[tuple[str, str, str]]  # sample, its label, what the model says
    scored: ScoredState


def influence(
    probe: Probe, X: np.ndarray | Rows, rows: np.ndarray, margins: np.ndarray
) -> np.ndarray:
    """Compute what the absence of each fitted row adds to margins.

    Returns (n,), by rows of X (n, d), the probe's. rows (m,): those asked about, none of them fitted. margins
    (m, k): the weight of each class's score in the sum. Rows that are not fitted have 0.
    """
    Z, asked = np.asarray(X[rows], "f8"), np.flatnonzero(margins.any(0))  # c of k classes
    toward = probe.inverse @ (probe.standardize(Z).T @ margins[:, asked])  # (d + 1, c)
    said = probe.project(X, probe.inverse @ probe.XtY[:, asked])
    residual = (probe.y[:, None] == asked) - said
    moved = (probe.project(X, toward) * residual).sum(1)
    fitted = probe.y >= 0
    moved = np.where(fitted, -moved / (1 - np.where(fitted, probe.h, 0)), 0.0)
    return moved + without_vote(probe, rows, margins) if probe.vote else moved


def without_vote(probe: Probe, rows: np.ndarray, margins: np.ndarray) -> np.ndarray:
    """Compute what the absence of each row's vote adds to margins: (n,).

    rows, margins: as in influence. What is left of the votes counts for more.
    """
    near = probe.near[rows]  # (m, j)
    votes = np.where(near >= 0, probe.y[near], -1) >= 0
    many = votes.sum(1, keepdims=True)
    mean = (margins * count_votes(near, probe.y, probe.k)).sum(1, keepdims=True)
    own = np.take_along_axis(margins, np.maximum(probe.y[near], 0), 1)
    change = np.where(many > 1, (mean - own) / np.maximum(many - 1, 1), -own)
    return probe.vote * np.bincount(near[votes], change[votes], minlength=len(probe.y))


def find_influences(bench: Bench, samples: list[str], live: LiveScores | None = None) -> Influences:
    """Find the train labels that made the probe's mistakes.

    samples: ids of labelled val samples; what several mistakes owe to a train sample is added up. live: scores at
    hand. A positive value is the log-odds that the given labels would gain over what the probe says, were that
    sample not there. UserError where the probe makes no mistake, and where only a scan can tell.
    """
    refuse_task(bench, "the labels that made a mistake", "assay queue lists what is doubted")
    import pandas as pd

    scored, live_probe = score_now(bench, live or LiveScores(bench))
    probe, X, names = live_probe.probe, live_probe.X, live_probe.classes
    part = without_locked(scored.state)
    at = part.index.get_indexer(samples)
    given, scores = class_indices(part.label.iloc[at], names), probe.score_rows(X, at)
    # classes too small are no answer
    said = np.where(probe.few(), 0, probe.probabilities(scores)).argmax(1)
    check_mistakes(bench, part.iloc[at], given, said)
    rows = np.flatnonzero(said != given)
    margins, slopes = np.zeros(scores.shape), probe.slopes(scores)
    margins[rows, given[rows]] = slopes[rows, given[rows]]
    margins[rows, said[rows]] = -slopes[rows, said[rows]]
    moved = influence(probe, X, at, margins)
    fitted = np.flatnonzero(probe.y >= 0)
    order = fitted[np.argsort(-moved[fitted], kind="stable")]
    mistakes = [(samples[r], names[given[r]], names[said[r]]) for r in rows]
    return Influences(pd.Series(moved[order], part.index[order]), mistakes, scored)


def score_now(bench: Bench, live: LiveScores) -> tuple[ScoredState, LiveProbe]:
    """Score the newest state, and give the probe that did; UserError without a scan of it."""
    refuse_large(bench)
    upto, state = states.read_newest_state(bench)
    if live.load_probe(state) is None:
        raise NotScanned(
            "expected a scan of the samples as they are, found some that came, left or changed split",
            f"run: assay scan -b {bench.given}",
        )
    scored = live.score(upto, state)
    assert live.probe is not None, "it was loaded, or fitted anew"
    return scored, live.probe


def refuse_large(bench: Bench) -> None:
    """Refuse a large bench: the pull of each train label on a mistake asks for all their vectors."""
    if is_large(bench):
        most = f"{format_count(state_building.LARGE, 'sample')} to look for what made a mistake"
        raise UserError(f"expected at most {most}, found more", "assay queue lists what is doubted")


def check_mistakes(bench: Bench, asked: pd.DataFrame, given: np.ndarray, said: np.ndarray) -> None:
    """Refuse samples none of which is a mistake, and labels that train lacks.

    asked: m rows of a state; given, said (m,): class indices, -1 for a class that train lacks.
    """
    if (said == given).all():
        raise UserError(
            f"expected mistakes of the probe, found {format_count(len(asked), 'sample')} that it "
            f"predicts as labelled, first {asked.key.iloc[0]}",
            "val samples that the model gets wrong: "
            f"assay samples --where \"split = 'val' and suggestion <> label\" -b {bench.given}",
        )
    if (given < 0).any():
        name = asked.label.iloc[int(given.argmin())]
        raise UserError(
            f"expected a label that train has, found {name}, which no train sample has",
            "no train label taught the model that class: label some of train with it",
        )
