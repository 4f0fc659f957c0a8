"""Models: what each model confuses on validation, with n and interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui import tasks
from assay.app.ui.handing import hand_over
from assay.app.ui.prediction_files import ask_files
from assay.app.ui.widgets import draw_link, make_component, propose_name
from assay.curation.features.scan_settings import is_scanned

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

component = make_component("models", styled_as=("browse",))


def draw(bench: Bench) -> None:
    """Draw the models over the whole window.

    A bench without any has the next step's button.
    """
    # first: a task that ends after this line draws the page anew
    busy = tasks.follow_tasks(bench, "scan")
    if why := describe_lack(bench):
        return draw_next_step(bench, *why, busy)
    who = st.session_state.get("who") or st.query_params.get("who", "")
    said = component(
        data=dict(who=who, proposal=propose_name(), scanned=is_scanned(bench), busy=busy),
        key="models",
        on_handed_change=lambda: None,
        on_wanted_change=lambda: None,
    )
    if said.handed:
        hand_over(bench, said.handed, "Models")
    elif said.wanted == "scan":
        tasks.begin_task(bench, "scan")
    elif said.wanted == "files":
        ask_files(bench)
    elif page := st.session_state.get("pages", {}).get(said.wanted):
        st.switch_page(page, query_params=dict(who=who) if who else {})
    return None


def describe_lack(bench: Bench) -> tuple[str, str] | None:
    """Say what a bench lacks before models can be judged.

    Returns (sentence, next step), or None where it lacks nothing.
    """
    trained = bench.rows("select count(*) from runs")[0][0]
    state = bench.state()
    if not (state.keep & (state["split"] == "val") & state.label.notna()).any():
        return "No validation sample has a label, so there is nothing to judge a model on.", "split"
    if not trained and not is_scanned(bench):
        return "There is no model yet: a scan fits the live probe, and judges it.", "scan"
    return None


def draw_next_step(bench: Bench, why: str, step: str, busy: bool) -> None:
    """Draw what comes first, with its button."""
    st.markdown("# Models")
    st.info(why)
    if step == "split":
        draw_link("browse", "Choose samples, and move them to val")
        st.caption(f"`assay split -b {bench.given}` draws splits: `assay split --help`.")
    elif not busy and st.button("Scan", type="primary"):
        tasks.begin_task(bench, "scan")
    if step == "scan":
        st.caption(f"The same by a command: `assay scan -b {bench.given}`.")
