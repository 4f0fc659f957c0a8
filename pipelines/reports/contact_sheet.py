"""Contact sheets: what lies in a cluster or a gap, as pictures on one page; test and guard images are never on it."""

import io
from pathlib import Path

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.predictions import model_errors
from assay.curation.slicing import clusters, gaps
from assay.curation.splits import LOCKED
from assay.pipelines.reports.experiment_report import put
from assay.pipelines.reports.html import section, stylesheet, words
from assay.pipelines.reports.image_sections import figures, sheet

TYPICAL, EDGE, EACH = (
    8,
    4,
    12,
)  # pictures of a cluster: nearest to its centre, farthest from it; of either half of a gap
SIDE = 96  # of a picture on a PNG


def of_clusters(bench, rows, path, level):
    """Write the contact sheet of the clusters `rows` (clusters.table) as HTML or PNG; returns its path."""
    state = bench.state()
    at, named = clusters.assigned(bench, state, level), clusters.names(bench, state, level)
    parts = []
    for row in rows.itertuples():
        c = next((c for c, name in named.items() if name == row.cluster), -1)
        order = clusters.order(bench, state, at == c)
        order = order[~state.split.iloc[order].isin(LOCKED).to_numpy()]
        shown = order if len(order) <= TYPICAL + EDGE else np.r_[order[:TYPICAL], order[-EDGE:]]
        frame = pictured(
            state.iloc[shown],
            ["at the edge" if i >= TYPICAL else "typical" for i in range(len(shown))],
        )
        accuracy = (
            f"accuracy {row.accuracy:.0%} [{row.low:.0%}, {row.high:.0%}] of {row.n:,} val"
            if row.n
            else "no val sample"
        )
        parts.append(
            (
                row.cluster,
                f"{row.train:,} train, {row.val:,} val, {row.pool:,} pool; {accuracy}",
                [("", frame)],
            )
        )
    return written(f"Clusters of {bench.path.name}, {level}", parts, path, bench)


def of_gaps(bench, rows, path, version="HEAD", run=None):
    """Write the contact sheet of the gaps `rows` (gaps.find) as HTML or PNG; returns its path."""
    state, wrong, parts = bench.state(), model_errors.found(bench, version, run), []
    wrong = wrong[
        wrong.wrong & wrong.index.isin(state.index[state.keep & ~state.split.isin(LOCKED)])
    ]
    for row in rows.itertuples():
        mine = gaps.members(bench, row.gap)
        errors = wrong[wrong.index.isin(mine)].head(EACH)
        frame = pictured(
            state.loc[errors.index],
            [f"labelled {a}, predicted {b}" for a, b in zip(errors.label, errors.said)],
        )
        pool = pool_of(bench, state, mine)[:EACH]
        halves = [
            ("Wrong on val", frame),
            ("In the pool from there", pictured(state.loc[pool], ["pool"] * len(pool))),
        ]
        parts.append((row.gap, f"{row.why}. {row.action}", halves))
    return written(f"Gaps of {bench.path.name}", parts, path, bench)


def pool_of(bench, state, mine):
    """Pool samples that are neighbours of the samples `mine` in the graph, those of most of them first; then what else of `mine` is in the pool."""
    graph, at = neighbor_graph.nodes(bench, state)
    near = graph["neighbours"][at[state.index.get_indexer(mine)]] if mine else np.empty((0, 0), int)
    votes = np.bincount(near[near >= 0].ravel(), minlength=len(graph["hashes"]))
    rows = np.flatnonzero(
        (state.keep & (state.split == "pool")).to_numpy()
        & ((votes[at] > 0) | state.index.isin(mine))
    )
    return state.index[rows[np.argsort(-votes[at[rows]], kind="stable")]]


def pictured(part, texts):
    """A frame as sheets.sheet takes it."""
    label = part.label.where(part.label.notna(), "unlabelled")
    return part.assign(was=label, now="", text=texts)[["uri", "key", "was", "now", "text"]]


def written(title, parts, path, bench):
    """Parts (title, about, [(title of a row, frame)]) as one page or one picture at `path`."""
    kind = Path(path).suffix.lower()
    if kind not in (".html", ".png"):
        raise UserError(
            f"expected a contact sheet that ends in .html or .png, found {path}",
            "for example --sheet sheet.html",
        )
    return put(page(title, parts, bench) if kind == ".html" else picture(parts, bench), path)


def page(title, parts, bench):
    body = ""
    for name, about, rows in parts:
        inside = "".join(
            f"{f'<h3>{words(head)}</h3>' if head else ''}{figures(sheet(frame, bench), '{}')}"
            for head, frame in rows
            if len(frame)
        )
        body += section(words(name, 200), words(about, 600), inside)
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{words(title)} - Assay</title><style>
{stylesheet()}</style></head><body><main><h1>{words(title)}</h1>{body}</main></body></html>
""".encode("utf-8", "replace")


def picture(parts, bench):
    """The same as a PNG: a line of words above each row of pictures."""
    from PIL import Image, ImageDraw

    rows = [
        (f"{name}  {head}".strip(), sheet(frame, bench))
        for name, _, rows in parts
        for head, frame in rows
        if len(frame)
    ]
    width = max([len(s) for _, s in rows] or [1]) * (SIDE + 4)
    canvas = Image.new("RGB", (max(width, 480), max(1, len(rows)) * (SIDE + 24)), "white")
    draw = ImageDraw.Draw(canvas)
    for i, (name, shots) in enumerate(rows):
        draw.text((4, i * (SIDE + 24) + 4), name.encode("ascii", "replace").decode()[:150], "black")
        for j, shot in enumerate(s for s in shots if s["jpeg"]):
            image = Image.open(io.BytesIO(shot["jpeg"]))
            image.thumbnail((SIDE, SIDE))
            canvas.paste(image, (j * (SIDE + 4), i * (SIDE + 24) + 20))
    out = io.BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()
