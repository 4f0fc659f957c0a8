"""The pages and how one gets from one to another; every page is about the one bench that the server was started on."""

import os

import streamlit as st

from assay.app.server import review_session
from assay.app.ui import banners
from assay.app.ui.widgets import ICON, STYLE, drawn

st.set_page_config(page_title="Assay", page_icon=ICON, layout="wide")
st.html(STYLE)
bench = review_session.desk_of(os.environ["ASSAY_BENCH"]).bench


def page(name, title, icon, **more):
    def draw():
        if banners.told(name, bench):
            drawn(name, bench)

    draw.__name__ = name
    return st.Page(draw, title=title, icon=f":material/{icon}:", url_path=name, **more)


PAGES = [
    page("overview", "Overview", "dashboard", default=True),
    page("review", "Review", "rate_review"),
    page("map", "Map", "scatter_plot"),
    page("gaps", "Gaps", "join_inner"),
    page("experiments", "Experiments", "science"),
    page("audit", "Audit", "visibility_off"),
    page("history", "History", "history"),
]
if who := st.query_params.get("who"):
    st.session_state["who"] = who  # a link to another page takes no query along
st.session_state["pages"] = {p.url_path or "overview": p for p in PAGES}
st.navigation(PAGES, position="top").run()
