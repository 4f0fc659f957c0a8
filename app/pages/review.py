"""Review: one image, its evidence, one key for each decision, and what the decisions did; or many alike at once."""

import secrets

import pandas as pd
import streamlit as st

from assay.app.ui import grid
from assay.app.ui.widgets import component, reviewer
from assay.curation.features import scan_settings
from assay.curation.label_quality import live
from assay.curation.slicing import clusters

MANY = 60  # pictures in a grid
desk = component("review")


def draw(bench):
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    left.markdown("# Review")
    if not scan_settings.scanned(bench):
        return st.info(
            f"Nothing is scanned yet. Run `assay scan -b {bench.given}`, then reload this page."
        )
    with right:
        who = reviewer(bench)
    ways = ("one by one", "many alike")
    way = middle.segmented_control("How", ways, default=ways[0], label_visibility="collapsed")
    if not who:
        return st.info("Say who decides: the name goes into the log with every decision.")
    if way == ways[1]:
        return alike(bench, who)
    session = st.session_state.setdefault("session", secrets.token_hex(8))
    desk(data=dict(bench=str(bench.path), who=who, session=session), key="review", height="content")


def alike(bench, who):
    """Suspects of one kind, given one label and thought another: pick them, unpick the exceptions, accept the rest as one batch."""
    state, found = bench.state(), live.opinion(bench)
    found = found[found.flagged].sort_values("score", kind="stable")
    if not len(found):
        return st.info("The model doubts no label that nobody has reviewed.")
    pairs = (found.label.astype(str) + " → " + found.suggestion.astype(str)).value_counts()
    pair = st.selectbox(
        "Labelled → suggested",
        list(pairs.index),
        format_func=lambda p: f"{p}  ({pairs[p]:,})",
        label_visibility="collapsed",
    )
    some = found[(found.label.astype(str) + " → " + found.suggestion.astype(str)) == pair].head(
        MANY
    )
    if pairs[pair] > len(some):
        st.caption(
            f"The {len(some)} most doubted of {pairs[pair]:,}; the others come when these are decided."
        )
    group = pd.factorize(clusters.assigned(bench, state.loc[some.index]))[
        0
    ]  # what looks alike lies side by side, the worst group first
    some = some.iloc[group.argsort(kind="stable")]
    items = [
        dict(
            sample=s,
            label=r.label,
            suggested_label=r.suggestion,
            name=state.key[s],
            note=f"score {r.score:.2f}",
            why=state["split"][s],
        )
        for s, r in zip(some.index, some.itertuples())
    ]
    actions = [
        dict(name="the suggestion is right", decision=dict(suggested=True), main=True),
        dict(name="the given label is right", decision=dict(verdict="confirm")),
        dict(name="not sure", decision=dict(verdict="unsure")),
        dict(name="drop", decision=dict(keep=False)),
    ]
    grid.draw(bench, items, actions, who, "alike")
