"""Experiments: choose versions and architectures, see the cost, start it, follow it, read its report; closing the page stops nothing."""

import json
import os
import signal
import subprocess
import sys

import streamlit as st

from app.look import plain, words
from curation import modes
from curation.errors import UserError
from pipelines import jobs


def draw(bench):
    st.markdown("# Experiments")
    follow(bench)
    with st.expander("A new experiment", expanded=not (bench.path / "report.html").exists()):
        plan(bench)
    page = bench.path / "report.html"
    if page.exists():
        st.components.v1.html(page.read_text(), height=1200, scrolling=True)
    elif not list(bench.runs().index):
        st.info("No experiment yet. Commit a version, choose it above, and start.")


@st.fragment(run_every=2)
def follow(bench):
    """What trains now, and what came of what was started."""
    for job in jobs.states(bench):
        if "cells" not in job:
            continue
        left, right = st.columns([6, 1], vertical_alignment="center")
        text = job.get("error") or f"{job.get('trained', 0)} of {job.get('of', job['cells'])} cells"
        left.progress(min(1.0, job.get("share", 0.0)), f"{job.get('question', 'experiment')}: {job['state']}, {text}")
        if job["state"] == "running" and right.button("Stop", key=job["name"]):
            os.kill(job["pid"], signal.SIGINT)


def plan(bench):
    from pipelines import experiment as ex
    from pipelines.plan import check

    commits = list(bench.commits().name)
    if not commits:
        return st.info(f"Commit a version first: `assay commit -m '...' -b {bench.given}`.")
    ways = [
        *commits,
        *(f"{v} - flagged" for v in commits[-1:]),
        *(f"{v} ~ flagged" for v in commits[-1:]),
        *(f"half({v})" for v in commits[-1:]),
    ]
    one, two, three = st.columns([3, 3, 1])
    chosen = one.multiselect(
        "Versions, the first is compared with", ways, default=list(dict.fromkeys([commits[0], commits[-1]])), accept_new_options=True
    )
    archs = two.multiselect(
        "Architectures", ["probe", "mlp", "cnn", "resnet(depth=18)", "finetune"], default=["probe", "mlp"], accept_new_options=True
    )
    seeds = three.number_input("Seeds", 1, 50, 5)
    question = st.text_input("Question", "Did the change of labels help?")
    try:
        asked = check(dict(versions=chosen, architectures=archs, seeds=int(seeds), question=question))
        wanted, todo = ex.prepare(bench, asked)
    except UserError as e:
        return st.warning(words(e))
    st.caption(f"{len(wanted)} cells, {len(todo)} to train.")
    if st.button("Start", type="primary"):
        start(bench, asked)
        st.rerun()


def start(bench, asked):
    """Start `assay experiment --detach` on a plan, so that it outlives this page and this server."""
    from pipelines.markdown import toml

    folder = bench.path / "jobs"
    modes.folder(folder)
    file = folder / "page.toml"
    modes.touch(file).write_text(toml({k: v for k, v in asked.items() if v is not None}))
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "experiment",
        str(file),
        "-b",
        str(bench.path),
        "-o",
        str(bench.path / "report.html"),
        "--detach",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        st.error(plain(done.stderr or done.stdout))
    return json.loads(done.stdout) if done.returncode == 0 else None
