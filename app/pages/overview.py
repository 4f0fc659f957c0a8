"""Overview: the bench's contents, and the next step."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.server.class_view import open_classes
from assay.app.server.review_session import open_session
from assay.app.ui import fiftyone_button, import_form, tasks
from assay.app.ui.accuracy_chart import whiskers_html
from assay.app.ui.class_strips import strips_html
from assay.app.ui.progress_chart import progress_html
from assay.app.ui.todo_list import todo_html
from assay.app.ui.widgets import cards_html, draw_explanation, draw_link, escape_markdown
from assay.curation.features.scan_settings import is_scanned
from assay.curation.predictions import runs
from assay.curation.review import progress, progress_curve
from assay.curation.review.partitioned_status import read_reviewed
from assay.curation.statistics import wording
from assay.curation.text import format_count
from assay.curation.versioning.class_list import list_classes
from assay.pipelines.explaining.flag_numbers import (
    explain_coming,
    explain_flag_count,
    explain_flags,
    explain_outlook,
)
from assay.pipelines.explaining.review_numbers import (
    explain_errors_left,
    explain_reviewed,
    explain_share_wrong,
)

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench
    from assay.pipelines.explaining.explanation import Explanation


def draw(bench: Bench) -> None:
    """Draw the bench in numbers; an empty one has an import form."""
    st.markdown(f"# {escape_markdown(bench.path.name)}")
    # first: a task that ends after this line draws the page anew
    busy = tasks.follow_tasks(bench, "import", "scan")
    status = bench.status()
    if not status["samples"]:
        return None if busy else import_form.draw_import_form(bench)
    if not busy:
        draw_next_step(bench, status["advice"])
    total = len(list_classes(bench))
    st.html(cards_html(status_cards(status, total)))
    draw_explanation(explain_cards(bench, status))
    if status["arrays"]:
        st.caption(f"Arrays lie in {escape_markdown(status['arrays'])}, too.")
    if status["weak_model"]:
        st.warning(status["weak_model"])
    st.markdown("### To do")
    if status["issues"]:
        pages = st.session_state.get("pages", {})
        st.html(todo_html(status["issues"], status["worst"], pages))
        if status["flags_words"]:
            st.caption(f"Of the flagged labels {status['flags_words']}.")
    elif status["issues"] is None:
        st.html("<p>Not known yet: a scan looks for issues.</p>")
    else:
        st.html("<p>No issue is open.</p>")
    draw_progress(bench)
    st.markdown("### Classes, without the test split")
    classes = dict(sorted(status["classes"].items(), key=lambda c: -c[1]))
    st.html(strips_html(classes, open_classes(open_session(bench.path)).exemplars(), total))
    draw_link("classes", "Order, describe, rename, merge or split classes →")
    if status["classes_reviewed"]:
        with st.expander("What labels reviewed at random say of each class"):
            st.dataframe(class_rows(status["classes_reviewed"]), hide_index=True, width="stretch")
            st.caption(
                "By given label. A rate takes 30 labels reviewed at random; before that you see "
                "counts. Flagged is what a model that has not seen it doubts now."
            )
    if status["network"] and (old := status["network"]["changed"] + status["network"]["new"]):
        st.caption(
            f"The network's second opinion is {format_count(old, 'edit')} old: a scan asks it anew."
        )
    fiftyone_button.draw_fiftyone_button(bench)


def draw_progress(bench: Bench) -> None:
    """Draw errors left and accuracy against reviews; then every version's accuracy."""
    state, population = read_reviewed(bench)
    judged = runs.tabulate_versions(bench)
    left = progress_curve.trace_errors_left(bench, state, population=population)
    accuracy = progress_curve.trace_accuracy(bench, judged)
    charts = [("Errors left", left, "{:,.0f}".format)]
    said = ["95 % intervals", "those of errors left hold at all looks together"][: 1 + bool(left)]
    if accuracy:
        title = f"Validation accuracy of {accuracy[-1].name}"
        charts.append((title, accuracy, lambda x: f"{100 * x:.1f} %"))
        said.append(f"accuracy is on {format_count(judged.n[0], 'val label')}")
    if left or accuracy:
        st.markdown("### What the review did")
        st.html(progress_html(charts))
        st.caption(f"{'; '.join(said)}.")
    if len(judged):
        with st.expander("Validation accuracy by version and architecture"):
            st.html(whiskers_html(judged))
            st.caption(
                f"On the {format_count(judged.n[0], 'val label')} as they stand now, to which no "
                "model was fitted; 95 % intervals over seeds and samples. Whether versions differ "
                "an experiment tests, on the test set: these lines do not."
            )


def status_cards(status: dict, total: int) -> list[tuple[str, str]]:
    """Make the numbers of a bench: (value, what it is).

    Samples are counted as Browse counts them, the dropped ones too, and classes as Classes does.
    """
    review, issues = status["review"], status["issues"] or {}
    splits = ", ".join(f"{n:,} {split}" for split, n in status["splits"].items())
    every = status["samples"] + status["dropped"]
    dropped = f"; {status['dropped']:,} dropped" if status["dropped"] else ""
    n, reviewed = issues.get("label", 0), review["reviewed"]
    doubted = (f"{n:,}", "labels that the model doubts and nobody has reviewed")
    if n == 1:
        doubted = ("1", "label that the model doubts and nobody has reviewed")
    if status["issues"] is None:
        doubted = ("not yet known", "labels that a model doubts: a scan finds them")
    verb = "was" if review["wrong"] == 1 else "were"
    wrong = f", of which {review['wrong']:,} {verb} wrong" if reviewed else ""
    return [
        (f"{every:,}", f"{'sample' if every == 1 else 'samples'}: {splits}{dropped}"),
        (f"{total:,}", "class" if total == 1 else "classes"),
        doubted,
        (f"{reviewed:,}", f"reviewed{wrong}"),
        (progress.describe_errors_left(review) or "not yet known", errors_left_caption(review)),
        (f"{status['runs']:,}", "run" if status["runs"] == 1 else "runs"),
    ]


def explain_cards(bench: Bench, status: dict) -> list[Explanation]:
    """Explain the numbers of the cards that are more than counts, by the status at hand."""
    review = status["review"]
    out = [explain_errors_left(review), explain_share_wrong(review), explain_reviewed(review)]
    if status["issues"] is not None and is_scanned(bench):
        # the counts behind it take a second, which a page does not wait for
        counted = f"The counts put in: assay explain flagged -b {bench.given}."
        out.append(explain_flag_count(status["issues"].get("label", 0), counted))
    if status["flags"]:
        out.append(explain_flags(progress.FlagPrecision(**status["flags"])))
    if status["next_labels"]:
        out += [explain_coming(status["next_labels"]), explain_outlook(status["outlook"])]
    return out


def class_rows(rows: list[dict]) -> list[dict]:
    """Write what random reviews say of each class."""
    rates_of = {
        "wrong": ("hits", "sure_at_random"),
        "flags right": ("flagged_hits", "flagged"),
        "clean ones flagged": ("clean_flagged", "clean"),
    }
    return [
        {"class": row["class"]}
        | {name: wording.format_rate(row[hits], row[n]) for name, (hits, n) in rates_of.items()}
        for row in rows
    ]


def draw_next_step(bench: Bench, step: dict) -> None:
    """Draw the next step, with its reason and the way to it."""
    st.html(f'<div class="assay-next"><b>{escape(step["do"])}</b><br>{escape(step["why"])}</div>')
    if step["command"].startswith("assay scan"):
        # assay scan, as it was asked for the last time
        words = step["command"].removesuffix(f" -b {bench.given}").split()
        if "FILE" not in words and st.button("Scan", type="primary"):
            tasks.begin_task(bench, *words[1:])
    elif step["page"] != "overview":
        draw_link(step["page"], f"{step['do']} →")
    st.caption(f"The same by a command: `{step['command']}`.")


def errors_left_caption(review: dict) -> str:
    """Say what the number of errors left is, or what it takes."""
    if review["errors_left"] is None:
        return "errors left: it takes 30 labels reviewed at random"
    return "errors left, with the range that holds at every look (95 %)"
