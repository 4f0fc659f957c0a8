"""Measure what the changes of a proposal would do to the probe.

Nothing is written. The state with the changes applied is compared with HEAD, both judged on HEAD's validation labels:
what a proposal changes of them is counted, and is never gain.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph, scan_settings
from assay.curation.issues.copies import load_copies
from assay.curation.issues.leakage import match_leaks
from assay.curation.label_quality import live, scoring
from assay.curation.label_quality import probe as probes
from assay.curation.slicing import regression_sets
from assay.curation.statistics import multiple_testing
from assay.curation.statistics.estimates import Estimate, wilson_interval
from assay.curation.statistics.requirements import judge_requirement
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards
from assay.curation.tasks.base import task_of
from assay.curation.versioning.counterfactuals import draw_random_alike
from assay.pipelines.evaluation.replay import Ridge, paired_estimate
from assay.pipelines.evaluation.test_set import interval_to_dict

if TYPE_CHECKING:
    import pandas as pd

CONTROLS = 10  # draws of random changes


def apply_changes(state: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Apply changes (see read_changes) to a copy of a state; tags are left out."""
    then = state.copy()
    for field in ("label", "keep", "split"):
        rows = changes[(changes.field == field) & changes["sample"].isin(state.index)]
        if len(rows):
            then.loc[rows["sample"], field] = [json.loads(v) for v in rows.value]
    then["keep"] = then["keep"].astype(bool)
    return then


@dataclass
class Trial:
    """The probe at HEAD, and the rows that changes touch."""

    probe: probes.Probe
    classes: list[str]
    y: np.ndarray  # (n,) class indices of what trains at HEAD, -1 for the rest
    X: np.ndarray  # (n, d), read where it is asked for
    judges: np.ndarray  # rows of the validation samples
    truth: np.ndarray  # (m,) their classes at HEAD, -1 for one that the probe does not know

    def answer(self, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Predict the classes of `rows` after training on y (n,)."""
        touched = np.flatnonzero(y != self.y)
        ridge = Ridge(self.probe, self.X[touched], self.y[touched])
        return ridge.relabel(y[touched]).predict(self.X[rows]).argmax(1)

    def judge(self, y: np.ndarray) -> np.ndarray:
        """Whether each validation sample is right after training on y, 0/1 (m,)."""
        return (self.answer(y, self.judges) == self.truth).astype(float)


def measure_gain(
    bench: Bench, state: pd.DataFrame, changes: pd.DataFrame, level: float, salt: str
) -> dict:
    """Measure the gain of changes on validation, its control, and regression sets.

    level: of the gain's interval. salt: names the draw of the control. Returns dict gain (estimate, low, high), n
    validation samples, level, train (training samples that change), validation_changed, validation_left_out, control,
    agreement, regression. UserError where there is nothing to judge by.
    """
    if task_of(bench).several:
        raise UserError(
            "expected one label a sample to measure a gain by, found label sets",
            "look at its samples instead: assay proposal show",
        )
    then = apply_changes(state, changes)
    trial, y_then = fit_trial(bench, state, then)
    before, after = trial.judge(trial.y), trial.judge(y_then)
    e = paired_estimate((y_then, after), (trial.y, before))
    is_val = (state.keep & (state["split"] == "val") & state.label.notna()).to_numpy()
    changed = is_val & (state.label.to_numpy() != then.label.to_numpy())
    return dict(
        gain=interval_to_dict(e.at(level)),
        n=len(trial.judges),
        level=level,
        train=int((y_then != trial.y).sum()),
        validation_changed=int(changed.sum()),
        validation_left_out=int(is_val.sum()) - len(trial.judges),
        control=measure_control(trial, state, changes, before, salt),
        regression=judge_regression_sets(bench, trial, state, y_then),
    )


def fit_trial(bench: Bench, state: pd.DataFrame, then: pd.DataFrame) -> tuple[Trial, np.ndarray]:
    """Fit the probe at HEAD; returns it and what trains after the changes, (n,)."""
    both = (scoring.find_targets(frame)[0] for frame in (state, then))
    classes = sorted({c for found in both for c in found})
    y, y_then = (scoring.find_targets(frame, classes)[1] for frame in (state, then))
    judges = np.logical_and.reduce(
        [f.keep & (f["split"] == "val") & f.label.notna() for f in (state, then)]
    )
    rows, trained = np.flatnonzero(judges), len(set(y[y >= 0]))
    if not len(rows) or trained < 2:
        raise UserError(
            "expected labelled validation samples and two classes to train on, "
            f"found {len(rows)} and {trained}",
            "import a val split, or label more",
        )
    graph, at = neighbor_graph.load_nodes(bench, state)
    folder = scan_settings.read_settings(bench)["folder"]
    X = Shards(bench.arrays / "embeddings" / folder).rows(state.content_hash)
    index = {c: i for i, c in enumerate(classes)}
    truth = np.array([index.get(c, -1) for c in state.label.iloc[rows]])
    probe = probes.fit(X, y, graph.groups[at], len(classes))
    return Trial(probe, classes, y, X, rows, truth), y_then


def measure_control(
    trial: Trial, state: pd.DataFrame, changes: pd.DataFrame, before: np.ndarray, salt: str
) -> dict | None:
    """Measure as many random changes of the same class mix.

    Of relabelled and of dropped training samples. Returns dict changes, draws, estimate (mean), low, high (the least
    and the most gained); None where the proposal has no such changes.
    """
    import pandas as pd

    changes = changes[changes.field.isin(("label", "keep"))]
    was = state.reindex(changes["sample"])
    labels = pd.DataFrame(
        dict(
            label=was.label.to_numpy(object),
            suggestion=[json.loads(v) for v in changes.value],
            field=changes.field.to_numpy(),
        ),
        index=changes["sample"].to_numpy(object),
    )
    train = (was.keep & (was["split"] == "train") & was.label.notna()).to_numpy(bool)
    moved = (labels.field == "label") & (labels.label != labels.suggestion)
    dropped = (labels.field == "keep") & (labels.suggestion == False)  # noqa: E712 - an object
    parts = [p for p in (labels[train & moved], labels[train & dropped]) if len(p)]
    if not parts:
        return None
    gains = []
    for draw in range(CONTROLS):
        y = trial.y.copy()
        for part in parts:
            drawn = draw_random_alike(state, part, len(part), f"{salt} {draw}")
            codes = {c: i for i, c in enumerate(trial.classes)}
            to = [codes[s] if f == "label" else -1 for s, f in zip(drawn.suggestion, drawn.field)]
            y[state.index.get_indexer(drawn.index)] = to
        gains.append(float((trial.judge(y) - before).mean()))
    about = dict(changes=sum(map(len, parts)), draws=CONTROLS)
    return about | dict(estimate=float(np.mean(gains)), low=min(gains), high=max(gains))


def judge_regression_sets(
    bench: Bench, trial: Trial, state: pd.DataFrame, y_then: np.ndarray
) -> list[dict]:
    """Judge whether the probe falls on a frozen regression set.

    Each is paired, at 95 % by Holm over the sets; and none may come to be shown below what is required of it. Returns
    dicts set, n, before, after, required, estimate, low, high, passed.
    """
    sets, out, falls = regression_sets.frozen_sets(bench, state), [], list[Estimate]()
    for name, own in sets.items():
        rows = state.index.get_indexer(own["samples"])
        labels = state.label.iloc[rows].to_numpy(object)
        right = [
            (np.array(trial.classes, object)[trial.answer(y, rows)] == labels).astype(float)
            for y in (trial.y, y_then)
        ]
        falls.append(paired_estimate((y_then, right[1]), (trial.y, right[0])))
        before, after = (judge_requirement(r[None], own["score"])["verdict"] for r in right)
        about = dict(set=name, n=len(rows), before=right[0].mean(), after=right[1].mean())
        newly = after == "below" and before != "below"
        out.append(about | dict(required=own["score"], passed=not newly))
    for row, fall in zip(out, multiple_testing.holm_intervals(falls) if falls else []):
        row |= interval_to_dict(fall) | dict(passed=row["passed"] and fall.high >= 0)
    return out


def measure_agreement(bench: Bench, changes: pd.DataFrame) -> dict | None:
    """Count how often the probe would say the proposed label.

    It has not seen the sample's own label. Of relabelled train and val samples. Returns dict n, share, low, high (95
    %), by_chance (had the proposed labels been dealt out at random); None where it judges none.
    """
    moved = changes[(changes.field == "label") & (changes.value != changes.was)]
    found = live.label_scores(bench, "HEAD", scan_needed=False)
    moved = moved[moved["sample"].isin(found.index)]
    if not len(moved):
        return None
    said = found.suggestion[moved["sample"]].to_numpy(object)
    asked = np.array([json.loads(v) for v in moved.value], object)
    n, agreed = len(moved), int((said == asked).sum())
    low, high = wilson_interval(agreed, n)
    names = set(said) & set(asked)
    chance = sum(float((said == c).mean() * (asked == c).mean()) for c in names)
    return dict(n=n, share=agreed / n, low=low, high=high, by_chance=chance)


def find_new_leaks(bench: Bench, state: pd.DataFrame, changes: pd.DataFrame) -> list[str]:
    """Find samples that the changes make leak: see match_leaks.

    Only changes of `keep` and `split` can; without any nothing is read."""
    if not changes.field.isin(("keep", "split")).any():
        return []
    copies = load_copies(bench, state)
    before, after = (
        match_leaks(frame, copies.near, copies.node)
        for frame in (state, apply_changes(state, changes))
    )
    return [str(state.index[i]) for i in sorted(set(after) - set(before))]


def count_classes(state: pd.DataFrame, changes: pd.DataFrame) -> list[dict]:
    """Count the kept, labelled training samples of each class before and after.

    Dicts class, before, after of the classes whose number changes, the largest change first."""
    counts = []
    for frame in (state, apply_changes(state, changes)):
        counts.append(frame.label[frame.keep & (frame["split"] == "train")].value_counts())
    names = sorted(set(counts[0].index) | set(counts[1].index))
    rows = [
        {"class": c, "before": int(counts[0].get(c, 0)), "after": int(counts[1].get(c, 0))}
        for c in names
    ]
    changed = [row for row in rows if row["before"] != row["after"]]
    return sorted(changed, key=lambda row: -abs(row["after"] - row["before"]))
