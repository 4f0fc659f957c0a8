"""Show how often each labeller errs, what it takes for what, and which of two errs less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.widgets import error_markdown, escape_markdown
from assay.curation.errors import UserError
from assay.curation.review.labeller_rates import (
    HOW,
    compare_labellers,
    describe_error,
    measure_labellers,
)
from assay.curation.review.labeller_votes import read_votes
from assay.curation.statistics.wording import format_share
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.review.labeller_rates import LabellerTables
    from assay.curation.review.labeller_votes import Votes
    from assay.curation.storage.interface import Bench


def draw_labellers(bench: Bench) -> None:
    """Draw the labellers, where somebody asks for them: reading all votes may take seconds."""
    st.markdown("### Labellers")
    st.caption(
        "People, rules, models and the labels as given, measured by what other people decided about samples drawn "
        "at random."
    )
    if not st.toggle("Show how often each errs"):
        return
    try:
        votes = read_votes(bench)
        tables = measure_labellers(bench, votes)
    except UserError as e:
        return st.error(error_markdown(e))
    if not len(tables.labellers):
        return st.info("Nobody has labelled anything yet.")
    rows = [describe_labeller(row) for row in tables.labellers.to_dict("records")]
    st.dataframe(rows, hide_index=True, width="stretch")
    draw_confusion(tables)
    if len(tables.labellers) > 1:
        most = tables.labellers.sort_values("measured", ascending=False, kind="stable")
        draw_comparison(bench, votes, list(most.labeller))
    st.caption(escape_markdown(f"For more truth {HOW}. The same by a command: assay labellers."))


def describe_labeller(row: dict) -> dict:
    """Describe a labeller in words: its votes, its error with interval, and by what it is measured."""
    looks = f"{row['by_audit']:,} of an audit, {row['by_random']:,} at random"
    if row["kind"] == "labeller" and row["earlier"]:
        looks += f"; {row['earlier']:,} decided before it voted"
    return {
        "labeller": row["labeller"],
        "votes": row["votes"],
        "of all samples": f"{row['coverage']:.0%}",
        "errs": describe_error(row),
        "measured by": looks,
    }


def draw_confusion(tables: LabellerTables) -> None:
    """Draw what one labeller takes for what."""
    wrong = tables.confusion[tables.confusion.truth != tables.confusion.said]
    names = [n for n in tables.labellers.labeller if (wrong.labeller == n).any()]
    if not names:
        return st.caption("None was seen to take one class for another.")
    name = st.selectbox("What it takes for what", names)
    rows = wrong[wrong.labeller == name].sort_values("n", ascending=False)
    st.dataframe(list_confusions(rows), hide_index=True, width="stretch")


def list_confusions(rows: pd.DataFrame) -> list[dict]:
    """List confusions with their share and its interval."""
    return [
        {
            "truth": c.truth,
            "taken for": c.said,
            "times": f"{c.n:,} of {c.of:,}",
            "share": format_share(c.share, c.low, c.high)
            if c.share == c.share
            else "too few for a rate",
        }
        for c in rows.itertuples()
    ]


def draw_comparison(bench: Bench, votes: Votes, names: list[str]) -> None:
    """Answer whether one labeller is a better annotator than another."""
    left, right = st.columns(2)
    a = left.selectbox("Is", names)
    b = right.selectbox("a better annotator than", [n for n in names if n != a])
    found = compare_labellers(bench, a, b, votes)
    st.markdown(f"**{escape_markdown(found['verdict'])}**")
    about = (
        f"Both labelled {format_count(found['both'], 'sample')}; a third person decided {found['n']:,} of these at "
        f"random: both right {found['both_right']:,}, {a} alone {found['a_alone']:,}, {b} alone "
        f"{found['b_alone']:,}, both wrong {found['both_wrong']:,}."
    )
    st.caption(escape_markdown(" ".join([about, *found["notes"]])))
