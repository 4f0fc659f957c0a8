"""Review: one image and one key a decision, or a whole grid."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from assay.app.server.browse_view import Asked, open_view, words
from assay.app.server.review_session import open_session
from assay.app.ui import grid, tasks
from assay.app.ui.handing import offer_fiftyone
from assay.app.ui.widgets import (
    ask_reviewer,
    error_markdown,
    escape_markdown,
    make_component,
    propose_name,
    take_name,
)
from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.issues import opinions
from assay.curation.label_quality import live
from assay.curation.slicing import clusters
from assay.curation.text import format_count

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

MANY = 60  # pictures in a grid
FILTER = ("q", "sort", "s", "like", "group")  # of the address, as Browse writes it
review = make_component("review")


def draw(bench: Bench) -> None:
    """Draw the review, one by one or as a grid."""
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    left.markdown("# Review")
    if not scan_settings.is_scanned(bench):
        return tasks.offer_scan(bench)
    if st.session_state.get("unscanned"):
        live.label_scores(bench)  # raises what the page then offers to mend
        del st.session_state["unscanned"]
    with right:
        who = ask_reviewer(bench)
    ways = ("one by one", "grid review")
    way = middle.segmented_control("How", ways, default=ways[0], label_visibility="collapsed")
    if way == ways[1]:
        return draw_grid_review(bench, who)
    session = st.session_state.setdefault("session", secrets.token_hex(8))
    queue = draw_chosen_queue(bench)
    data = dict(bench=str(bench.path), who=who, session=session, proposal=propose_name())
    review(
        data=data | dict(queue=queue),
        key=f"review {queue}".strip(),
        height="content",
        on_named_change=lambda: take_name(f"review {queue}".strip()),
        on_unscanned_change=lambda: st.session_state.update(unscanned=True),
    )


def draw_chosen_queue(bench: Bench) -> str:
    """Say what the chosen queue is, and give its name.

    The name is "" for the queue of all doubted labels.
    """
    try:
        name = st.query_params.get("queue", "") or remember_filter(bench)
        if not name:
            return ""
        queue = open_session(bench.path).queues.find(name)
    except UserError as e:
        st.warning(error_markdown(e))
        return ""
    left, middle, right = st.columns([5, 2, 2], vertical_alignment="center")
    n = format_count(len(queue.samples), "sample")
    chosen = f"{n} chosen in {escape_markdown(queue.page)}"
    if "queue" not in st.query_params:
        chosen = f"{n} of the filter: " + " and ".join(escape_markdown(q) for q in read_filter()[0])
    left.caption(f"The queue is {chosen}, in that order.")
    with middle:
        offer_fiftyone(bench, queue.samples, "the queue", "fiftyone queue")
    if right.button("All doubted labels instead"):
        for key in ("queue", *FILTER):
            st.query_params.pop(key, None)
        st.rerun()
    return name


def read_filter() -> tuple[list[str], str, str, list[str]]:
    """Read the filter of the address: conditions, order, words and likeness."""
    asked = st.query_params
    return asked.get_all("q"), asked.get("sort", ""), asked.get("s", ""), asked.get_all("like")


def remember_filter(bench: Bench) -> str:
    """Make a queue of the address's filter, once a session.

    Returns its name, "" where there is no filter.
    """
    conditions, sort, search, like = asked = read_filter()
    if not (conditions or search or like):
        return ""
    session, known = open_session(bench.path), st.session_state.get("filtered queue")
    if known and known[0] == asked and known[1] in session.queues.queues:
        return known[1]  # what is decided since stays decided
    view = open_view(session)
    order = view.choose(Asked(words(conditions), sort, search, words(like)))
    name = session.queues.remember(view.read_ids(order.positions))
    st.session_state["filtered queue"] = asked, name
    return name


def choose_judge(bench: Bench) -> str | None:
    """Choose whose doubts are shown: the model's or a second opinion's.

    Returns the opinion's name, None for the model.
    """
    names = opinions.list_opinions(bench)
    if not names:
        return None
    ours = "the model"
    judge = st.segmented_control("Doubted by", [ours, *names], default=ours)
    return judge if judge in names else None


def draw_grid_review(bench: Bench, who: str) -> None:
    """Draw doubted labels of one kind, given one label and thought another.

    Select them, deselect the exceptions, and accept the rest as one batch.
    """
    state, judge = bench.state(), choose_judge(bench)
    if judge:
        found = opinions.list_doubted_labels(bench, state, judge)
    else:
        found = live.label_scores(bench)
        found = found[found.flagged].sort_values("score", kind="stable")
    if not len(found):
        return st.info(f"{judge or 'The model'} doubts no label that nobody has reviewed.")
    suggested = found.suggestion.map(lambda name: "another" if name is None else str(name))
    kinds = found.label.astype(str) + " → " + suggested
    pairs = kinds.value_counts()
    pair = st.selectbox(
        "Labelled → suggested",
        list(pairs.index),
        format_func=lambda p: f"{p}  ({pairs[p]:,})",
        label_visibility="collapsed",
    )
    some = found[kinds == pair].head(MANY)
    if pairs[pair] > len(some):
        st.caption(
            f"The {len(some)} most doubted of {pairs[pair]:,}; "
            "the others come when these are decided."
        )
    # what looks alike lies side by side, the worst group first
    group, _ = pd.factorize(clusters.assign_clusters(bench, state.loc[some.index]))
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
    if some.suggestion.isna().any():  # no suggestion to call right
        actions = actions[1:]
    grid.draw_grid(bench, items, actions, who, "alike")
