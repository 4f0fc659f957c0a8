"""Read another model's opinion of the labels, beside the probe's."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality.scoring import class_indices
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import TopProbs

if TYPE_CHECKING:
    import pandas as pd

SHARES = np.linspace(0, 0.95, 20)  # of a network beside the probe
SHARPNESS = 2.0 ** np.linspace(-2, 2, 9)  # powers that a network's probabilities may be raised to
MOST, FEWEST = 20_000, 2000  # samples that choose these two
NUMBERS = 5_000_000  # their probabilities: many classes are asked of fewer samples
TINY = 1e-6  # in place of a probability of 0, which no other could outvote


@dataclass(frozen=True)
class SecondOpinion:
    """Out-of-sample probabilities of a trained network, or of a person's own model."""

    classes: list[str]
    ids: np.ndarray  # (m,) S32
    probs: np.ndarray  # (m, k) float32
    weight: float  # its share beside the probe; 1: it judges alone
    # (m,) class indices that it was trained on, where they are known
    labels: np.ndarray | None = None

    @classmethod
    def of_scan(cls, bench: Bench) -> SecondOpinion | None:
        """Read the last scan's second opinion, arrays/second.npz.

        None where the probe judges alone.
        """
        kept = load_arrays(bench.arrays / "second.npz")
        if kept is None:
            return None
        weight = 1.0 if read_settings(bench)["probabilities"] == "own" else 0.5
        return cls(
            json.loads(str(kept["classes"])), kept["ids"], kept["probs"], weight, kept.get("labels")
        )

    @classmethod
    def from_arrays(cls, kept: dict[str, np.ndarray]) -> SecondOpinion | None:
        """Read the second opinion that a scan left with its judge.

        See to_arrays.
        """
        if "second_ids" not in kept:
            return None
        return cls(
            json.loads(str(kept["second_classes"])),
            kept["second_ids"],
            kept["second_probs"],
            float(kept["second_weight"]),
            kept.get("second_labels"),
        )

    def rename(self, former: dict[str, str]) -> SecondOpinion:
        """Give renamed classes the names that they have now.

        former: {old name: new name}. Probabilities of classes that were merged are summed.
        """
        called = [former.get(name, name) for name in self.classes]
        if called == self.classes:
            return self
        order = list(dict.fromkeys(called))
        at = np.array([order.index(name) for name in called])
        probs = np.zeros((len(self.probs), len(order)), self.probs.dtype)
        np.add.at(probs.T, at, self.probs.T)
        labels = self.labels
        if labels is not None:
            labels = np.where(labels < 0, labels, at[labels])
        return SecondOpinion(order, self.ids, probs, self.weight, labels)

    def to_arrays(self) -> dict[str, np.ndarray]:
        out = dict(
            second_classes=np.array(json.dumps(self.classes)),
            second_ids=self.ids,
            second_probs=self.probs,
            second_weight=np.array(self.weight),
        )
        return out if self.labels is None else out | dict(second_labels=self.labels)

    def weigh(
        self, classes: list[str], ids: np.ndarray, probs: np.ndarray, y: np.ndarray
    ) -> SecondOpinion:
        """Take the share, and the sharpness, that predict labels best beside a probe.

        A network that was trained on smoothed labels is less sure than it is right.
        probs (n, k): what the probe says of samples `ids` (n,) out of sample, y (n,): class indices of the labels it
        was fitted to, or -1. An equal share would let the worse of the two spoil the better one.
        """
        mine = AlignedOpinion(self, classes, ids)
        asked = np.flatnonzero((y[mine.rows] >= 0) & mine.known[y[mine.rows]])
        if self.weight == 1 or not len(asked):
            return self
        asked = asked[:: -(-len(asked) // min(MOST, max(FEWEST, NUMBERS // len(classes))))]
        rows, losses = mine.rows[asked], {}
        own = np.asarray(probs[rows])
        for power in SHARPNESS:
            said = sharpen(mine.probs[asked], power)
            for w in SHARES:
                mixed = mix(own, said, mine.known, w)
                losses[w, power] = -np.log(mixed[np.arange(len(rows)), y[rows]] + TINY).mean()
        weight, power = min(losses, key=losses.__getitem__)
        return replace(self, weight=float(weight), probs=sharpen(self.probs, power))


def sharpen(probs: np.ndarray, power: float) -> np.ndarray:
    """Raise probabilities (m, k) to a power; rows sum to 1 again."""
    raised = probs**power
    return raised / np.maximum(raised.sum(1, keepdims=True), 1e-12)


def mix(probs: np.ndarray, said: np.ndarray, known: np.ndarray, weight: float) -> np.ndarray:
    """Mix two models' probabilities (m, k) by their weighted geometric mean.

    It finds more than the arithmetic one, and stays calibrated. known (k,): classes that the second has heard of; of
    the others the first speaks for both.
    """
    logs = (1 - weight) * np.log(probs + TINY) + weight * np.log(
        np.where(known, said, probs) + TINY
    )
    mixed = np.exp(logs)
    return mixed / mixed.sum(1, keepdims=True)


def mix_listed(probs: np.ndarray, said: np.ndarray, known: np.ndarray, weight: float) -> np.ndarray:
    """Mix the listed probabilities (m, t) of many classes as mix does; what is not listed keeps its share."""
    rest = [np.maximum(1 - p.sum(1, keepdims=True, dtype="f8"), 0) for p in (probs, said)]
    mine, theirs = (np.hstack([p, r]) for p, r in zip((probs, said), rest))
    sure = np.hstack([known, np.ones((len(known), 1), bool)])
    return mix(mine, theirs, sure, weight)[:, :-1]


class AlignedOpinion:
    """A second opinion on the samples and classes that a probe judges."""

    def __init__(self, second: SecondOpinion, classes: list[str], ids: np.ndarray) -> None:
        """ids (n,) S32: the judged samples, of which `classes` are asked."""
        self.known = np.isin(np.array(classes, object).astype(str), second.classes)
        at = [second.classes.index(c) if c in second.classes else 0 for c in classes]
        _, rows, mine = np.intersect1d(ids, second.ids, return_indices=True)
        probs = second.probs[mine][:, at] * self.known
        some = probs.sum(1) > 0  # else it names only classes that are gone
        self.rows, self.probs = rows[some], probs[some] / probs[some].sum(1, keepdims=True)
        self.weight = second.weight

    def blend(self, probs: np.ndarray | TopProbs, y: np.ndarray) -> np.ndarray | TopProbs:
        """Mix it into the probe's probabilities (n, k), in place.

        Of many classes those that the probe finds likeliest, and the label, are mixed, and no others.
        y (n,): class indices of the labels. One of a class that it has never heard of is the probe's to judge.
        """
        heard = (y[self.rows] < 0) | self.known[y[self.rows]]
        rows = self.rows[heard]
        said = self.probs[heard]
        if isinstance(probs, TopProbs):
            at = probs.at[rows]
            said = np.take_along_axis(said, at, 1)
            own = probs.p[rows]
            said = said if self.weight == 1 else mix_listed(own, said, self.known[at], self.weight)
            p = probs.p.copy()
            p[rows] = said
            return TopProbs(probs.at, p, probs.k)
        probs[rows] = said if self.weight == 1 else mix(probs[rows], said, self.known, self.weight)
        return probs


def count_changes_since(second: SecondOpinion | None, state: pd.DataFrame) -> dict | None:
    """Count label changes since a network's second opinion was trained.

    Dict trained (labels), changed (of these relabelled, dropped or moved since), new (labels that it has not been
    trained on); None where no network gave one.
    """
    if second is None or second.labels is None:
        return None
    was = second.labels
    trained = second.ids[was >= 0]
    now = state.loc[state.keep & (state.split == "train") & state.label.notna(), "label"]
    y = now.reindex(trained.astype(str))
    return dict(
        trained=len(trained),
        changed=int((class_indices(y, second.classes) != was[was >= 0]).sum()),
        new=int((~np.isin(np.asarray(now.index, "S32"), trained)).sum()),
    )
