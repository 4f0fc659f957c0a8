"""Judge runs by the locked test labels.

As given, or as an audit has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.issues.copies import load_copies
from assay.curation.predictions import run_predictions, runs
from assay.curation.review import audit, label_noise, progress
from assay.curation.statistics import audit_correction, contrasts, diverged_runs
from assay.curation.statistics.estimates import Estimate
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import OtherTask, task_of
from assay.curation.text import format_count
from assay.curation.versioning.version_names import describe_renames, rename_labels

if TYPE_CHECKING:
    import pandas as pd

UNAUDITED = "test labels unaudited"
DIRECTION = (
    "they likely err as train's do, so a gain by cleaner labels is probably larger than it looks"
)

Cell = tuple[str, str]  # (version, architecture)
Weights = dict[Cell, float]  # of the cells in a contrast


@dataclass(frozen=True)
class AuditedLabels:
    """The test labels, and what an audit says of them."""

    given: pd.Series  # (m,) by sample, as they came
    clean: pd.Series  # (m,) as audited; as given where too few are
    n: int  # audited at random; 0: too few to correct by
    doubted: Sequence[str] = ()  # samples that the audit left undecided, where n > 0
    audited: int = 0  # of those drawn at random
    of: int = 0  # how many were drawn, or could be
    unsure: int = 0  # undecided ones among the audited

    @property
    def in_part(self) -> bool:
        """Whether some are audited and some not."""
        return 0 < self.n < len(self.given)


def audited_labels(bench: Bench, test: pd.DataFrame, version: str = "HEAD") -> AuditedLabels:
    """Load the labels of the `test` samples, as given and as audited."""
    found, m = audit.find_random_sample(bench, "test", version)
    n, doubted = len(found), list(found.index[found.verdict == "unsure"])
    # a decision beside the random sample is no given label either
    known = audit.find_audited(bench, version)
    found, known = (
        f.assign(**{c: rename_labels(bench, f[c], version) for c in ("label", "given")})
        for f in (found, known)
    )
    given = test.label.mask(test.index.isin(known.index), known.given.reindex(test.index))
    about = dict(audited=n, of=m, unsure=len(doubted))
    if n < min(label_noise.ENOUGH, m):
        return AuditedLabels(given, given, 0, **about)
    clean = found.label.reindex(test.index).fillna(given)
    return AuditedLabels(given, clean, n, doubted, **about)


def interval_to_dict(e: Estimate) -> dict[str, float]:
    """Write an Estimate as plain numbers: estimate, low, high."""
    return dict(estimate=e.estimate, low=e.low, high=e.high)


def estimate_to_dict(e: Estimate) -> dict:
    """Write an Estimate as numbers, with n and seeds."""
    return interval_to_dict(e) | dict(n=e.n, seeds=list(map(int, e.seeds)))


class TestSetEvaluator:
    """Judges the cells of a plan by the test labels.

    Plainly, or corrected by an audit. By cell: predicted (seeds, samples), as_given and audited,
    from 0 to 1 how right that is by the labels as given and as audited, and Y, what is judged:
    pseudo-values where the labels are audited in part. Runs that diverged are in `diverged`
    {cell: seeds}, and not in the others: a recipe is judged by the runs that worked, and how many
    did not is said beside it.
    """

    def __init__(self, bench: Bench, wanted: list[dict], labels: AuditedLabels):
        self.labels, self.seeds, self.diverged, self.task = labels, {}, {}, task_of(bench)
        self.predicted = self.load_predictions(bench, wanted)
        self.judge_answers()

    def judge_answers(self) -> None:
        """Judge what is predicted, and drop runs that diverged."""
        labels = self.labels
        self.undecided = np.flatnonzero(labels.given.index.isin(list(labels.doubted)))
        given, clean = (x.to_numpy(object) for x in (labels.given, labels.clean))
        for cell, answers in self.predicted.items():
            self.drop_diverged(cell, self.mark(answers, given))
        self.as_given = {cell: self.mark(said, given) for cell, said in self.predicted.items()}
        self.audited = self.Y = self.as_given
        if labels.n:
            self.audited = {cell: self.mark(said, clean) for cell, said in self.predicted.items()}
            self.Y = {cell: self.correct(cell, right) for cell, right in self.audited.items()}
        # an audited column speaks for 1 / weight of them
        self.weight = labels.n / len(given) if labels.in_part else None

    def mark(self, answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Mark how right answers (seeds, samples) are, 0 to 1."""
        return np.array([self.task.correct(own, labels) for own in answers], float)

    def load_predictions(self, bench: Bench, wanted: list[dict]) -> dict[Cell, np.ndarray]:
        """Load what the runs that worked predict: {cell: (seeds, samples)}."""
        said = {}
        for c in wanted:
            own = c["version"], c["arch"]
            if c["failed"] is None:
                answers = run_predictions.read_labels(bench, c["key"], self.labels.given.index)
                said.setdefault(own, []).append(answers)
                self.seeds.setdefault(own, []).append(c["seed"])
            else:
                self.diverged.setdefault(own, []).append(c["seed"])
        lost = sorted({(c["version"], c["arch"]) for c in wanted} - set(said))
        if lost:
            raise UserError(
                f"expected a run of {lost[0][1]} on {lost[0][0]} that worked, found all diverged",
                "change the plan",
            )
        return {own: np.array(answers, object) for own, answers in said.items()}

    def drop_diverged(self, cell: Cell, right: np.ndarray) -> None:
        """Drop the runs of a cell that diverged; right (seeds, samples) bool."""
        _, worse = diverged_runs.drop_diverged(right)
        if worse:
            seeds = self.seeds[cell]
            self.diverged.setdefault(cell, []).extend(seeds[i] for i in worse)
            self.predicted[cell] = np.delete(self.predicted[cell], worse, axis=0)
            self.seeds[cell] = [seed for i, seed in enumerate(seeds) if i not in worse]

    def correct(self, cell: Cell, right: np.ndarray) -> np.ndarray:
        """Correct for the labels that were not audited.

        right: by audited labels.
        """
        if not self.labels.in_part:
            return right
        return audit_correction.pseudo_values(self.as_given[cell], right, self.labels.n)

    def contrast(self, weights: Weights) -> Estimate:
        """Estimate a weighted sum of cells.

        Where an audit left labels unsure, its interval spans what their truth could be.
        """
        cells = [cell for cell in self.Y if weights.get(cell)]
        w = [weights[cell] for cell in cells]
        e = contrasts.contrast([self.Y[cell] for cell in cells], w, group_size=self.weight)
        if not self.labels.n or not len(self.undecided):
            return e
        ends = []
        for labels in self.extreme_labels(cells, w):
            Y = [self.correct(cell, self.mark(self.predicted[cell], labels)) for cell in cells]
            ends.append(contrasts.contrast(Y, w, group_size=self.weight))
        return replace(e, ends=tuple(ends))

    def extreme_labels(self, cells: list[Cell], w: list[float]) -> list[np.ndarray]:
        """Fill in undecided labels (m,), two ways.

        So that a contrast of `cells` is least, and so that it is most.
        """
        out = [self.labels.clean.to_numpy(object), self.labels.clean.to_numpy(object)]
        for i in self.undecided:
            said = [self.predicted[cell][:, i] for cell in cells]
            gain = {
                label: sum(
                    w_c * self.mark(answers[:, None], np.array([label], object)).mean()
                    for w_c, answers in zip(w, said)
                )
                for label in {None, *np.concatenate(said)}  # None: what no model says
            }
            out[0][i], out[1][i] = min(gain, key=gain.get), max(gain, key=gain.get)
        return out

    def measure_as_given(self, weights: Weights) -> dict:
        """Measure a contrast by the labels as given.

        {given: numbers}, where an audit says more.
        """
        if not self.labels.n:
            return {}
        cells = [cell for cell in self.as_given if weights.get(cell)]
        w = [weights[cell] for cell in cells]
        e = contrasts.contrast([self.as_given[cell] for cell in cells], w)
        return dict(given=estimate_to_dict(e))

    def measure(self, weights: Weights) -> dict:
        """Measure a contrast, as plain numbers."""
        return estimate_to_dict(self.contrast(weights)) | self.measure_as_given(weights)

    @property
    def second(self) -> str:
        """Name the measure beside accuracy: balanced, or exact (match)."""
        return "exact" if self.task.several else "balanced"

    def exact_match(self, cell: Cell) -> np.ndarray:
        """Mark which predicted sets are the label to the last class: 0/1 (seeds, samples)."""
        return 1.0 * (self.predicted[cell] == self.labels.clean.to_numpy(object))

    def measure_accuracy(self, version: str, arch: str) -> tuple[Estimate, Estimate]:
        """Estimate accuracy and balanced accuracy of one cell; of label sets, exact match.

        Versions of one architecture lend each other their seed spread.
        """
        own = version, arch
        lenders = [(v, a) for v, a in self.Y if a == arch and v != version]
        given, clean = (x.to_numpy(dtype=str) for x in (self.labels.given, self.labels.clean))
        if not self.labels.in_part:
            Y, others = self.Y[own], [self.Y[cell] for cell in lenders]
            if self.task.several:
                exact = self.exact_match(own), [self.exact_match(cell) for cell in lenders]
                return contrasts.cell_accuracy(Y, others=others), contrasts.cell_accuracy(
                    exact[0], others=exact[1]
                )
            balanced = contrasts.balanced_accuracy(Y, clean, others=others)
            return contrasts.cell_accuracy(Y, others=others), balanced
        n = self.labels.n
        if self.task.several:
            found = f"found {n:,} of {len(given):,}"
            raise OtherTask(
                f"expected all test labels audited or none, where samples have several labels; {found}",
                "audit the others, too, or undo the audit",
            )
        by_class = {
            cell: audit_correction.pseudo_values_by_class(
                self.as_given[cell], self.audited[cell], given, clean, n
            )
            for cell in (own, *lenders)
        }
        accuracy, balanced = (
            audit_correction.audited_accuracy(Y[own], n, others=[Y[cell] for cell in lenders])
            for Y in (self.Y, by_class)
        )
        return accuracy, balanced


def count_near_copies(bench: Bench, test: pd.DataFrame, rows: dict[str, str]) -> dict[str, int]:
    """Count the kept train samples that nearly equal a test sample.

    What a model could know by heart. rows: {row: version}; returns {row: count}.
    """
    state = bench.state()
    copies = load_copies(bench, state)
    graph, at = copies.graph, copies.node[state.index.get_indexer(test.index)]
    one, other = copies.near[:, :2].astype(int).T
    held = np.zeros(len(graph.hashes), bool)
    held[at] = True
    near = graph.hashes[np.r_[at, one[held[other]], other[held[one]]]]
    out = {}
    for row, version in rows.items():
        hashes = np.asarray(bench.frame(version, "train").content_hash, "S32")
        out[row] = int(np.isin(hashes, near).sum())
    return out


def describe_fairness(bench: Bench, plan: dict, wanted: list[dict], test: pd.DataFrame) -> dict:
    """Say what a reader must know before believing a comparison.

    The test version, how often it was looked at, edits since the first time, copies of it in train.
    """
    return dict(
        test=plan.get("test") or "HEAD",
        hash=(bench.rules().get("test") or {}).get("hash"),
        n=len(test),
        near_duplicates=count_near_copies(bench, test, {c["version"]: c["at"] for c in wanted}),
        renamed=describe_renames(bench, plan["versions"]),
    ) | runs.record_test_access(bench, {c["key"] for c in wanted})


def label_caveat(rule: dict, review: dict, labels: AuditedLabels) -> str:
    """Say what the test labels are worth.

    As a condition of a verdict. rule: of the frozen test split; review: as
    progress.summarize_reviews. Nothing where all labels are audited, or were declared so.
    """
    n, of, unsure = labels.audited, labels.of, labels.unsure
    if labels.n and n < of:
        doubt = f", {unsure:,} unsure and taken both ways" if unsure else ""
        part = f"{n:,} of {of:,} at random{doubt}; the estimate is corrected by design"
        return f"test labels audited in part ({part})"
    if labels.n and unsure:
        return f"{format_count(unsure, 'test label')} unsure and taken both ways"
    if labels.n or rule.get("audited"):
        return ""
    few = f"but for {n:,} of {of:,}, too few to correct by; " if n else ""
    noise = f"their noise, by the random stratum of train and val: {progress.describe_random_rate(review)}"
    return f"{UNAUDITED} ({few}{noise}; {DIRECTION})"
