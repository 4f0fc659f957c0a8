"""Say that bench or images are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.tasks import begin_task, follow_tasks
from assay.app.ui.widgets import draw_link, error_markdown, escape_markdown
from assay.curation.errors import UserError
from assay.curation.media import relocation
from assay.curation.media.base import media_of

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

WITHOUT_PICTURES = ("experiments", "lessons")  # pages that show no sample


def draw_banners(name: str, bench: Bench) -> bool:
    """Draw what is wrong; False where no page can be drawn."""
    try:
        bench.verify()
    except UserError as e:
        st.error(error_markdown(e))
        return False
    # texts are kept whole: nobody misses their files
    if name not in WITHOUT_PICTURES and media_of(bench).column is None:
        warn_of_moved_images(name, bench)
    return True


def warn_of_moved_images(name: str, bench: Bench) -> None:
    """Warn that images have moved; on Overview ask for the new folder."""
    # first: a task that ends after this line draws the page anew
    busy = name == "overview" and follow_tasks(bench, "relocate")
    lost, looked, first = relocation.count_moved_images(bench)
    if not lost:
        return
    st.warning(
        f"Images have moved: {lost:,} of {looked:,} looked at are not where they were imported "
        f"from (first: {escape_markdown(first)}). Labels and scores are safe, and pictures of up "
        "to 128 pixels are shown from the bench's own copies; larger ones cannot be shown."
    )
    if name != "overview":
        draw_link("overview", "Say where they are now")
    elif not busy:
        ask_new_folder(bench)


def ask_new_folder(bench: Bench) -> None:
    """Ask for the new folder.

    Images are known by their bytes, whatever their names there.
    """
    left, right = st.columns([6, 1], vertical_alignment="bottom")
    path = left.text_input(
        "Where they are now", placeholder="the folder where the images are now, on this server"
    ).strip()
    if right.button("Find them", disabled=not path):
        begin_task(bench, "relocate", path)
    st.caption(f"The same by a command: `assay relocate FOLDER -b {bench.given}`.")
