"""Bring the scores to the present labels."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import NotScanned, UserError
from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality.judges import (
    fit_probe,
    keep_judge,
    load_columns,
    load_judge,
    predict_version,
    score_version,
)
from assay.curation.label_quality.kernel_columns import judged_folder, read_columns
from assay.curation.label_quality.linear_algebra import is_labelled
from assay.curation.label_quality.score_files import LabelScores, StoredProbe, StoredScores
from assay.curation.label_quality.scoring import (
    explain_labels,
    score_labels,
    without_locked,
)
from assay.curation.label_quality.second_opinion import AlignedOpinion
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import file_stamp
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import TopProbs
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.versioning import pointers, state_building, version_names
from assay.curation.versioning.pointers import find_position
from assay.curation.versioning.state_building import is_large

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ScoredState:
    """The labels of a state, scored."""

    upto: int  # its position in the log
    state: pd.DataFrame
    found: pd.DataFrame  # as score_labels
    classes: list[str]
    probs: np.ndarray | TopProbs  # (n, k) of the samples without test and guard, out of sample
    few: np.ndarray  # (k,) bool: classes with too few samples to judge


class LiveProbe:
    """The probe that the last scan left, in memory: whatever labels its samples get, it judges them in a moment."""

    def __init__(
        self, bench: Bench, stored: StoredProbe, part: pd.DataFrame, few: bool = False
    ) -> None:
        """Prepare it for the samples that it judges.

        part: the state without test and guard, of these samples. few: they are few of all that it was fitted to, and
        it is a SampledProbe.
        """
        self.bench = bench
        self.stored, self.probe, self.classes = stored, stored.probe, stored.classes
        if few:
            self.X = read_columns(bench, read_settings(bench), part.content_hash, few=True)
        else:
            self.X, _, self.probe.near = load_columns(bench, part)
        judge = load_judge(bench)
        second = judge and judge.second
        self.task = task_of(bench)
        several = self.task.name == "multilabel"
        self.second = second and AlignedOpinion(
            second, self.classes, np.asarray(part.index, "S32"), several
        )
        self.last = None  # the samples and splits of a state that was of these samples

    @classmethod
    def load(cls, bench: Bench, state: pd.DataFrame) -> LiveProbe | None:
        """Read the probe for the samples of a state.

        None where there is none, or samples came, left or changed split since: only a scan can tell.
        """
        stored = StoredProbe.load(bench)
        if stored is None or stored.folder != judged_folder(read_settings(bench)):
            return None  # a scan with another embedder or effort began and has not ended
        part = without_locked(state)
        if not np.array_equal(stored.ids, np.asarray(part.index, "S32")):
            return None
        return cls(bench, stored, part)

    def has_samples_of(self, state: pd.DataFrame) -> bool:
        """Say whether it judges exactly a state's samples."""
        locked = state.split.isin(LOCKED).to_numpy()
        if self.last is None or not (
            state.index.is_(self.last[0]) and np.array_equal(locked, self.last[1])
        ):
            ids = np.asarray(state.index[~locked], "S32")
            self.last = (state.index, locked) if np.array_equal(self.stored.ids, ids) else None
        return self.last is not None

    def score(self, upto: int, state: pd.DataFrame) -> tuple[ScoredState, bool] | None:
        """Score the labels of a state of its samples.

        Returns also whether labels had changed since the last one. None where one of them is of a class that it has
        never seen, or it knows one that was renamed.
        """
        names = version_names.names_at(self.bench, upto)
        if names.renames and set(self.classes) & set(names.former_of(state.label)):
            return None
        part = without_locked(state[["label", "keep", "split", "reviewed"]])
        indices = self.task.targets(part.label, self.classes)
        fitted = part.keep.to_numpy() & (part.split == "train").to_numpy()
        y = indices.copy()
        y[~fitted] = -1
        if part.label.to_numpy()[fitted & ~is_labelled(y)].astype(bool).any():
            return None
        changed = not np.array_equal(y, self.probe.y)
        if changed:
            self.probe.update(self.X, y)
        probs, few = self.probe.pred_probs(self.X, indices), self.probe.few()
        if self.second is not None:
            probs = self.second.blend(probs, indices)
        found = score_labels(part, self.classes, probs, few, self.stored.cuts, self.task)
        return ScoredState(upto, state, found, self.classes, probs, few), changed


class LiveScores:
    """The scores of a bench's present labels: the one way in which edits reach them.

    `score` judges in memory, `write` publishes: probe.npz, opinion.npz and the label issues. The command line does
    both at once; the review session scores with every key and writes when nobody is deciding.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.probe: LiveProbe | None = None  # once it is asked
        self.stamp = None  # which writing of probe.npz it is
        self.changed = False  # has it had edits since?
        self.unwritten: ScoredState | None = None

    def load_probe(self, state: pd.DataFrame) -> LiveProbe | None:
        """Have the probe for a state's samples at hand.

        It is read anew where somebody wrote another.
        """
        stamp = file_stamp(self.bench.arrays / "probe.npz")
        if self.probe is None or stamp != self.stamp or not self.probe.has_samples_of(state):
            self.probe = LiveProbe.load(self.bench, state)
            self.stamp, self.changed, self.unwritten = stamp, False, None
        return self.probe

    def score(self, upto: int, state: pd.DataFrame) -> ScoredState:
        """Score the labels of a state, at a position of the log.

        What is written down is read, if it is of this state and no probe is at hand. Else the probe scores them, or a
        new one, where a label is of a class that it has never seen. UserError where only a scan can tell.
        """
        if self.probe is None and LabelScores.position(self.bench) == upto:
            kept = LabelScores.load(self.bench)
            found = kept.scores.to_frame(state)
            return ScoredState(upto, state, found, kept.classes, kept.pred_probs, kept.few)
        probe = self.load_probe(state)
        if probe is None:
            came = "samples that came, left or moved to another split since"
            raise NotScanned(
                f"expected a scan of the samples as they are, found {came}",
                f"run: assay scan -b {self.bench.given}",
            )
        if (scored := probe.score(upto, state)) is None:
            return self.fit(upto, state)
        self.unwritten, changed = scored
        self.changed |= changed
        return self.unwritten

    def fit(self, upto: int, state: pd.DataFrame) -> ScoredState:
        """Fit a new probe to a state; write everything.

        It is left as the judge of the versions from now on.
        """
        fitted = fit_probe(self.bench, state)
        judge = keep_judge(self.bench, upto, fitted)
        ids = np.asarray(fitted.part.index, "S32")
        folder = judged_folder(read_settings(self.bench))
        stored = StoredProbe(folder, ids, fitted.classes, fitted.probe, judge.cuts)
        self.probe, self.changed = LiveProbe(self.bench, stored, fitted.part), True
        self.unwritten, _ = self.probe.score(upto, state)
        return self.publish()

    def write(self) -> bool:
        """Write down what is new, for everybody else who reads the bench.

        False where nothing is, or somebody wrote a newer probe meanwhile.
        """
        stamp = file_stamp(self.bench.arrays / "probe.npz")
        if self.unwritten is None or stamp != self.stamp:
            return False
        self.publish()
        return True

    def publish(self) -> ScoredState:
        """Write what is unwritten, whoever wrote meanwhile.

        The probe, where it changed, the scores to opinion.npz, and the flagged labels to `issues`.
        """
        scored = self.unwritten
        if self.changed:
            self.probe.stored.save(self.bench)
            self.stamp, self.changed = file_stamp(self.bench.arrays / "probe.npz"), False
        flagged = scored.found[scored.found.flagged].sort_values("score", kind="stable")
        why = explain_labels(self.bench, scored.state, flagged)
        rows = flagged.reset_index(names="sample")[["sample", "score", "suggestion"]]
        rows = rows.assign(kind="label", why=why, upto=scored.upto)
        with self.bench.transaction() as con:
            con.execute("delete from issues where kind = 'label'")
            con.register("found", rows)
            con.execute("insert into issues by name select * from found")
        part = without_locked(scored.state)
        scores = StoredScores.from_frame(part, scored.classes, scored.few, scored.found)
        ids, classes = self.probe.stored.ids, scored.classes
        kept = LabelScores(scored.upto, ids, classes, scored.probs, scored.few, scores)
        kept.save(self.bench)
        self.unwritten = None
        return scored


# ---- through the files


def fit_scores(bench: Bench, upto: int) -> pd.DataFrame:
    """Fit the probe at a log position; publish scores.

    Returns a frame as score_labels.
    """
    return LiveScores(bench).fit(upto, bench.state(upto)).found


def rescore(bench: Bench) -> bool:
    """Bring the scores to the present labels.

    Without embedding or fitting anew; False where no scan stands. UserError for a large bench: all its scores are
    brought there by a scan alone.
    """
    if is_large(bench):
        raise NotScanned(
            f"expected at most {format_count(state_building.LARGE, 'sample')} to score anew, found more",
            f"what was edited has no score until: assay scan -b {bench.given}",
        )
    live, upto = LiveScores(bench), find_position(bench, "HEAD")
    state = bench.state(upto)
    if live.load_probe(state) is None:
        return False
    live.score(upto, state)
    if live.unwritten is not None:  # else a new probe was fitted, and written
        live.publish()
    return True


def refresh_scores(bench: Bench) -> pd.DataFrame | None:
    """Bring the written scores to the end of the log.

    arrays/opinion.npz and the label issues, where they are not there yet. Those of a large bench stay as the last scan
    left them, and it is said how many edits came since.

    Returns a frame as score_labels, or None where both stay. UserError where only a scan can tell.
    """
    read_settings(bench)
    upto, written = find_position(bench, "HEAD"), LabelScores.position(bench)
    if written == upto:
        return None
    if written is not None and is_large(bench):
        note_age(upto - written)
        return None
    live = LiveScores(bench)
    scored = live.score(upto, bench.state(upto))
    if live.unwritten is not None:
        live.publish()
    return scored.found


def note_age(edits: int) -> None:
    """Say that the scores of a large bench are older than its log."""
    since = format_count(edits, "edit")
    left_out = "what they are about has no score here until assay scan renews the scores"
    print(f"note: {since} came since the scores were made; {left_out}", file=sys.stderr)


def read_scores(bench: Bench) -> pd.DataFrame:
    """Read the written scores, a frame as score_labels: of samples that nobody edited since."""
    kept = LabelScores.load(bench)
    found = kept.scores.to_frame(bench.state(kept.upto))
    edited = bench.rows("select distinct sample from edits where seq > ?", [kept.upto])
    return found[~found.index.isin([sample for (sample,) in edited])] if edited else found


# ---- of any version


def label_scores(
    bench: Bench, version: str | int = "HEAD", scan_needed: bool = True
) -> pd.DataFrame:
    """Give the scores of a version's labels: they say what is flagged.

    A frame as score_labels. At the end of the log they are the standing ones, brought up to date first if edits came
    since they were written. Where samples came, left or changed split, that needs a scan, or (scan_needed False) they
    are scored as those of any other version.
    """
    if pointers.is_head(bench, version):
        try:
            found = refresh_scores(bench)
            return read_scores(bench) if found is None else found
        except UserError:
            if scan_needed:
                raise
    return score_version(bench, version)


def find_flagged(bench: Bench, version: str | int) -> pd.DataFrame:
    """Find the flagged labels of any version, worst first.

    Frame sample -> label, suggestion.
    """
    found = label_scores(bench, version, scan_needed=False)
    return found[found.flagged].sort_values("score", kind="stable")[["label", "suggestion"]]


def predict_classes(bench: Bench, version: str | int = "HEAD") -> pd.DataFrame:
    """Give the out-of-sample probabilities of a version: a column a class.

    At the end of the log they are the standing ones, brought up to date first. Of more than 256 classes the likeliest
    of each sample, in sparse columns.
    """
    import pandas as pd

    if pointers.is_head(bench, version):
        refresh_scores(bench)
        kept = LabelScores.load(bench)
        index = pd.Index(kept.ids.astype(str).astype(object), name="sample")
        probs, classes = kept.pred_probs, kept.classes
    else:
        found = predict_version(bench, version)
        probs, index, classes = found.probs, found.part.index.rename("sample"), found.classes
    if isinstance(probs, TopProbs):
        return probs.to_frame(index, classes)
    return pd.DataFrame(probs, index, classes)
