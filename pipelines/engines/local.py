"""Worker processes on this machine's cores or GPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.system.processes import Child, ChildLost
from assay.pipelines.engines.base import Failure, Result
from assay.pipelines.jobs.isolated import ask_worker, start_worker


class LocalEngine:
    """Workers of this machine, one a core, or one a GPU where there are any."""

    name = "local"

    @contextmanager
    def open_crew(
        self,
        bench: Bench,
        setup: Callable,
        n_shards: int,
        most: int | None = None,
        address: str | None = None,
    ) -> Iterator[LocalCrew]:
        """Open the workers; a process starts when its worker is first asked."""
        if address:
            raise UserError(
                f"expected an engine that runs on a cluster for --address {address}, found {self.name}",
                "say --engine ray",
            )
        crew = LocalCrew([Worker(bench, setup, env) for env in share_machine(n_shards, most)])
        try:
            yield crew
        finally:
            for worker in crew.workers:
                worker.close()


class LocalCrew:
    """Workers that take the shards in turn, a thread waiting for each."""

    def __init__(self, workers: list[Worker]):
        self.workers, self.size = workers, len(workers)

    def run(
        self,
        shards: Iterable[dict],
        work: Callable,
        hear: Callable[..., object] = lambda shard, **about: None,
        patience: Callable[[dict], float | None] = lambda shard: None,
        at_once: int | None = None,
    ) -> Iterator[Result | Failure]:
        """Work on all shards: see `base.Crew`."""
        workers, free = self.workers[:at_once], SimpleQueue()
        for worker in workers:
            free.put(worker)

        def ask(shard: dict) -> Result | Failure:
            worker = free.get()
            try:
                return worker.ask(work, shard, patience(shard), hear)
            finally:
                free.put(worker)

        with ThreadPoolExecutor(len(workers)) as pool:
            try:
                for done in as_completed([pool.submit(ask, shard) for shard in shards]):
                    yield done.result()
            except BaseException:  # Ctrl-C, or nobody wants the rest
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in workers:
                    worker.stop()
                raise


class Worker:
    """A worker process; one that crashed or was stuck is started anew by the next ask."""

    def __init__(self, bench: Bench, setup: Callable, env: dict[str, str]):
        self.bench, self.setup, self.env = bench, setup, env
        self.child: Child | None = None

    def ask(
        self, work: Callable, shard: dict, patience: float | None, hear: Callable[..., object]
    ) -> Result | Failure:
        """Ask the process to work on a shard, and wait for it."""
        self.child = child = self.child or start_worker(self.bench, **self.env)
        try:
            heard = partial(hear, shard)
            return Result(shard, ask_worker(child, work, shard, patience, heard, self.setup))
        except UserError as e:
            return Failure(shard, e.problem, e.hint)
        except ChildLost as e:
            self.child = None
            child.close()
            return Failure(shard, str(e), lost=True)

    def stop(self) -> None:
        """Kill the process.

        What it had finished is stored; what it had not is worked on again.
        """
        if (child := self.child) is not None:
            child.stop()

    def close(self) -> None:
        """End the process for good."""
        if self.child is not None:
            self.child.close()


def share_machine(n_shards: int, most: int | None = None) -> list[dict[str, str]]:
    """List the environments of the workers that run at once.

    Each has a GPU, or else an even share of the cores.
    """
    if gpus := list_gpus():
        return [dict(CUDA_VISIBLE_DEVICES=gpu) for gpu in gpus[: min(most or len(gpus), n_shards)]]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    n = max(1, min(most or cores, cores, n_shards))
    threads = str(max(1, cores // n))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return [dict.fromkeys(names, threads) for _ in range(n)]


def list_gpus() -> list[str]:
    """List the GPUs that may be used, as CUDA_VISIBLE_DEVICES names them.

    The driver is asked, since importing torch takes seconds.
    """
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


ENGINE = LocalEngine()
