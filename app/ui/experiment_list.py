"""The list of experiments: question, verdict, interval and date of each."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.widgets import COMPONENTS, escape_markdown
from assay.curation.statistics.wording import format_interval
from assay.curation.text import format_count
from assay.pipelines.reports.kept_reports import KeptReport
from assay.pipelines.reports.templates import FOLDER

if TYPE_CHECKING:
    from assay.pipelines.reports.charts import Axis

FIRST = 6  # experiments that are seen without asking
WIDTHS = [5, 3, 4, 2]  # of question, verdict, interval, date
LIST_STYLE = f"<style>{(COMPONENTS / 'experiments.css').read_text()}</style>"
report = st.components.v2.component(
    "assay_report",
    # the style sheet of every report of ours; the report's own is not taken over
    css=(FOLDER / "report.css").read_text() + (COMPONENTS / "report.css").read_text(),
    html=(COMPONENTS / "report.html").read_text(),
    js=(COMPONENTS / "report.js").read_text(),
)


def choose_report(reports: list[KeptReport]) -> str:
    """Draw the list; return the key of the report to show."""
    from assay.pipelines.reports.charts import make_axis

    asked = st.query_params.get("report")
    chosen = asked if asked in {about.key for about in reports} else reports[0].key
    ends = [end for about in reports for end in (about.low, about.high) if end is not None]
    axis = make_axis(ends)
    for about in reports[:FIRST]:
        draw_row(about, axis, about.key == chosen)
    if rest := reports[FIRST:]:
        older = format_count(len(rest), "older experiment")
        with st.expander(older, expanded=chosen in {about.key for about in rest}):
            for about in rest:
                draw_row(about, axis, about.key == chosen)
    return chosen


def draw_row(about: KeptReport, axis: Axis, is_shown: bool) -> None:
    """Draw one experiment; a click on its question shows its report."""
    shown = "its report is shown below" if is_shown else "show its report"
    row = st.container(key=f"experiment-row-{about.key}")
    question, verdict, interval, date = row.columns(WIDTHS, vertical_alignment="center")
    question.button(
        escape_markdown(about.question[:200]) or "no question",
        key=f"report {about.key}",
        type="tertiary",
        icon=":material/chevron_right:" if is_shown else ":material/article:",
        help=f"{escape_markdown(about.question[:600])}: {shown}",
        on_click=show_report,
        args=(about.key,),
    )
    verdict.html(verdict_html(about))
    interval.html(whisker_html(about, axis))
    date.caption(about.ts[:16].replace("T", " "))


def show_report(key: str) -> None:
    """Put the report that is shown into the address."""
    st.query_params["report"] = key


def verdict_html(about: KeptReport) -> str:
    """Draw the answer; green is for helps alone, red for hurts."""
    if not about.verdict:
        return f'<p class="assay-answer">{escape(about.line)}</p>'
    tone = next((t for t in ("helps", "hurts") if about.verdict.startswith(t)), "")
    return f'<p class="assay-answer {tone}">{escape(about.answer)}<small>{escape(about.verdict)}</small></p>'


def whisker_html(about: KeptReport, axis: Axis) -> str:
    """Draw the gain with its interval, on the list's one axis."""
    if about.estimate is None or about.low is None or about.high is None:
        return "<p></p>"  # Streamlit takes no empty HTML
    e = dict(estimate=about.estimate, low=about.low, high=about.high)
    size = f"{format_count(about.n, 'test sample')}, {format_count(about.seeds, 'seed')}"
    style = (
        f"--zero:{axis.at(0)};--left:{axis.at(about.low)};"
        f"--width:{axis.width(about.low, about.high)};--at:{axis.at(about.estimate)}"
    )
    return (
        f'<div class="assay-whisker" style="{style}" aria-hidden="true"><u></u><i></i><b></b></div>'
        f'<p class="assay-interval">{escape(format_interval(e))}<small>{size}</small></p>'
    )


def draw_report(key: str, who: str) -> None:
    """Draw a report as a part of the page."""
    st.html(
        f'<p class="assay-beside"><a href="/assay/report/{key}?download" download="report.html">'
        "Download this report</a>: one file, to print or to send.</p>"
    )
    browse = "browse" in st.session_state.get("pages", {})
    report(data=dict(key=key, browse=browse, who=who), key="report")
