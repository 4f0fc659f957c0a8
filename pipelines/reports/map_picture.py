"""Draw the map as a PNG, a colour for each coarse cluster."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import image_map
from assay.curation.slicing import cluster_names, clusters

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

SIDE, POINTS = 960, 60_000  # of the picture, in pixels; images drawn on it
COLOURS = (
    "2a78d6 e4572e 1a8f5a f0a202 8d5fd3 17a2b8 d6336c 8a7b6b 5c7cfa "
    "94b447 c2562d 0b7285 b197fc e8890c 2b8a3e 868e96 a61e4d 5f8f00"
).split()


def make_map(bench: Bench, state: pd.DataFrame, regions: pd.DataFrame) -> dict | None:
    """Draw the map, and place a number for each cluster.

    None before it is projected. regions: the table of coarse clusters.
    Returns dict png, tall (height by width), method, n (images drawn), legend (a dict a cluster, x and y in 0..1).
    """
    try:
        xy, method = image_map.read_positions(bench, state)
    except UserError:
        return None
    at = clusters.assign_clusters(bench, state, "coarse")
    names = cluster_names.name_clusters(bench, state, "coarse")
    kept = state.keep.to_numpy()
    xy, at = xy[kept], at[kept]  # named by the whole, as elsewhere
    some = np.sort(np.random.default_rng(0).permutation(len(xy))[:POINTS])
    low, high = np.quantile(xy[some], (0.002, 0.998), axis=0)
    size = max(1e-9, *(high - low))
    place = (xy - low) / size * 0.96 + 0.02
    tall = float(np.clip(((high - low) / size)[1] * 0.96 + 0.04, 0.2, 1))
    rows, legend = regions.set_index("cluster"), []
    for number, c in enumerate([c for c in names if (at == c).any()], 1):
        x, y = map(float, np.median(place[at == c], axis=0))
        of = dict(number=number, x=x, y=y, colour=COLOURS[c % len(COLOURS)], name=names[c])
        legend.append(of | cluster_facts(rows.loc[names[c]]))
    png = paint_dots(place[some], at[some], tall)
    return dict(png=png, tall=tall, method=method, n=len(some), legend=legend)


def cluster_facts(row: pd.Series) -> dict:
    """Choose what stands beside a cluster's number."""
    sizes = dict(train=int(row.train), val=int(row.val), pool=int(row.pool), n=int(row.n))
    return sizes | {k: float(row[k]) for k in ("accuracy", "low", "high")}


def paint_dots(place: np.ndarray, at: np.ndarray, tall: float) -> bytes:
    """Paint dots as a PNG of few colours.

    place: (n, 2) in 0..1. at: (n,) numbers of clusters, which choose the colours.
    """
    from PIL import Image

    canvas = np.zeros((round(SIDE * tall), SIDE), "u1")
    wide = 1 if len(place) > 20_000 else 2 if len(place) > 3_000 else 4
    # in random order, or the last cluster would lie on all others
    order = np.random.default_rng(0).permutation(len(place))
    (x, y), at = np.rint(place[order].T * SIDE).astype(int), at[order]
    for dx in range(-wide, wide + 1):
        for dy in range(-wide, wide + 1):
            if dx * dx + dy * dy <= wide * wide + 1:
                u, v = x + dx, y + dy
                inside = (u >= 0) & (u < SIDE) & (v >= 0) & (v < len(canvas))
                canvas[v[inside], u[inside]] = at[inside] % len(COLOURS) + 1
    image, out = Image.fromarray(canvas, "P"), io.BytesIO()
    image.putpalette(bytes(3) + bytes.fromhex("".join(COLOURS)))
    image.save(out, "PNG", transparency=0, optimize=True)
    return out.getvalue()
