"""Train or measure a cell in a worker process."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from functools import partial

import numpy as np

from assay import curation
from assay.curation.predictions import run_predictions
from assay.curation.storage.interface import Bench
from assay.curation.storage.job_locks import shared_lock
from assay.pipelines.experiments.trainer import Trainer
from assay.pipelines.jobs import job_files
from assay.pipelines.jobs.isolated import describe_error
from assay.pipelines.jobs.job_files import retry_while_held

ABOUT = ("key", "version", "at", "arch", "seed")  # of a cell, in its job file


def make_trainer(path: str, tell: Callable[..., None]) -> Trainer:
    """Make the trainer that a worker keeps for all its cells."""
    return retry_while_held(
        lambda: Trainer(curation.open(path)), lambda share, text: tell(step=[share, text])
    )


def measure_cost(trainer: Trainer, tell: Callable[..., None], cell: dict) -> float:
    """Measure the seconds that a cell will take."""
    return trainer.measure_cost(cell)


def train_cell(trainer: Trainer, tell: Callable[..., None], cell: dict) -> dict:
    """Train and store a cell; returns dict(seconds, failed).

    Where another experiment is at this cell, its end is waited for. Where the training fails, the cell's job file
    says so, and the error goes on.
    """
    return _train_locked(trainer.bench, trainer, tell, cell)


@shared_lock
def _train_locked(bench: Bench, trainer: Trainer, tell: Callable[..., None], cell: dict) -> dict:
    while True:
        with job_files.claim_job(bench, cell["key"], **{k: cell[k] for k in ABOUT}) as job:
            if job is not None:
                return _train_claimed(bench, trainer, job, tell, cell)
        tell(elsewhere=True)  # not stuck, but waiting
        time.sleep(0.5)


def _train_claimed(
    bench: Bench, trainer: Trainer, job: job_files.Job, tell: Callable[..., None], cell: dict
) -> dict:
    def step(share: float, text: str) -> None:
        job.tell(share=round(share, 3), text=text)
        tell(step=[share, text])

    try:
        if retry_while_held(
            partial(has_diverged, bench, trainer, cell), step
        ) or run_predictions.has_predicted(bench, cell["key"], np.array(trainer.ids, "S32")):
            return dict(seconds=0.0, failed=None)  # somebody was faster
        return trainer.train(cell, step)
    except Exception as e:  # the other cells go on, and `assay runs` shows it
        job.fail(**describe_error(e), trace=traceback.format_exc()[-4000:])
        raise


def has_diverged(bench: Bench, trainer: Trainer, cell: dict) -> bool:
    """Whether the cell was trained and found no number.

    What its training reads of the bench is read here, too.
    """
    trainer.draw_samples(cell["at"], cell["seed"])
    query = "select 1 from runs where key = ? and failed is not null"
    return bool(bench.rows(query, [cell["key"]]))
