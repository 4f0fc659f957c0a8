"""Gaps: what the data lack, what to label next, and guards.

A guard is a regression set: it keeps a gap that was mended from coming back.
"""

from __future__ import annotations

import shlex
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from assay.app.server import explanations, gap_cards
from assay.app.server.browse_view import open_view
from assay.app.server.gap_cards import GapCard
from assay.app.server.review_session import open_session
from assay.app.ui import grid, tasks
from assay.app.ui.handing import offer_fiftyone
from assay.app.ui.source_preview import draw_preview
from assay.app.ui.widgets import (
    COMPONENTS,
    ask_reviewer,
    cards_html,
    draw_explanation,
    error_markdown,
    escape_attribute,
    escape_markdown,
    picture_html,
    report_result,
)
from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.predictions import model_errors
from assay.curation.selection import active_learning, similarity
from assay.curation.slicing import gaps, regression_sets, set_definitions
from assay.curation.statistics.wording import format_share
from assay.curation.text import format_count
from assay.curation.versioning.class_list import list_classes

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

SHOWN = 10  # cards that are drawn without asking
EACH = 12  # pictures of what is wrong
MANY = 48  # pictures of what the pool has
SIMILARITY = "1: as like as its own images are to each other on average; 0: as like as any image"


def draw(bench: Bench) -> None:
    """Draw gaps as cards in one tab, what to label next in another."""
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# Gaps")
    if not scan_settings.is_scanned(bench):
        return tasks.offer_scan(bench, "a scan shows where the data lack something")
    with right:
        who = ask_reviewer(bench)
    # first: what ends from here on draws the page anew
    busy = tasks.follow_tasks(bench, "gaps", "import", "scan")
    found, late = gaps.load_recent_gaps(bench)
    if late and not busy:
        offer_refresh(bench, late)
    one, two = st.tabs(["Gaps", "Label these next"], on_change="rerun")
    with one:
        if not len(found):
            st.info(
                "No class, cluster, metadata value or pair of these stands out at 5 % false "
                "discoveries."
            )
        elif one.open and st.session_state.get("gap") in set(found.gap):
            draw_gap(bench, found, st.session_state["gap"], who)
        elif one.open:
            draw_cards(bench, found, who)
    with two:
        if two.open:  # to choose from a large pool takes seconds
            draw_suggestions(bench, who)


def open_gap(name: str | None) -> None:
    """Open one gap, or go back to the cards."""
    st.session_state["gap"] = name


def offer_refresh(bench: Bench, late: int) -> None:
    """Say how old the gaps are, and offer to find them anew."""
    left, right = st.columns([6, 1], vertical_alignment="center")
    left.caption(f"What you see was found {late:,} edit{'s' * (late != 1)} ago.")
    if right.button("Find them anew", width="stretch"):
        tasks.begin_task(bench, "gaps")


def draw_cards(bench: Bench, found: pd.DataFrame, who: str) -> None:
    """Draw the gaps as cards, the one that explains most errors first."""
    st.html(f"<style>{(COMPONENTS / 'gaps.css').read_text()}</style>")
    table = open_view(open_session(bench.path)).refresh()
    most = st.session_state.get("gaps shown", SHOWN)
    for place, row in enumerate(found.head(most).to_dict("records"), 1):
        with st.container(border=True, key=f"gap-card-{place}"):
            draw_card(bench, gap_cards.make_card(bench, table, row), place, who)
    if len(found) > most:
        more = format_count(len(found) - most, "more gap")
        st.button(f"Show {more}", on_click=show_more, args=(most + SHOWN,))


def show_more(most: int) -> None:
    """Show as many cards."""
    st.session_state["gaps shown"] = most


def draw_card(bench: Bench, card: GapCard, place: int, who: str) -> None:
    """Draw one card: four pictures, a bar with its interval, a sentence, a button."""
    left, right = st.columns([3, 4], gap="medium", vertical_alignment="center")
    with left:
        st.html(pictures_html(card))
    with right:
        link = browse_address(card.condition)
        n = format_count(card.members, "sample")
        if not card.whole:
            n = f"the first {gap_cards.FEW} of its {n}"
        st.html(
            f'<div class="assay-gap"><h2>{place}. {escape(card.region)}</h2><p><em>{escape(card.kind)}</em> · '
            f'<a href="{escape(link)}" target="_self">{n} in Browse</a></p>{bar_html(card)}'
            f"<p>{escape(card.why)}.</p></div>"
        )
        draw_act(bench, card, place, who)


def draw_act(bench: Bench, card: GapCard, place: int, who: str) -> None:
    """Draw what to do about a gap, with the command under it, and the way to all of it."""
    name, given = quote_word(card.name), shlex.quote(str(bench.given))
    one, two = st.columns([3, 2])
    with two:
        st.button(
            "All about it",
            key=f"all {place}",
            on_click=open_gap,
            args=(card.name,),
            width="stretch",
        )
    with one:
        if card.act == "review":
            word = f"Review its {format_count(len(card.review), 'label')}"
            if st.button(word, key=f"do {place}", type="primary", width="stretch"):
                review_samples(bench, card.review)
            command = f"assay queue --where {quote_word(card.condition)} -b {given}"
        elif card.act == "find":
            word = f"Find up to {min(MANY, card.pool)} more in the pool"
            st.button(
                word,
                key=f"do {place}",
                type="primary",
                width="stretch",
                on_click=open_gap,
                args=(card.name,),
            )
            command = f"assay similar --gap {name} --in pool -b {given}"
        else:
            if st.button("Add a pool", key=f"do {place}", type="primary", width="stretch"):
                draw_pool_form(bench, who)
            command = f"assay import FOLDER --pictures-only -b {given}"
    st.caption(f"By a command: `{command.replace(chr(96), chr(39))}`")


def quote_word(word: str) -> str:
    """Quote a word for a shell: in double quotes where it has single ones and nothing is expanded."""
    plain = "'" in word and not set(word) & set('"$`\\\\!')
    return f'"{word}"' if plain else shlex.quote(word)


def review_samples(bench: Bench, samples: list[str]) -> None:
    """Go to Review, with these samples as its queue."""
    queue = open_session(bench.path).queues.remember(samples, "Gaps")
    who = st.session_state.get("who") or st.query_params.get("who", "")
    if page := st.session_state.get("pages", {}).get("review"):
        st.switch_page(page, query_params=dict(queue=queue) | (dict(who=who) if who else {}))


@st.dialog("Add a pool")
def draw_pool_form(bench: Bench, who: str) -> None:
    """Ask for a folder of images without labels, and import it as a pool."""
    st.markdown("Images without labels, in which more of what is missing is then looked for.")
    path = st.text_input("Path on this server", placeholder="/data/unlabelled").strip()
    if path:
        draw_preview(bench, who, path, lambda: path, ["--pictures-only"])
    st.caption("Scan again when they are in: Overview has the button.")


def pictures_html(card: GapCard) -> str:
    """Draw the pictures of a card."""
    cells = [
        f"<figure>{picture_html(sample, key, 256)}"
        f'<figcaption title="{escape_attribute(words)}">{escape(words)}'
        "</figcaption></figure>"
        for sample, key, words in card.pictures
    ]
    return f'<div class="assay-gap-pictures">{"".join(cells)}</div>'


def bar_html(card: GapCard) -> str:
    """Draw the error rate of a gap as a bar with its interval, and a mark for the rest's rate."""
    if card.rate is None:
        return "<p>No val label shows how often the model is wrong here.</p>"
    rest = "" if card.rest is None else f'<u style="left:{100 * card.rest:.1f}%"></u>'
    words = format_share(card.rate, card.low, card.high, 0)
    elsewhere = "" if card.rest is None else f"; elsewhere {card.rest:.0%}"
    label = f"{words} of its val labels are predicted otherwise, 95 % interval{elsewhere}"
    return (
        f'<div class="assay-gap-bar" role="img" aria-label="{escape(label)}" title="{escape(label)}">'
        f'<i style="width:{100 * card.rate:.1f}%"></i>'
        f'<b style="left:{100 * card.low:.1f}%;width:{100 * (card.high - card.low):.1f}%"></b>{rest}</div>'
    )


def browse_address(condition: str) -> str:
    """Give the address of Browse on a condition."""
    who = st.session_state.get("who", "")
    return f"/browse?{urlencode(dict(q=condition) | (dict(who=who) if who else {}))}"


def draw_gap(bench: Bench, found: pd.DataFrame, name: str, who: str) -> None:
    """Draw one gap: its numbers, its errors, and more like it."""
    rows = {r.gap: r for r in found.itertuples()}
    st.button("← All gaps", on_click=open_gap, args=(None,))
    st.markdown(f"## {escape_markdown(name)}")
    row = rows[name]
    facts = [
        (error_rate(row), "wrong on validation"),
        (f"{row.train:,}", "in train"),
        (f"{row.val:,}", "in val"),
    ]
    if "class" not in row.facets:  # which class a pool image is nobody knows
        facts.append((f"{row.pool:,}", "in the pool"))
    st.html(cards_html(facts))
    st.html(f'<p class="assay-evidence">{escape(row.why)}.</p>')
    draw_explanation(explanations.explain_gap(found.set_index("gap").loc[name].to_dict()))
    mine = gaps.gap_members(bench, name)
    wrong = model_errors.find_model_errors(bench)
    wrong = wrong[wrong.wrong & wrong.index.isin(mine)]
    if len(wrong):
        draw_errors(wrong, bench.state().key)
    offer_fiftyone(bench, list(mine), f"the gap {name}", f"fiftyone {name}")
    st.markdown("### More like this, in the pool")
    like = similarity.find_similar(bench, gaps.gap_seeds(bench, name)) if mine else None
    if like is not None and len(like) > MANY:
        st.caption(
            f"The {MANY} that are most alike, of {len(like):,}; "
            "the others come when these are decided."
        )
    draw_pool_grid(bench, None if like is None else like.head(MANY), who, f"like {name}")
    draw_guard(bench, name, who)


def draw_errors(wrong: pd.DataFrame, keys: pd.Series) -> None:
    """Draw validation samples that the model gets wrong, with their labels."""
    cells = [
        f"<figure>{picture_html(sample, keys[sample])}<figcaption><s>{escape(str(row.said))}</s> "
        f"is {escape(str(row.label))}</figcaption></figure>"
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
    """Give a label, or None: where some of the pool have one, pandas writes NaN, which is no JSON."""
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
