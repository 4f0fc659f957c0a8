"""What every page says before all else: that this is no bench it can read, or that the images have moved."""

import streamlit as st

from assay.app.ui.widgets import plain, words
from assay.curation.errors import UserError
from assay.curation.media import locations

BLIND = ("experiments",)  # pages without pictures of samples


def told(name, bench):
    """Say it. False where the page cannot be drawn at all."""
    try:
        bench.verify()
    except UserError as e:
        st.error(words(e))
        return False
    if name not in BLIND:
        moved(name, bench)
    return True


def moved(name, bench):
    """That images are not where they were, and on Overview where to point at the new place."""
    from assay.app.ui.tasks import follow

    busy = name == "overview" and follow(
        bench, "relocate"
    )  # first: what ends from here on draws the page anew
    lost, looked, first = locations.gone(bench)
    if not lost:
        return
    st.warning(
        f"Images have moved: {lost:,} of {looked:,} looked at are not where they were imported from (first: {plain(first)}). Labels and scores are safe, "
        "and pictures of up to 128 pixels are shown from the bench's own copies; larger ones cannot be shown."
    )
    if name != "overview":
        link("overview", "Say where they are now")
    elif not busy:
        relocate(bench)


def relocate(bench):
    """The field for the new place; images are known by their bytes, whatever they are called there."""
    from assay.app.ui.tasks import begin

    left, right = st.columns([6, 1], vertical_alignment="bottom")
    path = left.text_input(
        "Where they are now", placeholder="the folder where the images are now, on this server"
    ).strip()
    if right.button("Find them", disabled=not path):
        begin(bench, "relocate", path)
    st.caption(f"The same by a command: `assay relocate FOLDER -b {bench.given}`.")


def link(name, label):
    """A way to another page, where there are pages."""
    if page := st.session_state.get("pages", {}).get(name):
        st.page_link(page, label=label)
