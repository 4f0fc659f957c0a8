"""Classes: rename, merge, add and describe them; split one by its pictures.

Each is one batch over all splits, and no review.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui import grid
from assay.app.ui.widgets import ask_reviewer, error_markdown, escape_markdown, report_result
from assay.curation.errors import UserError
from assay.curation.review.splitting import queue_class
from assay.curation.text import format_count
from assay.curation.versioning import undo
from assay.curation.versioning.similar_names import DIFFER, SimilarNames, find_similar_names

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

SHOWN = ["name", "n", "train", "val", "test", "pool", "guard", "colour", "parent", "guideline"]
ABOUT = ("colour", "guideline", "parent")
PICTURES, GROUPS = 96, 20  # of a class, and of similar names, that are shown at once


def draw(bench: Bench) -> None:
    """Draw the class list, and what can be done with the selected class."""
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# Classes")
    with right:
        who = ask_reviewer(bench)
    state = bench.state()
    draw_similar(bench, find_similar_names(state.label[state.keep]), who)
    rows = bench.classes()
    columns = [c for c in SHOWN if c == "name" or rows[c].astype(bool).any()]
    chosen = st.dataframe(
        rows[columns],
        hide_index=True,
        height=min(480, 38 + 35 * max(1, len(rows))),
        placeholder="",
        on_select="rerun",
        selection_mode="single-row",
        key="classes",
    ).selection.rows
    draw_add(bench, who)
    draw_undo(bench, who)
    if not chosen or chosen[0] >= len(rows):
        return st.caption("Select a class to rename, merge, describe or split it.")
    row = rows.iloc[chosen[0]]
    st.markdown(f"### {escape_markdown(name_shown(row['name']))}")
    one, two, three = st.tabs(["Rename or merge", "Describe", "Split"])
    with one:
        draw_rename(bench, row["name"], who)
    with two:
        draw_describe(bench, row, who)
    with three:
        draw_split(bench, row["name"], list(rows["name"]), who)


def name_shown(name: str, most: int = 60) -> str:
    """Write a class name so that it can be told from others: blanks and length are seen."""
    short = name if len(name) <= most else f"{name[: most - 1]}…"
    return short if short == short.strip() else repr(short)


def draw_similar(bench: Bench, groups: list[SimilarNames], who: str) -> None:
    """Draw classes that are probably one, each with a button that merges it."""
    if not groups:
        return
    st.caption(f"These classes {DIFFER} alone. One click merges two; it can be undone.")
    for at, group in enumerate(groups[:GROUPS]):
        for number, (other, n) in enumerate(group.others.items()):
            left, right = st.columns([5, 2], vertical_alignment="center")
            pair = f"{other!r} ({n:,} samples) looks like {group.name!r} ({group.n:,})"
            left.markdown(escape_markdown(pair))
            if right.button(
                escape_markdown(f"Merge into {name_shown(group.name, 30)}"),
                key=f"merge {at} {number}",
                disabled=not who,
                width="stretch",
            ):
                rename(bench, other, group.name, who)
    if len(groups) > GROUPS:
        st.caption(f"And {len(groups) - GROUPS:,} more: `assay issues --kind similar_class_names`.")


def draw_add(bench: Bench, who: str) -> None:
    """Draw the form that adds a class."""
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    name = left.text_input(
        "New class", placeholder="add a class", label_visibility="collapsed", max_chars=300
    )
    if right.button("Add", disabled=not (name.strip() and who), width="stretch"):

        def add() -> str:
            out = bench.add_class(name, who)
            near = [*out["alike"], *out["near"]]
            also = f"; there is {', '.join(map(repr, near))}: was that meant?" if near else ""
            return escape_markdown(f"{name_shown(name)} is added{also}")

        report_result(add)


def draw_undo(bench: Bench, who: str) -> None:
    """Draw the button that takes back the last change of the list."""
    rows = bench.batches()
    mine = rows[(rows.kind == "batch") & rows.name.str.startswith("schema-")]
    if not len(mine):
        return
    with bench.connect() as con:
        stacks = undo.read_stacks(con)
    standing = [name for name in stacks.done if stacks.kinds[name] == "schema"]
    if not standing:
        return
    last = mine[mine.name == standing[-1]].iloc[0]
    words = f"Undo: {name_shown(str(last.why), 80)}"
    if st.button(escape_markdown(words), disabled=not who, key=f"undo {last['name']}"):
        report_result(lambda: f"taken back: {bench.undo(last['name'], who)['batch']}")


def draw_rename(bench: Bench, name: str, who: str) -> None:
    """Draw the form that renames a class, and what it would change."""
    new = st.text_input("New name", name, key=f"rename {name}", max_chars=300)
    if new == name:
        return st.caption("Another class's name merges the two.")
    try:
        out = bench.rename_class(name, new, who or "nobody", dry=True)
    except UserError as e:
        return st.warning(error_markdown(e))
    counts = ", ".join(f"{n:,} {split}" for split, n in out["splits"].items()) or "no sample"
    words = f"{format_count(out['samples'], 'sample', 'changes', 'change')} their name ({counts}), and no label"
    if out["merged"]:
        had = ", ".join(f"{n:,} {split}" for split, n in out["had"].items()) or "no sample"
        words = (
            f"{format_count(out['samples'], 'sample')} ({counts}) are merged into {had} of {new!r}"
        )
    if out["alike"]:
        words += f". {', '.join(map(repr, out['alike']))} looks the same"
    st.caption(escape_markdown(f"{words}. Test too; no review; no run is trained again."))
    if st.button("Merge" if out["merged"] else "Rename", type="primary", disabled=not who):
        rename(bench, name, new, who)


def rename(bench: Bench, old: str, new: str, who: str) -> None:
    """Rename or merge a class, and report it."""

    def work() -> str:
        out = bench.rename_class(old, new, who)
        word = "is merged into" if out["merged"] else "is called"
        count = format_count(out["samples"], "sample")
        return escape_markdown(f"{name_shown(old)} {word} {name_shown(new)}: {count}")

    report_result(work)


def draw_describe(bench: Bench, row: pd.Series, who: str) -> None:
    """Draw the form of colour, guideline and parent."""
    name = row["name"]
    values = {field: row[field] or "" for field in ABOUT}
    given = {
        "colour": st.text_input("Colour", values["colour"], placeholder="#1f77b4", key=f"c {name}"),
        "guideline": st.text_input("What belongs in it", values["guideline"], key=f"g {name}"),
        "parent": st.text_input("The class above it", values["parent"], key=f"p {name}"),
    }
    changed = {field: value for field, value in given.items() if value != values[field]}
    if st.button("Store", disabled=not (changed and who)):

        def store() -> str:
            bench.edit_class(name, who, **changed)
            return escape_markdown(f"{name_shown(name)} is described")

        report_result(store)


def draw_split(bench: Bench, name: str, classes: list[str], who: str) -> None:
    """Draw the pictures of a class, to say which other classes they are."""
    into = st.multiselect(
        "Into",
        [other for other in classes if other != name],
        format_func=name_shown,
        placeholder="the classes that its samples may be",
        key=f"split {name}",
    )
    if not into or not who:
        return st.caption("Add the new classes above; what is not decided keeps its label.")
    rows = queue_class(bench, name)
    if len(rows) > PICTURES:
        st.caption(
            f"The first {PICTURES} of {len(rows):,}: the others come when these are decided."
        )
    items = [
        dict(
            sample=r.sample,
            label=r.given_label,
            suggested_label=None,
            name=str(r.source_id),
            note=str(r.given_label),
            why=r.reason,
        )
        for r in rows.head(PICTURES).itertuples()
    ]
    actions = [
        dict(name=f"they are {name_shown(other, 30)}", decision=dict(label=other), main=not at)
        for at, other in enumerate(into)
    ]
    grid.draw_grid(bench, items, actions, who, f"split grid {name}")
