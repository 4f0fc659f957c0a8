"""Report section: test samples that became right, or became wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.reports.phrases import cut
from assay.pipelines.reports.sample_pictures import load_pictures
from assay.pipelines.reports.templates import PARTS

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

TITLE, ORDER = "Test samples that flipped", 70
WAYS = {
    "gained": ("Wrong before, right after", Markup("{} <em>→&nbsp;{}</em>")),
    "lost": ("Right before, wrong after", Markup('<em class="lost">{}</em> →&nbsp;{}')),
}


def collect(bench: Bench, data: dict) -> dict:
    """Load pictures of the test samples that flipped, most changed first."""
    if not (data.get("where") or {}).get("flips"):
        return {}
    from assay.pipelines.evaluation.pairwise import make_flip_frames

    frames = make_flip_frames(bench, data["where"])
    return {way: load_pictures(frame, bench) for way, frame in zip(WAYS, frames)}


def section(data: dict) -> Markup:
    """Show samples gained and lost as pictures, with what most runs predict."""
    where = data.get("where") or {}
    flips = where.get("flips")
    if not flips:
        return Markup()
    gained = format_count(flips["n_gained"], "test sample")
    net = f"{gained} wrong before and right after, {flips['n_lost']:,} the other way."
    versions = f"{cut(where['version'])} against {cut(where['against'])}"
    body = PARTS.about(f"{net} {versions}: what most runs predict, before → after.")
    for way, (title, label) in WAYS.items():
        shown, n = data["pictures"].get(way, [])[: data["most"]], flips[f"n_{way}"]
        listed = f"{len(shown)} of {format_count(n, 'test sample')}, most changed first."
        about = listed if n else "No test sample."
        body += PARTS.part(title, about, PARTS.figures(shown, label))
    return body
