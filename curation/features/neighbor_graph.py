"""The neighbour graph of the last scan: which images are alike."""

from assay.curation.errors import UserError
from assay.curation.features import knn
from assay.curation.features.scan_settings import settings
from assay.curation.storage.arrays import Shards, find, load, written


def nodes(bench, state):
    """(graph arrays, each sample's node in the graph): equal images share a node. What was asked for last is remembered: nobody writes into it."""
    made, last = (
        written(bench.arrays / "graph.npz"),
        bench.nodes,
    )  # which another thread may replace meanwhile
    if last and last[0] == made and state.index.is_(last[1]):
        return last[2:]
    graph = load(bench.arrays / "graph.npz")
    if graph is None:
        raise UserError(
            "expected the neighbours of every image, found none",
            f"run: assay scan -b {bench.given}",
        )
    at = find(graph["hashes"], state.content_hash)
    if (at < 0).any():
        raise UserError(
            "expected every image scanned, found some imported since",
            f"run: assay scan -b {bench.given}",
        )
    bench.nodes = made, state.index, graph, at
    return graph, at


def vectors(bench, graph):
    """The unit vectors (n, <=128) of the graph's nodes, as the graph itself compared them: those that the scan kept, in half precision, of a small
    bench made anew, in single."""
    kept = load(bench.arrays / "lists.npz", ["of", "hashes", "vectors"])
    if kept is not None and knn.key_of(str(kept["of"]), kept["hashes"]) == str(graph["key"]):
        return kept["vectors"]
    return knn.reduced(
        Shards(bench.arrays / "embeddings" / settings(bench)["folder"]).rows(graph["hashes"])
    )
