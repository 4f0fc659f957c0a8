"""Predictions of finished runs for samples that nobody judged.

They are read where a run kept them, and computed again where the run is a closed form, or where that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.predictions import model_disagreement, run_predictions
from assay.curation.predictions.runs import find_runs
from assay.curation.storage.interface import Bench, Tell
from assay.curation.storage.job_locks import shared_lock
from assay.curation.system.processes import PATIENCE, ChildLost
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.versioning.class_names import name_probabilities
from assay.curation.versioning.version_names import names_at
from assay.pipelines.experiments.cells import describe_version
from assay.pipelines.jobs import isolated
from assay.pipelines.training.architectures.recipes import find_recipe

if TYPE_CHECKING:
    import pandas as pd

    from assay.pipelines.experiments.trainer import Trainer

CHECKED = 500  # val samples on which a run that is computed again is compared with itself


@shared_lock
def gather_predictions(
    bench: Bench,
    name: str,
    ids: Sequence[str],
    predict: bool = False,
    say: Tell | None = None,
) -> list[tuple[list[str], np.ndarray]]:
    """Gather what the runs called `name` predict.

    Returns [(classes, probs (m, k))], one a seed.
    `name` as `find_runs` takes it; `ids` (m,) are samples of val and the pool. Rows of samples that a run has not seen
    are NaN. The probe is fitted again for those; a network is trained again, in a process of its own, only if asked to
    `predict`. Both are kept with the run. UserError where a network kills that process or hangs it.
    """
    ids, out, trainer = np.asarray(ids, "S32"), [], None
    for run in model_disagreement.load_runs(bench, [r["key"] for r in find_runs(bench, name)]):
        classes, probs = run_predictions.read_probabilities(bench, run["key"], ids)
        lost = np.isnan(probs).any(1)
        if lost.any() and find_recipe(run["arch"]).closed_form:
            from assay.pipelines.experiments.trainer import Trainer

            trainer = trainer or Trainer(bench)
            probs[lost] = retrain_run(bench, trainer, run, ids[lost], say or (lambda line: None))
        elif lost.any() and predict:
            try:
                isolated.run_isolated(
                    predict_in_child,
                    bench,
                    dict(key=run["key"], ids=[i.decode() for i in ids[lost]]),
                    PATIENCE,
                    say,
                )
            except ChildLost as e:
                hint = "without --predict its samples stay unjudged, and all else is said"
                raise UserError(
                    f"expected {run['arch']}, seed {run['seed']}, to train once more, found it {e}",
                    hint,
                ) from None
            classes, probs = run_predictions.read_probabilities(bench, run["key"], ids)
            if np.isnan(probs[lost]).any():
                raise UserError(
                    f"expected to keep what {run['arch']} says with its run, found {bench.path} read-only",
                    "copy the bench",
                )
        out.append(name_probabilities(names_at(bench), classes, probs))
    return out


def predict_in_child(bench: Bench, tell: Callable, key: str, ids: list[str]) -> None:
    """Train a network's run once more, in a child process.

    Its predictions are kept with the run.
    """
    from assay.pipelines.experiments.trainer import Trainer

    (run,) = model_disagreement.load_runs(bench, [key])
    retrain_run(
        bench,
        Trainer(bench),
        run,
        np.asarray(ids, "S32"),
        lambda line: tell(line=line),
        lambda *step: tell(step=step),
    )


def retrain_run(
    bench: Bench,
    trainer: Trainer,
    run: dict,
    ids: np.ndarray,
    say: Tell,
    progress: Callable[[float, str], None] | None = None,
) -> np.ndarray:
    """Train a finished run once more, to predict more samples.

    Returns probabilities (m, k) of the samples `ids`.
    Says where it no longer agrees with itself on val samples.
    """
    if describe_version(bench, run["at"])["train_tree"] != run["train_tree"]:
        raise UserError(
            f"expected {run['at']} to be what the run {run['key'][:8]} was trained on, found it changed since",
            "commit a version before an experiment (assay commit), and name it in the plan instead of HEAD",
        )
    if not find_recipe(run["arch"]).closed_form:
        say(
            f"predict     trains {run['arch']} on {run['at']}, seed {run['seed']}, once more, "
            f"for {format_count(len(ids), 'sample')}"
        )
    # never a prediction of a test sample
    known = trainer.state.index[trainer.state["split"] == "val"][:CHECKED]
    _, probs = trainer.predict(run, [*(s.decode() for s in ids), *known], progress)
    probs, check = probs[: len(ids)], probs[len(ids) :]
    before = run_predictions.read_probabilities(bench, run["key"], known)[1]
    there = ~np.isnan(before).any(1)
    agree = check.argmax(1) == before.argmax(1)
    if task_of(bench).several:
        agree = ((check >= 0.5) == (before >= 0.5)).all(1)
    same = agree[there].mean() if there.any() else 1
    # the graph groups copies anew when images come, and another machine rounds otherwise
    if same < 1:
        say(
            f"note: run {run['key'][:8]}, computed again, predicts the same as before"
            f" for {same:.1%} of {format_count(there.sum(), 'val sample')}"
        )
    with suppress(OSError):  # a bench that nobody may write: computed again the next time
        run_predictions.add_pool_predictions(bench, run["key"], ids, probs)
    return probs


def compare_models(
    bench: Bench,
    first: str,
    second: str,
    split: str = "pool",
    predict: bool = False,
    say: Tell | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Find where the candidate `second` and the current model `first` disagree.

    On the kept samples of `split` (pool or val). Returns (frame, about) as `model_disagreement` does, with the column
    sample in place of row.
    """
    state = bench.state()
    ids = state.index[state.keep & (state["split"] == split)]
    if not len(ids):
        raise UserError(
            f"expected kept samples in {split}, found none",
            f"assay import SOURCE --split-map NAME={split} -b {bench.given}",
        )
    keys = [{r["key"] for r in find_runs(bench, name)} for name in (first, second)]
    if keys[0] & keys[1]:
        raise UserError(
            f"expected two different runs, found {first} and {second}, which share some",
            "a model agrees with itself",
        )
    sides = [gather_predictions(bench, name, ids, predict, say) for name in (first, second)]
    for name, side in zip((first, second), sides):
        if any(np.isnan(probs).all() for _, probs in side):
            raise UserError(
                f"expected {name} to have predicted some of {len(ids):,} {split} samples,"
                " found none: they came after it was trained",
                "assay disagreements --predict trains it once more, to predict them",
            )
    several = task_of(bench).several
    found, about = model_disagreement.compare_recipes(*sides, several=several)
    found.insert(0, "sample", ids[found.pop("row")])
    return found, about
