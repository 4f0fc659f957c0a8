"""How data come into a bench that has none: a folder on the server, an upload, or an example."""

import streamlit as st

from assay.app.ui.tasks import begin
from assay.app.ui.widgets import reviewer, words
from assay.curation.errors import UserError
from assay.curation.formats import tables, zip_upload

KINDS = [suffix.removeprefix(".") for suffix in (".zip", *tables.TABLES)]


def offer(bench):
    st.markdown(
        "What is to be looked at? Images stay where they are; labels, splits and every later decision go into this bench."
    )
    who = reviewer()
    if not who:
        st.info("Say who imports: the name goes into the log.")
    one, two, three = st.tabs(["A folder on this server", "Upload", "Make me an example"])
    with one:
        path = st.text_input(
            "Path",
            placeholder="/data/cats: class folders, train/ val/ test/ with those inside, a zip, a CSV or Parquet manifest",
        ).strip()
        more = options("path")
        if st.button("Import", disabled=not (who and path), type="primary"):
            begin(bench, "import", path, "--who", who, *more)
    with two:
        upload(bench, who)
    with three:
        st.markdown(
            "2,624 photographs of solar cells, in which experts looked for defects and a hurried annotator labelled badly: the data of "
            "`assay demo`. (CC-BY-NC-SA-4.0: to try Assay with, not to build on.)"
        )
        if st.button("Make the example", disabled=not who):
            begin(bench, "import", "example:solar-cells", "--who", who, "--audited-test")
    st.caption(f"The same by a command: `assay import SOURCE -b {bench.given}`.")


def upload(bench, who):
    """A file from the browser: looked through before anything of it is written."""
    most = st.get_option("server.maxUploadSize")
    st.caption(
        f"A zip of class folders (or of images and their manifest), or a manifest with the images in it, of at most {most} MB. "
        "What is larger goes to the server by other ways, and its path into the field beside."
    )
    file = st.file_uploader("File", type=KINDS, label_visibility="collapsed")
    more = options("upload")
    if st.button("Import the file", disabled=not (who and file), type="primary"):
        try:
            path = zip_upload.receive(bench, file, file.name, "--skip-bad" in more)
        except UserError as e:
            return st.error(words(e))
        begin(bench, "import", path, "--who", who, *more)


def options(key):
    """What a person may say about a source, as arguments of `assay import`."""
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
    return [
        *(["--label-column", column] if column else []),
        *["--skip-bad"] * skip,
        *["--audited-test"] * audited,
    ]
