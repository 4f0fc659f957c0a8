"""A verb at work in a process of its own, which anybody can follow or stop, and which outlives whoever started it."""

import signal
import sys
import time
from contextlib import redirect_stderr, suppress

import curation
from curation import modes
from curation.errors import UserError
from pipelines import jobs, terminal

PREFIX = "errand-"


def start(bench, verb, *arguments):
    """Start `assay VERB ARGUMENTS -b BENCH`, of which one at a time can be at work on a bench; UserError where it is. Comes back when it has begun."""
    if any(job["verb"] == verb and job["state"] == "running" for job in states(bench)):
        raise UserError(f"expected no other assay {verb} at work on this bench, found one", "wait for its end, or stop it")
    file = place(bench, verb)
    file.unlink(missing_ok=True)
    started = jobs.background(bench, file.stem, "pipelines.errands", bench.path, verb, *arguments)
    until = time.monotonic() + 30
    while not begun(file) and started.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    return started


def begun(file):
    """Has the work said that it is there? (What is done already has taken its file away, and ended.)"""
    with suppress(FileNotFoundError):
        return file.stat().st_size > 0
    return False


def place(bench, verb):
    return bench.path / "jobs" / f"{PREFIX}{verb}.json"


def states(bench):
    """What is at work, or failed and nobody has put aside: as jobs.states, with `verb`."""
    return [job | dict(verb=job["name"].removeprefix(PREFIX)) for job in jobs.states(bench) if job["name"].startswith(PREFIX)]


def stop(bench, job):
    jobs.stop(bench, job)


def forget(bench, job):
    jobs.forget(bench, job["name"])


def run(path, verb, *arguments):
    """Do it here, and tell of it: how far it is, what it said when it was done, or why it failed. Returns the exit status."""
    bench = curation.open(path)
    with jobs.claim(bench, f"{PREFIX}{verb}", question=" ".join([verb, *arguments[:1]])[:200]) as job:
        if job is None:
            return 2
        terminal.HEARD = job.tell
        from pipelines.__main__ import main

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end as by Ctrl-C
        with open(place(bench, verb).with_suffix(".err"), "w+", opener=modes.opener) as err, redirect_stderr(err):
            try:
                status = main([verb, *arguments, "-b", path, "--json"])
            except BaseException as e:
                job.tell(often=False, state="failed", error=f"{type(e).__name__}: {e}"[:2000])
                raise
            err.seek(0)
            if status not in (0, 130):  # 130: somebody stopped it, and knows
                job.tell(often=False, state="failed", error=err.read().strip()[-2000:])
        return status


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
