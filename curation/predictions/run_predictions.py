"""What a finished run predicted, kept whole.

So any version of the labels can judge it, by the names that its classes have now: kept are the
identities of classes (see class_names), which no rename changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.statistics.sampling import shuffle_samples
from assay.curation.storage.arrays import load_arrays, locate_hashes, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import (
    DENSE,
    TopProbs,
    collect_probs,
    name_arrays,
    read_probs,
)
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.times import now
from assay.curation.versioning.class_names import name_probabilities
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = "key, train_tree, arch, seed, config, recipe, code, seconds, ts, version, n_train, failed"
# samples of the pool that every training predicts; one on more predicts as many as it trains on
POOL = 5_000


def _no_ids() -> np.ndarray:
    return np.empty(0, "S32")


@dataclass(frozen=True)
class Predictions:
    """What a run predicts of val, test and guard, and of samples of the pool."""

    ids: np.ndarray  # (m,) S32, sorted
    probs: np.ndarray  # (m, k), rows sum to 1; kept as f4
    classes: Sequence[str]  # (k,), sorted; identities, or names: see `named`
    pool_ids: np.ndarray = field(default_factory=_no_ids)  # (p,) S32, sorted
    pool_probs: np.ndarray | None = None  # (p, k); kept as f2, which will do

    def save(self, bench: Bench, key: str) -> None:
        """Save the predictions of a run."""
        pool = {}
        if len(self.pool_ids):
            pool = dict(pool=np.asarray(self.pool_ids, "S32"))
            pool |= name_arrays("pool_probs", self.pool_probs.astype("f2"))
        save_arrays(
            predictions_file(bench, key),
            **name_arrays("probs", self.probs.astype("f4")),
            ids=np.asarray(self.ids, "S32"),
            classes=np.array(json.dumps(list(self.classes))),
            **pool,
        )

    @classmethod
    def load(cls, bench: Bench, key: str) -> Predictions:
        """Load the predictions of a run, by the identities of classes.

        UserError where they are lost or damaged.
        """
        kept = load_arrays(predictions_file(bench, key))
        if kept is None:
            raise UserError(
                f"expected the predictions of run {key}, found none",
                "assay check --repair, then run the experiment again",
            )
        classes = json.loads(str(kept["classes"]))
        probs, others = (read_probs(n, kept, len(classes)) for n in ("probs", "pool_probs"))
        return cls(kept["ids"], probs, classes, kept.get("pool", _no_ids()), others)

    @classmethod
    def load_named(cls, bench: Bench, key: str) -> Predictions:
        """Load the predictions of a run, by the classes' present names.

        Probabilities of classes that were merged since are summed.
        """
        kept = cls.load(bench, key)
        classes, probs = name_probabilities(names_at(bench), kept.classes, kept.probs)
        return cls(kept.ids, probs, classes)


def predictions_file(bench: Bench, key: str) -> Path:
    """The file of a run's predictions."""
    return bench.arrays / "runs" / f"{key}.npz"


def store_run(
    bench: Bench,
    cell: dict,
    recipe: int,
    code: str,
    seconds: float,
    predictions: Predictions | None,
    failed: str | None = None,
) -> None:
    """Store a finished run and what it predicts.

    `cell`: dict key, train_tree, arch, seed, config, at, n_train. `failed`: why there are no predictions, such as
    "diverged ...": an answer too, and not to be trained again. The row comes last: a run that has one is complete.
    """
    if failed is None:
        predictions.save(bench, cell["key"])
    row = [cell[k] for k in ("key", "train_tree", "arch", "seed")]
    row += [json.dumps(cell["config"]), recipe, code, seconds, now()]
    row += [cell["at"], cell["n_train"], failed]
    marks = ", ".join("?" * len(row))
    with bench.transaction() as con:
        con.execute(f"insert or replace into runs ({COLUMNS}) values ({marks})", row)


def predicted_ids(state: pd.DataFrame) -> list[str]:
    """List the samples that every run predicts and never trains on, sorted.

    These are the kept samples of val, test and guard.
    """
    return sorted(state.index[state.keep & state.split.isin(("val", "test", "guard"))])


def choose_pool_ids(state: pd.DataFrame, most: int) -> list[str]:
    """Choose `most` samples of the pool that a training predicts too, sorted.

    They are for `assay disagreements`: kept ones, at most as many as it trains on, so that a large pool costs no
    more than a part of an epoch. They are drawn by id, so that two runs predict the same.
    """
    pool = state.index[state.keep & (state.split == "pool")]
    return sorted(shuffle_samples(pool, "pool of a run")[:most] if len(pool) > most else pool)


def add_pool_predictions(bench: Bench, key: str, ids: Iterable[str], probs: np.ndarray) -> None:
    """Add pool predictions (m, k) after the training."""
    kept, ids = Predictions.load(bench, key), np.asarray(ids, "S32")
    old = ~np.isin(kept.pool_ids, ids)
    if old.any():
        ids = np.r_[kept.pool_ids[old], ids]
        both = [kept.pool_probs[old], probs.astype("f2")]
        probs = collect_probs(np.asarray(part) for part in both)
    order = np.argsort(ids)
    Predictions(kept.ids, kept.probs, kept.classes, ids[order], probs[order]).save(bench, key)


def read_probabilities(bench: Bench, key: str, ids: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """Read the probabilities of samples of val and the pool.

    Returns (identities of classes, probs (m, k)). A row is NaN where the run did not see the
    sample. UserError where that are more than fit into memory.
    """
    kept, ids = Predictions.load(bench, key), np.asarray(ids, "S32")
    most = DENSE // max(len(kept.classes), 1)
    if isinstance(kept.probs, TopProbs) and len(ids) > most:
        raise UserError(
            f"expected at most {format_count(most, 'sample')} of"
            f" {format_count(len(kept.classes), 'class')}, found {len(ids):,}",
            "with so many classes compare on a split that has fewer: --split val",
        )
    out = np.full((len(ids), len(kept.classes)), np.nan)
    for known, probs in ((kept.ids, kept.probs), (kept.pool_ids, kept.pool_probs)):
        if len(known):
            at = locate_hashes(known, ids)
            out[at >= 0] = probs[at[at >= 0]]
    return kept.classes, out


def has_predicted(bench: Bench, key: str, ids: np.ndarray) -> bool:
    """Tell whether a run predicted all `ids` (m,) S32.

    A test split frozen anew has samples that an old run never saw; arrays can be lost or damaged.
    """
    try:
        kept = Predictions.load(bench, key)
    except UserError:
        return False
    return bool(len(kept.ids) and (locate_hashes(kept.ids, ids) >= 0).all())


def read_complete_labels(bench: Bench, key: str, ids: Iterable[str]) -> np.ndarray | None:
    """Read the labels that a run predicts, None unless it predicted all.

    None, too, where its predictions are lost or damaged.
    """
    if not has_predicted(bench, key, np.asarray(ids, "S32")):
        return None
    return read_labels(bench, key, ids)


def read_labels(bench: Bench, key: str, ids: Iterable[str]) -> np.ndarray:
    """Read the labels (m,) that a run predicts, as classes are called now.

    "" for unseen samples, and where rules abstain.
    """
    kept = Predictions.load_named(bench, key)
    labels = np.array([*task_of(bench).predict(kept.probs, kept.classes), ""], dtype=object)
    at = locate_hashes(kept.ids, np.asarray(ids, "S32"))
    return labels[at]  # the last for -1


def mark_correct(bench: Bench, key: str, truth: pd.Series) -> np.ndarray:
    """Mark how right a run's predictions are: 0 to 1 (m,).

    truth: id -> label.
    """
    return task_of(bench).correct(read_labels(bench, key, truth.index), truth)
