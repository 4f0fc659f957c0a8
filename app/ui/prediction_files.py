"""Ask for two models' files of predictions, and compare them on test."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from assay.app.ui.widgets import error_markdown, escape_markdown
from assay.curation.errors import UserError
from assay.curation.text import safe_name

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

KINDS = ["csv", "tsv", "json", "jsonl", "parquet", "feather", "npz"]


@st.dialog("Compare files of predictions", width="large")
def ask_files(bench: Bench) -> None:
    """Draw the form: files of either model, and the answer below it."""
    st.caption(
        "A row a test sample: its id, key or file name, and a label or probabilities. Several files of a model are its"
        " seeds. The test split judges, and this look at it is counted."
    )
    first = st.file_uploader("First model", type=KINDS, accept_multiple_files=True)
    second = st.file_uploader("Second model", type=KINDS, accept_multiple_files=True)
    if not st.button("Compare", type="primary", disabled=not (first and second)):
        st.caption(f"The same by a command: `assay compare FILE FILE -b {bench.given}`.")
        return
    try:
        with st.spinner("compares"):
            out = compare_uploads(bench, first, second)
    except UserError as e:
        st.error(error_markdown(e))
    else:
        draw_answer(out)


def compare_uploads(bench: Bench, first: Sequence[Any], second: Sequence[Any]) -> dict:
    """Compare files as they were uploaded, on the bench's test split."""
    from assay.pipelines.comparison.compare import CompareOptions, compare_files

    with tempfile.TemporaryDirectory() as folder:
        models = []
        for side, uploads in (("first", first), ("second", second)):
            place = Path(folder, side)
            place.mkdir()
            paths = [place / f"{i}" / safe_name(file.name) for i, file in enumerate(uploads)]
            for path, file in zip(paths, uploads):
                path.parent.mkdir()
                path.write_bytes(file.getvalue())
            models.append(paths)
        return compare_files(models, None, bench, CompareOptions())


def draw_answer(out: dict) -> None:
    """Draw the verdict, the models, and what it rests on."""
    from assay.pipelines.comparison.compare import MODEL_COLUMNS, make_model_frame
    from assay.pipelines.comparison.wording import write_lines

    head, mark, rest = out["verdict"].partition(";")
    st.html(f"<p><b>{escape(head)}</b>{escape(mark + rest)}</p>")
    st.dataframe(make_model_frame(out), column_order=MODEL_COLUMNS, hide_index=True)
    st.html(lines_html(write_lines(out)))
    st.caption(escape_markdown(". ".join(out["notes"])))


def lines_html(lines: Sequence[str]) -> str:
    """Write lines that begin with a word and blanks as two columns; a word that comes again is left out."""
    rows, last = [], ""
    for line in lines:
        word, text = ("", *re.split(r" {2,}", line.strip(), maxsplit=1))[-2:]
        rows.append(f"<dt>{escape('' if word == last else word)}</dt><dd>{escape(text)}</dd>")
        last = word
    return f'<dl class="assay-lines">{"".join(rows)}</dl>'
