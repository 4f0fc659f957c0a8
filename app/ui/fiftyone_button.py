"""Open the bench in FiftyOne, and import what was changed there."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.tasks import begin_task, follow_tasks
from assay.app.ui.widgets import escape_markdown
from assay.curation.system import permissions, processes
from assay.curation.text import format_count

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

LIMIT = (
    "FiftyOne's App knows no password: it listens on 127.0.0.1 of this server alone, where whoever "
    "has an account can open it; from another machine it takes a tunnel, "
    "`ssh -L {port}:127.0.0.1:{port} SERVER`."
)
IMPORTED = (
    "Labels, tags, splits and deletions made in FiftyOne become one batch of edits in your name."
)


def draw_fiftyone_button(bench: Bench, samples: Sequence[str] | None = None) -> None:
    """Draw a button that opens FiftyOne on samples.

    samples: None for all that are kept. Where it is open already, the link and a stop; and a
    button that imports what was changed there.
    """
    if not follow_tasks(bench, "fiftyone"):
        word = "Open in FiftyOne" if samples is None else f"Open {len(samples):,} in FiftyOne"
        if st.button(word, key=f"fiftyone {samples is None}", help=LIMIT.format(port=5151)):
            some = [] if samples is None else ["--samples", write_selection(bench, samples)]
            begin_task(bench, "fiftyone", *some)
    if (bench.path / "fiftyone" / "pushed.npz").exists():
        who = st.session_state.get("who") or st.query_params.get("who", "")
        draw_import_button(bench, who, samples is None)


def write_selection(bench: Bench, samples: Iterable[str]) -> Path:
    """Write a file that names samples, as `assay fiftyone --samples` reads it."""
    file = bench.path / "jobs" / "selection.csv"
    permissions.make_folder(file.parent)
    with open(file, "w", newline="", opener=permissions.opener) as out:
        csv.writer(out).writerows([["sample"], *([s] for s in samples)])
    return file


def draw_import_button(bench: Bench, who: str, whole: bool) -> None:
    """Draw a button that imports what was changed in FiftyOne as edits.

    Where both sides changed a sample, or much was deleted, a person has the second word.
    """
    asked = None
    if st.button(
        "Import changes",
        key=f"pull {whole}",
        disabled=not who,
        help=IMPORTED if who else f"{IMPORTED} Say your name on Review first.",
    ):
        asked = []
    result = st.session_state.get("pulled") or {}
    if result.get("error"):
        st.error(escape_markdown(result["error"]))
        if "--yes" in result["error"] and st.button("They are meant to go", key=f"yes {whole}"):
            asked = ["--yes"]
    elif result:
        edits, none = result["edits"], "Nothing in FiftyOne that the bench does not have"
        st.success(f"{format_count(edits, 'edit')} came from FiftyOne" if edits else none)
        if result["left"]:
            draw_left(result["left"])
            for side, word in (("fiftyone", "FiftyOne is right"), ("bench", "The bench is right")):
                if st.button(word, key=f"{side} {whole}"):
                    asked = ["--take", side]
    if asked is not None:
        with st.spinner("Asking FiftyOne"):
            st.session_state.pulled = import_changes(bench, who, asked)
        st.rerun()


def draw_left(left: list[dict]) -> None:
    """Draw the changes that were not applied."""
    st.markdown(
        f"{len(left):,} were not applied: changed on both sides since, or more than FiftyOne may "
        "change here."
    )
    shown = ("verdict", "sample", "field", "value", "stands", "why")
    st.dataframe([{k: str(row[k]) for k in shown} for row in left])


def import_changes(bench: Bench, who: str, more: Sequence[str] = ()) -> dict:
    """Run `assay fiftyone --pull`; returns what it says, or dict(error=...).

    In a process of its own, since FiftyOne takes the signals of the one it is in.
    """
    try:
        return json.loads(
            processes.run_module(
                "assay", "fiftyone", "--pull", "--who", who, "--json", *more, "-b", bench.path
            )
        )
    except (processes.ChildFailed, processes.ChildLost) as e:
        return dict(error=str(e)[-2000:])
