"""The pieces that several pages draw."""

from __future__ import annotations

import getpass
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import streamlit as st

from assay.app.server.component_files import COMPONENTS, import_component
from assay.app.server.explanations import explanations_html
from assay.curation.errors import UserError
from assay.curation.review.reviewers import find_namesake
from assay.curation.text import check_text

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench
    from assay.pipelines.explaining.explanation import Explanation

WORD_JOINER = "\u2060"


def draw_link(name: str, label: str) -> None:
    """Draw a link to another page, where there are pages."""
    if page := st.session_state.get("pages", {}).get(name):
        st.page_link(page, label=label)


def report_result(work: Callable[[], str]) -> None:
    """Do something, and report what came of it."""
    try:
        st.toast(work())
    except UserError as e:
        return st.error(error_markdown(e))
    st.rerun()


def picture_html(sample: str, name: Any, side: int = 128) -> str:
    """Draw the picture of a sample."""
    source = f"/assay/image/{quote(sample)}?side={side}"
    return f'<img src="{source}" loading="lazy" alt="{escape_attribute(name)}">'


def escape_attribute(text: Any) -> str:
    """Write text from outside as the value of an attribute.

    Streamlit drops an attribute in which a tag or a comment ends, so a word joiner, which nobody sees, parts these.
    """
    return escape(re.sub(r"(?<=<)(?=/)|(?<=[-!\]])(?=>)", WORD_JOINER, str(text)))


def cards_html(pairs: Iterable[tuple[Any, Any]]) -> str:
    """Draw pairs (value, what it is) as cards; text is escaped."""
    cards = [
        f"<div><b>{escape(str(value))}</b><small>{escape(str(about))}</small></div>"
        for value, about in pairs
    ]
    return f'<div class="assay-cards">{"".join(cards)}</div>'


def browse_address(condition: str) -> str:
    """Write the Browse address of a condition's samples, escaped for HTML."""
    return page_address("browse", q=condition)


def page_address(page: str, **query: str) -> str:
    """Write a page's address with who looks, escaped for HTML."""
    who = st.session_state.get("who", "")
    asked = urlencode(query | (dict(who=who) if who else {}))
    return escape(f"/{page}?{asked}" if asked else f"/{page}")


def quote_sql(text: str) -> str:
    """Write a text as a condition quotes it."""
    return "'" + text.replace("'", "''") + "'"


def make_component(name: str, styled_as: Sequence[str] = ()) -> Callable:
    """Make a component of ours of its three files in components/.

    styled_as: other components whose style sheets it builds on.
    """
    css = "\n".join((COMPONENTS / f"{sheet}.css").read_text() for sheet in (*styled_as, name))
    files = dict(html=(COMPONENTS / f"{name}.html").read_text(), css=css)
    files["js"] = import_component(name)
    return st.components.v2.component(f"assay_{name}", isolate_styles=False, **files)


def draw_explanation(numbers: Sequence[Explanation], label: str = "How is this known?") -> None:
    """Say by one click how numbers came about: formula, numbers put in, lesson, line of code."""
    with st.popover(label, type="tertiary", icon=":material/help:"):
        st.html(f'<div class="assay-told">{explanations_html(list(numbers))}</div>')


def ask_reviewer(bench: Bench | None = None) -> str:
    """Ask who decides; "" before anybody has said.

    The name is kept in the page's address, so that a reload remembers it. "" too while it is open
    whether they are somebody whom the bench knows by another spelling.
    """
    who = st.text_input(
        "Your name",
        # a page that was opened by a link has no query yet
        st.query_params.get("who") or st.session_state.get("who", ""),
        placeholder="your name",
        label_visibility="collapsed",
        max_chars=300,
        icon=":material/person:",
    ).strip()
    who = who or st.session_state.get("who", "")
    others = st.session_state.setdefault("apart", set())  # names that are somebody else's
    if bench and who and who not in others and (known := find_namesake(bench, who)):
        ask_spelling(who, known, others)
        return ""
    if who and st.query_params.get("who") != who:
        st.query_params["who"] = who
    st.session_state["who"] = check_text(who, "a name")
    return who


def propose_name() -> str:
    """Propose the name of whoever sits at this computer; "" from elsewhere.

    A colleague who comes by a link is not whose account the workbench runs under.
    """
    if st.context.ip_address is not None:
        return ""
    return find_own_name()


@cache
def find_own_name() -> str:
    """Find git's name of this account's owner, else the account's name."""
    with suppress(OSError, subprocess.SubprocessError, UserError):
        command = ["git", "config", "--global", "user.name"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=2).stdout.strip()
        if said:
            return check_text(said, "a name")
    with suppress(OSError, KeyError):
        name = getpass.getuser()
        return "" if name == "root" else name
    return ""


def take_name(key: str) -> None:
    """Take the name that somebody has said in the component `key`."""
    if said := (st.session_state[key].get("named") or "").strip():
        st.session_state["who"] = st.query_params["who"] = said


def ask_spelling(who: str, known: str, others: set[str]) -> None:
    """Ask whether `who` is the reviewer whom the bench knows as `known`."""
    mine, theirs = escape_markdown(who), escape_markdown(known)
    st.warning(f"{theirs} has decided here. Are you {theirs}, or is {mine} somebody else?")
    if st.button(f"I am {theirs}", type="primary"):
        st.session_state["who"] = st.query_params["who"] = known
        st.rerun()
    if st.button(f"{mine} is somebody else"):
        others.add(who)
        st.rerun()


def escape_markdown(text: str) -> str:
    """Write text from outside as Markdown that shows it as it is.

    No picture of somebody else's is fetched, nothing is coloured.
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def error_markdown(e: UserError) -> str:
    """Write a UserError as Markdown."""
    return escape_markdown(f"{e.problem}. {e.hint}")
