"""What is at work on the bench in the background, as a page shows it."""

import streamlit as st

from assay.app.ui.widgets import plain, words
from assay.curation.errors import UserError
from assay.pipelines.jobs import tasks

WORDS = dict(
    scan="scanning",
    relocate="looking for the images",
    fiftyone="FiftyOne",
    demo="the demo",
    gaps="looking for gaps",
) | {"import": "importing"}


def follow(bench, *verbs):
    """Show how far the errands of these kinds are, each with a way to stop it; the page is drawn anew when one has ended. True while one is at work."""
    running = [
        job for job in tasks.states(bench) if job["verb"] in verbs and job["state"] == "running"
    ]
    st.fragment(run_every=1 if running else None)(shown)(bench, verbs, len(running))
    return bool(running)


def shown(bench, verbs, began):
    found = [job for job in tasks.states(bench) if job["verb"] in verbs]
    for job in found:
        left, right = st.columns([6, 1], vertical_alignment="center")
        word = WORDS.get(job["verb"], job["verb"])
        if job["state"] == "running" and (url := job.get("said", {}).get("url")):
            left.link_button(f"{word} is open: {url}", url)
            right.button("Stop", key=f"stop {job['verb']}", on_click=tasks.stop, args=(bench, job))
        elif job["state"] == "running":
            left.progress(
                min(1.0, job.get("share") or 0.0), plain(f"{word}: {job.get('text', 'it begins')}")
            )
            right.button("Stop", key=f"stop {job['verb']}", on_click=tasks.stop, args=(bench, job))
        else:
            left.error(plain(job.get("error", f"{word} was stopped, or its process was killed")))
            right.button(
                "Put aside", key=f"forget {job['verb']}", on_click=tasks.forget, args=(bench, job)
            )
    if sum(job["state"] == "running" for job in found) < began:
        st.rerun()


def begin(bench, verb, *arguments):
    """Start an errand, and show it; what keeps it from beginning is said."""
    try:
        tasks.start(bench, verb, *arguments)
    except UserError as e:
        return st.error(words(e))
    st.rerun()
