"""Replay people's decisions with the probe, judged on validation.

Judged on the validation labels of the later version throughout, so choosing by it costs no access
to the test set, and correcting a validation label is no gain. All of it is one fit and then
updates (see label_quality.probe). Gains and intervals are fractions: 0.013 is 1.3 points.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph, scan_settings
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality import scoring
from assay.curation.statistics import contrasts
from assay.curation.statistics.estimates import Estimate
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards
from assay.curation.versioning.version_names import rename_labels
from assay.pipelines.evaluation.decisions import (
    group_reviews,
    load_decisions,
    resolve_span,
    revert_changes,
)

if TYPE_CHECKING:
    import pandas as pd

SCOPE = (
    "this probe on these training samples, judged on these validation labels; "
    "seeds and other architectures are not in the interval"
)


class Replay:
    """The people's decisions between two versions, ready to be applied again.

    One after another: all else is as it is at `last`, so that imports, hold-outs and moves by
    others are in every point. UserError where there is nothing to replay, or nothing to judge it
    by. `n` validation samples judge; `corrected` of their labels differ between the versions;
    `other` training labels differ for other reasons than these decisions.
    """

    def __init__(self, bench: Bench, first: str, last: str):
        a, b = resolve_span(bench, first, last)
        was, self.part = bench.state(a), scoring.without_locked(bench.state(b))
        was = was.assign(label=rename_labels(bench, was.label, a, b))
        self.decisions = found = load_decisions(bench, a, b)
        if not found.is_review.any():
            raise UserError(
                f"expected reviews between {first} and {last}, found none that stand",
                "review, commit, and compare again",
            )
        self.reviews = group_reviews(found)
        self.changes = found[found.made & (found.before.fillna("") != found.after.fillna(""))]
        start = revert_changes(self.part, self.changes)
        self.classes = sorted(
            {c for frame in (start, self.part) for c in scoring.find_targets(frame)[0]}
        )
        y, y_last = (scoring.find_targets(frame, self.classes)[1] for frame in (start, self.part))
        val = (self.part.keep & (self.part["split"] == "val") & self.part.label.notna()).to_numpy()
        rows = np.flatnonzero(val & (y < 0))  # what trained at some point is no validation sample
        classes = len(set(y[y >= 0]))
        if not len(rows) or classes < 2:
            raise UserError(
                "expected labelled validation samples and two classes to train on, "
                f"found {len(rows)} and {classes}",
                "import a val split, or label more",
            )
        graph, at = neighbor_graph.load_nodes(bench, self.part)
        folder = scan_settings.read_settings(bench)["folder"]
        X = Shards(bench.arrays / "embeddings" / folder).rows(self.part.content_hash)
        self.touched = np.flatnonzero(self.part.index.isin(self.changes["sample"]))
        self.y_last, self.X_val = y_last[self.touched], X[rows]
        probe = probes.fit(X, y, graph.groups[at], len(self.classes))
        self.start = Ridge(probe, X[self.touched], y[self.touched])
        index = {c: i for i, c in enumerate(self.classes)}
        self.truth = np.array([index.get(c, -1) for c in self.part.label.iloc[rows]])
        self.n = len(rows)
        self.corrected = count_differences(
            select_labels(was, "val"), select_labels(self.part, "val")
        )
        self.other = count_differences(select_labels(was, "train"), select_labels(start, "train"))

    def labels_without(self, changes: pd.DataFrame) -> np.ndarray:
        """Class indices (t,) of the touched samples, with `changes` taken back."""
        reverted = revert_changes(self.part.iloc[self.touched], changes)
        return scoring.find_targets(reverted, self.classes)[1]

    def score(self, ridge: Ridge) -> tuple[np.ndarray, np.ndarray]:
        """Score the validation samples.

        Returns 0/1 (m,) whether each is right, and the log-probability (m,) of its label, NaN
        for a class that the probe does not know.
        """
        p = ridge.predict(self.X_val)
        said = np.log(np.maximum(p[np.arange(len(p)), self.truth], 1e-12))
        right = (p.argmax(1) == self.truth).astype(float)
        return right, np.where(self.truth >= 0, said, np.nan)


class Ridge:
    """A fitted probe whose training rows may be relabelled, leave or come back.

    Rows X (t, d), labelled y (t,). Probe.update does the same and keeps every row's leverage too,
    which nobody asks for here: with hundreds of drops at each point that was most of the time.
    """

    def __init__(self, probe: probes.Probe, X: np.ndarray, y: np.ndarray):
        self.probe, self.X, self.y = probe, X, y
        self.A, self.XtY = np.linalg.inv(probe.inverse), probe.XtY.copy()

    def relabel(self, y: np.ndarray) -> Ridge:
        """Copy it with other labels of its rows.

        Class indices y (t,), -1 for rows that are out. Standardisation, lambda and calibration stay
        as fitted.
        """
        out, k = copy(self), self.probe.k
        changed = np.flatnonzero(y != self.y)
        for part in probes.row_blocks(len(changed)):
            rows = changed[part]
            Z = self.probe.standardize(self.X[rows])
            sign = 1.0 * (y[rows] >= 0) - (self.y[rows] >= 0)
            moved = Z[sign != 0]
            out.A = out.A + (moved * sign[sign != 0, None]).T @ moved
            out.XtY = out.XtY + Z.T @ (probes.one_hot(y[rows], k) - probes.one_hot(self.y[rows], k))
        out.y = y
        return out

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predict samples that were not fitted: probabilities (m, k)."""
        from scipy.linalg import cho_factor, cho_solve
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # see probe.decompose
            W = cho_solve(cho_factor(self.A), self.XtY)
        return self.probe.probabilities(self.probe.project(X, W))


def select_labels(state: pd.DataFrame, split: str) -> pd.Series:
    """Select labels of a split's kept, labelled samples."""
    return state.label[state.keep & (state["split"] == split) & state.label.notna()]


def count_differences(a: pd.Series, b: pd.Series) -> int:
    """Count samples whose label differs, or that are in one Series alone."""
    ids = a.index.union(b.index)
    one, two = (s.reindex(ids).astype(object) for s in (a, b))
    return int(((one != two) & ~(one.isna() & two.isna())).sum())


def paired_estimate(
    now: tuple[np.ndarray, np.ndarray], before: tuple[np.ndarray, np.ndarray]
) -> Estimate:
    """Estimate the difference of two probes.

    Each is (class indices of what trained, 0/1 (m,) what was right). Where the same trained, it is
    one model, whose difference is 0 on any sample. The probe has no seed: there is no spread over
    seeds to know.
    """
    e = contrasts.contrast([now[1][None], before[1][None]], contrasts.PAIR)
    e = replace(e, seeds_known=True)
    return replace(e, v_items=0.0) if np.array_equal(now[0], before[0]) else e
