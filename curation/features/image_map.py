"""The map of a bench: each image's place.

It is kept, the same for all who look. No label enters.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import NotScanned
from assay.curation.features import neighbor_graph
from assay.curation.features.neighbor_graph import Graph
from assay.curation.features.projection import place_beside_neighbours, principal_components
from assay.curation.storage.arrays import load_arrays, locate_hashes, save_arrays
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

# images from which UMAP draws it: below, its start takes longer than the whole scan, and principal components show as
# much
FEWEST = 1_000
MOST = 2_000_000  # and up to which: of more it would take hours
# share of images with a place from which the others are put beside their neighbours, and nobody moves
KNOWN = 0.8
COMPONENTS = "components.npz"  # the map by principal components, where the other one is by UMAP


@dataclass(frozen=True)
class ImageMap:
    """What arrays/map.npz holds."""

    key: str  # of the graph that it is drawn of
    hashes: np.ndarray  # (n,) S32, sorted
    xy: np.ndarray  # (n, 2) float32
    method: str  # umap, pca, or placed beside a few by umap

    @property
    def needs_umap(self) -> bool:
        """Whether UMAP has still to draw it anew."""
        return self.method != "umap" and FEWEST <= len(self.xy) <= MOST


def load_map(bench: Bench) -> ImageMap | None:
    """Read the map; None before a scan."""
    kept = load_arrays(bench.arrays / "map.npz")
    if kept is None:
        return None
    return ImageMap(str(kept["key"]), kept["hashes"], kept["xy"], str(kept["method"]))


def load_components(bench: Bench) -> ImageMap | None:
    """Read the map by principal components of the last scan.

    None until somebody has had it drawn (`draw_components`)."""
    first = load_map(bench)
    if first is not None and first.method == "pca":
        return first
    kept = load_arrays(bench.arrays / COMPONENTS)
    if kept is None or str(kept["key"]) != hash_key(neighbor_graph.load_key(bench) or ""):
        return None
    return ImageMap(str(kept["key"]), kept["hashes"], kept["xy"], "pca")


def map_key(graph: Graph) -> str:
    """Hash which graph a map is drawn of."""
    return hash_key(graph.key)


def hash_key(key: str) -> str:
    """Hash the key of a graph into the key of its map."""
    return sha256(key.encode() + b"map").hexdigest()


def read_positions(bench: Bench, state: pd.DataFrame) -> tuple[np.ndarray, str]:
    """Read the place of every row of `state`, and the method.

    (n, 2) float32, all splits. Equal images share a place. UserError before a scan of all."""
    kept = load_map(bench)
    if kept is None:
        raise NotScanned(
            "expected a map of the images, found none", f"run: assay scan -b {bench.given}"
        )
    at = locate_hashes(kept.hashes, state.content_hash)
    if (at < 0).any():
        raise NotScanned(
            "expected every image on the map, found some imported since",
            f"run: assay scan -b {bench.given}",
        )
    return kept.xy[at], kept.method


def locate_samples(drawn: ImageMap, state: pd.DataFrame) -> np.ndarray:
    """Find the place of every row of `state`: (n, 2) float32.

    NaN for images that came after the map was drawn."""
    at = locate_hashes(drawn.hashes, state.content_hash)
    return np.where(at[:, None] < 0, np.nan, drawn.xy[at]).astype("f4")


def draw_components(bench: Bench) -> None:
    """Draw the map by principal components, beside that by UMAP."""
    graph = Graph.load(bench.arrays / "graph.npz")
    assert graph is not None, "a bench without a scan has no map to draw"
    vectors = neighbor_graph.load_vectors(bench, graph)
    save_map(bench, graph, principal_components(vectors), "pca", COMPONENTS)


def sketch_map(bench: Bench) -> ImageMap:
    """Give every image of the last scan a place at once.

    It is kept. Its old one, or beside its neighbours that have one; where nobody has one, by principal
    components. UserError before a scan."""
    graph, old = Graph.load(bench.arrays / "graph.npz"), load_map(bench)
    if graph is None:
        raise NotScanned(
            "expected a scanned bench to draw a map of, found none",
            f"run: assay scan -b {bench.given}",
        )
    if old is not None and old.key == map_key(graph):
        return old
    places = inherit_positions(graph, old)
    known = np.isfinite(places[:, 0])
    if not known.any():
        vectors = neighbor_graph.load_vectors(bench, graph)
        return save_map(bench, graph, principal_components(vectors), "pca")
    xy = place_beside_neighbours(places, graph.neighbours, graph.distances)
    return save_map(bench, graph, xy, "umap" if known.mean() >= KNOWN else "placed")


def save_map(
    bench: Bench, graph: Graph, xy: np.ndarray, method: str, file: str = "map.npz"
) -> ImageMap:
    """Keep the nodes' places (n, 2) as the map."""
    made = ImageMap(map_key(graph), graph.hashes, xy.astype("f4"), method)
    save_arrays(
        bench.arrays / file,
        key=np.array(made.key),
        hashes=made.hashes,
        xy=made.xy,
        method=np.array(method),
    )
    return made


def inherit_positions(graph: Graph, old: ImageMap | None) -> np.ndarray:
    """Find the places that images have by UMAP on an older map.

    (n, 2), NaN for the others."""
    out = np.full((len(graph.hashes), 2), np.nan, "f4")
    if old is not None and old.method == "umap":
        at = locate_hashes(old.hashes, graph.hashes)
        out[at >= 0] = old.xy[at[at >= 0]]
    return out
