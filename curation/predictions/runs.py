"""What a finished training left: its predictions, kept whole, so that any version of the labels can judge them."""

import json
import os
from hashlib import sha256

import numpy as np

from assay.curation.errors import UserError
from assay.curation.statistics import estimates
from assay.curation.statistics.sampling import by_draw
from assay.curation.storage.arrays import find, load, save
from assay.curation.times import iso_time, now
from assay.curation.versioning.expressions import seeded

COLUMNS = "key, train_tree, arch, seed, config, recipe, code, seconds, ts, version, n_train, failed"

POOL = 5_000  # samples of the pool that every training predicts; one on more predicts as many as it trains on


def predictions(bench, key):
    """Where a run keeps what it predicted: probs (m, k), ids (m,) sorted, classes as JSON; of pool samples pool (p,) sorted, pool_probs (p, k)."""
    return bench.arrays / "runs" / f"{key}.npz"


def keep(
    bench,
    cell,
    recipe,
    code,
    seconds,
    ids=(),
    probs=None,
    classes=(),
    pool=(),
    pool_probs=None,
    failed=None,
):
    """Store a finished run of `cell` (dict key, train_tree, arch, seed, config, at, n_train) and what it predicts of `ids`, and of samples of the
    `pool`, where half precision will do. The row comes last: a run that has one is complete. `failed`: why it has no predictions, such as
    "diverged ...": an answer too, and not to be trained again."""
    if failed is None:
        said = dict(
            probs=probs.astype("f4"),
            ids=np.asarray(ids, "S32"),
            classes=np.array(json.dumps(list(classes))),
        )
        save(predictions(bench, cell["key"]), **said, **half(pool, pool_probs))
    row = [cell[k] for k in ("key", "train_tree", "arch", "seed")]
    row += [
        json.dumps(cell["config"]),
        recipe,
        code,
        seconds,
        now(),
        cell["at"],
        cell["n_train"],
        failed,
    ]
    with bench.transaction() as con:
        con.execute(
            f"insert or replace into runs ({COLUMNS}) values ({', '.join('?' * len(row))})", row
        )


def judged_ids(state):
    """Samples that every run predicts, never trains on: kept val, test and guard, sorted."""
    return sorted(state.index[state.keep & state.split.isin(("val", "test", "guard"))])


def pool_ids(state, most):
    """Samples of the pool that a training predicts besides, for `assay shadow`: kept ones, at most as many as it trains on, so that a large
    pool costs no more than a part of an epoch; drawn by id, so that two runs predict the same; sorted."""
    pool = state.index[state.keep & (state.split == "pool")]
    return sorted(by_draw(pool, "pool of a run")[:most] if len(pool) > most else pool)


def half(ids, probs):
    """What a run's file holds of the pool: nothing where nothing was predicted."""
    return dict(pool=np.asarray(ids, "S32"), pool_probs=probs.astype("f2")) if len(ids) else {}


def add_pool(bench, key, ids, probs):
    """Keep what a run predicts of pool samples `ids` (m,), asked for after it was trained, beside what it said before."""
    kept = load(predictions(bench, key))
    old = ~np.isin(kept.get("pool", np.empty(0, "S32")), np.asarray(ids, "S32"))
    if old.any():
        ids, probs = (
            np.r_[kept["pool"][old], np.asarray(ids, "S32")],
            np.concatenate([kept["pool_probs"][old], probs.astype("f2")]),
        )
    order = np.argsort(np.asarray(ids, "S32"))
    save(predictions(bench, key), **kept | half(np.asarray(ids, "S32")[order], probs[order]))


def probabilities(bench, key, ids):
    """(classes, probs (m, k), NaN in the rows of samples that the run did not see) of samples `ids` of val and the pool."""
    kept = load(predictions(bench, key))
    if kept is None:
        raise UserError(
            f"expected the predictions of run {key}, found none",
            "assay check --repair, then run the experiment again",
        )
    classes, ids = json.loads(str(kept["classes"])), np.asarray(ids, "S32")
    out = np.full((len(ids), len(classes)), np.nan)
    for there, probs in (("ids", "probs"), ("pool", "pool_probs")):
        if len(kept.get(there, ())):
            at = find(kept[there], ids)
            out[at >= 0] = kept[probs][at[at >= 0]]
    return classes, out


def covers(bench, key, ids):
    """Has the run predicted all of `ids` (m,) S32? A test split frozen anew has samples that an old run never saw; arrays can be lost or damaged."""
    try:
        kept = load(predictions(bench, key))
    except UserError:
        return False
    return kept is not None and bool(len(kept["ids"]) and (find(kept["ids"], ids) >= 0).all())


def covering(bench, key, ids):
    """What `said` says where the run has predicted all of `ids` and its predictions are sound, else None."""
    try:
        answers = said(bench, key, ids)
    except UserError:
        return None
    return None if (answers == "").any() else answers


def said(bench, key, ids):
    """The class that a run predicts for each of `ids`, (m,) objects, "" for a sample that it did not see."""
    kept = load(predictions(bench, key))
    if kept is None:
        raise UserError(
            f"expected the predictions of run {key}, found none",
            "assay check --repair, then run the experiment again",
        )
    classes, ids = (
        np.array([*json.loads(str(kept["classes"])), ""], dtype=object),
        np.asarray(ids, "S32"),
    )
    at = find(kept["ids"], ids)
    return classes[np.where(at >= 0, kept["probs"].argmax(1)[at], -1)]


def right(bench, key, truth):
    """0/1 (m,): did this run predict the label that each sample of `truth` (Series id -> label) has?"""
    return (said(bench, key, truth.index) == truth.to_numpy(dtype=object)).astype("u1")


def frame(bench, split="val", version="HEAD"):
    """Every run as one table, newest last: key, version, arch, seed, n_train, seconds, ts, failed, and on the labels that `split` has at
    `version` its accuracy with Wilson's interval (of this trained model, not of its recipe) low, high, and n; NaN where there are none.
    To read it with split="test" is a look at the test set, and counted."""
    table = bench.query(f"select {COLUMNS} from runs order by ts, key").drop(
        columns=["recipe", "config", "train_tree"]
    )
    truth = bench.frame(version, split).label.dropna().sort_index()
    truth = truth[~truth.index.duplicated()]
    lost = table.failed.notna() | (len(truth) == 0)
    judged = [
        (np.nan,) * 3 if nothing else judge(bench, key, truth)
        for key, nothing in zip(table.key, lost)
    ]
    table["accuracy"], table["low"], table["high"] = np.array(judged).reshape(-1, 3).T
    if split == "test" and len(table):
        look(bench, table.key)
    return table.assign(split=split, n=len(truth))


def by_version(bench, split="val", version="HEAD"):
    """Accuracy of each version and architecture on the labels that `split` has at `version`, newest version last: frame version, arch, seeds, n_train,
    accuracy, low, high (over seeds and samples, or with one seed of this trained model alone: see stats.cell), n. Empty where nothing is trained.
    Random controls are left out: they are there for an experiment to compare with."""
    import pandas as pd

    truth = bench.frame(version, split).label.dropna().sort_index()
    rows = bench.rows(
        "select version, arch, key, n_train from runs where failed is null and version is not null order by ts, key"
    )
    ids, labels, cells = np.asarray(truth.index, "S32"), truth.to_numpy(object), {}
    for at, arch, key, n in rows if len(truth) else ():
        if "random(" not in at and (answers := covering(bench, key, ids)) is not None:
            cells.setdefault((at, arch), []).append((n, answers == labels))
    hits, out = {name: np.array([h for _, h in found]) for name, found in cells.items()}, []
    for (at, arch), Y in hits.items():
        e = estimates.cell(Y, others=[Z for (v, a), Z in hits.items() if a == arch and v != at])
        out.append((at, arch, len(Y), cells[at, arch][0][0], e.estimate, e.low, e.high, len(truth)))
    order = {
        name: i
        for i, (name,) in enumerate(bench.rows("select name from commits order by upto, ts"))
    }
    out.sort(key=lambda row: (order.get(row[0], len(order)), row[0], row[1]))
    return pd.DataFrame(
        out, columns=["version", "arch", "seeds", "n_train", "accuracy", "low", "high", "n"]
    )


def judge(bench, key, truth):
    try:
        hits = right(bench, key, truth)
    except UserError:  # its predictions are lost: `assay check` says so
        return (np.nan,) * 3
    return hits.mean(), *estimates.wilson(hits.sum(), len(hits))


def look(bench, keys):
    """Count a look at the test set by the runs `keys`; to see the same again is none. Returns dict(looks, first (time of the first), edits (those
    made after it, on samples outside the test split))."""
    test = bench.rules().get("test", {}).get("hash") or "not frozen"
    seen = sha256(",".join(sorted(keys)).encode()).hexdigest()[:32]
    if os.access(bench.path, os.W_OK) and not bench.rows(
        "select 1 from looks where test = ? and runs = ?", [test, seen]
    ):
        with bench.transaction() as con:
            row = "select ?, ?, coalesce(max(seq), 0), ? from edits"
            con.execute(f"insert or ignore into looks {row}", [test, seen, now()])
    n, first, upto = bench.rows(
        "select count(*), min(ts), min(upto) from looks where test = ?", [test]
    )[0]
    if not n:  # a bench that nobody may write
        return dict(looks=0, first=None, edits=0)
    since = bench.rows(
        "select sample, count(*) from edits where seq > ? and sample <> '' and batch not like 'import-%' group by sample",
        [upto],
    )
    split = bench.state().split
    return dict(
        looks=n,
        first=iso_time(first),
        edits=sum(k for sample, k in since if split.get(sample) != "test"),
    )


def choose(bench, name):
    """The finished runs that a person calls `name`: a key or its beginning, or VERSION/ARCHITECTURE, the newest of each seed."""
    table = bench.query("select key, version, arch, seed, failed from runs order by ts")
    if "/" in name:
        version, arch = name.split("/", 1)
        own = [
            v in (version, seeded(version, seed)) for v, seed in zip(table.version, table.seed)
        ]  # a control is drawn for each seed
        found = table[np.array(own, bool) & (table.arch == arch)].drop_duplicates(
            "seed", keep="last"
        )
    else:
        found = table[table.key.str.startswith(name)] if len(name) >= 4 else table[:0]
        if len(found) > 1:
            raise UserError(
                f"expected one run whose key begins with {name!r}, found {len(found)}",
                "say more of its key",
            )
    found = found[found.failed.isna()]
    if not len(found):
        known = (
            ", ".join(
                f"{v}/{a}"
                for v, a in table[["version", "arch"]].drop_duplicates().itertuples(index=False)
            )
            or "none"
        )
        raise UserError(
            f"expected a finished run, found none called {name!r}",
            f"assay runs lists them; recipes: {known}"[:600],
        )
    return found[["key", "seed"]].to_dict("records")
