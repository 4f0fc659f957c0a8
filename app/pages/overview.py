"""Overview: what is in the bench, what is flagged, and the one thing to do next."""

from html import escape

import streamlit as st

from assay.app.ui import fiftyone_button, import_form, tasks
from assay.app.ui.accuracy_chart import whiskers
from assay.app.ui.banners import link
from assay.app.ui.widgets import bars, cards, plain
from assay.curation.predictions import runs
from assay.curation.review import rates
from assay.curation.statistics import wording


def draw(bench):
    st.markdown(f"# {plain(bench.path.name)}")
    busy = tasks.follow(
        bench, "import", "scan"
    )  # first: what ends from here on draws the page anew
    status = bench.status()
    if not status["samples"]:
        return None if busy else import_form.offer(bench)
    if not busy:
        advise(bench, status["advice"])
    review = status["review"]
    st.html(
        cards(
            [
                (
                    f"{status['samples']:,}",
                    "samples: " + ", ".join(f"{n:,} {s}" for s, n in status["splits"].items()),
                ),
                (f"{len(status['classes']):,}", "classes"),
                (
                    f"{(status['issues'] or {}).get('label', 0):,}",
                    "labels that the model doubts and nobody has reviewed",
                ),
                (f"{review['reviewed']:,}", f"reviewed, of which {review['wrong']:,} were wrong"),
                (rates.left_words(review) or "not yet known", errors_words(review)),
                (f"{status['runs']:,}", "trainings"),
            ]
        )
    )
    one, two = st.columns(2, gap="large")
    with one:
        st.markdown("### Classes, without the test split")
        st.html(bars(dict(sorted(status["classes"].items(), key=lambda c: -c[1]))))
    with two:
        st.markdown("### Issues")
        st.html(
            bars(status["issues"])
            if status["issues"]
            else "<p>None known: a scan looks for them.</p>"
        )
    if status["classes_reviewed"]:
        with st.expander("What random looks say of each class"):
            st.dataframe(class_table(status["classes_reviewed"]), hide_index=True, width="stretch")
            st.caption(
                "By given label. A rate takes 30 looks; before that you see counts. Flagged is what the model doubts now, out of sample."
            )
    if status["network"] and (old := status["network"]["changed"] + status["network"]["new"]):
        st.caption(f"The network's second opinion is {old:,} edits old: a scan asks it anew.")
    fiftyone_button.offer(bench)
    judged = runs.by_version(bench)
    if len(judged):
        st.markdown("### Validation accuracy by version")
        st.html(whiskers(judged))
        st.caption(
            f"On the {judged.n[0]:,} val labels as they stand now, to which no model was fitted; 95 % intervals over seeds and samples. "
            f"Whether versions differ an experiment tests, on the test set: these lines do not. Each training: `assay runs -b {bench.given}`."
        )


def class_table(rows):
    """Rows of queue.by_class in words."""
    said = {
        "class": "class",
        "wrong": ("hits", "looks"),
        "flags right": ("flagged_hits", "flagged"),
        "clean ones flagged": ("clean_flagged", "clean"),
    }
    return [
        {k: r[v] if isinstance(v, str) else wording.rate(r[v[0]], r[v[1]]) for k, v in said.items()}
        for r in rows
    ]


def advise(bench, step):
    """The next step, with its reason and the way to it."""
    st.html(f'<div class="assay-next"><b>{escape(step["do"])}</b><br>{escape(step["why"])}</div>')
    if step["command"].startswith("assay scan"):
        words = (
            step["command"].removesuffix(f" -b {bench.given}").split()
        )  # assay scan, as it was asked for the last time
        if "FILE" not in words and st.button("Scan", type="primary"):
            tasks.begin(bench, *words[1:])
    elif step["page"] != "overview":
        link(step["page"], f"{step['do']} →")
    st.caption(f"The same by a command: `{step['command']}`.")


def errors_words(review):
    return (
        "errors left: it takes 30 random looks"
        if review["errors_left"] is None
        else "errors left, with the range that holds at every look (95 %)"
    )
