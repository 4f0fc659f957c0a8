"""The form that fills an empty bench: folder, upload or example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.source_preview import draw_preview
from assay.app.ui.tasks import begin_task
from assay.app.ui.widgets import ask_reviewer
from assay.curation.formats import uploads

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

NO_PREVIEW = ("example:", "fiftyone:")  # sources that are no path


def draw_import_form(bench: Bench) -> None:
    """Ask where the data are, and import them."""
    st.markdown(
        "What is to be looked at? Your files stay where they are; labels, splits and every later "
        "decision go into this bench."
    )
    who = ask_reviewer()
    # a place that stays: tabs that move are drawn anew, and a file that was chosen just then is lost
    with st.container():
        if not who:
            st.info("Say who imports: the name goes into the log.")
    one, two, three = st.tabs(["A folder on this server", "Upload", "Make me an example"])
    with one:
        path = st.text_input(
            "Path",
            placeholder=(
                "/data/cats: class folders, train/ val/ test/ with those inside, a zip, "
                "a CSV or Parquet manifest; or s3://bucket/cats, https://host/cats.csv"
            ),
        ).strip()
        more = ask_options("path")
        if path.startswith(NO_PREVIEW):
            if st.button("Import", disabled=not who, type="primary"):
                begin_task(bench, "import", path, "--who", who, *more)
        elif path:
            draw_preview(bench, who, path, lambda: path, more)
        else:
            st.button("Look at it", disabled=True)
    with two:
        draw_upload(bench, who)
    with three:
        st.markdown(
            "2,624 photographs of solar cells, in which experts looked for defects and a hurried "
            "annotator labelled badly: the data of `assay demo`. (CC-BY-NC-SA-4.0: to try Assay with, not to build on.)"
        )
        if st.button("Make the example", disabled=not who):
            begin_task(bench, "import", "example:solar-cells", "--who", who, "--audited-test")
    st.caption(f"The same by a command: `assay import SOURCE -b {bench.given}`.")


def draw_upload(bench: Bench, who: str) -> None:
    """Take a file from the browser.

    It is looked through before anything of it is imported.
    """
    most = st.get_option("server.maxUploadSize")
    st.caption(
        "A zip of class folders (or of images and their manifest), or a manifest with the images "
        f"in it, of at most {most} MB. What is larger goes to the server by other ways, and its "
        "path into the field beside."
    )
    kinds = [suffix.removeprefix(".") for suffix in uploads.list_suffixes()]
    file = st.file_uploader("File", type=kinds, label_visibility="collapsed")
    more = ask_options("upload")
    if not file:
        st.button("Look at it", disabled=True, key="no file")
        return

    def receive() -> str:
        return str(uploads.receive_upload(bench, file, file.name, "--skip-bad" in more))

    draw_preview(bench, who, f"upload {file.file_id}", receive, more)


def ask_options(key: str) -> list[str]:
    """Ask about a source; returns arguments of `assay import`."""
    with st.expander("More about it"):
        column = st.text_input(
            "Column of the labels, if it is not called label", key=f"{key} column"
        ).strip()
        skip = st.checkbox(
            "leave out what cannot be used, instead of refusing all", key=f"{key} skip"
        )
        audited = st.checkbox(
            "the test labels have been verified, and I say so", key=f"{key} audited"
        )
        fetch = key == "upload" and st.checkbox(
            "this server may fetch images at the addresses that the file names, with its own credentials",
            key=f"{key} fetch",
        )
    return [
        *["--fetch"] * fetch,
        *(["--label-column", column] if column else []),
        *["--skip-bad"] * skip,
        *["--audited-test"] * audited,
    ]
