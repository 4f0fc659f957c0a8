"""Experiments: plan, start, follow, read the report.

Closing the page stops nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.widgets import error_markdown, escape_markdown
from assay.curation.errors import UserError
from assay.curation.system import permissions
from assay.curation.text import format_count
from assay.pipelines.jobs import job_files

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


def draw(bench: Bench) -> None:
    """Draw what runs, a form for more, and the last report."""
    st.markdown("# Experiments")
    follow_experiments(bench, report_stamp(bench))
    with st.expander("A new experiment", expanded=not report_file(bench).exists()):
        draw_plan_form(bench)
    if report_file(bench).exists():
        st.components.v1.html(report_file(bench).read_text(), height=1200, scrolling=True)
    elif not list(bench.runs().index):
        st.info("No experiment yet. Commit a version, choose it above, and start.")


def report_file(bench: Bench) -> Path:
    """The page that experiments started here write."""
    return bench.path / "report.html"


def report_stamp(bench: Bench) -> int | None:
    """Tell when the report was written; None where there is none."""
    return report_file(bench).stat().st_mtime_ns if report_file(bench).exists() else None


@st.fragment(run_every=2)
def follow_experiments(bench: Bench, drawn: int | None) -> None:
    """Draw what trains now, and what failed.

    The page is drawn anew when there is another report than the one of the stamp `drawn`.
    """
    if report_stamp(bench) != drawn:
        st.rerun()
    for job in job_files.list_jobs(bench):
        if "runs" not in job:
            continue
        left, right = st.columns([6, 1], vertical_alignment="center")
        name = job.get("question", "experiment")
        text = f"{job.get('trained', 0)} of {job.get('of', job['runs'])} runs"
        if job["state"] == "running":
            left.progress(min(1.0, job.get("share", 0.0)), escape_markdown(f"{name}: {text}"))
            if right.button("Stop", key=job["name"]):
                job_files.stop_job(bench, job)
        else:  # no bar: a full one would look like success
            how = (
                f"failed: {job['error']}"
                if job["state"] == "failed"
                else f"was stopped, or its process was killed, after {text}"
            )
            left.error(escape_markdown(f"{name}: {how}"))
            right.button(
                "Dismiss",
                key=f"forget {job['name']}",
                on_click=job_files.dismiss_job,
                args=(bench, job["name"]),
            )


def draw_plan_form(bench: Bench) -> None:
    """Draw the form for a new experiment, and its cost in runs."""
    from assay.pipelines.experiments import run
    from assay.pipelines.experiments.plan import check_plan

    commits = list(bench.commits().name)
    if not commits:
        return st.info(f"Commit a version first: `assay commit -m '...' -b {bench.given}`.")
    last = commits[-1]
    ways = [*commits, f"{last} - flagged", f"{last} ~ flagged", f"half({last})"]
    one, two, three = st.columns([3, 3, 1])
    chosen = one.multiselect(
        "Versions, the first is compared with",
        ways,
        default=list(dict.fromkeys([commits[0], last])),
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
        asked = check_plan(
            dict(versions=chosen, architectures=archs, seeds=int(seeds), question=question)
        )
        wanted, todo = run.prepare_cells(bench, asked)
    except UserError as e:
        return st.warning(error_markdown(e))
    st.caption(f"{format_count(len(wanted), 'run')}, {len(todo)} to train.")
    if st.button("Start", type="primary"):
        start_experiment(bench, asked)
        st.rerun()


def start_experiment(bench: Bench, asked: dict) -> dict | None:
    """Start `assay experiment` on a plan.

    It is a process of its own, and outlives this page and this server.
    """
    from assay.pipelines.experiments import run
    from assay.pipelines.reports.markdown import plan_toml

    folder = bench.path / "jobs"
    permissions.make_folder(folder)
    file = folder / "page.toml"
    permissions.touch_file(file).write_text(
        plan_toml({k: v for k, v in asked.items() if v is not None})
    )
    try:
        pid, log = run.detach_run(bench, file, ["-o", report_file(bench)])
    except OSError as e:
        return st.error(escape_markdown(f"it could not be started: {e}"))
    return dict(pid=pid, log=str(log))
