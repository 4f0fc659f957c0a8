"""Show the tasks at work in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from assay.app.server.running_jobs import WORDS
from assay.app.ui.widgets import error_markdown, escape_markdown
from assay.curation.errors import UserError
from assay.pipelines.jobs import job_files, tasks

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


def follow_tasks(bench: Bench, *verbs: str) -> bool:
    """Show how far the tasks of these kinds are.

    Returns True while one is at work. Each has a way to stop it. The page is drawn anew when one has ended.
    """
    running = [
        job for job in tasks.list_tasks(bench) if job["verb"] in verbs and job["state"] == "running"
    ]
    st.fragment(run_every=1 if running else None)(draw_tasks)(bench, verbs, len(running))
    return bool(running)


def draw_tasks(bench: Bench, verbs: tuple[str, ...], began: int) -> None:
    """Draw the tasks.

    began: how many were running when the page was drawn.
    """
    found = [job for job in tasks.list_tasks(bench) if job["verb"] in verbs]
    for job in found:
        left, right = st.columns([6, 1], vertical_alignment="center")
        word = WORDS.get(job["verb"], job["verb"])
        if job["state"] == "running" and (url := job.get("said", {}).get("url")):
            left.link_button(f"{word} is open: {url}", url)
            right.button(
                "Stop", key=f"stop {job['verb']}", on_click=job_files.stop_job, args=(bench, job)
            )
        elif job["state"] == "running":
            left.progress(
                min(1.0, job.get("share") or 0.0),
                escape_markdown(f"{word}: {job.get('text', 'it begins')}"),
            )
            right.button(
                "Stop", key=f"stop {job['verb']}", on_click=job_files.stop_job, args=(bench, job)
            )
        else:
            left.error(
                escape_markdown(job.get("error", f"{word} was stopped, or its process was killed"))
            )
            right.button(
                "Dismiss",
                key=f"forget {job['verb']}",
                on_click=job_files.dismiss_job,
                args=(bench, job["name"]),
            )
    if sum(job["state"] == "running" for job in found) < began:
        st.rerun()


def begin_task(bench: Bench, verb: str, *arguments: Any) -> None:
    """Start a task, or say what keeps it from beginning."""
    try:
        tasks.start_task(bench, verb, *arguments)
    except UserError as e:
        return st.error(error_markdown(e))
    st.rerun()


def offer_scan(bench: Bench, why: str = "a scan finds what this page shows") -> None:
    """Say that nothing is scanned yet, with the button that scans.

    The command stands under it.
    """
    if follow_tasks(bench, "scan"):
        return
    st.info(f"Nothing is scanned yet: {why}.")
    if st.button("Scan", type="primary"):
        begin_task(bench, "scan")
    st.caption(f"The same by a command: `assay scan -b {bench.given}`.")
