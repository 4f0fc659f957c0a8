"""The jobs of a bench in words: stage, share, time to go."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assay.curation.text import format_count
from assay.curation.times import now, to_local
from assay.pipelines.experiments.plan import format_duration
from assay.pipelines.jobs import job_files, tasks

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

SOON = 0.03  # share of the work before which its pace says nothing
# what a task does, and the page that starts it, stops it and says why it failed
WORDS = dict(
    scan="scanning",
    relocate="looking for the images",
    fiftyone="FiftyOne",
    demo="the demo",
    gaps="looking for gaps",
    proposal="checking a proposal",
    lesson="running a lesson",
) | {"import": "importing"}
PAGES = dict(
    gaps="gaps", proposal="proposals", experiment="experiments", map="map", lesson="lessons"
)


def list_running(bench: Bench) -> list[dict[str, Any]]:
    """List what is at work or has failed.

    Dicts of name, words, share, stage, left, failed, page. share: 0 to 1, None where nobody can
    tell; left: time to go in words, "" likewise. The runs of an experiment are parts of it.
    """
    jobs = job_files.list_jobs(bench)
    held = {j.get("pid") for j in jobs if "runs" in j}
    own = [j for j in jobs if "arch" not in j and "key" not in j]
    task = f"{tasks.PREFIX}experiment"
    return [describe_job(j) for j in own if j["name"] != task or j.get("pid") not in held]


def describe_job(job: dict) -> dict[str, Any]:
    """Describe a job as one line."""
    verb = job["name"].removeprefix(tasks.PREFIX)
    is_experiment = "runs" in job or verb == "experiment"
    verb = "experiment" if is_experiment else verb
    words = WORDS.get(verb) or job.get("question") or verb
    stage = job.get("text", "")
    if "runs" in job:
        count = format_count(job.get("of", job["runs"]), "run")
        stage = f"{job.get('trained', 0)} of {count}"
    running, seconds = job["state"] == "running", seconds_left(job)
    return dict(
        name=job["name"],
        words=words[:120],
        stage=(stage if running else job.get("error", "stopped, or its process was killed"))[:200],
        share=round(job["share"], 3) if running and "share" in job else None,
        left=format_duration(seconds) if running and seconds is not None else "",
        failed=not running,
        page=PAGES.get(verb, "overview"),
    )


def seconds_left(job: dict) -> float | None:
    """Tell the seconds that a job still takes.

    By its pace so far; at first, as expected.
    """
    share = job.get("share", 0.0)
    with suppress(TypeError, ValueError):
        took = (to_local(now()) - datetime.fromisoformat(job.get("since"))).total_seconds()
        if share >= SOON and took > 0:
            return took * (1 - share) / share
    return job.get("expects")


def stop_named(bench: Bench, name: str) -> bool:
    """Stop the job of a name.

    False where none of it is at work.
    """
    for job in job_files.list_jobs(bench):
        if job["name"] == name and job["state"] == "running":
            job_files.stop_job(bench, job)
            return True
    return False


def dismiss_named(bench: Bench, name: str) -> None:
    """Dismiss the job of a name that has failed."""
    for job in job_files.list_jobs(bench):
        if job["name"] == name and job["state"] != "running":
            job_files.dismiss_job(bench, name)
