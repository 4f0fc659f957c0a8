"""Contact sheets: a cluster or a gap as pictures on one page.

Test and guard images are never on it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.predictions import model_errors
from assay.curation.slicing import cluster_names, clusters, gaps
from assay.curation.splits import LOCKED
from assay.curation.statistics.wording import format_share
from assay.pipelines.reports.phrases import cut
from assay.pipelines.reports.sample_pictures import load_pictures, picture_frame
from assay.pipelines.reports.templates import PARTS, render_page, write_page

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of

TYPICAL, EDGE = 8, 4  # pictures of a cluster: nearest to its centre, farthest from it
EACH = 12  # pictures of either half of a gap
SIDE = 96  # pixels of a picture on a PNG
LABEL = Markup("{}")


@dataclass(frozen=True)
class Part:
    """A cluster or a gap: its name, what is said of it, and rows of (title, pictures)."""

    name: str
    about: str
    rows: list[tuple[str, list[dict]]]


def write_cluster_sheet(bench: Bench, rows: pd.DataFrame, path: str | Path, level: str) -> Path:
    """Write the clusters' contact sheet as HTML or PNG."""
    parts = cluster_parts(bench, rows, level)
    return write_sheet(f"Clusters of {bench.path.name}, {level}", parts, path)


def cluster_parts(bench: Bench, rows: pd.DataFrame, level: str) -> list[Part]:
    """Load the pictures of clusters: the typical, then the edge."""
    state = bench.state()
    at = clusters.assign_clusters(bench, state, level)
    number = {name: c for c, name in cluster_names.name_clusters(bench, state, level).items()}
    parts = []
    for row in rows.itertuples():
        order = clusters.order_by_typicality(bench, state, at == number.get(row.cluster, -1))
        order = order[~state.split.iloc[order].isin(LOCKED).to_numpy()]
        shown = order if len(order) <= TYPICAL + EDGE else np.r_[order[:TYPICAL], order[-EDGE:]]
        text = ["at the edge" if i >= TYPICAL else "typical" for i in range(len(shown))]
        pictures = load_pictures(picture_frame(state.iloc[shown], text=text), bench)
        parts.append(Part(row.cluster, cluster_words(row), [("", pictures)]))
    return parts


def cluster_words(row: tuple) -> str:
    """Say how large a cluster is, and how accurate on validation."""
    sizes = f"{row.train:,} train, {row.val:,} val, {row.pool:,} pool"
    if not row.n:
        return f"{sizes}; no val sample"
    return f"{sizes}; accuracy {format_share(row.accuracy, row.low, row.high, 0)} of {row.n:,} val"


def write_gap_sheet(
    bench: Bench,
    rows: pd.DataFrame,
    path: str | Path,
    version: str = "HEAD",
    run: str | None = None,
) -> Path:
    """Write the gaps' contact sheet as HTML or PNG."""
    return write_sheet(f"Gaps of {bench.path.name}", gap_parts(bench, rows, version, run), path)


def gap_parts(
    bench: Bench, rows: pd.DataFrame, version: str = "HEAD", run: str | None = None
) -> list[Part]:
    """Load the pictures of gaps: errors on val, then the pool."""
    state, wrong, parts = bench.state(), model_errors.find_model_errors(bench, version, run), []
    unlocked = state.index[state.keep & ~state.split.isin(LOCKED)]
    wrong, show = wrong[wrong.index.isin(unlocked)], task_of(bench).show
    for row in rows.itertuples():
        mine = gaps.gap_members(bench, row.gap)
        errors = model_errors.errors_within(bench, wrong, mine, row.of_class).head(EACH)
        pairs = zip(errors.label.map(show), errors.said.map(show))
        text = [f"labelled {a}, predicted {b}" for a, b in pairs]
        halves = {
            "Wrong on val": picture_frame(state.loc[errors.index], text=text),
            "In the pool from there": picture_frame(
                state.loc[pool_neighbours(bench, state, mine)[:EACH]], text="pool"
            ),
        }
        pictures = [(head, load_pictures(frame, bench)) for head, frame in halves.items()]
        parts.append(Part(row.gap, f"{row.why}. {row.action}", pictures))
    return parts


def pool_neighbours(bench: Bench, state: pd.DataFrame, mine: Iterable) -> pd.Index:
    """List pool samples that are neighbours of the samples `mine`.

    Neighbours of most of them come first. Then what else of `mine` is in the pool.
    """
    graph, at = neighbor_graph.load_nodes(bench, state)
    near = graph.neighbours[at[state.index.get_indexer(mine)]] if mine else np.empty((0, 0), int)
    votes = np.bincount(near[near >= 0].ravel(), minlength=len(graph.hashes))
    pool = (state.keep & (state.split == "pool")).to_numpy()
    rows = np.flatnonzero(pool & ((votes[at] > 0) | state.index.isin(mine)))
    return state.index[rows[np.argsort(-votes[at[rows]], kind="stable")]]


def write_search_sheet(bench: Bench, rows: pd.DataFrame, title: str, path: str | Path) -> None:
    """Write the samples of a search as pictures on a page.

    rows: source_id, path, and text, which stands under each picture.
    """
    rows = rows.assign(key=rows.source_id, uri=rows.path, was="", now="")
    body = [
        PARTS.figures(load_pictures(rows[i : i + 24], bench), Markup())
        for i in range(0, len(rows), 24)
    ]
    write_page(draw_page(title, Markup().join(body)), path)


def write_sheet(title: str, parts: list[Part], path: str | Path) -> Path:
    """Write parts as a page or a picture, as the path ends."""
    kind = Path(path).suffix.lower()
    if kind not in (".html", ".png"):
        raise UserError(
            f"expected a contact sheet that ends in .html or .png, found {path}",
            "for example --sheet sheet.html",
        )
    if kind == ".png":
        return write_page(draw_png(parts), path)
    body = Markup().join(PARTS.section(cut(part.name, 200), draw_part(part)) for part in parts)
    return write_page(draw_page(title, body), path)


def draw_page(title: str, body: Markup) -> bytes:
    """Draw a whole page of pictures."""
    main = Markup("<main><h1>{}</h1>{}</main>").format(cut(title), body)
    return render_page(title, main).encode("utf-8", "replace")


def draw_part(part: Part) -> Markup:
    """Draw a cluster's or gap's words and pictures."""
    out = PARTS.about(cut(part.about, 600))
    for head, pictures in part.rows:
        if pictures:
            out += Markup("<h3>{}</h3>").format(head) if head else ""
            out += PARTS.figures(pictures, LABEL)
    return out


def draw_png(parts: list[Part]) -> bytes:
    """Draw parts as a PNG: a line of words above each row."""
    from PIL import Image, ImageDraw

    rows = [
        (f"{part.name}  {head}".strip(), pictures)
        for part in parts
        for head, pictures in part.rows
        if pictures
    ]
    width = max([len(pictures) for _, pictures in rows] or [1]) * (SIDE + 4)
    canvas = Image.new("RGB", (max(width, 480), max(1, len(rows)) * (SIDE + 24)), "white")
    draw = ImageDraw.Draw(canvas)
    for i, (name, pictures) in enumerate(rows):
        draw.text((4, i * (SIDE + 24) + 4), name.encode("ascii", "replace").decode()[:150], "black")
        for j, picture in enumerate(p for p in pictures if p["jpeg"]):
            image = Image.open(io.BytesIO(picture["jpeg"]))
            image.thumbnail((SIDE, SIDE))
            canvas.paste(image, (j * (SIDE + 4), i * (SIDE + 24) + 20))
    out = io.BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()
