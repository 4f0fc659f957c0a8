"""Which samples go by one name: a class, a value of the metadata, a cluster of the embedding, or what a query or a list of a person picks."""

import itertools
import json
from bisect import bisect_left
from collections import defaultdict
from hashlib import sha256

import numpy as np

from curation import neighbors, suspects
from curation.arrays import Shards, load, save
from curation.errors import UserError

VALUES = 20  # different values up to which each one is a slice; more numbers than that make quartiles, more words make none
FEWEST, MOST, EACH = 5, 30, 50  # clusters, and the images behind each: round(sqrt(n / EACH)) are as many as people can name
SIDE = "image's longer side"


def classes(frame):
    """{label: ids of the samples of `frame` that have it}, in lexicographic order; unlabelled ones are in none."""
    return {label: list(ids) for label, ids in frame.groupby("label", sort=True).groups.items()}


def metadata(frame):
    """{key: {slice name: sample ids}} of what came with the samples of `frame`, and of the size of their images: one slice for each value where
    there are at most 20, quartiles where there are more and all are numbers. A key that says the same of all, or lists, makes none."""
    import pandas as pd

    said = pd.DataFrame([json.loads(meta or "{}") for meta in frame.meta], frame.index)
    said[SIDE] = frame[["width", "height"]].max(axis=1)
    cut = {key: values_of(key, said[key].dropna()) for key in sorted(said.columns, key=str)}
    return {key: slices for key, slices in cut.items() if slices}


def values_of(key, column):
    """{slice name: sample ids} of one key: column, a Series of its values without gaps by sample id."""
    import pandas as pd

    if column.map(lambda v: isinstance(v, list | dict)).any():
        return {}
    texts = column.map(spelled)
    if texts.nunique() > VALUES:
        numbers = pd.to_numeric(column, errors="coerce")  # a CSV's numbers are text
        if numbers.isna().any() or column.map(lambda v: isinstance(v, bool)).any():
            return {}
        ends = np.unique(np.quantile(numbers, (0.25, 0.5, 0.75)))
        low, high = [f"{spelled(e)} < " for e in ends], [f" ≤ {spelled(e)}" for e in ends]
        names = [f"{key}{high[0]}", *(f"{a}{key}{b}" for a, b in zip(low, high[1:])), f"{key} > {spelled(ends[-1])}"]
        texts = pd.Series(np.array(names, object)[np.searchsorted(ends, numbers)], column.index)
    else:
        names = [f"{key} = {text}" for text in sorted(set(texts))]
        texts = f"{key} = " + texts
    groups = texts.groupby(texts).groups
    return {name: list(groups[name]) for name in names if name in groups} if len(groups) > 1 else {}


def spelled(value):
    return json.dumps(value) if isinstance(value, bool) else value if isinstance(value, str) else f"{value:.12g}"


def queried(bench, wanted):
    """{name: sample ids, each once} of slices that a person defines. wanted: {name: one SELECT whose first column is sample ids, or a list of
    samples by id or key, as history.blame takes them}. UserError for a query that `bench.sql` refuses, and for a slice that names what is no
    sample of the bench, or nothing."""
    samples = bench.rows("select id, key from samples order by id") if wanted else ()
    known, find, out = {sample for sample, _ in samples}, meaning(samples), {}
    for name, what in wanted.items():
        if isinstance(what, str):
            asked = picked(bench, what)
            found = [{str(s)} & known for s in asked]
            hint = "select sample ids first, as in: select id from samples where source = '...'"
        elif isinstance(what, list):
            asked, found = what, [find(str(s)) for s in what]
            hint = "say ids, as `assay queue` and `assay export` list them, or keys in their source"
        else:
            raise UserError(f"expected a SELECT or a list of samples for slice {name!r}, found {what!r}", 'as in: name = "select id ..."')
        if bad := [(sample, ids) for sample, ids in zip(asked, found) if len(ids) != 1]:
            sample, ids = bad[0]
            which = f"which could be {', '.join(sorted(ids)[:3])}" if ids else "which this bench does not have"
            raise UserError(
                f"expected samples in slice {name!r}, found {len(bad):,} that are not one, first {str(sample)!r}, {which}", hint
            )
        if not found:
            raise UserError(f"expected samples in slice {name!r}, found none", "mend the query or the list")
        out[name] = list(dict.fromkeys(s for (s,) in found))
    return out


def picked(bench, query):
    """What is in the first column of a person's SELECT, each once, sorted; as one list, so that no limit on rows can cut it short."""
    query = query.strip().rstrip(";")
    found = bench.sql(f"select list(distinct coalesce(sample::varchar, 'NULL')) as samples from ({query}\n) chosen(sample)")
    return sorted(found.samples[0]) if np.ndim(found.samples[0]) else []


def meaning(samples):
    """A function from what a person calls a sample to the ids that this may mean, as in history.blame: its id or its key, else the end of its
    key or the beginning of its id. samples: (id, key), sorted."""
    ids, keys, ends = [s for s, _ in samples], defaultdict(set), defaultdict(set)
    for sample, key in samples:
        keys[sample].add(sample)
        keys[key].add(sample)
        parts = key.split("/")
        for i in range(1, len(parts)):
            ends["/".join(parts[i:])].add(sample)

    def find(name):
        begin = ids[bisect_left(ids, name) : bisect_left(ids, name + "\U0010ffff")]
        return keys.get(name) or ends.get(name, set()) | set(begin)

    return find


# ---- clusters of the embedding


def clusters(bench, state):
    """{name: ids of the samples of `state` in it, all splits}, largest first: regions of the embedding, named by the labels that their train
    samples came with. UserError without a scan of every image."""
    at = assigned(bench, state)
    train = (state.split == "train").to_numpy() & state.given_label.notna().to_numpy()
    labels, code = np.unique(state.given_label.to_numpy(dtype=object)[train].astype(str), return_inverse=True)
    k = int(at.max(initial=-1)) + 1
    counts = np.bincount(at[train] * len(labels) + code, minlength=k * len(labels)).reshape(k, len(labels))
    ids, out = state.index.to_numpy(), {}
    for c in range(k):
        name = words(labels, counts[c])
        numbered = (name if n == 1 else f"{name} {n}" for n in itertools.count(1))
        out[next(unique for unique in numbered if unique not in out)] = list(ids[at == c])
    return {name: members for name, members in out.items() if members}


def words(labels, counts):
    """What a cluster mostly holds: mostly from a half on, some from 15 %."""
    if not counts.sum():
        return "unlabelled"
    share = counts / counts.sum()
    order = np.argsort(-share, kind="stable")[:3]
    return ", ".join(f"{'mostly' if share[i] >= 0.5 else 'some'} {labels[i]}" for i in order if share[i] >= 0.15) or "mixed"


def assigned(bench, state):
    """The cluster (n,) int of every row of `state`, 0 the largest, by k-means of the train images, kept or not; others go to the nearest centre.
    No label enters. From arrays/clusters.npz where that is of these images and this embedding."""
    folder = suspects.settings(bench)["folder"]
    hashes, node = np.unique(np.asarray(state.content_hash, "S32"), return_inverse=True)
    train = np.zeros(len(hashes), bool)
    train[node[(state.split == "train").to_numpy()]] = True
    key = sha256(folder.encode() + hashes.tobytes() + train.tobytes()).hexdigest()
    kept = load(bench.arrays / "clusters.npz")
    if kept is None or str(kept["key"]) != key:
        V = neighbors.reduced(Shards(bench.arrays / "embeddings" / folder).rows(hashes))
        kept = dict(key=np.array(key), hashes=hashes, cluster=kmeans(V, train).astype("i4"))
        save(bench.arrays / "clusters.npz", **kept)
    return kept["cluster"][node]


def kmeans(V, train):
    """The cluster (n,) of unit vectors V (n, d), 0 the one with most train rows; `train` (n,) bool says which rows the centres are made of."""
    import faiss

    n = int(train.sum())
    if not n:
        return np.zeros(len(V), int)
    k = min(n, max(FEWEST, min(MOST, round((n / EACH) ** 0.5))))
    means = faiss.Kmeans(V.shape[1], k, niter=20, seed=0, spherical=True, min_points_per_centroid=1)  # of at most 256 images a centre
    means.train(V[train])
    found = means.index.search(V, 1)[1][:, 0]
    order = np.argsort(-np.bincount(found[train], minlength=k), kind="stable")
    return np.argsort(order)[found]
