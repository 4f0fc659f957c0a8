"""The pages, and the ways between them.

Every page is about the one bench that the server was started on.
"""

from __future__ import annotations

import os

import streamlit as st

from assay.app.server.review_session import open_session
from assay.app.ui.banners import draw_banners
from assay.app.ui.frame import draw_frame
from assay.app.ui.page import draw_page
from assay.app.ui.style import ICON, STYLE

st.set_page_config(page_title="Assay", page_icon=ICON, layout="wide")
st.html(STYLE)
bench = open_session(os.environ["ASSAY_BENCH"]).bench


def make_page(name: str, title: str, icon: str, default: bool = False) -> st.Page:
    """Make a page of its module in pages/."""

    def draw() -> None:
        if draw_banners(name, bench):
            draw_page(name, bench)

    draw.__name__ = name
    return st.Page(draw, title=title, icon=f":material/{icon}:", url_path=name, default=default)


has_data = bool(bench.rows("select 1 from samples limit 1"))
PAGES = [
    *([make_page("browse", "Browse", "grid_view")] if has_data else []),
    make_page("overview", "Overview", "dashboard", default=True),
    make_page("review", "Review", "rate_review"),
    make_page("map", "Map", "scatter_plot"),
    make_page("models", "Models", "stacked_line_chart"),
    make_page("duplicates", "Duplicates", "filter_none"),
    make_page("gaps", "Gaps", "join_inner"),
    make_page("classes", "Classes", "label"),
    make_page("proposals", "Proposals", "merge"),
    make_page("experiments", "Experiments", "science"),
    make_page("audit", "Audit", "visibility_off"),
    make_page("history", "History", "history"),
    make_page("lessons", "Lessons", "school"),
]
if who := st.query_params.get("who"):
    st.session_state["who"] = who  # a link to another page takes no query along
pages = {p.url_path or "overview": p for p in PAGES}
st.session_state["pages"] = pages
page = st.navigation(PAGES, position="hidden")
draw_frame(bench, pages, page.url_path or "overview")
page.run()
