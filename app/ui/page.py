"""Draw one page, or what comes before it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.tasks import begin_task
from assay.app.ui.widgets import draw_link, error_markdown, escape_markdown
from assay.curation.errors import NotScanned, UserError
from assay.pipelines.jobs import tasks

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

WITHOUT_SAMPLES = ("overview", "classes", "lessons")  # pages that are of use before an import


def draw_page(name: str, bench: Bench) -> None:
    """Draw a page, or what a person can mend.

    Such as a bench that waits for an import or a scan.
    """
    if name not in WITHOUT_SAMPLES and not bench.rows("select 1 from samples limit 1"):
        return draw_lack(name)
    try:
        import_module(f"assay.app.pages.{name}").draw(bench)
    except NotScanned as e:
        offer_scan_anew(bench, e.problem)
    except UserError as e:
        st.warning(error_markdown(e))


def offer_scan_anew(bench: Bench, why: str) -> None:
    """Say why a scan is wanted, with its button.

    The page is drawn anew when one has ended.
    """
    if is_scanning(bench):
        st.info("A scan is at work: the bar above the page shows how far it is.")
        return st.fragment(run_every=1)(draw_anew)(bench)
    st.warning(escape_markdown(f"{why}."))
    if st.button("Scan", type="primary", key="scan anew"):
        begin_task(bench, "scan")
    st.caption(f"The same by a command: `assay scan -b {bench.given}`.")


def is_scanning(bench: Bench) -> bool:
    """Tell whether a scan is at work."""
    jobs = tasks.list_tasks(bench)
    return any(job["verb"] == "scan" and job["state"] == "running" for job in jobs)


def draw_anew(bench: Bench) -> None:
    """Draw the page anew once no scan is at work."""
    if not is_scanning(bench):
        st.rerun()


def draw_lack(name: str) -> None:
    """Say that the bench has no samples; link to the import."""
    st.markdown(f"# {name.capitalize()}")
    st.info("This bench has no samples yet.")
    draw_link("overview", "Import samples")
