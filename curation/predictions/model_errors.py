"""What a model gets wrong on validation, by the labels as given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import NotScanned, UserError
from assay.curation.label_quality import judges, live
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.predictions import run_predictions, runs
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import has_class, task_of
from assay.curation.versioning import pointers

if TYPE_CHECKING:
    import pandas as pd


def find_model_errors(bench: Bench, version: str = "HEAD", run: str | None = None) -> pd.DataFrame:
    """Find the val samples that a model gets wrong.

    The model is the probe of `version`, or the finished `run`. Returns a frame by sample id of the kept, labelled val
    samples that it has predicted and not trained on: label, said (the class predicted), wrong, flagged (the label looks
    wrong to the probe: the mistake may be the label's).
    """
    import pandas as pd

    state = bench.state(version)
    rows = np.flatnonzero(state.keep & (state.split == "val") & state.label.notna())
    val = state.iloc[rows]
    said, flagged = predict_by_probe(bench, state, version, rows)
    said = run_predictions.read_labels(bench, runs.find_run(bench, run), val.index) if run else said
    out = pd.DataFrame(
        dict(label=val.label, said=said, wrong=val.label.to_numpy(object) != said, flagged=flagged),
        index=val.index,
    )
    out = out[out.said != ""]
    if run and len(val) and not len(out):
        raise UserError(
            f"expected predictions of val by run {run}, found none of these samples",
            "train it again: assay experiment",
        )
    return out


def errors_within(
    bench: Bench, judged: pd.DataFrame, members: Iterable[str], of_class: str | None = None
) -> pd.DataFrame:
    """Choose the mistakes on some samples.

    judged: as find_model_errors gives it. of_class: with several labels a sample, those where label and prediction
    do not agree about this class.
    """
    part = judged[judged.wrong & judged.index.isin(list(members))]
    task = task_of(bench)
    if not isinstance(of_class, str) or not task.several:  # a frame's empty cell is not a number
        return part
    return part[has_class(task, part.label, of_class) != has_class(task, part.said, of_class)]


def predict_by_probe(
    bench: Bench, state: pd.DataFrame, version: str, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Predict val samples by the probe; rows (m,): of the state.

    Returns (classes (m,), whether the label looks wrong (m,)). UserError where the scan is of other samples.
    """
    if pointers.is_head(bench, version):
        live.refresh_scores(bench)
        kept = LabelScores.load(bench)
        known, probs, classes = kept.ids, kept.pred_probs, kept.classes
        flagged = np.zeros(len(known), bool)
        flagged[kept.scores.rows] = kept.scores.flagged
    else:
        made = judges.predict_version(bench, version)
        known, probs, classes = np.asarray(made.part.index, "S32"), made.probs, made.classes
        flagged = live.label_scores(bench, version).flagged.reindex(made.part.index)
        flagged = flagged.eq(True).to_numpy()
    # it is of these rows of the state, in their order
    judged = ~state.split.isin(LOCKED).to_numpy()
    ids, rows = np.asarray(state.index[rows], "S32"), (np.cumsum(judged) - 1)[rows]
    if len(known) != judged.sum() or not np.array_equal(known[rows], ids):
        raise NotScanned(
            "expected a scan of the samples as they are, found one of others",
            f"run: assay scan -b {bench.given}",
        )
    return task_of(bench).predict(probs[rows], classes), flagged[rows]
