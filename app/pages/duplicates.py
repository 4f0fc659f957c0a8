"""Duplicates: groups of copies side by side, of which one is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import streamlit as st

from assay.app.server.browse_view import Asked, words
from assay.app.server.duplicates_routes import open_duplicates
from assay.app.server.review_session import open_session
from assay.app.ui import fiftyone_button, tasks
from assay.app.ui.widgets import make_component, propose_name, take_name
from assay.curation.features.scan_settings import is_scanned
from assay.curation.text import format_count

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

component = make_component("duplicates", styled_as=("browse",))


def draw(bench: Bench) -> None:
    """Draw the groups; they fill the window."""
    if not is_scanned(bench):
        st.markdown("# Duplicates")
        return tasks.offer_scan(bench, "a scan finds exact and near duplicates")
    who = st.session_state.get("who") or st.query_params.get("who", "")
    said = component(
        data=dict(who=who, proposal=propose_name()),
        key="duplicates",
        on_named_change=lambda: take_name("duplicates"),
        on_handed_change=lambda: None,
    )
    if said.handed:
        hand_over(bench, said.handed)


def hand_over(bench: Bench, handed: dict) -> None:
    """Hand the shown groups to FiftyOne, or one group to Review."""
    session = open_session(bench.path)
    if handed["what"] == "fiftyone":
        query = parse_qs(handed["query"])
        asked = Asked(words(query.get("q", [])), search=query.get("search", [""])[0])
        st.session_state["copies"] = open_duplicates(session).list_ids(asked)
        return draw_fiftyone(bench)
    if page := st.session_state.get("pages", {}).get("review"):
        who = st.session_state.get("who") or st.query_params.get("who", "")
        queue = session.queues.remember([str(s) for s in handed["samples"]], "Duplicates")
        st.switch_page(page, query_params=dict(queue=queue) | (dict(who=who) if who else {}))


@st.dialog("Open in FiftyOne")
def draw_fiftyone(bench: Bench) -> None:
    """Draw the button that opens the groups in FiftyOne."""
    ids = st.session_state["copies"]
    st.caption(f"{format_count(len(ids), 'sample')} in groups of copies.")
    fiftyone_button.draw_fiftyone_button(bench, ids)
