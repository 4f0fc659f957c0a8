"""Gaps: what the data do not show, as pictures; more like it from the pool; what to label next; and a guard that it stays mended."""

from html import escape

import streamlit as st

from assay.app.server import explanations
from assay.app.ui import grid, tasks
from assay.app.ui.widgets import cards, explained, picture, reviewer, told, words
from assay.curation.features import scan_settings
from assay.curation.predictions import model_errors
from assay.curation.selection import active_learning, similarity
from assay.curation.slicing import gaps, regression_sets

EACH = 12  # pictures of what is wrong
MANY = 48  # pictures of what the pool has


def draw(bench):
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# Gaps")
    if not scan_settings.scanned(bench):
        return st.info(
            f"Nothing is scanned yet. Run `assay scan -b {bench.given}`, then reload this page."
        )
    with right:
        who = reviewer(bench)
    busy = tasks.follow(bench, "gaps")  # first: what ends from here on draws the page anew
    found, late = gaps.recent(bench)
    if late and not busy:
        anew(bench, late)
    one, two = st.tabs(["Gaps", "Label these next"], on_change="rerun")
    with one:
        if not len(found):
            st.info(
                "No class, cluster, metadata value or pair of these stands out at 5 % false discoveries."
            )
        elif one.open:
            shown(bench, found, who)
    with two:
        if two.open:  # to choose from a large pool takes seconds
            next_ones(bench, who)


def anew(bench, late):
    left, right = st.columns([6, 1], vertical_alignment="center")
    left.caption(f"What you see was found {late:,} edit{'s' * (late != 1)} ago.")
    if right.button("Find them anew", width="stretch"):
        tasks.begin(bench, "gaps")


def shown(bench, found, who):
    names = list(found.gap)
    rows = {r.gap: r for r in found.itertuples()}
    name = st.selectbox(
        "Gap",
        names,
        format_func=lambda g: f"{g}: explains {max(0, rows[g].explains):.0f} validation errors",
        label_visibility="collapsed",
    )
    row = rows[name]
    facts = [
        (rate(row), "wrong on validation"),
        (f"{row.train:,}", "in train"),
        (f"{row.val:,}", "in val"),
    ]
    facts += (
        [(f"{row.pool:,}", "in the pool")] if "class" not in row.facets else []
    )  # which class a pool image is nobody knows
    st.html(cards(facts))
    st.html(
        f'<p class="assay-evidence">{escape(row.why)}.<br><b>What to do:</b> {escape(row.action)}</p>'
    )
    explained(explanations.gap(found.set_index("gap").loc[name].to_dict()))
    mine = gaps.members(bench, name)
    wrong = model_errors.found(bench)
    wrong = wrong[wrong.wrong & wrong.index.isin(mine)]
    of, wrong = len(wrong), wrong.head(EACH)
    if of:
        keys = bench.state().key
        cells = [
            f"<figure>{picture(s, keys[s])}<figcaption><s>{escape(str(r.said))}</s> is {escape(str(r.label))}</figcaption></figure>"
            for s, r in wrong.iterrows()
        ]
        st.markdown("### Wrong on validation")
        st.html(
            f'<div class="assay-sheet">{"".join(cells)}</div>'
            + (f"<p>and {of - EACH:,} more</p>" if of > EACH else "")
        )
    st.markdown("### More like this, in the pool")
    like = similarity.similar(bench, gaps.seeds(bench, name)) if mine else None
    if like is not None and len(like) > MANY:
        st.caption(
            f"The {MANY} that are most alike, of {len(like):,}; the others come when these are decided."
        )
    more(bench, None if like is None else like.head(MANY), who, f"like {name}")
    guard(bench, name, who)


def rate(row):
    return f"{row.rate:.0%} [{row.low:.0%}, {row.high:.0%}]" if row.val else "no val label"


def more(bench, found, who, key):
    """Pool samples as a grid: what is left in it is labelled and goes to train as one batch."""
    if found is None or not len(found):
        return st.caption("The pool has nothing to show for it.")
    if not who:
        return st.info("Say who decides, and these can be labelled.")
    classes = sorted({c for c in bench.state().label if c})
    label = st.selectbox(
        "Their class",
        classes,
        index=None,
        placeholder="a class for all that are left",
        label_visibility="collapsed",
        key=f"class {key}",
    )
    hint = found.suggested_label if "suggested_label" in found else found.label
    items = [
        dict(
            sample=r.sample,
            label=r.label if "label" in found else None,
            suggested_label=h,
            name=str(r.source_id),
            note=f"{h}: {r.score:.0%}" if "suggested_label" in found else f"likeness {r.score:.2f}",
            why=getattr(
                r,
                "reason",
                "1: as like as its own images are to each other on average; 0: as like as any image",
            ),
        )
        for r, h in zip(found.itertuples(), hint)
    ]
    actions = (
        [
            dict(
                name=f"label {label} and train on them",
                decision=dict(label=label, split="train"),
                main=True,
            )
        ]
        if label
        else []
    )
    if "suggested_label" in found:
        actions.append(
            dict(
                name="the suggestions are right: train on them",
                decision=dict(suggested=True, split="train"),
                main=not label,
            )
        )
    actions.append(dict(name="drop", decision=dict(keep=False)))
    grid.draw(bench, items, actions, who, f"grid {key}")


def next_ones(bench, who):
    """The pool samples whose labels would teach the model most."""
    from assay.curation.errors import UserError

    n = st.slider("How many", 12, 200, 48, 12)
    try:
        more(bench, active_learning.suggest(bench, n), who, "next")
    except UserError as e:
        st.caption(words(e))


def guard(bench, gap, who):
    """Freeze what is labelled of a gap in val and pool as a regression set: a unit test for the data."""
    with st.popover("Guard this"):
        st.caption(
            "Its labelled val and pool samples, with what nearly equals them, leave train, val and pool; a gate then judges by them."
        )
        name = st.text_input("Name of the set")
        if st.button("Freeze", disabled=not (name and who)):

            def freeze():
                sets, _ = regression_sets.of_gap(bench, name, gap)
                out = regression_sets.freeze(bench, sets, who)
                regression_sets.keep(bench, sets)
                return f"{out['sets'][0]['n']:,} samples are frozen: assay scan, commit, and assay gate --no-regression"

            told(freeze)
