"""Experiments: choose versions and architectures, see the cost, start it, follow it, read its report; closing the page stops nothing."""

import streamlit as st

from assay.app.ui.widgets import plain, words
from assay.curation.errors import UserError
from assay.curation.system import permissions
from assay.pipelines.jobs import job_files


def draw(bench):
    st.markdown("# Experiments")
    follow(bench, stamp(bench))
    with st.expander("A new experiment", expanded=not page_of(bench).exists()):
        plan(bench)
    if page_of(bench).exists():
        st.components.v1.html(page_of(bench).read_text(), height=1200, scrolling=True)
    elif not list(bench.runs().index):
        st.info("No experiment yet. Commit a version, choose it above, and start.")


def page_of(bench):
    return bench.path / "report.html"


def stamp(bench):
    """When the report was written; None where there is none."""
    return page_of(bench).stat().st_mtime_ns if page_of(bench).exists() else None


@st.fragment(run_every=2)
def follow(bench, drawn):
    """What trains now, and what came of what was started; the page is drawn anew when there is another report than the one `drawn`."""
    if stamp(bench) != drawn:
        st.rerun()
    for job in job_files.states(bench):
        if "cells" not in job:
            continue
        left, right = st.columns([6, 1], vertical_alignment="center")
        name, text = (
            job.get("question", "experiment"),
            f"{job.get('trained', 0)} of {job.get('of', job['cells'])} cells",
        )
        if job["state"] == "running":
            left.progress(min(1.0, job.get("share", 0.0)), plain(f"{name}: {text}"))
            if right.button("Stop", key=job["name"]):
                job_files.stop(bench, job)
        else:  # no bar: a full one would look like success
            how = (
                f"failed: {job['error']}"
                if job["state"] == "failed"
                else f"was stopped, or its process was killed, after {text}"
            )
            left.error(plain(f"{name}: {how}"))
            right.button(
                "Put aside",
                key=f"forget {job['name']}",
                on_click=job_files.forget,
                args=(bench, job["name"]),
            )


def plan(bench):
    from assay.pipelines.experiments import run
    from assay.pipelines.experiments.plan import check

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
        "Versions, the first is compared with",
        ways,
        default=list(dict.fromkeys([commits[0], commits[-1]])),
        accept_new_options=True,
    )
    archs = two.multiselect(
        "Architectures",
        ["probe", "mlp", "cnn", "resnet(depth=18)", "finetune"],
        default=["probe", "mlp"],
        accept_new_options=True,
    )
    seeds = three.number_input("Seeds", 1, 50, 5)
    question = st.text_input("Question", "Did the change of labels help?")
    try:
        asked = check(
            dict(versions=chosen, architectures=archs, seeds=int(seeds), question=question)
        )
        wanted, todo = run.prepare(bench, asked)
    except UserError as e:
        return st.warning(words(e))
    st.caption(f"{len(wanted)} cells, {len(todo)} to train.")
    if st.button("Start", type="primary"):
        start(bench, asked)
        st.rerun()


def start(bench, asked):
    """Start `assay experiment` on a plan, so that it outlives this page and this server."""
    from assay.pipelines.experiments import run
    from assay.pipelines.reports.markdown import toml

    folder = bench.path / "jobs"
    permissions.folder(folder)
    file = folder / "page.toml"
    permissions.touch(file).write_text(toml({k: v for k, v in asked.items() if v is not None}))
    try:
        pid, log = run.detach(bench, file, ["-o", page_of(bench)])
    except OSError as e:
        return st.error(plain(f"it could not be started: {e}"))
    return dict(pid=pid, log=str(log))
