"""A log of 1,000,000 samples (3,000,000 edits of one import) and 1,000,000 decisions on top: what an edit, the state, the log and a diff cost."""

import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.storage.schema import new_batch
from tests.benchmarks.tools import peak

LIMIT = {
    "open": 0.3,
    "edit": 0.1,
    "state": 1.5,
    "state of v1": 1.5,
    "log": 1.5,
    "diff v1 HEAD": 1.5,
}


def build(path, n, decisions):
    bench = assay.create(path)
    ids = [hashlib.md5(b"s%d" % i).hexdigest() for i in range(n)]
    split = np.array(["train"] * 7 + ["val"] + ["test"] * 2)[np.arange(n) % 10]
    label = np.array([f'"class{i}"' for i in range(10)])[np.arange(n) % 10]
    samples = pd.DataFrame(
        dict(
            id=ids,
            source="big",
            key=[f"{i}.png" for i in range(n)],
            width=32,
            height=32,
            meta="{}",
            parent=None,
        )
    )
    samples = samples.assign(uri="/data/big/" + samples.key, content_hash=samples.id.str[::-1])
    rows = pd.DataFrame(
        dict(
            sample=np.repeat(ids, 3),
            field=["label", "keep", "split"] * n,
            value=np.column_stack([label, ["true"] * n, [f'"{s}"' for s in split]]).ravel(),
        )
    )
    with bench.transaction() as con:
        con.register("new_samples", samples)
        con.execute("insert into samples by name select * from new_samples")
        bench.append(con, rows.assign(why="import of big"), new_batch("import"), "importer")
    bench.commit("as imported", "importer")
    rng, free = np.random.default_rng(0), np.flatnonzero(split != "test")
    for k in range(100):
        part = rng.choice(free, decisions // 100, replace=False)
        new = np.array([f'"class{i}"' for i in rng.integers(0, 10, len(part))])
        hint = '{"suggested_label": "class1", "score": 0.1, "rank": 3}'
        rows = dict(
            sample=np.array(ids)[part],
            value=new,
            verdict=np.where(new == label[part], "confirm", "set"),
            seconds=2.0,
        )
        with bench.transaction() as con:
            bench.append(
                con,
                pd.DataFrame(rows).assign(field="label", suggested=hint),
                new_batch("edit"),
                f"ann{k % 3}",
            )


def measure(path):
    """In a process of its own, as a person meets it: first and later times."""
    import pyarrow  # noqa: F401 - what every verb imports anyway is not what is measured

    times, keep = {}, []

    def clock(name, what, n=5):
        for _ in range(n):
            start = time.perf_counter()
            found = what()
            times.setdefault(name, []).append(time.perf_counter() - start)
        return found

    bench = clock("open", lambda: assay.open(path))
    state = clock("state", lambda: bench.states.clear() or bench.state(), 4)
    some = list(state.index[state.split == "train"][:100_000:1000])
    turn = iter(range(10**6))

    def edit():
        i = next(turn)
        return bench.edit(
            pd.DataFrame([dict(sample=some[i % 100], label=f"class{i % 10}", seconds=1)]), "zoe"
        )

    clock("edit", edit, 20)
    clock(
        "edit, bench opened for it",
        lambda: (
            keep.append(assay.Bench(path))
            or keep[-1].edit(pd.DataFrame([dict(sample=some[7], label="class3")]), "zoe")
        ),
    )
    clock("state of v1", lambda: bench.states.clear() or bench.state("v1"), 4)
    clock("log", bench.log)
    clock("diff v1 HEAD", lambda: bench.diff("v1", "HEAD"), 4)
    clock("blame", lambda: bench.blame(some[0]))
    clock("undo", lambda: bench.undo(who="zoe"), 3)
    clock("revert --who zoe, the plan", lambda: bench.revert(of="zoe", dry=True), 2)
    clock(
        "revert --who ann0, the plan (333,000 decisions)",
        lambda: bench.revert(of="ann0", dry=True),
        1,
    )
    clock("commit, with its backup", lambda: edit() and bench.commit("", "zoe"), 2)
    clock("edit after the commit", edit, 20)
    plain = "select sample, arg_max_null(value, seq) as label from edits where field = 'label' group by sample"
    clock("yardstick: every label by one plain DuckDB query", lambda: bench.query(plain), 3)
    bench.states.clear()
    for name, t in times.items():
        limit = f"   limit {LIMIT[name]} s" if name in LIMIT else ""
        print(
            f"{name:<52} first {t[0]:6.3f} s, median {statistics.median(t):6.3f}, worst {max(t):6.3f}{limit}",
            flush=True,
        )
    print(f"peak memory {peak():.2f} GB, file {(bench.file.stat().st_size) / 1e6:.0f} MB")


def main(n=1_000_000, decisions=1_000_000):
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        build(Path(folder) / "big", n, decisions)
        print(
            f"built: {n:,} samples, {3 * n + decisions:,} edits in {time.perf_counter() - start:.0f} s, peak {peak():.2f} GB",
            flush=True,
        )
        code = f"from tests.benchmarks.log import measure; measure({str(Path(folder) / 'big')!r})"
        subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
