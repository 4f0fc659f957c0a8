"""Gaps: what the data lack, what to label next, and guards.

A guard is a regression set: it keeps a gap that was mended from coming back.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui import grid, tasks
from assay.app.ui.gap_list import MOST_ALIKE, draw_cards, open_gap
from assay.app.ui.handing import offer_fiftyone
from assay.app.ui.widgets import (
    ask_reviewer,
    cards_html,
    draw_explanation,
    error_markdown,
    escape_markdown,
    picture_html,
    report_result,
)
from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.predictions import model_errors
from assay.curation.selection import active_learning, similarity
from assay.curation.slicing import gap_text, gaps, regression_sets, set_definitions
from assay.curation.statistics.wording import format_share
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.versioning.class_list import list_classes
from assay.pipelines.explaining.gap_numbers import explain_gap

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

EACH = 12  # pictures of what is wrong
SIMILARITY = "1: as like as its own images are to each other on average; 0: as like as any image"


def draw(bench: Bench) -> None:
    """Draw gaps as cards in one tab, labelling suggestions in another."""
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# Gaps")
    if not scan_settings.is_scanned(bench):
        return tasks.offer_scan(bench, "a scan shows where the data lack something")
    with right:
        who = ask_reviewer(bench)
    # first: a task that ends after this line draws the page anew
    busy = tasks.follow_tasks(bench, "gaps", "import", "scan")
    found, late = gaps.load_recent_gaps(bench)
    if late and not busy:
        offer_refresh(bench, late)
    one, two = st.tabs(["Gaps", "Label these next"], on_change="rerun")
    with one:
        if not len(found):
            st.info(
                "No gap was found: no class, cluster, metadata value or pair of these stands out, at "
                "5 % false discoveries. With more validation labels smaller ones show."
            )
        elif one.open and st.session_state.get("gap") in set(found.gap):
            draw_gap(bench, found, st.session_state["gap"], who)
        elif one.open:
            draw_cards(bench, found, who)
            if unit := gap_text.say_unit(found):
                st.caption(f"{unit[0].upper()}{unit[1:]}.")
            if more := gap_text.say_left_out(found):
                st.caption(f"{more}.")
    with two:
        if two.open:  # to choose from a large pool takes seconds
            draw_suggestions(bench, who)


def offer_refresh(bench: Bench, late: int) -> None:
    """Say how old the gaps are, and offer to find them anew."""
    left, right = st.columns([6, 1], vertical_alignment="center")
    left.caption(f"What you see was found {late:,} edit{'s' * (late != 1)} ago.")
    if right.button("Find them anew", width="stretch"):
        tasks.begin_task(bench, "gaps")


def draw_gap(bench: Bench, found: pd.DataFrame, name: str, who: str) -> None:
    """Draw one gap: its numbers, its errors, and more like it."""
    rows = {r.gap: r for r in found.itertuples()}
    st.button("← All gaps", on_click=open_gap, args=(None,))
    st.markdown(f"## {escape_markdown(name)}")
    row = rows[name]
    facts = [
        (error_rate(row), "wrong on validation" if row.unit == "sample" else "of val labels wrong"),
        (f"{row.train:,}", "in train"),
        (f"{row.val:,}", "in val"),
    ]
    if "class" not in row.facets:  # nobody knows the class of a pool image
        facts.append((f"{row.pool:,}", "in the pool"))
    st.html(cards_html(facts))
    st.html(f'<p class="assay-evidence">{escape(row.why)}.</p>')
    draw_explanation(explain_gap(found[found.gap == name].iloc[0].to_dict()))
    mine = gaps.gap_members(bench, name)
    judged, of_class = model_errors.find_model_errors(bench), found.set_index("gap").of_class[name]
    wrong = model_errors.errors_within(bench, judged, mine, of_class)
    if len(wrong):
        draw_errors(wrong, bench)
    offer_fiftyone(bench, list(mine), f"the gap {name}", f"fiftyone {name}")
    st.markdown("### More like this, in the pool")
    like = similarity.find_similar(bench, gaps.gap_seeds(bench, name)) if mine else None
    if like is not None and len(like) > MOST_ALIKE:
        st.caption(
            f"The {MOST_ALIKE} that are most alike, of {len(like):,}; "
            "the others come when these are decided."
        )
    draw_pool_grid(bench, None if like is None else like.head(MOST_ALIKE), who, f"like {name}")
    draw_guard(bench, name, who)


def draw_errors(wrong: pd.DataFrame, bench: Bench) -> None:
    """Draw validation samples that the model gets wrong, with their labels."""
    keys, show = bench.state().key, task_of(bench).show
    cells = [
        f"<figure>{picture_html(sample, keys[sample])}<figcaption><s>{escape(show(row.said))}</s> "
        f"is {escape(show(row.label))}</figcaption></figure>"
        for sample, row in wrong.head(EACH).iterrows()
    ]
    more = f"<p>and {len(wrong) - EACH:,} more</p>" if len(wrong) > EACH else ""
    st.markdown("### Wrong on validation")
    st.html(f'<div class="assay-sheet">{"".join(cells)}</div>{more}')


def error_rate(row: tuple) -> str:
    """Write the error rate of a gap with its interval."""
    return format_share(row.rate, row.low, row.high, 0) if row.val else "no val label"


def draw_pool_grid(bench: Bench, found: pd.DataFrame | None, who: str, key: str) -> None:
    """Draw pool samples as a grid.

    Those selected are labelled and go to train as one batch.
    """
    if found is None or not len(found):
        return st.caption("The pool has nothing to show for it.")
    classes = list_classes(bench)
    label = st.selectbox(
        "Their class",
        classes,
        index=None,
        placeholder="a class for all that are left",
        label_visibility="collapsed",
        key=f"class {key}",
    )
    actions = []
    if label:
        decision = dict(label=label, split="train")
        actions.append(dict(name=f"label {label} and train on them", decision=decision, main=True))
    if "suggested_label" in found:
        actions.append(
            dict(
                name="the suggestions are right: train on them",
                decision=dict(suggested=True, split="train"),
                main=not label,
            )
        )
    actions.append(dict(name="drop", decision=dict(keep=False)))
    grid.draw_grid(bench, grid_items(found), actions, who, f"grid {key}")


def grid_items(found: pd.DataFrame) -> list[dict]:
    """Make the pictures of a grid of what find_similar or suggest_samples found."""
    suggested = "suggested_label" in found
    return [
        dict(
            sample=r.sample,
            label=label_of(r.label) if "label" in found else None,
            suggested_label=r.suggested_label if suggested else label_of(r.label),
            name=str(r.source_id),
            note=f"{r.suggested_label}: {r.score:.0%}"
            if suggested
            else f"similarity {r.score:.2f}",
            why=getattr(r, "reason", SIMILARITY),
        )
        for r in found.itertuples()
    ]


def label_of(label: object) -> str | None:
    """Give a label, or None where there is none.

    Where only some of the pool have one, pandas writes NaN, which is no JSON.
    """
    return label if isinstance(label, str) else None


def draw_suggestions(bench: Bench, who: str) -> None:
    """Draw the pool samples whose labels would teach the model most."""
    n = st.slider("How many", 12, 200, 48, 12)
    try:
        draw_pool_grid(bench, active_learning.suggest_samples(bench, n), who, "next")
    except UserError as e:
        st.caption(error_markdown(e))


def draw_guard(bench: Bench, gap: str, who: str) -> None:
    """Draw the form that freezes a gap as a regression set.

    It is a unit test for the data, and holds what is labelled of the gap in val and pool.
    """
    with st.popover("Guard this"):
        st.caption(
            "Its labelled val and pool samples, with what nearly equals them, leave train, val and "
            "pool; a gate then judges by them."
        )
        name = st.text_input("Name of the set")
        if st.button("Freeze", disabled=not (name and who)):

            def freeze() -> str:
                sets, _ = set_definitions.make_set_from_gap(bench, name, gap)
                out = regression_sets.freeze_sets(bench, sets, who)
                set_definitions.write_regression_sets(bench, sets)
                n = format_count(out["sets"][0]["n"], "sample", "is", "are")
                return f"{n} frozen. A scan and a commit come next; then a gate judges by them."

            report_result(freeze)
