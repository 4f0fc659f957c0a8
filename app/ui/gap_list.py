"""Draw gaps as cards: pictures, an interval, a sentence, an act."""

from __future__ import annotations

import shlex
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from assay.app.server import gap_cards
from assay.app.server.browse_view import open_view
from assay.app.server.gap_cards import GapCard
from assay.app.server.review_session import open_session
from assay.app.ui.source_preview import draw_preview
from assay.app.ui.widgets import COMPONENTS, draw_explanation, escape_attribute, picture_html
from assay.curation.media.base import media_of
from assay.curation.statistics.wording import format_share
from assay.curation.text import format_count
from assay.pipelines.explaining.gap_numbers import explain_gap

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

SHOWN = 10  # cards that are drawn without asking
MOST_ALIKE = 48  # pool samples that are offered at once


def draw_cards(bench: Bench, found: pd.DataFrame, who: str) -> None:
    """Draw the gaps as cards, the one that explains most errors first."""
    st.html(f"<style>{(COMPONENTS / 'gaps.css').read_text()}</style>")
    table = open_view(open_session(bench.path)).refresh()
    most = st.session_state.get("gaps shown", SHOWN)
    for place, row in enumerate(found.head(most).to_dict("records"), 1):
        with st.container(border=True, key=f"gap-card-{place}"):
            draw_card(bench, gap_cards.make_card(bench, table, row), place, who)
    st.caption("How the numbers of the first came about; each gap has its own behind its button.")
    draw_explanation(explain_gap(found.iloc[0].to_dict()))
    if len(found) > most:
        more = format_count(len(found) - most, "more gap")
        st.button(f"Show {more}", on_click=show_more, args=(most + SHOWN,))


def show_more(most: int) -> None:
    """Show as many cards."""
    st.session_state["gaps shown"] = most


def draw_card(bench: Bench, card: GapCard, place: int, who: str) -> None:
    """Draw a card: four pictures, an interval bar, a sentence, a button."""
    left, right = st.columns([3, 4], gap="medium", vertical_alignment="center")
    with left:
        st.html(pictures_html(card))
    with right:
        link = browse_address(card.condition)
        n = format_count(card.members, "sample")
        if not card.whole:
            n = f"the first {gap_cards.FEW} of its {n}"
        where = ""
        if card.members:
            where = f' · <a href="{escape(link)}" target="_self">{n} in Browse</a>'
        st.html(
            f'<div class="assay-gap"><h2>{place}. {escape(card.region)}</h2><p><em>{escape(card.kind)}</em>'
            f"{where}</p>{bar_html(card)}"
            f"<p>{escape(card.why)}.</p></div>"
        )
        draw_act(bench, card, place, who)


def draw_act(bench: Bench, card: GapCard, place: int, who: str) -> None:
    """Draw what to do about a gap, with its command.

    A button opens all about the gap.
    """
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
            word = f"Find up to {min(MOST_ALIKE, card.pool)} more in the pool"
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
            command = f"assay import FOLDER {shlex.join(pool_options(bench))} -b {given}"
    st.caption(f"By a command: `{command.replace(chr(96), chr(39))}`")


def quote_word(word: str) -> str:
    """Quote a word for a shell.

    In double quotes where it has single ones and nothing is expanded.
    """
    plain = "'" in word and not set(word) & set('"$`\\\\!')
    return f'"{word}"' if plain else shlex.quote(word)


def review_samples(bench: Bench, samples: list[str]) -> None:
    """Go to Review, with these samples as its queue."""
    queue = open_session(bench.path).queues.remember(samples, "Gaps")
    who = st.session_state.get("who") or st.query_params.get("who", "")
    if page := st.session_state.get("pages", {}).get("review"):
        st.switch_page(page, query_params=dict(queue=queue) | (dict(who=who) if who else {}))


def pool_options(bench: Bench) -> list[str]:
    """Give the options by which a source of the bench's medium is imported without labels."""
    media = media_of(bench)
    whole_rows = media.column is not None and not media.in_cell
    return ["--label-column", "none"] if whole_rows else ["--pictures-only"]


@st.dialog("Add a pool")
def draw_pool_form(bench: Bench, who: str) -> None:
    """Ask for a source of unlabelled samples to import as a pool."""
    nouns = f"{media_of(bench).name.capitalize()}s"
    st.markdown(f"{nouns} without labels, in which more of what is missing is then looked for.")
    path = st.text_input("Path on this server", placeholder="/data/unlabelled").strip()
    if path:
        draw_preview(bench, who, path, lambda: path, pool_options(bench))
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
    """Draw a gap's error rate as a bar with its interval.

    A mark shows the rate of the rest.
    """
    if card.rate is None:
        return "<p>No val label shows how often the model is wrong here.</p>"
    rest = "" if card.rest is None else f'<u style="left:{100 * card.rest:.1f}%"></u>'
    words = format_share(card.rate, card.low, card.high, 0)
    elsewhere = "" if card.rest is None else f"; elsewhere {card.rest:.0%}"
    wrong = (
        "are wrong: given or predicted, and not both" if card.several else "are predicted otherwise"
    )
    label = f"{words} of its val labels {wrong}, 95 % interval{elsewhere}"
    return (
        f'<div class="assay-gap-bar" role="img" aria-label="{escape(label)}" title="{escape(label)}">'
        f'<i style="width:{100 * card.rate:.1f}%"></i>'
        f'<b style="left:{100 * card.low:.1f}%;width:{100 * (card.high - card.low):.1f}%"></b>{rest}</div>'
    )


def browse_address(condition: str) -> str:
    """Give the address of Browse on a condition."""
    who = st.session_state.get("who", "")
    return f"/browse?{urlencode(dict(q=condition) | (dict(who=who) if who else {}))}"


def open_gap(name: str | None) -> None:
    """Open one gap, or go back to the cards."""
    st.session_state["gap"] = name
