"""Hand samples that somebody chose to Review or to FiftyOne."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.server.browse_view import open_view
from assay.app.server.review_session import open_session
from assay.app.ui import fiftyone_button
from assay.curation.text import format_count

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


def hand_over(bench: Bench, handed: dict, page: str) -> None:
    """Hand what is chosen on a page to FiftyOne or Review.

    handed: dict what (fiftyone, or Review's queue), and the samples: see BrowseView.chosen_positions. page: its title.
    """
    session = open_session(bench.path)
    view = open_view(session)
    ids = view.read_ids(view.chosen_positions(handed))
    if handed["what"] == "fiftyone":
        st.session_state["chosen"] = ids, page
        draw_fiftyone(bench)
    elif review := st.session_state.get("pages", {}).get("review"):
        who = st.session_state.get("who") or st.query_params.get("who", "")
        asked = dict(queue=session.queues.remember(ids, page)) | (dict(who=who) if who else {})
        st.switch_page(review, query_params=asked)


def offer_fiftyone(bench: Bench, ids: Sequence[str], page: str, key: str) -> None:
    """Draw a button that opens some samples of a page in FiftyOne."""
    n = format_count(len(ids), "sample")
    if ids and st.button("Open in FiftyOne", key=key, help=f"the {n} of {page}"):
        st.session_state["chosen"] = list(ids), page
        draw_fiftyone(bench)


@st.dialog("Open in FiftyOne")
def draw_fiftyone(bench: Bench) -> None:
    """Draw the button that opens the selection in FiftyOne."""
    ids, page = st.session_state["chosen"]
    st.caption(f"{format_count(len(ids), 'sample')} of {page}.")
    fiftyone_button.draw_fiftyone_button(bench, ids)
