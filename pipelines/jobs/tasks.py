"""A verb at work in a process of its own, which anybody can follow or stop, and which outlives whoever started it."""

import time
from contextlib import suppress

from assay.curation.errors import UserError
from assay.pipelines.jobs import job_files, processes

PREFIX = "errand-"


def start(bench, verb, *arguments):
    """Start `assay VERB ARGUMENTS -b BENCH`, of which one at a time can be at work on a bench; UserError where it is. Comes back when it has begun."""
    if any(job["verb"] == verb and job["state"] == "running" for job in states(bench)):
        raise UserError(
            f"expected no other assay {verb} at work on this bench, found one",
            "wait for its end, or stop it",
        )
    file = place(bench, verb)
    file.unlink(missing_ok=True)
    started = processes.background(
        bench, file.stem, "assay.pipelines.cli.task", bench.path, verb, *arguments
    )
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
    return [
        job | dict(verb=job["name"].removeprefix(PREFIX))
        for job in job_files.states(bench)
        if job["name"].startswith(PREFIX)
    ]


def stop(bench, job):
    job_files.stop(bench, job)


def forget(bench, job):
    job_files.forget(bench, job["name"])
