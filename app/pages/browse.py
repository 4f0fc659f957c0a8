"""Browse: all samples as pictures, under one filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.handing import hand_over
from assay.app.ui.widgets import make_component, propose_name, take_name

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
        hand_over(bench, said.handed, "Browse")
