"""Who is training what right now: a file for each cell and each experiment, held by a lock that the kernel drops with its process."""

import fcntl
import json
import os
import signal
import time
from contextlib import contextmanager, suppress
from datetime import datetime

from assay.curation.errors import Held
from assay.curation.system import permissions
from assay.curation.times import iso_time, now, stored

HERE = "http://127.0.0.1:"
KINDS = dict.fromkeys(
    (
        "state",
        "question",
        "text",
        "error",
        "hint",
        "trace",
        "version",
        "at",
        "arch",
        "key",
        "since",
        "begun",
    ),
    (str,),
)
KINDS |= dict.fromkeys(("pid", "cells", "done", "trained", "of", "seed"), (int,)) | dict(
    share=(int, float), keys=(list,), said=(dict,)
)


class Job:
    """A claimed piece of work: what `tell` says of it, others can read in `states`."""

    def __init__(self, file, about):
        self.file, self.about, self.told = (
            file,
            about | dict(pid=os.getpid(), since=iso_time(now().replace(microsecond=0))),
            0.0,
        )
        self.tell(state="running", often=False)

    def tell(self, often=True, **more):
        """Say more about it; what comes `often`, as progress does, is written twice a second at most."""
        self.about |= more
        if not often or time.monotonic() > self.told + 0.5:
            self.told = time.monotonic()
            self.file.seek(0)
            self.file.truncate()
            json.dump(self.about, self.file)
            self.file.flush()


@contextmanager
def claim(bench, name, **about):
    """Be the one who does the work `name`: a Job, or None where somebody else is at it. Its file goes when the work is done, and stays to say so
    when it failed (`tell(state="failed", error=...)`) or was killed, until it is done after all (see states)."""
    path = bench.path / "jobs" / f"{name}.json"
    permissions.folder(path.parent)
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


def states(bench):
    """What is running, has failed or was stopped, and is not done since: dicts as told, oldest first; `state` is running only where somebody holds
    the lock. The file of what is done since goes."""
    out = []
    for path in sorted((bench.path / "jobs").glob("*.json")):
        try:
            with open(path) as file:
                about = proper(dict(json.loads(file.read()))) | dict(
                    name=path.stem
                )  # an empty one is being written
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    about["state"] = (
                        "failed"
                        if about.get("state") == "failed" and "error" in about
                        else "stopped"
                    )
                except BlockingIOError:
                    about["state"] = "running"
        except (
            OSError,
            ValueError,
            TypeError,
            RecursionError,
        ):  # done meanwhile, or being written, or no job's
            continue
        out.append(about)
    over = [job for job in out if job["state"] != "running"]
    trained = (
        dict(bench.rows("select key, ts from runs")) if over else {}
    )  # who looks on while all goes well opens no bench
    for job in over:
        if done_since(job, trained):
            out.remove(job)
            with suppress(OSError):  # a bench that nobody may write
                (bench.path / "jobs" / f"{job['name']}.json").unlink()
    return sorted(out, key=lambda job: job.get("since", ""))


def proper(told):
    """What a job file says, as far as a job of ours says such things: a bench may come from anybody."""
    about = {k: v for k, v in told.items() if type(v) in KINDS.get(k, ())}
    wrong = dict(
        share=not 0 <= about.get("share", 0) <= 1,
        keys=not all(isinstance(key, str) for key in about.get("keys", ())),
        said=not str(about.get("said", {}).get("url", HERE)).startswith(HERE),
    )
    return {k: v for k, v in about.items() if not wrong.get(k)}


def stop(bench, job):
    """End it as Ctrl-C would: what is half-made goes, or stays for the next time. Only a process that has the job's file open is meant."""
    import psutil

    file = os.path.realpath(bench.path / "jobs" / f"{job['name']}.json")
    with suppress(OSError, ValueError, psutil.Error):
        if job.get("pid", 0) > 0 and any(
            f.path == file for f in psutil.Process(job["pid"]).open_files()
        ):
            os.kill(job["pid"], signal.SIGINT)


def forget(bench, name):
    """Put aside what failed or was stopped."""
    (bench.path / "jobs" / f"{name}.json").unlink(missing_ok=True)


def done_since(about, trained):
    """Was all that a job was at trained after it began? An experiment names its `keys`, a cell is called by its own. trained: {key: time}."""
    begun = began(about.get("begun") or about.get("since"))
    return all(
        trained.get(key, datetime.min) >= begun for key in about.get("keys", [about["name"]])
    )


def began(text):
    """A time as it is stored; the last of all where it is none."""
    try:
        begun = datetime.fromisoformat(text)
        return (
            stored(begun) if begun.tzinfo else begun
        )  # an older Assay wrote UTC without saying so
    except (TypeError, ValueError, OverflowError):
        return datetime.max


HELD = 3600  # seconds that a finished training waits for a bench which somebody else has open


def when_free(work, tell):
    """What work() returns; while somebody else has the bench open, that is told, and it is tried again, for an hour."""
    until = time.monotonic() + HELD
    while True:
        try:
            return work()
        except Held as e:
            if time.monotonic() > until:
                raise
            tell(1.0, f"waits for the bench: {e.problem}")
