"""The bench, or some samples of it, in FiftyOne: one click, a link, and a way to end it."""

import csv

import streamlit as st

from app.background import begin, follow

LIMIT = (
    "FiftyOne's App knows no password: it listens on 127.0.0.1 of this server alone, where whoever has an account can open it; from another machine "
    "it takes a tunnel, `ssh -L {port}:127.0.0.1:{port} SERVER`. To bring changes home: `assay fiftyone --pull --who NAME -b {bench}`."
)


def offer(bench, samples=None):
    """A button that opens FiftyOne on `samples` (None: all that are kept), or where it is open already, the link and a stop."""
    if follow(bench, "fiftyone"):
        return
    word = "Open in FiftyOne" if samples is None else f"Open {len(samples):,} in FiftyOne"
    if st.button(word, key=f"fiftyone {samples is None}", help=LIMIT.format(port=5151, bench=bench.given)):
        begin(bench, "fiftyone", *([] if samples is None else ["--samples", listed(bench, samples)]))


def listed(bench, samples):
    """A file that names them, as `assay fiftyone --samples` reads it."""
    file = bench.path / "jobs" / "selection.csv"
    file.parent.mkdir(exist_ok=True)
    with open(file, "w", newline="") as out:
        csv.writer(out).writerows([["sample"], *([s] for s in samples)])
    return file
