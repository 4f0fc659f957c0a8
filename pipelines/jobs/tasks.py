"""Background tasks: processes that outlive whoever started them.

A task is a verb of the command line at work on a bench. Anybody can follow it (`list_tasks`), stop it
(`job_files.stop_job`) or dismiss what it left when it failed (`job_files.dismiss_job`).
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions, processes
from assay.pipelines.jobs.job_files import list_jobs

PREFIX = "errand-"  # of a task's job file, as benches have had it from the beginning
START = 30  # seconds that a task may take until it has begun


def start_process(bench: Bench, name: str, module: str, *arguments: object) -> subprocess.Popen:
    """Start `python -m MODULE ARGUMENTS` in the background.

    It writes to jobs/NAME.log of the bench.
    """
    folder = bench.path / "jobs"
    permissions.make_folder(folder)
    with open(folder / f"{name}.log", "w", opener=permissions.opener) as log:
        return processes.start_detached(module, *arguments, log=log)


def start_task(bench: Bench, verb: str, *arguments: object) -> subprocess.Popen:
    """Start `assay VERB ARGUMENTS -b BENCH` in the background.

    It returns when the task has begun. One task of a verb can be at work on a bench at a time; UserError where one is.
    """
    process, waiter = _launch(bench, verb, *arguments)
    waiter.join()
    return process


def launch_task(bench: Bench, verb: str, *arguments: object) -> subprocess.Popen:
    """Start a task as `start_task` does, without waiting until it begins.

    Its job is there as soon as it has begun. Who else starts a task meanwhile waits for that.
    """
    return _launch(bench, verb, *arguments)[0]


def _launch(bench: Bench, verb: str, *arguments: object) -> tuple[subprocess.Popen, Thread]:
    """Start a task; a thread holds the lock until it has begun."""
    lock = lock_starts(bench)
    try:
        process = _start(bench, verb, *arguments)
    except BaseException:
        os.close(lock)
        raise
    waiter = Thread(target=_wait_for, args=(process, task_file(bench, verb), lock), daemon=True)
    waiter.start()
    return process, waiter


def _wait_for(process: subprocess.Popen, file: Path, lock: int) -> None:
    until = time.monotonic() + START
    while not _has_begun(file) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.close(lock)


def lock_starts(bench: Bench) -> int:
    """Let one process or thread start a task at a time, until the descriptor is closed.

    Of two that come at once the second finds the task of the first.
    """
    permissions.make_folder(bench.path / "jobs")
    folder = os.open(bench.path / "jobs", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    return folder


def _start(bench: Bench, verb: str, *arguments: object) -> subprocess.Popen:
    if any(task["verb"] == verb and task["state"] == "running" for task in list_tasks(bench)):
        raise UserError(
            f"expected no other assay {verb} at work on this bench, found one",
            "wait for its end, or stop it",
        )
    file = task_file(bench, verb)
    file.unlink(missing_ok=True)
    return start_process(bench, file.stem, "assay.pipelines.cli.task", bench.path, verb, *arguments)


def _has_begun(file: Path) -> bool:
    """Whether a task has written its file.

    One that is done has deleted it already, and ended.
    """
    with suppress(FileNotFoundError):
        return file.stat().st_size > 0
    return False


def task_file(bench: Bench, verb: str) -> Path:
    """Name the job file of a verb's task."""
    return bench.path / "jobs" / f"{PREFIX}{verb}.json"


def list_tasks(bench: Bench) -> list[dict]:
    """List the tasks among the jobs, each with its `verb`."""
    return [
        job | dict(verb=job["name"].removeprefix(PREFIX))
        for job in list_jobs(bench)
        if job["name"].startswith(PREFIX)
    ]
