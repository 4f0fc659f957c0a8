"""What a state, a diff, a commit, the status, the queue and an edit cost at 1, 10 and 100 million samples.

    python -m tests.benchmarks.states make FOLDER N      a bench of N samples and 4 N edits, its scores beside it
    python -m tests.benchmarks.states FOLDER [STEP ...]  each step in a process of its own: seconds, and its peak memory

Of the edits 3 N are of an import, 0.9 N of labels that changed at their source, 0.1 N of people.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import assay
from assay.curation.features.neighbor_graph import Graph
from assay.curation.storage.arrays import save_arrays
from assay.curation.storage.schema import new_batch
from assay.curation.storage.store import Store
from assay.curation.versioning import states
from tests.benchmarks.tools import peak

EACH = 1_000_000  # samples of one transaction, as one chunk of an import
STEPS = (
    "state",
    "state_v1",
    "open_edit",
    "status",
    "queue",
    "diff",
    "commit",
    "browse",
)
MOST_GRAPHED = 10_000_000  # samples; of more, no graph and no probabilities are made
SCAN = dict(
    embedder="lite0", folder="none", effort=1, probabilities="probe", out_of_sample=True, upto=0
)
CHANGED = "i % 10 <> 3"  # whose label changed at its source
SAMPLES = """create temp table chunk as select i, md5('s' || i) as id from range({a}, {b}) t(i)
    where {chosen}"""
INTO_SAMPLES = """insert into samples select id, 'big', i || '.png', '/data/big/' || i || '.png',
    reverse(id), 32, 32, '{}', null from chunk order by i"""
EDITS = """create temp table new_edits as select
    '{stamp}' || printf('%010x', n) as uid, '{batch}' as batch, '{batch}' as origin, sample, field, value::json as value,
    '{verdict}' as verdict, '{who}' as who, '{why}' as why, {suggested}::json as suggested, {seconds}::double as seconds,
    timestamp '2026-11-01' + to_seconds({number}) as ts, n from ({rows})"""
IMPORTED = """select 3 * i + j + 1 - 3 * {a} as n, id as sample, ['label', 'keep', 'split'][j + 1] as field,
    case j when 0 then '"class' || i % 10 || '"' when 1 then 'true'
    else '"' || if(i % 10 < 7, 'train', if(i % 10 = 7, 'val', 'test')) || '"' end as value
    from chunk, range(3) t(j)"""
LATER = """select row_number() over (order by i) as n, id as sample, 'label' as field,
    '"class' || {label} || '"' as value from chunk"""


@contextmanager
def clock(text):
    """Print how long a block took, and for how long it used a CPU: others may be at work."""
    began, used = time.perf_counter(), time.process_time()
    yield
    took, cpu = time.perf_counter() - began, time.process_time() - used
    load = os.getloadavg()[0]
    print(
        f"{text:<44} {took:8.2f} s   CPU {cpu:8.2f} s   peak {peak():5.2f} GB   load {load:.1f}",
        flush=True,
    )


def link(bench, con, rows, kind, who, number, verdict="set", suggested="null", seconds="null"):
    con.execute("drop table if exists new_edits")
    batch = new_batch(kind)
    con.execute(
        EDITS.format(
            rows=rows,
            stamp=f"{number:022x}",
            batch=batch,
            who=who,
            why=kind,
            number=number,
            verdict=verdict,
            suggested=suggested,
            seconds=seconds,
        )
    )
    count = con.execute("select count(*) from new_edits").fetchall()[0][0]
    # not the bench's own link: after each it would write down what stands
    Store.link(bench, con, "new_edits", count)


def make(path, n):
    """Make the bench, by SQL, a transaction for each million samples."""
    bench, number = assay.create(path), 0
    chunks = [(a, min(a + EACH, n)) for a in range(0, n, EACH)]
    for a, b in chunks:
        with bench.transaction() as con:
            con.execute(SAMPLES.format(a=a, b=b, chosen="true"))
            con.execute(INTO_SAMPLES)
            link(bench, con, IMPORTED.format(a=a), "import", "importer", number := number + 1)
            con.execute("drop table chunk")
        print(f"    {b:,} samples, peak {peak():.2f} GB", flush=True)
    with bench.transaction() as con:
        upto, head = con.execute(
            "select max(seq), (select value from meta where key = 'head') from edits"
        ).fetchall()[0]
        con.execute(
            "insert into commits values ('v1', ?, 'not hashed', null, 'as imported', 'importer', now()::timestamp)",
            [upto],
        )
    for a, b in chunks:
        with bench.transaction() as con:
            con.execute(SAMPLES.format(a=a, b=b, chosen=CHANGED))
            rows = LATER.format(label="if(hash(i) % 11 = 0, (i + 1) % 10, i % 10)")
            link(bench, con, rows, "import", "importer", number := number + 1)
            con.execute("drop table chunk")
    hint = '\'{"suggested_label": "class1", "score": 0.1, "rank": 3}\''
    for k in range(10):  # people's decisions lie all over the samples
        with bench.transaction() as con:
            chosen = f"hash(i) % 70 = {k} and i % 10 < 7"
            con.execute(SAMPLES.format(a=0, b=n, chosen=chosen))
            rows = LATER.format(label="hash(i + 5) % 10")
            link(bench, con, rows, "edit", f"ann{k % 3}", number := number + 1, "set", hint, 2)
            con.execute("drop table chunk")
    with clock("what stands, written down"), bench.transaction() as con:
        states.write_standing(con)
    edits = bench.rows("select max(seq) from edits")[0][0]
    write_scores(bench, n, edits)
    size = bench.file.stat().st_size / 1e9
    print(f"{n:,} samples, {edits:,} edits, {size:.2f} GB, peak {peak():.2f} GB", flush=True)


def write_scores(bench, n, upto):
    """Write scores as a scan would have left them: 10 classes, the first 7 + 1 of 10 samples."""
    i = np.arange(n)
    free = i[i % 10 < 8]
    rng = np.random.default_rng(0)
    m = len(free)
    with bench.connect() as con:
        con.execute("insert into meta values ('scan', ?)", [json.dumps(SCAN)])
    if n <= MOST_GRAPHED:  # 1.2 KB a sample less
        with bench.connect() as con:
            found = con.sql("select id, content_hash from samples order by rowid").to_arrow_table()
        ids, hashes = map(as_bytes, found.columns)
        write_graph(bench, np.sort(hashes), rng)
    score = rng.beta(5, 1, m)
    save_arrays(
        bench.arrays / "opinion.npz",
        upto=np.array(upto),
        ids=ids[free] if n <= MOST_GRAPHED else np.empty(0, "S32"),
        pred_probs=np.full((m if n <= MOST_GRAPHED else 1, 10), 0.1, "f4"),
        few=np.zeros(10, bool),
        classes=np.array(json.dumps([f"class{j}" for j in range(10)])),
        rows=np.arange(m),
        score=score,
        suggestion=rng.integers(0, 10, m),
        confidence=1 - score,
        flagged=score < 0.3,
    )


def as_bytes(column):
    """Texts of 32 characters as S32."""
    parts = (
        np.frombuffer(c.buffers()[2], "S32")[c.offset : c.offset + len(c)] for c in column.chunks
    )
    return np.concatenate(list(parts))


def write_graph(bench, hashes, rng):
    """Write a graph of random neighbours: evidence is read, and means nothing."""
    n = len(hashes)
    Graph(
        "key",
        hashes,
        rng.integers(0, n, (n, 10), "i4"),
        np.ones((n, 10), "f4"),
        np.empty((0, 2), int),
        np.empty(0),
        np.arange(n),
        np.empty((0, 2), int),
        np.empty(0),
        0.1,
    ).save(bench.arrays / "graph.npz")


def state(bench):
    with clock("state"):
        print("   ", len(bench.state()), "samples")


def state_v1(bench):
    with clock("state of v1"):
        bench.state("v1")


def open_edit(bench):
    import pandas as pd

    one = bench.rows("select id from samples where rowid = 1000")[0][0]
    for k in range(4):
        with clock(f"edit {k + 1}"):
            bench.edit(pd.DataFrame([dict(sample=one, label=f"class{k}")]), "zoe")


def status(bench):
    with clock("status"):
        found = bench.status()
    print("   ", str(found)[:300])


def queue(bench):
    with clock("queue of 200"):
        found = bench.queue()
    print("   ", len(found), "rows")


def diff(bench):
    with clock("diff v1 HEAD"):
        found = bench.diff("v1")
    print("   ", {name: len(part) for name, part in found.items() if name not in "ab"})


def commit(bench):
    with clock("commit"):
        found = bench.commit("as it stands", "zoe")
    print("   ", found)


def browse(bench):
    with clock("Browse, the samples as a table"):
        table = bench.sample_table()
    with clock("Browse, the first page"):
        rows = table.select("", "", "", ())[:400]
        table.rows(rows, ["key", "label", "split", "reviewed", "keep"])
    with clock("Browse, facets of label, split and decision"):
        table.facets("", ("label", "split", "decision"))


def main(folder, *steps):
    if folder == "make":
        with clock(f"made {steps[1]}"):
            return make(Path(steps[0]), int(float(steps[1])))
    if steps[:1] == ("--inside",):
        bench = assay.open(folder)
        globals()[steps[1]](bench)
        return None
    for step in steps or STEPS:
        started = time.perf_counter()
        code = subprocess.run(
            [
                sys.executable,
                "-m",
                __name__ if __name__ != "__main__" else "tests.benchmarks.states",
                folder,
                "--inside",
                step,
            ]
        ).returncode
        print(
            f"{step:<12} {time.perf_counter() - started:8.1f} s with the start of Python, ended with {code}",
            flush=True,
        )
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
