"""Report section: the most doubted labels that nobody has reviewed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.reports.phrases import sentence
from assay.pipelines.reports.sample_pictures import load_pictures
from assay.pipelines.reports.set_marks import mark_set
from assay.pipelines.reports.templates import PARTS

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

TITLE, ORDER = "Most doubted labels still open", 90
OPEN = "flagged and split in ('train', 'val')"
LABEL = Markup("{}, or&nbsp;<em>{}?</em>")


def collect(bench: Bench, data: dict) -> dict:
    """Load pictures of doubted train and val labels, worst first."""
    try:
        doubted = bench.issues("label")
    except UserError as e:  # the experiment stands without a queue
        return dict(open=[], n_open=0, no_queue=e.problem)
    names = dict(path="uri", source_id="key", label="was", suggestion="now", why="text")
    doubted = doubted[doubted.split.isin(("train", "val"))].rename(columns=names)
    return dict(open=load_pictures(doubted, bench), n_open=len(doubted), no_queue=None)


def section(data: dict) -> Markup:
    """Show doubted labels as pictures, each with what the model suggests."""
    pictures = data["pictures"]
    shown, n = pictures["open"][: data["most"]], format_count(pictures["n_open"], "label")
    about = "None: the model doubts no label that is not reviewed."
    if pictures["n_open"]:
        doubted = (
            f"{len(shown)} of {n} that nobody has reviewed and the model would choose otherwise"
        )
        about = mark_set(doubted, OPEN, "doubted labels still open") + ", worst first."
    elif pictures["no_queue"]:
        about = sentence(pictures["no_queue"])
    return PARTS.about(about) + PARTS.figures(shown, LABEL)
