"""Blind audit: judge test labels without seeing label or prediction.

What the judge is worth is measured by repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.server import audit_sheet
from assay.app.ui.labeller_view import draw_labellers
from assay.app.ui.widgets import (
    ask_reviewer,
    draw_explanation,
    error_markdown,
    make_component,
)
from assay.curation.errors import UserError
from assay.curation.review import audit
from assay.curation.review.label_noise import describe_noise, estimate_noise
from assay.curation.statistics import wording
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.pipelines.explaining.review_numbers import explain_noise

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

sheet = make_component("blind")


def draw(bench: Bench) -> None:
    """Draw the open sheet, or the form that begins one, and what people's decisions measure."""
    draw_audit(bench)
    draw_labellers(bench)


def draw_audit(bench: Bench) -> None:
    """Draw the open sheet, or the form that begins one."""
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# Blind audit")
    with right:
        who = ask_reviewer(bench)
    if not (bench.state()["split"] == "test").any():
        st.info("There is no test split here. Its labels can be audited once there is one.")
        return st.caption(f"By a command: `assay split -b {bench.given}`.")
    waiting = audit_sheet.list_open_sheets(bench) if who else {}
    if waiting:
        draw_sheet(bench, list(waiting)[-1], who)
    noise = estimate_noise(bench, "test")
    st.caption(
        f"So far: {describe_noise(noise, 'test')}. Neither the given label nor a prediction is "
        "shown, so that neither can lead you."
    )
    draw_explanation([explain_noise(noise)])
    if not who:
        st.info("Say who judges: the name goes into the log with every answer.")
    elif not waiting:
        draw_start(bench, who)


def draw_sheet(bench: Bench, name: str, who: str) -> None:
    """Draw an open sheet, and read its answers when all are there."""
    rows, answers = (
        sorted(audit_sheet.row_images(bench, name)),
        audit_sheet.load_answers(bench, name),
    )
    said = [(row, answer["label"] or None) for row, answer in answers.items()]
    sheet(
        data=dict(
            audit=name,
            rows=rows,
            said=said,
            classes=audit_sheet.list_answers(bench, name),
            several=task_of(bench).name == "multilabel",
        ),
        key="sheet",
        on_done_change=lambda: None,
    )
    if len(answers) == len(rows):
        st.success(f"Nothing is open: {format_count(len(rows), 'row', 'is', 'are')} answered.")
        if st.button("Read the answers", type="primary"):
            read_answers(bench, name, who)


def draw_start(bench: Bench, who: str) -> None:
    """Draw the form that begins a sheet."""
    order = audit.list_population(bench, "test")
    left = len(order) - len(set(order) & set(audit.find_audited(bench).index))
    if not left:
        return st.info(
            "No labelled test sample is left that nobody audited."
            if len(order)
            else "There is no labelled test split."
        )
    n = st.number_input(
        f"How many to audit of the {format_count(left, 'test label')} that nobody has audited",
        1,
        left,
        min(left, 200),
    )
    if st.button("Begin", type="primary"):
        try:
            audit_sheet.begin_sheet(bench, who, int(n))
        except UserError as e:
            return st.error(error_markdown(e))
        st.rerun()


def read_answers(bench: Bench, name: str, who: str) -> None:
    """Read the answers of a sheet back, and say what they found."""
    try:
        out = audit_sheet.finish_sheet(bench, name, who)
    except UserError as e:
        return st.error(error_markdown(e))
    st.success(
        f"{format_count(out['audited'], 'label')} audited, {out['wrong']:,} wrong, {out['unsure']:,} unsure; "
        f"version {out['version']}."
    )
    if out["repeats"]:
        rate = wording.format_rate(out["repeats_agree"], out["repeats"])
        st.write(f"Shown twice, you said the same in {rate}.")
