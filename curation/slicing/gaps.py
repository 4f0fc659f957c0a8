"""Where the data do not show what the model needs: gaps, ranked by how many validation errors they explain."""

import json
from hashlib import sha256

import numpy as np
from numpy import flatnonzero as rows_of

from assay.curation.features import neighbor_graph
from assay.curation.label_quality import live, scoring
from assay.curation.predictions import model_errors
from assay.curation.slicing import clusters, gap_text, regions
from assay.curation.slicing.regions import called, counts, discoveries
from assay.curation.splits import LOCKED
from assay.curation.statistics import estimates
from assay.curation.storage.arrays import load, save
from assay.curation.versioning import expressions, versions

FOUND = 0.05  # false discoveries among the gaps of a kind, at most, by Benjamini and Hochberg
FEWEST = 5  # val samples of a region whose errors are tested
SEEN = 10  # samples of train and the other split that a region's density ratio is tested on
THIN = 0.5  # a thin region has at most this share of the density that it has in val or pool
RARE = 0.2  # a rare class or cell has at most this share of what is expected
MANY = 0.25  # share of the cells of class and a key that are rare, from which on the key and the class simply go together
EXPECTED = 5  # samples that a cell must be expected to have for their lack to be told
FAR = 0.99  # quantile of the distances from train sample to train sample beyond which a sample is isolated
PROMPT = 20_000  # samples up to which a list is found at once for whoever looks
SAME = 0.5  # share of a region's val and pool samples that gaps before it hold already, from which on it is no gap of its own
ORDER = [
    "isolated",
    "disagreement",
    "error",
    "thin",
    "rare",
    "absent",
]  # which name one region goes by; the last that fits
MISSING, WRONG, LOOK = range(
    3
)  # what is missing from train | what is there and wrong more often | what a person may want to look at
COLUMNS = (
    "gap kind region facets against train val pool errors rate low high rest n_rest p q ratio ratio_low ratio_high expected "
    "explains explains_low explains_high flagged why action"
).split()


def find(bench, version="HEAD", run=None):
    """Every gap as one row of a frame, ranked (see COLUMNS): gap is its name. First what is missing from train and explains validation errors (thin,
    rare, absent), then where the model is wrong more often than elsewhere (error), then disagreement, isolated and what is missing without an
    error to show for it; within these by `explains`: the errors beyond what the rest's rate predicts, each counted in one gap alone.
    Errors are those of the standing probe, or of a finished `run`, by the val labels as given; `flagged` is the share of these labels in the
    region that look wrong themselves. The list and what lies in each gap are kept in arrays/gaps.npz until the next one."""
    import pandas as pd

    kept, asked = load(bench.arrays / "gaps.npz"), asked_of(bench, version, run)
    if asked == asked_then(kept):
        return table_of(kept)
    key = key_of(bench, version, run)
    same = kept is not None and str(kept["key"]) == key
    if not same:
        ground = Ground(bench, version, run)
        found = explained(
            ground,
            [
                *missing(ground),
                *thin(ground),
                *wrong(ground),
                *disagreeing(ground),
                *isolated(ground),
            ],
        )
        rows = [row | dict(action=gap_text.action(bench, row)) for row, _ in found]
        ids = [np.sort(np.asarray(ground.state.index[mask], "S32")) for _, mask in found]
        table = pd.DataFrame(rows, columns=COLUMNS)
        kept = dict(
            key=np.array(key),
            table=np.array(
                json.dumps(json.loads(table.to_json(orient="records", double_precision=15)))
            ),
            ids=np.concatenate([*ids, np.empty(0, "S32")]),
            sizes=np.array([len(i) for i in ids], int),
        )
    asked["clusters"] = clusters.made_for(bench)  # which may have been made on the way
    try:
        save(bench.arrays / "gaps.npz", **kept | dict(asked=np.array(json.dumps(asked))))
    except OSError:
        if not same:
            raise  # else the next look pays for the hash again
    return table_of(kept)


def table_of(kept):
    import pandas as pd

    return pd.DataFrame(json.loads(str(kept["table"])), columns=COLUMNS)


def recent(bench):
    """(the gaps of the labels as they stand, 0), or of a large bench whose list would take a while (the last list of HEAD, edits since)."""
    kept, asked = load(bench.arrays / "gaps.npz"), asked_of(bench)
    then = asked_then(kept)
    if then | dict(upto=0) == asked | dict(upto=0) and len(bench.state()) > PROMPT:
        return table_of(kept), asked["upto"] - then["upto"]
    return find(bench), 0


def asked_of(bench, version="HEAD", run=None):
    """What a list is made for, as a dict: for the same again it is the same list, which no hash of all labels need show."""
    upto, of = (versions.position(bench, v) for v in ("HEAD", expressions.root(version)))
    asked = dict(version=str(version), run=run, upto=upto) | (
        dict(of=of) if version != "HEAD" else {}
    )
    return asked | dict(judge=live.judge_key(bench, version), clusters=clusters.made_for(bench))


def asked_then(kept):
    """What the kept list was made for, {} where there is none or an older Assay made it."""
    return json.loads(str(kept["asked"])) if kept is not None and "asked" in kept else {}


def last(bench):
    """The last list as dicts, which later edits may have changed; [] where there is none. For who cannot wait for another."""
    kept = load(bench.arrays / "gaps.npz")
    return [] if kept is None else json.loads(str(kept["table"]))


def key_of(bench, version, run):
    """A hash of what the list is made of: what the version holds but test and guard, what judges it, the clusters and their names."""
    state, now = bench.state(version), bench.state()
    made = [
        str(clusters.standing(bench, now)["key"]),
        clusters.given(bench, now, clusters.assigned(bench, now), "fine"),
    ]
    decided = sha256(
        state.reviewed.to_numpy(bool).tobytes()
    ).hexdigest()  # what is decided is not flagged
    held = [versions.tree(scoring.judged(state)), decided, live.judge_key(bench, version)]
    return sha256(json.dumps([*held, run, *made]).encode()).hexdigest()


def members(bench, name):
    """The ids of the samples that lie in the gap `name` (or the one gap that begins so) of the last list, in train, val and pool, kept ones;
    UserError, listing the known, for one that is not on it."""
    kept = load(bench.arrays / "gaps.npz")
    if kept is None:
        find(bench)
        kept = load(bench.arrays / "gaps.npz")
    known = [row["gap"] for row in json.loads(str(kept["table"]))]
    at = known.index(
        clusters.resolve(name, known, "gap", f"assay gaps -b {bench.given} lists them anew")
    )
    start = int(kept["sizes"][:at].sum())
    ids = kept["ids"][start : start + kept["sizes"][at]].astype(str)
    state = bench.state()
    rows = state.index.get_indexer(ids)
    there = (rows >= 0) & np.append(state.keep & ~state.split.isin(LOCKED), False)[rows]
    return ids[there].tolist()


def seeds(bench, name):
    """What to look for more of, to fill the gap: its val samples, where it has none those of train, and else what the pool has. (Not all members:
    a search leaves out what it starts from, and the pool's own samples there are what it should find first.)"""
    state, mine = bench.state(), np.array(members(bench, name), object)
    split = state.split.to_numpy(object)[state.index.get_indexer(mine)]
    return next((part for s in ("val", "train") if len(part := mine[split == s])), mine).tolist()


def row_of(bench, name):
    """The row, a dict, of the gap that a person calls `name` on the last list."""
    members(bench, name)
    rows = {
        row["gap"]: row
        for row in json.loads(str(load(bench.arrays / "gaps.npz", ["table"])["table"]))
    }
    return rows[clusters.resolve(name, rows, "gap", "")]


class Ground:
    """What all kinds of gaps are read from: the kept samples but test and guard, their facets, and the model's mistakes on val."""

    def __init__(self, bench, version="HEAD", run=None):
        state = scoring.judged(bench.state(version))
        self.state = state = state[state.keep]
        self.bench, self.facets = bench, regions.facets(bench, state)
        judged = model_errors.found(bench, version, run).reindex(state.index)
        split, labelled = state.split.to_numpy(), state.label.notna().to_numpy()
        self.train, self.pool, self.val = (
            (split == "train") & labelled,
            split == "pool",
            judged.label.notna().to_numpy(),
        )
        self.wrong, self.flagged = (
            judged.wrong.eq(True).to_numpy(),
            judged.flagged.eq(True).to_numpy(),
        )
        self.label = np.unique(
            state.label.fillna("").to_numpy(object).astype(str), return_inverse=True
        )[1]
        self.counts = counts(
            self.facets, dict(train=self.train, val=self.val, pool=self.pool, wrong=self.wrong)
        )

    def row(self, kind, facets, name, mask, against="", **more):
        """(the row of a gap, mask (n,) bool of what lies in it)."""
        inside, rest = mask & self.val, ~mask & self.val
        errors, n = int(self.wrong[inside].sum()), int(inside.sum())
        low, high = estimates.wilson(errors, n)
        return dict.fromkeys(COLUMNS) | dict(
            gap=f"{kind}: {name}",
            kind=kind,
            region=name,
            facets=facets,
            against=against,
            train=int((mask & self.train).sum()),
            val=n,
            pool=int((mask & self.pool).sum()),
            errors=errors,
            rate=errors / n if n else None,
            low=low,
            high=high,
            rest=float(self.wrong[rest].mean()) if rest.any() else None,
            n_rest=int(rest.sum()),
            flagged=float(self.flagged[inside].mean()) if n else None,
        ) | {k: None if v is None else float(v) for k, v in more.items()}, mask


# ---- the kinds


def wrong(ground):
    """Regions where the model is wrong more often than in the rest of val."""
    c = ground.counts[ground.counts.val >= FEWEST]
    c = c.assign(p=regions.wrong_more_often(c.wrong, c.val, c.all_wrong, c.all_val))
    for r in c.assign(q=discoveries(c.p)).query("q <= @FOUND").itertuples():
        yield ground.row(
            "error",
            regions.kinds(r.facets),
            called(r.facets, r.cell),
            r.code == r.cell,
            p=r.p,
            q=r.q,
        )


def thin(ground):
    """Regions that train has much less of than val or, where no label is needed to tell, the pool. Asked of all regions and, by itself, of those
    where the model is wrong more often: there a lack that is too small to stand out among hundreds of regions may still be the reason."""
    failing = {row["region"] for row, _ in wrong(ground)}
    for other, some in (("val", None), ("val", failing), ("pool", None)):
        c = ground.counts
        if other == "pool":
            c = c[np.array([all(f.kind != "class" for f in fs) for fs in c.facets], bool)]
        c = c[(c.train + c[other] >= SEEN) & (c.all_train > 0) & (c[f"all_{other}"] > 0)]
        if some is not None:
            c = c[
                np.array([called(fs, cell) in some for fs, cell in zip(c.facets, c.cell)], bool)
            ]  # not a list: an empty one picks no columns
        each = [c[column].to_numpy() for column in ("train", "all_train", other, f"all_{other}")]
        p, (density, low, high) = regions.thinner(*each), regions.ratio(*each)
        c = c.assign(p=p, q=discoveries(p), density=density, low=low, high=high)
        for r in c.query("q <= @FOUND and density <= @THIN").itertuples():
            more = dict(p=r.p, q=r.q, ratio=r.density, ratio_low=r.low, ratio_high=r.high)
            yield ground.row(
                "thin",
                regions.kinds(r.facets),
                called(r.facets, r.cell),
                r.code == r.cell,
                other,
                **more,
            )


def missing(ground):
    """Classes of far fewer train samples than the median class, or none though val or pool have them, and cells of class and metadata far below
    what independence of the two expects."""
    from scipy.stats import hypergeom, poisson

    c = ground.counts
    single = c[np.array([regions.kinds(fs) == "class" for fs in c.facets], bool)]
    if len(single) > 1:
        median = single.train.median()
        p = poisson.cdf(single.train, THIN * median)
        for r, q in zip(single.assign(p=p).itertuples(), discoveries(p)):
            if q <= FOUND and r.train <= RARE * median and median >= EXPECTED:
                kind = "rare" if r.train else "absent"
                more = dict(p=r.p, q=q, ratio=r.train / median, expected=median)
                yield ground.row(
                    kind, "class", called(r.facets, r.cell), r.code == r.cell, "classes", **more
                )
    for fs in [
        fs
        for fs in {id(fs): fs for fs in c.facets}.values()
        if regions.kinds(fs) == "class x metadata"
    ]:
        a, b = fs
        both = ground.train & (a.codes >= 0) & (b.codes >= 0)
        n = np.bincount(
            a.codes[both] * len(b.names) + b.codes[both], minlength=len(a.names) * len(b.names)
        ).reshape(len(a.names), -1)
        expected = np.outer(n.sum(1), n.sum(0)) / max(n.sum(), 1)
        told = expected >= EXPECTED
        if not told.any() or (n[told] <= RARE * expected[told]).mean() > MANY:
            continue  # values that only some classes can have
        p = hypergeom.cdf(n, n.sum(), n.sum(1)[:, None], n.sum(0)[None])
        q = np.ones(n.shape)
        q[told] = discoveries(p[told])
        for i, j in np.argwhere((q <= FOUND) & (n <= RARE * expected) & told):
            mask = (a.codes == i) & (b.codes == j)
            more = dict(
                p=p[i, j], q=q[i, j], ratio=n[i, j] / expected[i, j], expected=expected[i, j]
            )
            kind = "rare" if n[i, j] else "absent"
            yield ground.row(
                kind,
                regions.kinds(fs),
                called(fs, i * len(b.names) + j),
                mask,
                "independence",
                **more,
            )


def disagreeing(ground):
    """Clusters in which more samples than elsewhere are labelled otherwise than most of their labelled neighbours in train and val."""
    state, cluster = ground.state, next(f for f in ground.facets if f.kind == "cluster")
    graph, at = neighbor_graph.nodes(ground.bench, state)
    usable = ground.train | ground.val
    label_of = np.full(len(graph["hashes"]), -1)
    label_of[at[usable][::-1]] = ground.label[usable][::-1]  # of copies, the first
    near = graph["neighbours"][at]
    theirs = np.where(near >= 0, label_of[near], -1)
    known = (theirs >= 0).sum(1)
    other = ((theirs >= 0) & (theirs != ground.label[:, None])).sum(1)
    told = usable & (known >= 3)
    odd = told & (other > known / 2)
    n, k = (np.bincount(cluster.codes[m], minlength=len(cluster.names)) for m in (told, odd))
    p = regions.wrong_more_often(k, n, k.sum(), n.sum())
    use = rows_of(n >= SEEN)
    for c, q in zip(use, discoveries(p[use])):
        if q <= FOUND:
            more = dict(p=p[c], q=q, ratio=(k[c] / n[c]) / (k.sum() / n.sum()))
            yield ground.row(
                "disagreement",
                "cluster",
                cluster.names[c],
                cluster.codes == c,
                f"{k[c]:,} of {n[c]:,}",
                **more,
            )


def isolated(ground):
    """Val and pool samples that are farther from any train sample than train samples are from each other; told where they are more than such a
    distance lets one expect."""
    from scipy.stats import binom

    graph, at = neighbor_graph.nodes(ground.bench, ground.state)
    if not graph["distances"].size or not ground.train.any():
        return
    holds = np.zeros(len(graph["hashes"]), bool)
    holds[at[ground.train]] = True
    near, far = graph["neighbours"][at], graph["distances"][at]
    first = np.where((near >= 0) & holds[near], far, np.inf).min(1)
    if (
        lone := np.isinf(first)
    ).any():  # a heap of strangers is near to itself: the graph shows no way to train
        first[lone] = to_train(ground.bench, graph, at[lone], holds)
    limit = np.quantile(first[ground.train], FAR)
    for split in ("val", "pool"):
        mine = getattr(ground, split)
        mask = mine & (first > limit)
        k, n = int(mask.sum()), int(mine.sum())
        p = binom.sf(k - 1, n, 1 - FAR) if n else 1.0
        if p <= FOUND:
            more = dict(p=p, q=p, ratio=k / n / (1 - FAR), expected=n * (1 - FAR))
            yield ground.row(
                "isolated", "", f"{split} far from train", mask, f"{k:,} of {n:,}", **more
            )


def to_train(bench, graph, nodes, holds):
    """The distance (m,) of each of the graph's `nodes` to the nearest other one that `holds` (n,) bool."""
    import faiss

    V = neighbor_graph.vectors(bench, graph).astype("f4")
    index = faiss.IndexFlatIP(V.shape[1])
    index.add(V[holds])
    cosine = index.search(V[nodes], 2)[0]
    return np.sqrt(
        np.maximum(2 - 2 * np.where(holds[nodes], cosine[:, 1], cosine[:, 0]), 0)
    )  # the nearest to a node is itself


# ---- rank


def explained(ground, candidates):
    """The gaps among `candidates` [(row, mask)], ranked: see find. Within a group the one that explains most takes its val samples first, and the
    next explains what is left; errors go to pairs first, for a class as a whole would hide where in it they are. One whose val and pool
    samples lie mostly in gaps before it is none of its own."""
    rows, masks = [row for row, _ in candidates], [mask for _, mask in candidates]
    plain, late, out = np.array([row["facets"] == "class" for row in rows], bool), [], []
    asked, taken, k = (
        ground.val | ground.pool,
        np.zeros(len(ground.val), bool),
        int(ground.label.max(initial=-1)) + 1,
    )

    def tally(samples):
        """(2, k): how many val samples of each class there are among the row numbers `samples`, and how many of these are wrong."""
        mine = samples[ground.val[samples]]
        return np.array(
            [
                np.bincount(ground.label[some], minlength=k)
                for some in (mine, mine[ground.wrong[mine]])
            ]
        )

    size, held = (
        np.array([(m & asked).sum() for m in masks], int),
        np.zeros(len(masks), int),
    )  # how many, and how many of them are taken
    open_, of_all = (
        np.array([tally(rows_of(m)) for m in masks]),
        tally(rows_of(ground.val)),
    )  # of what is not taken

    def take(left, group):
        nonlocal of_all
        found = []
        while left := [i for i in left if not size[i] or held[i] < SAME * size[i]]:
            expected = regions.expected(open_[left], of_all, plain[left])
            more = open_[left, 1].sum(1) - expected
            at = max(
                range(len(left)),
                key=lambda j: (
                    round(more[j], 9),
                    ORDER.index(rows[left[j]]["kind"]),
                    -rows[left[j]]["p"],
                ),
            )
            i = left.pop(at)
            n, errors = open_[i].sum(1)
            low, high = (n * share - expected[at] for share in estimates.wilson(errors, n))
            if group == MISSING and more[at] < 1 and rows[i]["against"] not in ("val", "classes"):
                late.append(i)  # nothing that val shows is wrong for the want of it
            elif group != WRONG or low > 0:
                told = dict(
                    explains=float(more[at]),
                    explains_low=float(low),
                    explains_high=float(high),
                    why=gap_text.why(rows[i]),
                )
                found.append((rows[i] | told, masks[i]))
                new = rows_of(masks[i] & asked & ~taken)
                taken[new] = True
                of_all = of_all - tally(new)
                for j, mask in enumerate(masks):
                    inside = new[mask[new]]
                    held[j], open_[j] = held[j] + len(inside), open_[j] - tally(inside)
        return found

    for group, kinds in (
        (MISSING, ("absent", "rare", "thin")),
        (WRONG, ("error",)),
        (LOOK, ("disagreement", "isolated")),
    ):
        mine = [i for i, row in enumerate(rows) if row["kind"] in kinds] + (
            late if group == LOOK else []
        )
        pairs = [i for i in mine if " x " in rows[i]["facets"]] if group == WRONG else []
        found = take(pairs, group) + take([i for i in mine if i not in pairs], group)
        out += sorted(found, key=lambda c: -c[0]["explains"])
    return out
