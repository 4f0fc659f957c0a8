"""Finished runs, and how accurate they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownRun, UserError
from assay.curation.predictions.run_predictions import (
    COLUMNS,
    mark_correct,
    read_complete_labels,
)
from assay.curation.statistics import contrasts, estimates
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.times import iso_time, now
from assay.curation.versioning.expressions import fill_seed
from assay.curation.versioning.version_names import rename_labels

if TYPE_CHECKING:
    import pandas as pd


def tabulate_runs(bench: Bench, split: str = "val", version: str = "HEAD") -> pd.DataFrame:
    """Tabulate every run, newest last.

    Columns: key, version, arch, seed, n_train, seconds, ts, failed, and on the labels that `split` has at `version` its
    accuracy with Wilson's interval (of this trained model, not of its recipe) low, high, and n; NaN where there are
    none. With split="test" this is an access to the test set, and recorded.
    """
    table = bench.query(f"select {COLUMNS} from runs order by ts, key").drop(
        columns=["recipe", "config", "train_tree"]
    )
    truth = read_truth(bench, split, version)
    truth = truth[~truth.index.duplicated()]
    lost = table.failed.notna() | (len(truth) == 0)
    unknown = (np.nan,) * 3
    judged = [
        unknown if nothing else score_run(bench, key, truth)
        for key, nothing in zip(table.key, lost)
    ]
    table["accuracy"], table["low"], table["high"] = np.array(judged).reshape(-1, 3).T
    if split == "test" and len(table):
        record_test_access(bench, table.key)
    return table.assign(split=split, n=len(truth))


def tabulate_versions(bench: Bench, split: str = "val", version: str = "HEAD") -> pd.DataFrame:
    """Tabulate the accuracy of each version and architecture, newest version last.

    It is judged on the labels that `split` has at `version`. Columns: version, arch, seeds, n_train, accuracy, low,
    high (over seeds and samples, or with one seed of this trained model alone: see contrasts.cell_accuracy), n. Empty
    where nothing is trained. Random controls are left out: they are there for an experiment to compare with.
    """
    import pandas as pd

    truth = read_truth(bench, split, version)
    rows = bench.rows(
        "select version, arch, key, n_train from runs "
        "where failed is null and version is not null order by ts, key"
    )
    ids, labels, cells = np.asarray(truth.index, "S32"), truth.to_numpy(object), {}
    correct = task_of(bench).correct
    for at, arch, key, n in rows if len(truth) else ():
        if "random(" not in at and (answers := read_complete_labels(bench, key, ids)) is not None:
            cells.setdefault((at, arch), []).append((n, correct(answers, labels)))
    hits, out = {name: np.array([h for _, h in found]) for name, found in cells.items()}, []
    for (at, arch), Y in hits.items():
        others = [Z for (v, a), Z in hits.items() if a == arch and v != at]
        e = contrasts.cell_accuracy(Y, others=others)
        out.append((at, arch, len(Y), cells[at, arch][0][0], e.estimate, e.low, e.high, len(truth)))
    order = {
        name: i
        for i, (name,) in enumerate(bench.rows("select name from commits order by upto, ts"))
    }
    out.sort(key=lambda row: (order.get(row[0], len(order)), row[0], row[1]))
    return pd.DataFrame(
        out, columns=["version", "arch", "seeds", "n_train", "accuracy", "low", "high", "n"]
    )


def read_truth(bench: Bench, split: str, version: str) -> pd.Series:
    """Read the labels of a split, by the classes' present names.

    They are those of a version: a Series by id.
    """
    return rename_labels(bench, bench.frame(version, split).label.dropna().sort_index(), version)


def score_run(bench: Bench, key: str, truth: pd.Series) -> tuple[float, float, float]:
    """Accuracy of a run with Wilson's interval, NaN where it is lost."""
    try:
        hits = mark_correct(bench, key, truth)
    except UserError:  # its predictions are lost: `assay check` says so
        return (np.nan,) * 3
    return hits.mean(), *estimates.wilson_interval(hits.sum(), len(hits))


def record_test_access(bench: Bench, keys: Iterable[str]) -> dict:
    """Record that these runs were judged on the test set.

    To see the same again is no new access. Returns dict accesses (how many), first (time of the first), edits (those
    made after it, on samples outside the test split).
    """
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
        return dict(accesses=0, first=None, edits=0)
    since = bench.rows(
        "select sample, count(*) from edits "
        "where seq > ? and sample <> '' and kind <> 'import' group by sample",
        [upto],
    )
    split = bench.state().split
    return dict(
        accesses=n,
        first=iso_time(first),
        edits=sum(k for sample, k in since if split.get(sample) != "test"),
    )


def find_runs(bench: Bench, name: str) -> list[dict]:
    """Find the finished runs that a person calls `name`.

    A name is a run's key or at least 4 letters of its beginning, or VERSION/ARCHITECTURE: then
    the newest run of each seed. Returns dicts key, seed. UserError where there is none, or where
    a key could be several.
    """
    table = bench.query("select key, version, arch, seed, failed from runs order by ts")
    if "/" in name:
        version, arch = name.split("/", 1)
        # a control is drawn for each seed
        own = [
            v in (version, fill_seed(version, seed)) for v, seed in zip(table.version, table.seed)
        ]
        found = table[np.array(own, bool) & (table.arch == arch)]
        found = found.drop_duplicates("seed", keep="last")
    else:
        found = table[table.key.str.startswith(name)] if len(name) >= 4 else table[:0]
    found = found[found.failed.isna()]
    if len(found) == 1 or len(found) and "/" in name:
        return found[["key", "seed"]].to_dict("records")
    recipes = table[["version", "arch"]].drop_duplicates().itertuples(index=False)
    known = ", ".join(f"{v}/{a}" for v, a in recipes) or "none"
    raise UnknownRun(
        f"expected one finished run called {name!r}, found {len(found) or 'none'}",
        "say VERSION/ARCHITECTURE or 4 letters or more of a key; "
        f"assay runs lists them; recipes: {known}"[:600],
        name,
        known.split(", "),
    )


def find_run(bench: Bench, name: str) -> str:
    """Find the key of the one run that a person calls `name`.

    Names are those of find_runs; UserError where there are several.
    """
    found = find_runs(bench, name)
    if len(found) > 1:
        raise UserError(
            f"expected one finished run called {name!r}, found {len(found)}, one a seed",
            f"say the key of one: {', '.join(run['key'][:8] for run in found)}"[:600],
        )
    return found[0]["key"]
