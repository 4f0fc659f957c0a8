"""Jobs at work on a bench: locked files.

A job is a run of an experiment, an experiment, a task or the map. `claim_job` claims one, `list_jobs` lists them.
The kernel drops the lock when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from assay.curation.errors import BenchBusy
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions
from assay.curation.times import iso_time, now, to_stored

HERE = "http://127.0.0.1:"
TEXTS = "state question text error hint trace version at arch key since begun".split()
FIELD_TYPES = dict.fromkeys(TEXTS, (str,))
FIELD_TYPES |= dict.fromkeys("pid runs done trained of seed".split(), (int,))
FIELD_TYPES |= dict(share=(int, float), keys=(list,), said=(dict,))
FIELD_TYPES |= dict(expects=(int, float), plan_runs=(list,), finished=(list,))
CELL = dict(key=str, version=str, arch=str, seed=int, done=bool)  # of an experiment, in `plan_runs`
PATIENCE = 3600  # seconds that a finished training waits for a bench which somebody else has open


class Job:
    """A claimed piece of work. What `tell` says of it, others read with `list_jobs`."""

    def __init__(self, file: IO[str], about: dict):
        self.file, self.written = file, 0.0
        self.about = about | dict(pid=os.getpid(), since=iso_time(now().replace(microsecond=0)))
        self.tell(state="running", often=False)

    def tell(self, often: bool = True, **more: Any) -> None:
        """Write more about it.

        What comes `often`, as progress does, is written twice a second at most.
        """
        self.about |= more
        if not often or time.monotonic() > self.written + 0.5:
            self.written = time.monotonic()
            self.file.seek(0)
            self.file.truncate()
            json.dump(self.about, self.file)
            self.file.flush()

    def fail(self, error: str, **more: str) -> None:
        """Write that it failed.

        Its file then stays until the work is done after all.
        """
        self.tell(often=False, state="failed", error=error, **more)


@contextmanager
def claim_job(bench: Bench, name: str, **about: Any) -> Iterator[Job | None]:
    """Claim the work `name`.

    Yields a Job, or None where somebody else is at it. Its file goes when the work is done. It stays where the work
    failed (`Job.fail`) or was killed, until it is done after all: see `list_jobs`.
    """
    path = bench.path / "jobs" / f"{name}.json"
    permissions.make_folder(path.parent)
    with open(path, "a+", opener=permissions.opener) as file:
        for _ in range(20):  # who reads the file holds it for a moment
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
        else:
            yield None
            return
        job = Job(file, about)
        yield job
        if job.about["state"] == "running":
            path.unlink(missing_ok=True)


def list_jobs(bench: Bench) -> list[dict]:
    """List what runs, failed or was stopped, oldest first.

    What was done since is left out. Each is a dict as its process told it. `state` is "running" only where somebody
    holds the lock. Files of jobs that were done since are deleted.
    """
    jobs = [job for path in sorted((bench.path / "jobs").glob("*.json")) if (job := _read(path))]
    ended = [job for job in jobs if job["state"] != "running"]
    # who looks on while all goes well opens no bench
    trained = dict(bench.rows("select key, ts from runs")) if ended else {}
    for job in ended:
        if is_done_since(job, trained):
            jobs.remove(job)
            with suppress(OSError):  # a bench that nobody may write
                (bench.path / "jobs" / f"{job['name']}.json").unlink()
    return sorted(jobs, key=lambda job: job.get("since", ""))


def _read(path: Path) -> dict | None:
    """Read a job file, with its `name` and `state`.

    None for one that is gone or no job's.
    """
    try:
        with open(path) as file:  # an empty one is being written
            job = keep_sound_fields(dict(json.loads(file.read()))) | dict(name=path.stem)
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                failed = job.get("state") == "failed" and "error" in job
                job["state"] = "failed" if failed else "stopped"
            except BlockingIOError:
                job["state"] = "running"
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return job


def keep_sound_fields(about: dict) -> dict:
    """Keep the fields that a job of ours may have.

    A bench may come from anybody.
    """
    fields = {k: v for k, v in about.items() if type(v) in FIELD_TYPES.get(k, ())}
    wrong = dict(
        share=not 0 <= fields.get("share", 0) <= 1,
        keys=not all(isinstance(key, str) for key in fields.get("keys", ())),
        finished=not all(isinstance(key, str) for key in fields.get("finished", ())),
        plan_runs=not all(is_cell(cell) for cell in fields.get("plan_runs", ())),
        said=not str(fields.get("said", {}).get("url", HERE)).startswith(HERE),
    )
    return {k: v for k, v in fields.items() if not wrong.get(k)}


def is_cell(cell: Any) -> bool:
    """Tell whether this describes a cell of an experiment."""
    return isinstance(cell, dict) and {name: type(v) for name, v in cell.items()} == CELL


def stop_job(bench: Bench, job: dict) -> None:
    """Stop a job as Ctrl-C would.

    What is half-made goes, or stays for the next time. Only a process that has the job's file open is meant.
    """
    import psutil

    file = os.path.realpath(bench.path / "jobs" / f"{job['name']}.json")
    with suppress(OSError, ValueError, psutil.Error):
        pid = job.get("pid", 0)
        if pid > 0 and any(f.path == file for f in psutil.Process(pid).open_files()):
            os.kill(pid, signal.SIGINT)


def dismiss_job(bench: Bench, name: str) -> None:
    """Dismiss what failed or was stopped: delete its file."""
    (bench.path / "jobs" / f"{name}.json").unlink(missing_ok=True)


def is_done_since(job: dict, trained: dict[str, datetime]) -> bool:
    """Whether all that a job was at was trained after it began.

    `trained`: {key: time}. An experiment names its `keys`; a run is called by its own.
    """
    begun = parse_start(job.get("begun") or job.get("since"))
    return all(trained.get(key, datetime.min) >= begun for key in job.get("keys", [job["name"]]))


def parse_start(text: str | None) -> datetime:
    """Parse the time at which a job began, datetime.max for none."""
    try:
        begun = datetime.fromisoformat(text)
        # an older Assay wrote UTC without saying so
        return to_stored(begun) if begun.tzinfo else begun
    except (TypeError, ValueError, OverflowError):
        return datetime.max


def retry_while_held(work: Callable[[], Any], tell: Callable[[float, str], object]) -> Any:
    """Return work(), tried again while somebody else has the bench open.

    It is tried for an hour, and `tell` hears of it.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except BenchBusy as e:
            if time.monotonic() > until:
                raise
            tell(1.0, f"waits for the bench: {e.problem}")
