"""History: who did what when, what it changed, and the way back."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

import streamlit as st

from assay.app.ui.session_list import draw_sessions
from assay.app.ui.widgets import (
    ask_reviewer,
    error_markdown,
    escape_markdown,
    make_component,
    picture_html,
    report_result,
)
from assay.curation.errors import UserError
from assay.curation.splits import LOCKED
from assay.curation.text import format_count
from assay.curation.times import localize, show_time

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

SHOWN = "kind name who ts samples relabelled confirmed unsure dropped tagged moved why".split()
LIFE = ["ts", "who", "field", "value", "verdict", "why", "seconds", "batch"]
HEADS = dict(ts="time")
REVERTED, PICTURES = 200, 48  # rows and pictures that are shown at most
# opens what the sheets show in the viewer
sheets = make_component("sheets")
TABS = ["Sessions", "Batches", "Difference", "One sample"]


def draw(bench: Bench) -> None:
    """Draw what was done, in tabs; the bar above commits it."""
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# History")
    with right:
        who = ask_reviewer(bench)
    sheets(data={}, key="sheets")
    tabs = st.tabs(TABS, default=TABS[3] if "sample" in st.query_params else None)
    with tabs[0]:
        draw_sessions(bench, who)
    with tabs[1]:
        draw_log(bench, who)
    with tabs[2]:
        draw_difference(bench, who)
    with tabs[3]:
        draw_sample(bench)


def draw_log(bench: Bench, who: str) -> None:
    """Draw the log; a batch selected in it can be reverted."""
    rows = bench.batches().iloc[::-1].reset_index(drop=True)
    chosen = st.dataframe(
        localize(rows[SHOWN], show_time).rename(columns=HEADS),
        hide_index=True,
        height=min(480, 38 + 35 * len(rows)),
        placeholder="",
        on_select="rerun",
        selection_mode="single-row",
        key="log",
    ).selection.rows
    if not chosen:
        return st.caption("Select a line to revert its batch.")
    row = rows.iloc[chosen[0]]
    if row["kind"] != "batch":
        return st.caption(f"{row['name']} is a version: the difference shows what it holds.")
    try:
        plan, _ = bench.revert(row["name"], who=who, dry=True)
    except UserError as e:
        return st.caption(error_markdown(e))
    back = plan[plan.popped.map(bool).astype(bool)]
    st.write(
        f"Reverting **{row['name']}** restores {format_count(len(back), 'value')}; "
        f"{len(plan) - len(back):,} that were edited since stay."
    )
    if len(back) > REVERTED:
        st.caption(f"The first {REVERTED} of them:")
    named = back.assign(sample=read_column(bench, "key", back["sample"]).to_numpy())
    shown = named[["sample", "slot", "now", "value"]].head(REVERTED)
    st.dataframe(shown.rename(columns=dict(slot="field", value="restored")), hide_index=True)
    if st.button(f"Revert {row['name']}", disabled=not (who and len(back))):
        report_result(
            lambda: (
                f"{format_count(bench.revert(row['name'], who=who)[1]['restored'], 'value', 'is', 'are')} back"
            )
        )


def read_column(bench: Bench, name: str, samples: pd.Series) -> pd.Series:
    """Read a column of the state for some samples, in their order."""
    return bench.state(columns=[name], samples=samples)[name].reindex(samples)


def draw_difference(bench: Bench, who: str) -> None:
    """Draw what differs between two versions."""
    names = ["HEAD", *bench.commits().name[::-1]]
    one, two = st.columns(2)
    a, b = one.selectbox("From", names, index=len(names) - 1), two.selectbox("To", names)
    found = bench.diff(a, b)
    st.caption(
        ", ".join(
            f"{len(found[k]):,} {k}" for k in ("relabelled", "added", "removed", "moved", "tagged")
        )
    )
    for old, new, n in found["renamed"].itertuples(index=False):
        st.caption(escape_markdown(f"renamed: {old} -> {new} ({n:,})"))
    if len(found["relabelled"]):
        matrix = found["matrix"]
        matrix = matrix[matrix["from"] != matrix["to"]].pivot_table(
            index="from", columns="to", values="n", aggfunc="sum"
        )
        cells = st.dataframe(
            matrix.fillna(0).astype(int),
            on_select="rerun",
            selection_mode="single-cell",
            key=f"matrix {a} {b}",
        ).selection.cells
        st.caption(
            "Select a number, and only its pictures are shown; select a picture, and it opens, with its "
            "history a button away. Row: the label before. Column: after."
        )
        rows = found["relabelled"]
        for at, after in cells:
            rows = rows[(rows["from"] == matrix.index[at]) & (rows["to"] == after)]
        draw_pictures(bench, rows, who)


def draw_pictures(bench: Bench, rows: pd.DataFrame, who: str) -> None:
    """Draw what was relabelled, with the label before and after.

    A click on a picture opens it; there its history is. Of test and guard samples no label is shown.
    """
    locked = read_column(bench, "split", rows["sample"]).isin(LOCKED).to_numpy()
    if locked.any():
        n = format_count(int(locked.sum()), "sample", "of test or guard is", "of test or guard are")
        st.caption(f"{n} counted and not shown: their labels stay locked.")
        rows = rows[~locked]
    changed = rows[["sample", "source_id", "from", "to"]].head(PICTURES)
    cells = [
        f'<a href="/history?sample={quote(sample)}&who={quote(who)}" target="_self" '
        f'title="open it"><figure>{picture_html(sample, name)}<figcaption>'
        f"<s>{escape(str(before))}</s> → <b>{escape(str(after))}</b></figcaption></figure></a>"
        for sample, name, before, after in changed.itertuples(index=False)
    ]
    more = f"<p>and {len(rows) - PICTURES:,} more</p>" if len(rows) > PICTURES else ""
    st.html(f'<div class="assay-sheet">{"".join(cells)}</div>{more}')


def draw_sample(bench: Bench) -> None:
    """Draw the history of one sample."""
    sample = st.text_input(
        "Sample",
        st.query_params.get("sample", ""),
        placeholder="its id, or its name in its source",
        label_visibility="collapsed",
    ).strip()
    if not sample:
        return st.caption("Name a sample to see its history: each label, by whom, when and why.")
    try:
        id, key, life = bench.blame(sample)
    except UserError as e:
        return st.warning(error_markdown(e))
    left, right = st.columns([1, 4])
    whole = f"/assay/image/{quote(id)}?side=1024"
    picture = f'<a href="{whole}" target="_self"><figure>{picture_html(id, key, 256)}</figure></a>'
    left.html(f'<div class="assay-sheet">{picture}</div>')
    right.dataframe(localize(life[LIFE], show_time).rename(columns=HEADS), hide_index=True)
