"""Worker processes on this machine's cores or GPUs."""

import os
import shutil
import subprocess
from contextlib import contextmanager

from assay.curation.errors import UserError
from assay.curation.system.processes import PATIENCE, Child, Lost

START = (
    5  # seconds that a worker takes until it trains: for less work than that no other is started
)


def lanes(todo, most=None):
    """One environment for each worker that runs at once: a GPU each where there are any, else the cores shared out evenly."""
    if gpus := devices():
        return [dict(CUDA_VISIBLE_DEVICES=gpu) for gpu in gpus[: min(most or len(gpus), todo)]]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    n = max(1, min(most or cores, cores, todo))
    threads = str(max(1, cores // n))
    return [
        dict(OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
        for _ in range(n)
    ]


def devices():
    """The GPUs that may be used, as CUDA_VISIBLE_DEVICES names them; asked of the driver, since importing torch takes seconds."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [d for d in named.split(",") if d.strip() and d.strip() != "-1"]
    if not shutil.which("nvidia-smi"):
        return []
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30
        ).stdout
    except subprocess.TimeoutExpired:  # a driver that hangs
        return []
    return [str(i) for i, line in enumerate(listed.splitlines()) if line.startswith("GPU ")]


class Unfinished(UserError):
    """Some cells failed; the others, `trained` of them, are kept."""

    def __init__(self, problem, hint, trained):
        super().__init__(problem, hint)
        self.trained = trained


class Worker:
    """A process that trains cells (pipelines.worker), asked line by line; one that crashed, or made no step for `patience` seconds, is started
    anew by the next ask."""

    def __init__(self, bench, env, patience=PATIENCE):
        self.bench, self.env, self.patience, self.child = bench, env, patience, None

    def ask(self, what, cell, hear=lambda **about: None):
        """What the worker answers in the end: a dict, {"error", "lost"} where it crashed or was stuck. `hear(share=, text=)` is told of progress on
        the way."""
        self.child = child = self.child or Child(
            "assay.pipelines.experiments.worker", self.bench.path, **self.env
        )
        patience = (
            None if cell["arch"] == "probe" else self.patience
        )  # a closed form has no steps, and ends
        try:
            child.ask(what=what, cell=cell)
            while "share" in (about := child.hear(patience)):
                hear(**about)
            return about
        except Lost as e:
            self.child = None
            child.close()
            return dict(error=str(e), lost=True)

    def stop(self):
        if (child := self.child) is not None:
            child.stop()  # what it had finished is stored; what it had not is trained again


@contextmanager
def crew(bench, envs, patience=PATIENCE):
    """Workers, one for each of `envs`, gone when their work is."""
    workers = [Worker(bench, env, patience) for env in envs]
    try:
        yield workers
    finally:
        for worker in workers:
            if worker.child is not None:
                worker.child.close()
