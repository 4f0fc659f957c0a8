"""Map: the set as points, where similar images lie near each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.handing import hand_over
from assay.app.ui.widgets import make_component, propose_name, take_name

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

component = make_component("map", styled_as=("browse",))


def draw(bench: Bench) -> None:
    """Draw the map; it fills the window."""
    who = st.session_state.get("who") or st.query_params.get("who", "")
    said = component(
        data=dict(who=who, proposal=propose_name()),
        key="map",
        on_named_change=lambda: take_name("map"),
        on_handed_change=lambda: None,
    )
    if said.handed:
        hand_over(bench, said.handed, "Map")
