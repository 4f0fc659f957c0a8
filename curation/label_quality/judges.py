"""Keep the judges that scans left.

A version is judged later as it was when it was the newest. A judge is a fitted probe without its labels:
standardisation, lambda and calibration, and a second opinion.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.kernel_columns import judged_folder, read_columns
from assay.curation.label_quality.neighbor_votes import find_voters
from assay.curation.label_quality.probe import Probe
from assay.curation.label_quality.score_files import StoredScores
from assay.curation.label_quality.scoring import (
    choose_cuts,
    class_indices,
    find_targets,
    score_labels,
    without_locked,
)
from assay.curation.label_quality.second_opinion import (
    AlignedOpinion,
    SecondOpinion,
    count_changes_since,
)
from assay.curation.media.rows import read_column_kinds
from assay.curation.statistics import logistic_lines
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Rows, Shards, SideBySide
from assay.curation.storage.top_probs import TopProbs
from assay.curation.tasks import classification, member_noise, multilabel
from assay.curation.tasks.base import Task, task_of
from assay.curation.versioning import states
from assay.curation.versioning.expressions import root_version
from assay.curation.versioning.pointers import find_position
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd


FIXED = (
    "mean",
    "scale",
    "lam",
    "knots",
    "heights",
    "stretch",
    "vote",
    "offset",
)  # of a probe: what an edit leaves as it was fitted

FITTED = ("content_hash", "label", "split", "keep", "reviewed")

TASK_FILES = tuple(m.__file__ for m in (classification, multilabel, member_noise, logistic_lines))


@dataclass(frozen=True)
class Judge:
    """What a scan leaves to judge any version's labels by: a file of arrays/judges."""

    classes: list[str]
    fixed: dict[str, np.ndarray]  # of a probe, by FIXED
    second: SecondOpinion | None = None
    cuts: np.ndarray | None = None  # (k,) what it flags labels by; an older Assay left none

    @classmethod
    def load(cls, path: Path) -> Judge:
        kept = load_arrays(path)
        fixed = {name: kept[name] for name in FIXED}
        second = SecondOpinion.from_arrays(kept)
        return cls(json.loads(str(kept["classes"])), fixed, second, kept.get("cuts"))

    def save(self, path: Path) -> None:
        second = {} if self.second is None else self.second.to_arrays()
        cuts = {} if self.cuts is None else dict(cuts=self.cuts)
        classes = np.array(json.dumps(self.classes))
        save_arrays(path, classes=classes, **self.fixed, **second, **cuts)

    def rename_second(self, bench: Bench, version: str | int) -> Judge:
        """Call the classes of its second opinion as a version calls them."""
        names = names_at(bench, version)
        if self.second is None or not names.renames:
            return self
        former = names.former_of(bench.state(version).label)
        second = self.second.rename(former)
        if names.several:  # merged classes: their sum is no probability
            second = replace(second, probs=np.minimum(second.probs, 1))
        return replace(self, second=second)

    def refit(self, columns: Columns, y: np.ndarray) -> Probe:
        """Fit a probe to labels, as this one standardises and calibrates.

        y (n,): class indices or -1; or members (n, k).
        """
        probe = Probe(self.fixed["mean"], self.fixed["scale"], len(self.classes))
        for name in FIXED:
            setattr(probe, name, self.fixed[name])
        probe.near = columns.near
        probe.refit(columns.X, y, columns.groups)
        return probe


@dataclass(frozen=True)
class FittedProbe:
    """A probe fitted to the labels of a version."""

    classes: list[str]
    part: pd.DataFrame  # the state without test and guard, n rows; its columns FITTED
    X: Rows | SideBySide  # (n, d) what it is fitted on
    probe: Probe
    task: Task


@dataclass(frozen=True)
class VersionPredictions:
    """What the judge of a version predicts, out of sample."""

    part: pd.DataFrame  # the state without test and guard, n rows
    classes: list[str]
    probs: np.ndarray | TopProbs  # (n, k)
    few: np.ndarray  # (k,) bool: classes with too few samples to judge
    cuts: (
        np.ndarray | None
    )  # (k,) what its labels are flagged by, or (k, 6): see member_flags; None: its own
    task: Task


# ---- the judge of a version


def find_judge_file(bench: Bench, version: str | int = "HEAD") -> Path | None:
    """Find the judge of a version; None where there is none.

    Among those that scans with the last scan's settings left it is the newest that is no newer than the version, so
    that no later edit or scan changes what is flagged in it, else the oldest.
    """
    files = list_judge_files(bench)
    upto = find_position(bench, root_version(version)) if files else 0
    older = [file for file in files if int(file.stem.split("-")[1]) <= upto]
    return older[-1] if older else files[0] if files else None


def list_judge_files(bench: Bench) -> list[Path]:
    """List judges of the last scan's settings, oldest first."""
    return sorted((bench.arrays / "judges").glob(f"{settings_key(bench)}-*.npz"))


def settings_key(bench: Bench) -> str:
    """Name the last scan's settings, and what a judge is."""
    made = json.dumps([FIXED, read_settings(bench)], sort_keys=True)
    return sha256(made.encode()).hexdigest()[:12]


def load_judge(bench: Bench, version: str | int = "HEAD") -> Judge | None:
    """Read the judge of a version; None where no scan ended.

    Of a bench that an older Assay scanned it is the probe.
    """
    if file := find_judge_file(bench, version):
        return Judge.load(file).rename_second(bench, version)
    kept = load_arrays(bench.arrays / "probe.npz", (*FIXED, "folder", "classes"))
    if kept is None or not kept.keys() >= {*FIXED}:
        return None  # it is calibrated as an older Assay did
    if str(kept["folder"]) != judged_folder(read_settings(bench)):
        return None
    fixed = {name: kept[name] for name in FIXED}
    judge = Judge(json.loads(str(kept["classes"])), fixed, SecondOpinion.of_scan(bench))
    return judge.rename_second(bench, version)


def keep_judge(bench: Bench, upto: int, fitted: FittedProbe) -> Judge:
    """Leave a judge for the versions from the log position `upto` on."""
    part, classes, probe = fitted.part, fitted.classes, fitted.probe
    given, second = class_indices(part.label, classes), SecondOpinion.of_scan(bench)
    probs = probe.pred_probs(fitted.X, given)
    if second is not None:
        second = second.weigh(classes, np.asarray(part.index, "S32"), probs, probe.y)
    probs = _blend(part, given, classes, probs, second, fitted.task)
    fixed = {name: np.asarray(getattr(probe, name)) for name in FIXED}
    cuts = choose_cuts(part, classes, probs, probe.few(), fitted.task)
    judge = Judge(classes, fixed, second, cuts)
    judge.save(bench.arrays / "judges" / f"{settings_key(bench)}-{upto:012}.npz")
    return judge


def second_opinion_age(bench: Bench, state: pd.DataFrame) -> dict | None:
    """Count the edits since the last scan's second opinion: see count_changes_since."""
    judge = load_judge(bench)
    return count_changes_since(judge and judge.second, state)


# ---- what decides which labels of a version are doubted


def judge_key(bench: Bench, version: str | int = "HEAD") -> str:
    """Hash what decides which labels of a version are doubted.

    That is its judge, the graph (copies leave the probe together) and the code.
    """
    made = [read_settings(bench), name_judge(bench, version), neighbor_graph.load_key(bench)]
    return sha256(json.dumps(made).encode() + judging_code()).hexdigest()[:16]


def name_judge(bench: Bench, version: str | int = "HEAD") -> str | None:
    """Name the judge of a version by its file.

    Of a bench that an older Assay scanned, by its probe's calibration.
    """
    if file := find_judge_file(bench, version):
        return file.stem
    kept = load_arrays(bench.arrays / "probe.npz", FIXED)
    if kept is None or not kept.keys() >= {*FIXED}:
        return None
    blob = b"".join(np.ascontiguousarray(kept[name]).tobytes() for name in FIXED)
    return sha256(blob).hexdigest()[:12]


@cache
def judging_code() -> bytes:
    """Hash the code that judges: this package's, and the task's."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), *map(Path, TASK_FILES)]
    return sha256(b"".join(file.read_bytes() for file in files)).digest()


# ---- the labels of a version, judged


def predict_version(bench: Bench, version: str | int) -> VersionPredictions:
    """Predict a version's labels, by its judge refitted to them."""
    state, judge = bench.state(version), load_judge(bench, version)
    part, task = without_locked(state), task_of(bench)
    here = find_targets(part, None, task)[0]
    if judge is None or not set(here) <= set(judge.classes):  # a class that no judge knows
        fitted = fit_probe(bench, state)
        classes, X, probe, cuts = fitted.classes, fitted.X, fitted.probe, None
    else:
        _need_two_classes(here)
        classes, cuts = judge.classes, judge.cuts
        columns = load_columns(bench, part)
        X, probe = columns.X, judge.refit(columns, find_targets(part, classes, task)[1])
    given = class_indices(part.label, classes)
    said = probe.pred_probs(X, given)
    probs = _blend(part, given, classes, said, judge and judge.second, task)
    return VersionPredictions(part, classes, probs, probe.few(), cuts, task)


def _blend(
    part: pd.DataFrame,
    given: np.ndarray,
    classes: list[str],
    probs: np.ndarray | TopProbs,
    second: SecondOpinion | None,
    task: Task,
) -> np.ndarray | TopProbs:
    """Mix a second opinion into a probe's probabilities (n, k) of labels (n,)."""
    if second is None:
        return probs
    several = task.name == "multilabel"
    aligned = AlignedOpinion(second, classes, np.asarray(part.index, "S32"), several)
    return aligned.blend(probs, task.targets(part.label, classes) if several else given)


def fit_probe(bench: Bench, state: pd.DataFrame) -> FittedProbe:
    """Fit a probe to the labels of a state.

    UserError where it has fewer than two classes.
    """
    part, task = without_locked(state[list(FITTED)]), task_of(bench)
    classes, y = find_targets(part, None, task)
    _need_two_classes(classes)
    X, groups, near = load_columns(bench, part)
    weights = getattr(X, "weights", None)
    probe = probes.fit(X, y, groups, len(classes), weights, near)
    return FittedProbe(classes, part, X, probe, task)


class Columns(NamedTuple):
    """What a judge is fitted on, of n samples."""

    X: Rows | SideBySide  # (n, d)
    groups: np.ndarray  # (n,) of copies
    near: np.ndarray | None  # (n, j) rows that vote on each; None at effort 0


def load_columns(bench: Bench, part: pd.DataFrame) -> Columns:
    """Read what a judge is fitted on, for some samples."""
    asked, (graph, node) = read_settings(bench), neighbor_graph.load_nodes(bench, part)
    # rows of a table that lie near say less than their kernel: with votes average precision .729 fell to .724
    vote = asked["effort"] > 0 and not read_column_kinds(bench)
    near = find_voters(bench, part) if vote else None
    X = read_columns(bench, asked, part.content_hash)
    X.sharding = bench.stages and bench.stages.cut(X)
    return Columns(X, graph.groups[node], near)


def load_features(bench: Bench, part: pd.DataFrame) -> tuple[Rows, np.ndarray]:
    """Read what the plain probe is fitted on, for some samples.

    Their embeddings (n, d), and their groups of copies (n,).
    """
    graph, node = neighbor_graph.load_nodes(bench, part)
    shards = Shards(bench.arrays / "embeddings" / read_settings(bench)["folder"])
    return shards.rows(part.content_hash), graph.groups[node]


def _need_two_classes(classes: list[str]) -> None:
    if len(classes) < 2:
        raise UserError(
            f"expected at least two classes among the kept train samples, found {len(classes)}",
            "label or restore samples first",
        )


def score_version(bench: Bench, version: str | int) -> pd.DataFrame:
    """Score a version's labels by the judge it has.

    Kept in arrays/flagged, by what the version holds and what judges it, so that `v1 - flagged` refits once and not at
    every look.
    """
    state = bench.state(version)
    file = bench.arrays / "flagged" / f"{states.hash_tree(state)}-{judge_key(bench, version)}.npz"
    kept = load_arrays(file)
    if kept is not None:
        return StoredScores.from_arrays(kept).to_frame(state)
    made = predict_version(bench, version)
    undecided = made.part.assign(reviewed=False)  # no part of the tree: to_frame adds it
    found = score_labels(undecided, made.classes, made.probs, made.few, made.cuts, made.task)
    scores = StoredScores.from_frame(made.part, made.classes, made.few, found)
    with suppress(OSError):  # a full disk costs the next look a fit, not this one its answer
        save_arrays(file, **scores.to_arrays())
    return scores.to_frame(state)
