"""Experiments: plan, start, follow, read the report.

Closing the page stops nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.experiment_list import LIST_STYLE, choose_report, draw_report
from assay.app.ui.experiment_progress import (
    act,
    draw_progress,
    list_progress,
    start_experiment,
)
from assay.app.ui.widgets import error_markdown
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.reports.kept_reports import FOLDER, list_reports

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


def draw(bench: Bench) -> None:
    """Draw what runs, a form for more, the list, and one report."""
    st.html(LIST_STYLE)
    st.markdown("# Experiments")
    if problem := st.session_state.pop("experiment error", ""):
        st.error(problem)
    reports = list_reports(bench)
    running = follow_experiments(bench, report_stamp(bench))
    with st.expander("A new experiment", expanded=not (reports or running)):
        there = draw_plan_form(bench, running)
    if reports:
        key = choose_report(reports)
        draw_report(key, st.session_state.get("who", ""))
    elif there and not running:
        st.info("No experiment yet. Choose versions above, and start.")


def report_stamp(bench: Bench) -> list[int]:
    """Tell which reports there are: another stamp, other reports."""
    files = (bench.path / "report.html", bench.path / FOLDER)
    return [file.stat().st_mtime_ns for file in files if file.exists()]


def follow_experiments(bench: Bench, drawn: list[int]) -> bool:
    """Show what trains and what failed; return whether anything trains."""
    running = is_busy(bench)
    st.fragment(run_every=1 if running else 3)(draw_experiments)(bench, drawn, running)
    return running


def is_busy(bench: Bench) -> bool:
    """Tell whether an experiment is at work."""
    return any(p.state in ("running", "starting") for p in list_progress(bench))


def draw_experiments(bench: Bench, drawn: list[int], was_busy: bool) -> None:
    """Draw what trains now, and what failed.

    The page is drawn anew when an experiment began or ended, or there are other reports.
    """
    found = list_progress(bench)
    busy = any(p.state in ("running", "starting") for p in found)
    for progress in found:
        draw_progress(bench, progress)
    if busy != was_busy or report_stamp(bench) != drawn:
        st.rerun()


def draw_plan_form(bench: Bench, running: bool) -> bool:
    """Draw the form for a new experiment, and its cost in runs.

    Returns whether there are versions to choose from.
    """
    from assay.pipelines.experiments import run
    from assay.pipelines.experiments.plan import check_plan

    commits = list(bench.commits().name)
    if not commits:
        st.info("An experiment compares versions, and there is none yet: commit one.")
        if page := st.session_state.get("pages", {}).get("history"):
            st.page_link(page, label="Commit a version", icon=":material/history:")
        st.caption(f"The same by a command: `assay commit -m '...' -b {bench.given}`.")
        return False
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
        st.warning(error_markdown(e))
        return True
    st.caption(f"{format_count(len(wanted), 'run')}, {len(todo)} to train.")
    if len(chosen) == 1:
        st.caption(
            "One version alone compares architectures. Review labels and commit a second one to see "
            "what the review was worth."
        )
    # done before the page is drawn, so that the click is answered at once
    st.button(
        "Start",
        type="primary",
        disabled=running,
        help="one is at work: wait for its end, or stop it" if running else None,
        on_click=lambda: act(lambda: start_experiment(bench, asked)),
    )
    return True
