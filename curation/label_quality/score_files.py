"""Keep what the probe makes of the labels: probe.npz, opinion.npz and arrays/flagged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.label_quality.many_classes import TopScores
from assay.curation.label_quality.member_flags import NEVER
from assay.curation.label_quality.probe import Probe
from assay.curation.label_quality.scoring import read_targets, scored_rows
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import load_arrays, map_array, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import TopProbs, name_arrays, read_probs
from assay.curation.tasks import classification, multilabel
from assay.curation.tasks.classification import class_indices

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class StoredScores:
    """The scores of a version's labels as arrays: a file of arrays/flagged, and a part of opinion.npz."""

    classes: list[str]
    rows: np.ndarray  # (m,) which rows of the state, without test and guard, are scored
    score: np.ndarray  # (m,) probability of the label, low is bad
    suggestion: np.ndarray  # (m,) class index; of label sets (m, k) members, 0 or 1
    confidence: np.ndarray  # (m,) probability of the suggestion
    flagged: np.ndarray  # (m,) bool
    question: np.ndarray | None = None  # (m,) index of the class that a label set is asked about

    @classmethod
    def from_frame(
        cls, part: pd.DataFrame, classes: list[str], few: np.ndarray, found: pd.DataFrame
    ) -> StoredScores:
        """Pack the frame that score_labels made of `part`.

        part: a state without test and guard.
        """
        task = multilabel.TASK if "question" in found else classification.TASK
        return cls(
            classes,
            scored_rows(part, classes, few, task)[0],
            found.score.to_numpy("f8"),
            read_targets(task, found.suggestion, classes),
            found.confidence.to_numpy("f8"),
            found.flagged.to_numpy(bool),
            class_indices(found.question, classes) if "question" in found else None,
        )

    @classmethod
    def from_arrays(cls, kept: dict[str, np.ndarray]) -> StoredScores:
        classes = json.loads(str(kept["classes"]))
        return cls(classes, *(kept.get(name) for name in list(cls.__dataclass_fields__)[1:]))

    def to_arrays(self) -> dict[str, np.ndarray]:
        kept = {name: array for name, array in vars(self).items() if array is not None}
        return kept | dict(classes=np.array(json.dumps(self.classes)))

    def to_frame(self, state: pd.DataFrame) -> pd.DataFrame:
        """Unpack the frame that score_labels made of the state."""
        import pandas as pd

        rows = np.flatnonzero(~state.split.isin(LOCKED))[self.rows]
        reviewed = state.reviewed.to_numpy(bool)[rows]
        names, asked = np.array(self.classes, dtype=object), {}
        if self.question is None:
            suggestion = names[self.suggestion]
        else:
            suggestion = multilabel.name_sets(self.suggestion, self.classes)
            labels = state.label.to_numpy(object)[rows]
            suggestion = multilabel.keep_others(suggestion, labels, self.classes)
            asked = dict(question=names[self.question])
        return pd.DataFrame(
            dict(
                label=state.label.to_numpy(object)[rows],
                reviewed=reviewed,
                score=self.score,
                suggestion=suggestion,
                **asked,
                confidence=self.confidence,
                flagged=self.flagged & ~reviewed,
            ),
            index=state.index[rows],
        )


@dataclass(frozen=True)
class LabelScores:
    """The scores of the labels at a position of the log: arrays/opinion.npz."""

    upto: int  # the position
    ids: np.ndarray  # (n,) S32: every sample but test and guard, in the state's order
    classes: list[str]
    pred_probs: np.ndarray | TopProbs  # (n, k) float32, out of sample
    few: np.ndarray  # (k,) bool: classes with too few samples to judge
    scores: StoredScores | None  # None in a file of an older Assay

    @staticmethod
    def position(bench: Bench) -> int | None:
        """Read the log position of the file, and nothing else.

        None where there is none, or an older Assay's.
        """
        kept = load_arrays(bench.arrays / "opinion.npz", ["upto", "rows"])
        return int(kept["upto"]) if kept is not None and "rows" in kept else None

    @classmethod
    def load(cls, bench: Bench) -> LabelScores | None:
        """Read the file; None before a scan."""
        kept = load_arrays(bench.arrays / "opinion.npz")
        if kept is None:
            return None
        return cls(
            int(kept["upto"]),
            kept["ids"],
            json.loads(str(kept["classes"])),
            read_probs("pred_probs", kept, len(kept["few"])),
            kept["few"],
            StoredScores.from_arrays(kept) if "rows" in kept else None,
        )

    def save(self, bench: Bench) -> None:
        save_arrays(
            bench.arrays / "opinion.npz",
            upto=np.array(self.upto),
            ids=self.ids,
            **name_arrays("pred_probs", self.pred_probs.astype("f4")),
            few=self.few,
            **self.scores.to_arrays(),
        )


@dataclass(frozen=True)
class StoredProbe:
    """The probe that the last scan left, brought to later edits: arrays/probe.npz."""

    folder: str  # of the columns that it was fitted on: see judged_folder
    ids: np.ndarray  # (n,) S32: the samples it judges, in the state's order
    classes: list[str]
    probe: Probe
    cuts: np.ndarray | None = None  # (k,) what it flags labels by; an older Assay left none

    @classmethod
    def load(cls, bench: Bench) -> StoredProbe | None:
        """Read the file; None before a scan by this Assay."""
        kept = load_arrays(bench.arrays / "probe.npz")
        if kept is None or not kept.keys() >= {*Probe.ARRAYS}:
            return None
        classes = json.loads(str(kept["classes"]))
        probe = Probe(kept["mean"], kept["scale"], len(classes))
        for name in Probe.ARRAYS:
            setattr(probe, name, kept[name])
        if "totals" in kept:
            probe.top = TopScores(read_probs("top", kept, len(classes)), kept["totals"])
        return cls(str(kept["folder"]), kept["ids"], classes, probe, kept.get("cuts"))

    def save(self, bench: Bench) -> None:
        save_arrays(
            bench.arrays / "probe.npz",
            folder=np.array(self.folder),
            ids=self.ids,
            classes=np.array(json.dumps(self.classes)),
            **{name: np.asarray(getattr(self.probe, name)) for name in Probe.ARRAYS},
            **({} if self.cuts is None else dict(cuts=self.cuts)),
            **({} if self.probe.top is None else self.probe.top.to_arrays()),
        )


def read_cuts(bench: Bench, k: int) -> np.ndarray:
    """Read what the last scan's judge flags labels by: (k,), as fit_cuts."""
    kept = load_arrays(bench.arrays / "probe.npz", ["cuts"]) or {}
    return kept.get("cuts", np.ones(k))


def read_member_cuts(bench: Bench, k: int) -> np.ndarray:
    """Read what the last scan's judge flags memberships by: (k, 6), as fit_member_cuts.

    Of a bench that an older Assay scanned: nothing is flagged.
    """
    cuts = read_cuts(bench, k)
    blind = np.tile([0, 1, 1e-3, 1e-3, NEVER, NEVER], (k, 1))
    return cuts if cuts.shape == blind.shape else blind


def read_leverage(bench: Bench, sample: str, rank: int | None = None) -> float | None:
    """Read how strongly a sample pulls the probe's answer about itself.

    From 0 to 1; None where it is not fitted. rank: its place among all that are judged, where it is known.
    """
    if rank is not None:
        file = bench.arrays / "probe.npz"
        fitted = map_array(file, "y")[rank] >= 0
        return float(map_array(file, "h")[rank]) if fitted else None
    kept = load_arrays(bench.arrays / "probe.npz", ["ids", "h", "y"])
    at = np.flatnonzero(kept["ids"] == sample.encode()) if kept is not None else []
    return float(kept["h"][at[0]]) if len(at) and kept["y"][at[0]] >= 0 else None
