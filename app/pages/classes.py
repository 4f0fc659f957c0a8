"""Classes: order, colour, key, guideline and exemplars; add, rename, merge and split.

Each change is one batch with undo; see app/components/classes/ for the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.widgets import make_component, propose_name, take_name

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

component = make_component("classes")


def draw(bench: Bench) -> None:
    """Draw the class list."""
    who = st.session_state.get("who") or st.query_params.get("who", "")
    component(
        data=dict(who=who, proposal=propose_name(), open=st.query_params.get("open", "")),
        key="classes",
        height="content",
        on_named_change=lambda: take_name("classes"),
    )
