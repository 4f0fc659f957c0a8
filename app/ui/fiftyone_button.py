"""The bench, or some samples of it, in FiftyOne: one click, a link, a way to end it, and what was changed there brought home."""

import csv
import json

import streamlit as st

from assay.app.ui.tasks import begin, follow
from assay.app.ui.widgets import plain
from assay.curation.system import permissions, processes
from assay.pipelines.reports.html import count

LIMIT = (
    "FiftyOne's App knows no password: it listens on 127.0.0.1 of this server alone, where whoever has an account can open it; from another machine "
    "it takes a tunnel, `ssh -L {port}:127.0.0.1:{port} SERVER`."
)
HOME = "Labels, tags, splits and deletions made in FiftyOne become one batch of edits in your name."


def offer(bench, samples=None):
    """A button that opens FiftyOne on `samples` (None: all that are kept), or where it is open already, the link and a stop; and one that brings
    home what was changed there."""
    if not follow(bench, "fiftyone"):
        word = "Open in FiftyOne" if samples is None else f"Open {len(samples):,} in FiftyOne"
        if st.button(word, key=f"fiftyone {samples is None}", help=LIMIT.format(port=5151)):
            begin(
                bench,
                "fiftyone",
                *([] if samples is None else ["--samples", listed(bench, samples)]),
            )
    if (bench.path / "fiftyone" / "pushed.npz").exists():
        bring_home(
            bench, st.session_state.get("who") or st.query_params.get("who", ""), samples is None
        )


def listed(bench, samples):
    """A file that names them, as `assay fiftyone --samples` reads it."""
    file = bench.path / "jobs" / "selection.csv"
    permissions.folder(file.parent)
    with open(file, "w", newline="", opener=permissions.opener) as out:
        csv.writer(out).writerows([["sample"], *([s] for s in samples)])
    return file


def bring_home(bench, who, whole):
    """What was changed in FiftyOne as edits; where both sides changed a sample, or much was deleted, a person has the second word."""
    asked = None
    if st.button(
        "Bring changes home",
        key=f"pull {whole}",
        disabled=not who,
        help=HOME if who else f"{HOME} Say your name on Review first.",
    ):
        asked = []
    told = st.session_state.get("pulled")
    if told and told.get("error"):
        st.error(plain(told["error"]))
        if "--yes" in told["error"] and st.button("They are meant to go", key=f"yes {whole}"):
            asked = ["--yes"]
    elif told:
        st.success(
            f"{count(told['edits'], 'edit')} came from FiftyOne"
            if told["edits"]
            else "Nothing in FiftyOne that the bench does not have"
        )
        if told["left"]:
            st.markdown(
                f"{len(told['left']):,} were not applied: changed on both sides since, or more than FiftyOne may change here."
            )
            st.dataframe(
                [
                    {
                        k: str(row[k])
                        for k in ("verdict", "sample", "field", "value", "stands", "why")
                    }
                    for row in told["left"]
                ]
            )
            for side, word in (("fiftyone", "FiftyOne is right"), ("bench", "The bench is right")):
                if st.button(word, key=f"{side} {whole}"):
                    asked = ["--take", side]
    if asked is not None:
        with st.spinner("Asking FiftyOne"):
            st.session_state.pulled = pull(bench, who, asked)
        st.rerun()


def pull(bench, who, more=()):
    """What `assay fiftyone --pull` says, or dict(error=...); in a process of its own, since FiftyOne takes the signals of the one it is in."""
    try:
        return json.loads(
            processes.work(
                "assay", "fiftyone", "--pull", "--who", who, "--json", *more, "-b", bench.path
            )
        )
    except (processes.Failed, processes.Lost) as e:
        return dict(error=str(e)[-2000:])
