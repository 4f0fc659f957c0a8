"""Map: every image where its likes are, coloured by what one wants to see; what is circled comes as a grid, and goes as one batch of edits."""

import numpy as np
import streamlit as st

from assay.app.server.map_data import WAYS, kept, places
from assay.app.ui import fiftyone_button, grid
from assay.app.ui.widgets import component, reviewer, words
from assay.curation.errors import UserError
from assay.curation.features import projection
from assay.curation.label_quality import live
from assay.curation.splits import LOCKED
from assay.curation.versioning import versions

SHOWN = 300  # pictures of a selection at once
chart = component("map")


def draw(bench):
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# Map")
    try:
        _, method = projection.positions(bench, bench.state())
    except UserError as e:
        return st.info(words(e))
    with right:
        who = reviewer(bench)
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
    url = f"/assay/map?by={by}&at={versions.position(bench, 'HEAD')}&drawn={method}"
    left, right = st.columns([5, 3], gap="medium")
    with left:
        said = chart(data=dict(url=url, drawn=method), key="map", on_lasso_change=lambda: None)
        st.caption(
            f"Drawn by {method}. Test samples lie on the map as images; no label or prediction of theirs colours it."
        )
    with right:
        if said.lasso and said.lasso["drawn"] == method:
            selection(bench, *inside(bench, said.lasso["at"]), who)
        else:
            st.markdown("### Nothing is chosen")
            st.caption(
                "Click on a point, or hold shift and draw around many: their pictures come here, to be explained, labelled or dropped."
            )


def inside(bench, lasso):
    """(kept samples within a polygon of the map, how many of test and guard it holds besides: nobody edits those)."""
    from matplotlib.path import Path

    state = kept(bench)
    state = state[Path(np.array(lasso, float)).contains_points(places(bench, state))]
    locked = state["split"].isin(LOCKED)
    return state[~locked], int(locked.sum())


def selection(bench, chosen, locked, who):
    st.markdown(f"### {len(chosen):,} chosen")
    if locked:
        st.caption(
            f"{locked:,} test or guard samples in there are not among them: nobody edits those here."
        )
    if not len(chosen):
        return
    if not who:
        st.info("Say who decides, and what you choose can be edited.")
    classes = sorted({c for c in bench.state().label if c})
    hint = live.opinion(bench).suggestion.reindex(chosen.index)
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
    fiftyone_button.offer(bench, list(chosen.index))
    label = st.selectbox(
        "Class for what is picked",
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
    grid.draw(bench, items, actions if who else [], who, "chosen", dict(hint))
