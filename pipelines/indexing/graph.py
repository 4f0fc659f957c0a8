"""Build the neighbour graph of a scan."""

import numpy as np

from assay.curation.features import image_similarity, knn
from assay.curation.media.pixels import Pixels
from assay.curation.storage.arrays import Shards, find, load, save

GRAPH = "graph 2"  # counted up when neighbors.py or twins.py would make another graph of the same images


def neighbours(bench, state, folder):
    """The graph of the bench's images, from arrays/graph.npz where it is of these images and this embedding; from arrays/lists.npz, which holds
    what an extension needs, where it is of most of them."""
    hashes = np.unique(np.asarray(state.content_hash, "S32"))
    key = knn.key_of(f"{GRAPH} {folder}", hashes)
    graph = load(bench.arrays / "graph.npz")
    if graph is not None and str(graph["key"]) == key:
        return graph
    X = Shards(bench.arrays / "embeddings" / folder).rows(hashes)
    made = lists(bench, hashes, X, f"{GRAPH} {folder}")
    near, far = made["neighbours"], made["distances"]
    pairs, gaps = knn.close_pairs(near, far)
    pixels = Pixels(Shards(bench.arrays / "pixels"), hashes, image_similarity.SIDE)
    common = image_similarity.layout(pixels)
    alike, limit = (
        image_similarity.likeness(pixels, pairs, common),
        image_similarity.limit(pixels, near, common),
    )
    twin = alike >= limit
    out = dict(
        key=np.array(key), hashes=hashes, neighbours=near.astype("i4"), distances=far.astype("f4")
    )
    out |= dict(
        pairs=pairs[twin], gaps=gaps[twin], groups=knn.star_groups(len(hashes), pairs[twin])
    )
    save(
        bench.arrays / "graph.npz",
        **out,
        close=pairs.astype("i4"),
        alike=alike,
        limit=np.array(limit),
    )
    return load(bench.arrays / "graph.npz")


def lists(bench, hashes, X, of):
    """The neighbours of X, whose rows are the images `hashes`: extended from those that arrays/lists.npz holds `of` the same, if it can be."""
    file, made = bench.arrays / "lists.npz", None
    kept = load(file)
    if kept is not None and str(kept["of"]) == of:
        was = find(kept["hashes"], hashes)
        made = knn.extended(kept, X, was) if knn.can_extend(kept, was) else None
    made = made or knn.build(X)
    if len(hashes) > knn.EXACT:  # a small one is as soon built as read
        save(file, **(made | dict(of=np.array(of), hashes=hashes)))
    return made
