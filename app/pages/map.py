"""Map: similar images lie near each other, in colours that one chooses.

What is circled comes as a grid, and goes as one batch of edits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.server.map_data import WAYS, samples_inside
from assay.app.ui import fiftyone_button, grid
from assay.app.ui.widgets import ask_reviewer, error_markdown, make_component
from assay.curation.errors import UserError
from assay.curation.features import image_map
from assay.curation.label_quality import live
from assay.curation.versioning import pointers
from assay.curation.versioning.class_list import list_classes

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

SHOWN = 300  # pictures of a selection at once
chart = make_component("map")


def draw(bench: Bench) -> None:
    """Draw the map, and what is selected on it."""
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# Map")
    try:
        _, method = image_map.read_positions(bench, bench.state())
    except UserError as e:
        return st.info(error_markdown(e))
    with right:
        who = ask_reviewer(bench)
    by = (
        st.segmented_control(
            "Colour",
            list(WAYS),
            format_func=WAYS.get,
            default="label",
            label_visibility="collapsed",
        )
        or "label"
    )
    url = f"/assay/map?by={by}&at={pointers.find_position(bench, 'HEAD')}&drawn={method}"
    left, right = st.columns([5, 3], gap="medium")
    with left:
        said = chart(data=dict(url=url, drawn=method), key="map", on_lasso_change=lambda: None)
        st.caption(
            f"Drawn by {method}. Test samples lie on the map as images; "
            "no label or prediction of theirs colours it."
        )
    with right:
        if said.lasso and said.lasso["drawn"] == method:
            draw_selection(bench, *samples_inside(bench, said.lasso["at"]), who)
        else:
            st.markdown("### Nothing is selected")
            st.caption(
                "Click on a point, or hold shift and draw around many: their pictures come here, "
                "to be explained, labelled or dropped."
            )


def draw_selection(bench: Bench, chosen: pd.DataFrame, locked: int, who: str) -> None:
    """Draw the selected samples as a grid.

    locked: how many test or guard samples lie among them.
    """
    st.markdown(f"### {len(chosen):,} selected")
    if locked:
        st.caption(
            f"{locked:,} test or guard samples in there are not among them: "
            "nobody edits those here."
        )
    if not len(chosen):
        return
    classes = list_classes(bench)
    hint = live.label_scores(bench).suggestion.reindex(chosen.index)
    hint = hint.astype(object).where(hint.notna(), None)
    shown = chosen.head(SHOWN)
    items = [
        dict(
            sample=s,
            label=row.label,
            suggested_label=hint[s],
            name=row.key,
            note=row["split"],
            why=f"{row['split']}, labelled {row.label}",
        )
        for s, row in shown.iterrows()
    ]
    fiftyone_button.draw_fiftyone_button(bench, list(chosen.index))
    label = st.selectbox(
        "Class for what is selected",
        classes,
        index=None,
        placeholder="a class",
        label_visibility="collapsed",
    )
    actions = [dict(name=f"label {label}", decision=dict(label=label), main=True)] if label else []
    actions += [
        dict(name="the given label is right", decision=dict(verdict="confirm")),
        dict(name="drop", decision=dict(keep=False)),
    ]
    if len(chosen) > len(shown):
        st.caption(f"Here are the pictures of {len(shown)}; an act can be for all {len(chosen):,}.")
    grid.draw_grid(bench, items, actions, who, "chosen", dict(hint))
