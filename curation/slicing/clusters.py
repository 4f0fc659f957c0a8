"""Which region of the embedding a sample lies in, at a fine and a coarse level, under a name that a person can give."""

import itertools
import json
from hashlib import sha256

import numpy as np

from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.features import knn, neighbor_graph, scan_settings
from assay.curation.label_quality import live
from assay.curation.predictions import model_errors
from assay.curation.slicing import metadata
from assay.curation.splits import LOCKED
from assay.curation.statistics import estimates
from assay.curation.storage.arrays import Shards, find, load, save
from assay.curation.storage.schema import new_batch

LEVELS = ("fine", "coarse")
FEWEST, MOST = (
    5,
    72,
)  # fine clusters: sqrt(n) / 2 of them, so that each holds the more samples the more there are
JOINED = 4  # fine clusters that a coarse one joins on average
MAKE_ANEW = (
    0.2  # as many new images as this share of those that the centres were made of make new centres
)
PREFIX = "cluster:"  # of the rule by which a person names the cluster that holds a sample
SAYS = 0.15  # share from which on a label is part of a name


def assigned(bench, state, level="fine"):
    """The cluster (n,) int of every row of `state`, 0 the largest. Centres are made of all images but test and guard, without labels; those go
    to the nearest. New images do so too, until a fifth as many came. UserError without a scan of every image."""
    kept = standing(bench, state)
    fine = kept["fine"][find(kept["hashes"], state.content_hash)]
    return fine if check_level(level) == "fine" else kept["coarse"][fine]


def check_level(level):
    if level not in LEVELS:
        raise UserError(
            f"expected a level of clusters, found {level!r}", f"there are {' and '.join(LEVELS)}"
        )
    return level


def standing(bench, state):
    """The clusters of all images of `state` from arrays/clusters.npz: hashes (n,), fine (n,) and coarse (k,) of each fine one, cosine (n,) of each
    image with its centre, open (n,) whether it made the centres, made and added: how many did, and how many came since."""
    folder = scan_settings.settings(bench)["folder"]
    hashes, node = np.unique(np.asarray(state.content_hash, "S32"), return_inverse=True)
    there = np.zeros(len(hashes), bool)
    there[node[~state.split.isin(LOCKED).to_numpy()]] = True
    kept = load(bench.arrays / "clusters.npz")
    if kept is not None and ("fine" not in kept or str(kept["folder"]) != folder):
        kept = None  # of another embedding, or of an older Assay
    new = hashes if kept is None else np.setdiff1d(hashes, kept["hashes"])
    if kept is not None and not len(new):
        return kept
    shards = Shards(bench.arrays / "embeddings" / folder)
    if kept is None or len(new) + int(kept["added"]) >= MAKE_ANEW * int(kept["made"]):
        kept = made(knn.reduced(shards.rows(hashes)), there) | dict(
            hashes=hashes, added=np.array(0)
        )
    else:
        known = kept["hashes"][
            shards.find(kept["hashes"]) >= 0
        ]  # what was removed since may be gone
        every = np.union1d(known, new)
        kept = extended(kept, every, knn.reduced(shards.rows(every)))
    key = sha256(folder.encode() + kept["hashes"].tobytes() + kept["open"].tobytes()).hexdigest()
    kept |= dict(key=np.array(key), folder=np.array(folder))
    save(bench.arrays / "clusters.npz", **kept)
    return kept


def made_for(bench):
    """The key of the clusters that stand, None where none do."""
    kept = load(bench.arrays / "clusters.npz", ["key"])
    return kept and str(kept["key"])


def made(V, there):
    """Clusters of unit vectors V (n, d): centres by spherical k-means of the rows `there` (n,) bool, the coarse ones by Ward's joining of these."""
    fine, centres = kmeans(V, there)
    cosine = np.einsum("ij,ij->i", V, centres[fine]).astype("f4")
    coarse = joined(centres, np.bincount(fine[there], minlength=len(centres)))
    return dict(
        fine=fine.astype("i4"),
        coarse=coarse.astype("i4"),
        cosine=cosine,
        open=there,
        made=np.array(there.sum()),
    )


def kmeans(V, there):
    """(cluster (n,) of unit vectors V (n, d), 0 the one with most rows `there`; centres (k, d)); `there` (n,) bool says what the centres are
    made of."""
    import faiss

    n = int(there.sum())
    if not n:
        return np.zeros(len(V), int), np.zeros((1, V.shape[1]), "f4")
    k = min(n, max(FEWEST, min(MOST, round(n**0.5 / 2))))
    means = faiss.Kmeans(
        V.shape[1], k, niter=20, seed=0, spherical=True, min_points_per_centroid=1
    )  # of at most 256 images a centre
    means.train(V[there])
    found = means.index.search(V, 1)[1][:, 0]
    order = np.argsort(-np.bincount(found[there], minlength=k), kind="stable")
    return np.argsort(order)[found], means.centroids[order]


def joined(centres, sizes):
    """The coarse cluster (k,) of each fine one, 0 the largest."""
    from scipy.cluster.hierarchy import fcluster, linkage

    k = min(len(centres), max(FEWEST, round(len(centres) / JOINED)))
    if k == len(centres):
        return np.arange(k)
    found = fcluster(linkage(centres, "ward"), k, "maxclust") - 1
    order = np.argsort(-np.bincount(found, sizes), kind="stable")
    return np.argsort(order)[found]


def extended(kept, hashes, V):
    """The same clusters with the images that came since, each in the one whose mean it is nearest to; V (n, d) of `hashes`, old and new: another
    set of images has other principal components, so the centres are found again as the means of what made them."""
    at = find(kept["hashes"], hashes)
    known = at >= 0
    fine, own = kept["fine"][at], known & kept["open"][at]
    centres = np.zeros((len(kept["coarse"]), V.shape[1]), "f4")
    np.add.at(centres, fine[own], V[own])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    alike = V[~known] @ centres.T
    fine[~known] = alike.argmax(1)
    cosine = kept["cosine"][at]
    cosine[~known] = alike.max(1)
    return kept | dict(
        hashes=hashes, fine=fine, cosine=cosine, open=own, added=kept["added"] + (~known).sum()
    )


# ---- names


def named(bench, state, level="fine"):
    """{name: ids of the samples of `state` in it, all splits}, largest first. A name is a person's, or says what the cluster's train samples came
    labelled as and which metadata are frequent in it; no two are equal."""
    at, ids = assigned(bench, state, level), state.index.to_numpy()
    return {
        name: list(ids[at == c])
        for c, name in names(bench, state, level).items()
        if (at == c).any()
    }


def names(bench, state, level="fine"):
    """{cluster: its name} of all clusters that hold a sample of `state`."""
    at = assigned(bench, state, level)
    out = given(bench, state, at, level)
    taken = set(out.values())
    for c, name in enumerate(proposed(state, at)):
        if c not in out and (at == c).any():
            numbered = (name if n == 1 else f"{name} {n}" for n in itertools.count(1))
            out[c] = next(unique for unique in numbered if unique not in taken)
            taken.add(out[c])
    return dict(sorted(out.items()))


def given(bench, state, at, level):
    """{cluster: the name that a person gave it last}: the name goes to whichever cluster holds the sample that it was tied to."""
    sql = "select arg_max(value, seq) from edits where field = 'rule' and value ->> 'name' like ? group by value ->> 'name' order by max(seq)"
    said = [json.loads(value) for (value,) in bench.rows(sql, [f"{PREFIX}{level}:%"])]
    row = state.index.get_indexer([rule.get("sample", "") for rule in said])
    out = {}
    for i, rule in zip(row, said):
        if i >= 0 and rule.get("title"):  # one that was undone has its name alone
            out = {c: title for c, title in out.items() if title != rule["title"]} | {
                int(at[i]): rule["title"]
            }
    return out


def rename(bench, cluster, title, who, level="fine"):
    """Call a cluster, known by its name or the beginning of it, `title` from now on: a rule in the log, tied to the sample nearest to its centre.
    Returns dict(batch, was, title, sample)."""
    import pandas as pd

    text.check(who, "who names it")
    text.check(title, "a cluster's name")
    state = bench.state()
    known = names(bench, state, level)
    was = resolve(cluster, known.values(), "cluster", f"assay clusters --level {level} lists them")
    c = next(c for c, name in known.items() if name == was)
    if not title.strip() or title in known.values() and title != was:
        raise UserError(
            f"expected a name that no other {level} cluster has, found {title!r}",
            "choose another name",
        )
    sample = state.index[order(bench, state, assigned(bench, state, level) == c)[0]]
    batch, value = (
        new_batch("rule"),
        dict(name=f"{PREFIX}{level}:{sample}", title=title, sample=sample),
    )
    row = pd.DataFrame(
        [dict(sample="", field="rule", value=json.dumps(value), why=f"was called {was}")]
    )
    with bench.transaction() as con:
        bench.append(con, row, batch, who)
    return dict(batch=batch, was=was, title=title, sample=sample)


def resolve(name, known, what, hint):
    """The one of `known` that a person calls `name`: itself, or the one that begins so. UserError, listing the known, otherwise."""
    known = list(known)
    found = [name] if name in known else [k for k in known if str(name) and k.startswith(str(name))]
    if len(found) == 1:
        return found[0]
    which = (
        f"which could be {'; '.join(found[:5])}"
        if found
        else f"known are: {'; '.join(known[:40]) or 'none'}"
    )
    raise UserError(f"expected a {what}, found {name!r}; {which}", hint)


def order(bench, state, mine):
    """Row numbers of the kept samples outside test and guard among `mine` (n,) bool, the most typical of their cluster first."""
    kept = standing(bench, state)
    cosine = kept["cosine"][find(kept["hashes"], state.content_hash)]
    rows = np.flatnonzero(mine & state.keep.to_numpy() & ~state.split.isin(LOCKED).to_numpy())
    rows = rows if len(rows) else np.flatnonzero(mine)
    return rows[np.lexsort((state.index[rows], -cosine[rows]))]


def proposed(state, at):
    """What each cluster is, in words (k,), from the given labels of its train samples and the metadata of all but test and guard; clusters of the
    same words get the label that tells them from each other, where there is one."""
    k = int(at.max(initial=-1)) + 1
    train = (state.split == "train").to_numpy() & state.given_label.notna().to_numpy()
    labels, code = np.unique(
        state.given_label.to_numpy(dtype=object)[train].astype(str), return_inverse=True
    )
    counts = np.bincount(at[train] * len(labels) + code, minlength=k * len(labels)).reshape(
        k, len(labels)
    )
    extra = frequent(state, at, k)
    said = [words(labels, counts[c]) + extra[c] for c in range(k)]
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    for c, alike in ((c, [o for o in range(k) if said[o] == said[c] and o != c]) for c in range(k)):
        if alike and len(labels):
            minor = np.where(
                (share[c] >= 0.04) & (share[c] < SAYS), share[c] - share[alike].max(0), 0
            )
            if minor.max() > 0.01:
                said[c] += f", few {labels[minor.argmax()]}"
    return said


def words(labels, counts):
    """What a cluster mostly holds: mostly from a half on, some from 15 %."""
    if not counts.sum():
        return "unlabelled"
    share = counts / counts.sum()
    order = np.argsort(-share, kind="stable")[:3]
    return (
        ", ".join(
            f"{'mostly' if share[i] >= 0.5 else 'some'} {labels[i]}"
            for i in order
            if share[i] >= SAYS
        )
        or "mixed"
    )


def frequent(state, at, k):
    """What the metadata say of each cluster (k,), as the end of a name or "": the value that at least half of it has and that is least frequent
    elsewhere, if at most half as frequent."""
    mine = (~state.split.isin(LOCKED)).to_numpy()
    best = [("", 0.5)] * k
    size = np.bincount(at[mine], minlength=k)
    for values in metadata.telling(state[mine]).values():
        for name, ids in values.items():
            has = np.bincount(at[state.index.get_indexer(ids)], minlength=k)
            inside = has / np.maximum(size, 1)
            outside = (has.sum() - has) / np.maximum(size.sum() - size, 1)
            for c in np.flatnonzero((inside >= 0.5) & (size >= 10)):
                if outside[c] / inside[c] <= best[c][1]:
                    best[c] = (f" ({name})", outside[c] / inside[c])
    return [name for name, _ in best]


# ---- what is known of each


def table(bench, version="HEAD", level="fine"):
    """Every cluster as one row of a frame, largest first: cluster (its name), named (by a person), train, val, pool, test, guard (kept samples), labels
    ({label: share} of the kept train samples), accuracy of the standing probe on val with low, high (Wilson) and n, flagged (share of its train
    and val labels that look wrong to the probe, no rate of errors), distance (mean to its samples' neighbours; large is sparse), sample (the
    most typical one)."""
    import pandas as pd

    state, rows = bench.state(version), []
    at, known = assigned(bench, state, level), names(bench, state, level)
    mine, wrong = set(given(bench, state, at, level)), model_errors.found(bench, version)
    flags = live.opinion(bench, version).flagged
    cluster = pd.Series(at, state.index)
    graph, node = neighbor_graph.nodes(bench, state)
    far = graph["distances"].mean(1)[node] if graph["distances"].size else np.zeros(len(state))
    seen = (state.keep & ~state.split.isin(LOCKED)).to_numpy()
    for c, name in known.items():
        here = state[(at == c) & state.keep]
        sizes = {s: int((here.split == s).sum()) for s in ("train", "val", "pool", "test", "guard")}
        judged = wrong[(cluster[wrong.index] == c).to_numpy()]
        right, n = int((~judged.wrong).sum()), len(judged)
        doubted = flags[(cluster[flags.index] == c).to_numpy()]
        low, high = estimates.wilson(right, n)
        labels = here.label[here.split == "train"].value_counts(normalize=True)
        part = far[(at == c) & seen]
        rows.append(
            dict(cluster=name, named=c in mine)
            | sizes
            | dict(
                labels={label: round(share, 4) for label, share in labels.items()},
                accuracy=right / n if n else np.nan,
                low=low,
                high=high,
                n=n,
                flagged=doubted.mean() if len(doubted) else np.nan,
                distance=float(part.mean()) if len(part) else np.nan,
                sample=state.index[order(bench, state, at == c)[0]],
            )
        )
    return pd.DataFrame(rows)


# ---- clusters of the embedding


def clusters(bench, state):
    """{name: ids of the samples of `state` in it, all splits}, largest first: the coarse clusters, few enough to be tested side by side."""
    pass  # which reads the metadata here

    return named(bench, state, "coarse")
