"""How a source would be read, before it is imported."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.tasks import begin_task
from assay.app.ui.widgets import error_markdown, escape_markdown
from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats import uploads
from assay.curation.formats.preview import preview_source
from assay.curation.text import format_count
from assay.pipelines.cli.data import describe_reading, read_options
from assay.pipelines.cli.main import make_parser

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

SHOWN = 30  # classes that are listed


@dataclass
class Look:
    """What was seen when somebody looked at a source."""

    source: str  # what the person named, or handed in
    more: list[str]  # arguments of `assay import`
    path: str = ""
    chosen: list[str] = field(default_factory=list)  # those of the readings that were chosen
    found: dict = field(default_factory=dict)  # as preview_source returns it
    problem: str = ""
    readings: list[Reading] = field(default_factory=list)

    def take(self, fetch: Callable[[], str]) -> None:
        """Look at the source, and keep what it holds.

        What is wrong, or can be read in two ways, is kept in words.
        """
        self.found, self.problem, self.readings = {}, "", []
        try:
            self.path = self.path or fetch()
            arguments = make_parser().parse_args(["import", ".", *self.more, *self.chosen])
            self.found = preview_source(self.path, read_options(arguments))
        except AmbiguousSource as e:
            self.problem, self.readings = escape_markdown(e.problem), e.readings
        except UserError as e:
            self.problem = error_markdown(e)


def draw_preview(
    bench: Bench, who: str, source: str, fetch: Callable[[], str], more: list[str]
) -> None:
    """Show how a source would be read, and offer to import it.

    The import is offered once that is clear. source: what it is called, unlike any other of this
    page. fetch: returns its path.
    """
    look: Look | None = st.session_state.get("look")
    if look and (look.source, look.more) != (source, more):
        look = None  # another source, or other options, since
    if look is None:
        if st.button("Look at it", key=f"look {source}", type="primary"):
            st.session_state["look"] = look = Look(source, more)
            with st.spinner("looking"):
                look.take(fetch)
            if look.problem and not look.readings and look.path:
                uploads.discard_upload(bench, look.path)
            st.rerun()
        return
    if look.readings:
        draw_readings(look, fetch)
    elif look.problem:
        st.error(look.problem)
    else:
        draw_found(look.found)
        if not who:
            st.info("Say who imports, and the import can begin.")
        if st.button("Import", disabled=not who, type="primary"):
            begin_task(bench, "import", look.path, "--who", who, *more, *look.chosen)
    if look.chosen or look.problem:
        chosen = f"as chosen: `{' '.join(look.chosen)}`" if look.chosen else ""
        st.caption(chosen)
        if st.button("Look again"):
            del st.session_state["look"]
            st.rerun()


def draw_readings(look: Look, fetch: Callable[[], str]) -> None:
    """Show the ways in which a source can be read, as buttons."""
    st.warning(look.problem)
    for at, reading in enumerate(look.readings):
        left, right = st.columns([5, 1], vertical_alignment="center")
        left.markdown(f"{escape_markdown(reading.words)}  \n{escape_markdown(reading.option)}")
        if right.button("Read it so", key=f"reading {at}"):
            look.chosen += shlex.split(reading.option)
            look.take(fetch)
            st.rerun()


def draw_found(found: dict) -> None:
    """Show what a source holds and how it was read.

    `found`: as preview_source returns it.
    """
    splits = ", ".join(f"{n:,} {split}" for split, n in found["splits"].items())
    st.markdown(
        f"**{escape_markdown(found['source'])}**: {format_count(found['samples'], 'sample')} ({splits}), "
        f"{format_count(len(found['classes']), 'class')}, {found['unlabelled']:,} without a label. "
        "Nothing is imported yet."
    )
    st.markdown("\n".join(f"- {escape_markdown(line)}" for line in describe_reading(found)))
    if found["classes"]:
        rows = [{"class": name, "images": n} for name, n in list(found["classes"].items())[:SHOWN]]
        st.dataframe(rows, hide_index=True, width=400)
    if len(found["classes"]) > SHOWN:
        st.caption(f"and {format_count(len(found['classes']) - SHOWN, 'more class')}")
    if found["left_out"]:
        first, why = found["left_out"][0]
        st.warning(
            escape_markdown(
                f"{format_count(len(found['left_out']), 'row')} cannot be used, first {first}: it {why}"
            )
        )
