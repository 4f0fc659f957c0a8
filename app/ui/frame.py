"""Draw the bar above all pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.widgets import make_component, take_name

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

    from assay.curation.storage.interface import Bench

component = make_component("frame")


def draw_frame(bench: Bench, pages: dict[str, StreamlitPage], page: str) -> None:
    """Draw the bar above a page.

    It tells the page's name, and draws anew what an undo changed.
    """
    who = st.session_state.get("who") or st.query_params.get("who", "")
    listed = [dict(name=name, title=one.title) for name, one in pages.items()]
    component(
        data=dict(bench=bench.path.name, who=who, pages=listed, page=page),
        key="frame",
        on_named_change=lambda: take_name("frame"),
        on_changed_change=lambda: None,
    )
