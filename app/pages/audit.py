"""Blind audit: labels of the test set judged without seeing label or prediction; what the judge is worth is measured by repeats."""

import streamlit as st

from assay.app.server import audit_sheet, explanations
from assay.app.ui.widgets import component, explained, reviewer, words
from assay.curation.errors import UserError
from assay.curation.review import audit
from assay.curation.review.audit import noise_words
from assay.curation.statistics import wording

sheet = component("blind")


def draw(bench):
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# Blind audit")
    with right:
        who = reviewer(bench)
    if not (bench.state()["split"] == "test").any():
        return st.info("There is no test split here: import one, and its labels can be audited.")
    noise = audit.noise(bench, "test")
    st.caption(
        f"So far: {noise_words(noise, 'test')}. Neither the given label nor a prediction is shown, so that neither can lead you."
    )
    explained(explanations.audited(noise))
    if not who:
        return st.info("Say who judges: the name goes into the log with every answer.")
    waiting = audit_sheet.open_ones(bench)
    if not waiting:
        return begin(bench, who)
    name, rule = list(waiting.items())[-1]
    rows, said = sorted(audit_sheet.rows(bench, name)), audit_sheet.answers(bench, name)
    told_so_far = [(row, a["label"] or None) for row, a in said.items()]
    sheet(
        data=dict(audit=name, rows=rows, said=told_so_far, classes=audit.classes(bench)),
        key="sheet",
        on_done_change=lambda: None,
    )
    if len(said) == len(rows):
        st.success(f"All {len(rows):,} rows are answered.")
        if st.button("Read the answers", type="primary"):
            told(bench, name, who)


def begin(bench, who):
    order = audit.population(bench, "test")
    left = len(order) - len(set(order) & set(audit.audited(bench).index))
    if not left:
        return st.info(
            "No labelled test sample is left that nobody audited."
            if len(order)
            else "There is no labelled test split."
        )
    n = st.number_input(
        f"How many of the {left:,} test labels that nobody audited", 1, left, min(left, 200)
    )
    if st.button("Begin", type="primary"):
        try:
            audit_sheet.begin(bench, who, int(n))
        except UserError as e:
            return st.error(words(e))
        st.rerun()


def told(bench, name, who):
    try:
        out = audit_sheet.finish(bench, name, who)
    except UserError as e:
        return st.error(words(e))
    st.success(
        f"{out['audited']:,} labels audited, {out['wrong']:,} wrong, {out['unsure']:,} unsure; version {out['version']}."
    )
    if out["repeats"]:
        st.write(
            f"Shown twice, you said the same in {wording.rate(out['repeats_agree'], out['repeats'])}."
        )
