"""Browse: all samples as pictures, under one filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.server.browse_view import open_view
from assay.app.server.review_session import open_session
from assay.app.ui import fiftyone_button
from assay.app.ui.widgets import make_component, propose_name, take_name
from assay.curation.text import format_count

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

component = make_component("browse")


def draw(bench: Bench) -> None:
    """Draw the grid; it fills the window."""
    who = st.session_state.get("who") or st.query_params.get("who", "")
    said = component(
        data=dict(who=who, proposal=propose_name()),
        key="browse",
        on_named_change=lambda: take_name("browse"),
        on_handed_change=lambda: None,
    )
    if said.handed:
        hand_over(bench, said.handed)


def hand_over(bench: Bench, handed: dict) -> None:
    """Hand what is selected to FiftyOne or Review."""
    session = open_session(bench.path)
    view = open_view(session)
    ids = view.read_ids(view.chosen_positions(handed))
    if handed["what"] == "fiftyone":
        st.session_state["browsed"] = ids
        draw_fiftyone(bench)
    elif page := st.session_state.get("pages", {}).get("review"):
        who = st.session_state.get("who") or st.query_params.get("who", "")
        asked = dict(queue=session.queues.remember(ids)) | (dict(who=who) if who else {})
        st.switch_page(page, query_params=asked)


@st.dialog("Open in FiftyOne")
def draw_fiftyone(bench: Bench) -> None:
    """Draw the button that opens the selection in FiftyOne."""
    ids = st.session_state["browsed"]
    st.caption(f"{format_count(len(ids), 'sample')} of Browse.")
    fiftyone_button.draw_fiftyone_button(bench, ids)
