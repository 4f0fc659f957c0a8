"""Draw the sessions of people: a time line, and their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

import streamlit as st

from assay.app.ui.handing import offer_fiftyone
from assay.app.ui.widgets import (
    COMPONENTS,
    error_markdown,
    escape_attribute,
    escape_markdown,
    picture_html,
    report_result,
)
from assay.curation.errors import UserError
from assay.curation.splits import LOCKED
from assay.curation.text import format_count
from assay.curation.times import to_local
from assay.curation.versioning.sessions import PAUSE, Session, list_sessions, read_decisions

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

FIRST, PICTURES = 20, 60  # sessions and pictures that are seen without asking
LANES = 12  # people on the time line
NEAR = 12  # percent of the time line, under which the names of two versions would overlap
WORDS = dict(
    reviewed="reviewed",
    relabelled="relabelled",
    unsure="not sure",
    dropped="dropped",
    tagged="tagged",
    moved="moved to another split",
)
STYLE = f"<style>{(COMPONENTS / 'sessions.css').read_text()}</style>"


def draw_sessions(bench: Bench, who: str) -> None:
    """Draw the time line and the sessions, newest first."""
    sessions = list_sessions(bench)
    if not sessions:
        return st.info("Nobody has decided anything yet. What people decide is listed here.")
    st.html(STYLE + timeline_html(sessions, bench.commits()))
    st.caption(f"A session ends where its person decides nothing for {PAUSE} minutes.")
    more = st.session_state.get("sessions shown", FIRST)
    day = None
    for session in sessions[:more]:
        if (begun := to_local(session.first).date()) != day:
            day = begun
            st.markdown(f"### {begun:%A} {begun.day} {begun:%B %Y}")
        draw_session(bench, session, who)
    if len(sessions) > more:
        older = format_count(len(sessions) - more, "older session")
        st.button(f"Show {older}", on_click=show_more, args=(more + 5 * FIRST,))


def show_more(most: int) -> None:
    """Show more sessions from now on."""
    st.session_state["sessions shown"] = most


def describe_session(session: Session) -> str:
    """Describe a session: who, from when to when, what was decided."""
    first, last = to_local(session.first), to_local(session.last)
    to = f"{last:%H:%M}" if last.date() == first.date() else f"{last.day} {last:%B %H:%M}"
    span = f"{first:%H:%M} to {to}" if to != f"{first:%H:%M}" else to
    said = [f"{session.counts[name]:,} {word}" for name, word in WORDS.items()]
    said = [text for text, name in zip(said, WORDS) if session.counts[name]]
    if n := session.counts["classes"]:
        said.append(format_count(n, "class change"))
    if n := session.counts["taken_back"]:
        said.append(f"{format_count(n, 'value')} taken back")
    return ", ".join([session.who, span, *said])


def draw_session(bench: Bench, session: Session, who: str) -> None:
    """Draw one session, closed until somebody opens it."""
    key = f"session {session.who} {session.first.isoformat()}"
    opened = st.expander(escape_markdown(describe_session(session)), key=key, on_change="rerun")
    if not opened.open:
        return
    with opened:
        decisions = read_decisions(bench, session)
        if len(decisions):
            ids = list(dict.fromkeys(decisions["sample"]))
            offer_fiftyone(bench, ids, f"the session of {session.who}", f"fiftyone {key}")
            most = PICTURES * st.session_state.get(f"pages {key}", 1)
            st.html(
                sheet_html(decisions, bench.state(columns=["split"], samples=ids).split, who, most)
            )
            if len(decisions) > most:
                left = f"Show more: {len(decisions) - most:,} are left"
                st.button(left, key=f"more {key}", on_click=show_page, args=(f"pages {key}",))
        draw_way_back(bench, session, who, key)


def show_page(key: str) -> None:
    """Show one more page of pictures."""
    st.session_state[key] = st.session_state.get(key, 1) + 1


def draw_way_back(bench: Bench, session: Session, who: str, key: str) -> None:
    """Offer to take back a session, or one batch of it."""
    batches = format_count(len(session.batches), "batch")
    names = [f"the whole session, {batches}", *session.batches] if len(session.batches) > 1 else []
    chosen = st.selectbox("Take back", names, key=f"what {key}") if names else session.batches[0]
    if chosen in session.batches:
        asked: dict = dict(batch=chosen)
    else:
        asked = dict(of=session.who, since=to_local(session.first), until=to_local(session.last))
    try:
        plan, _ = bench.revert(**asked, who=who, dry=True)
    except UserError as e:
        return st.caption(error_markdown(e))
    n = int(plan.popped.map(bool).sum())
    stay = f"; {len(plan) - n:,} that were edited since stay" if len(plan) > n else ""
    st.write(f"It restores {format_count(n, 'value')}{stay}.")
    if st.button(
        "Take back",
        key=f"back {key}",
        disabled=not (who and n),
        help=None if who else "say your name first, above",
    ):
        report_result(lambda: describe_return(bench.revert(**asked, who=who)[1]))


def describe_return(out: dict) -> str:
    """Say how many values were restored, and as which batch."""
    return f"{format_count(out['restored'], 'value', 'is', 'are')} back, as {out['batch']}"


def sheet_html(decisions: pd.DataFrame, splits: pd.Series, who: str, most: int) -> str:
    """Draw decisions as pictures; a click opens one, with its history.

    Of test and guard samples no label is shown.
    """
    shown = decisions.head(most)
    locked = splits.reindex(shown["sample"]).isin(LOCKED)
    cells = [
        f'<a href="/history?sample={quote(row.sample)}&who={quote(who)}" target="_self" '
        f'title="{escape_attribute(row.key)}"><figure>{picture_html(row.sample, row.key)}'
        f"<figcaption>{decision_html(row, is_locked)}</figcaption></figure></a>"
        for row, is_locked in zip(shown.itertuples(index=False), locked)
    ]
    return f'<div class="assay-sheet">{"".join(cells)}</div>'


def decision_html(row: tuple, is_locked: bool) -> str:
    """Write what was decided about one sample."""
    if is_locked:
        return "<small>of the test, locked</small>"
    before, after = (
        escape(str(x)[:60]) if isinstance(x, str) else "" for x in (row.before, row.after)
    )
    if row.dropped:
        return f"<s>{before or after}</s> dropped"
    if row.verdict == "set" and before != after:
        return f"<s>{before}</s> → <b>{after}</b>"
    word = dict(confirm="confirmed", unsure="not sure").get(row.verdict, "")
    return f"<b>{after or before}</b> {word}"


# ---- the time line


def timeline_html(sessions: Iterable[Session], commits: pd.DataFrame) -> str:
    """Draw sessions by time, a lane for each person.

    A line for each version. The list below says the same in words.
    """
    mine: dict[str, list[Session]] = {}
    for session in sessions:
        mine.setdefault(session.who, []).append(session)
    people = sorted(mine, key=lambda who: -sum(s.counts["reviewed"] for s in mine[who]))
    ends = [end for of in mine.values() for s in of for end in (s.first, s.last)]
    ends += list(commits.ts)
    start, end = min(ends), max(ends)
    margin = max((end - start) * 0.03, timedelta(minutes=1))
    start, end = start - margin, end + margin

    def at(ts: datetime) -> float:
        return 100 * ((ts - start) / (end - start))

    marks = "".join(
        f'<u style="--at:{place:.2f}%"><span>{escape(names)}</span></u>'
        for place, names in join_marks([(at(ts), n) for n, ts in zip(commits.name, commits.ts)])
    )
    rows = "".join(
        f"<dt>{escape(who[:60])}</dt><dd>{bars_of(mine[who], at)}</dd>" for who in people[:LANES]
    )
    more = f"<p>and {len(people) - LANES:,} more</p>" if len(people) > LANES else ""
    edges = "".join(f"<span>{to_local(ts):%d %b %H:%M}</span>" for ts in (start, end))
    return (
        '<div class="assay-timeline" aria-hidden="true"><div class="lanes">'
        f'<dl>{rows}</dl><div class="marks">{marks}</div></div>'
        f'<div class="edges">{edges}</div>{more}</div>'
    )


def join_marks(marks: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    """Join versions that lie too near each other for their names: (place in percent, names).

    The line stands at the first of them; the names end before half a telephone is full.
    """
    out: list[tuple[float, list[str]]] = []
    for place, name in sorted(marks):
        if out and place - out[-1][0] < NEAR:
            out[-1][1].append(str(name))
        else:
            out.append((place, [str(name)]))
    said = [(place, ", ".join(names)) for place, names in out]
    return [(place, words if len(words) <= 20 else f"{words[:19]}…") for place, words in said]


def bars_of(sessions: Iterable[Session], at: Callable[[datetime], float]) -> str:
    """Draw the sessions of one person as bars."""
    return "".join(
        f'<i style="--at:{at(s.first):.2f}%;--width:{at(s.last) - at(s.first):.2f}%" '
        f'title="{escape_attribute(describe_session(s))}"></i>'
        for s in sessions
    )
