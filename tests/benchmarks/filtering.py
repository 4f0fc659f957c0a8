"""All samples as one table: how long it takes to read it, to find, sort and count, for 60,000 samples and for as many as 1,000,000.

    python -m tests.benchmarks.filtering [N ...]

The labels are those of CIFAR-10N, repeated under distinct ids; scores, clusters, groups and properties are drawn, since
nothing here hangs on what they say. Beside each figure stands what pandas takes for the same question, in the same run.
"""

import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.features.neighbor_graph import Graph
from assay.curation.filtering.table import SampleTable
from assay.curation.issues.image_properties import COLUMNS, FOLDER
from assay.curation.label_quality.score_files import LabelScores, StoredScores
from assay.curation.label_quality.scoring import without_locked
from assay.curation.slicing.clusters import Clusters
from assay.curation.storage.schema import new_batch
from assay.curation.storage.shards import Shards
from tests.benchmarks.tools import clock, need, peak

LIMITS = {
    60_000: dict(make=2, select=0.05, facet=0.1),
    1_000_000: dict(make=2, select=0.3, facet=0.5),
}
QUESTIONS = [
    ("label = 'cat' and suggestion = 'dog' and split = 'train'", ""),
    ("score < 0.2", "score"),
    ("split = 'train' and not reviewed", "score desc, key"),
    ("has('label') and site in ('north', 'east')", "confidence desc"),
    ("brightness between 0.2 and 0.5 or hour >= 18", "key"),
    ("key like '%77%'", "brightness"),
]


def build(folder, n):
    """A bench of n samples, as an import and a scan leave it."""
    table = pd.read_parquet(need("cifar10n.parquet"), columns=["aggre", "split"])
    table = table.iloc[np.arange(n) % len(table)]
    bench, rng = assay.create(folder), np.random.default_rng(0)
    ids = [hashlib.md5(b"s%d" % i).hexdigest() for i in range(n)]
    contents = np.array([hashlib.md5(b"c%d" % i).hexdigest() for i in range(min(n, 60_000))])
    sites, hours = rng.integers(0, 4, n), rng.integers(0, 24, n)
    names = np.array(["north", "east", "south", "west"])
    samples = pd.DataFrame(dict(id=ids, source="cifar10n", width=32, height=32, parent=None))
    samples["key"] = [f"part-{i % 97}/{i:07d}.png" for i in range(n)]
    samples["uri"] = "/data/" + samples.key
    samples["content_hash"] = contents[np.arange(n) % len(contents)]
    samples["meta"] = [f'{{"site": "{names[s]}", "hour": {h}}}' for s, h in zip(sites, hours)]
    values = [table.aggre.map(json.dumps), ["true"] * n, table["split"].map(json.dumps)]
    rows = pd.DataFrame(dict(sample=np.repeat(ids, 3), field=["label", "keep", "split"] * n))
    rows["value"] = np.column_stack(values).ravel()
    with bench.transaction() as con:
        con.register("new_samples", samples)
        con.execute("insert into samples by name select * from new_samples")
        bench.append(con, rows.assign(why="import"), new_batch("import"), "importer")
        scan = json.dumps(dict(embedder="drawn", folder="drawn", effort=1, probabilities="probe"))
        con.execute("insert into meta values ('scan', ?)", [scan])
    write_scan(bench, contents, rng)
    return bench


def write_scan(bench, contents, rng):
    """Scores, label issues, clusters, groups and properties, all drawn."""
    state, hashes = bench.state(), np.sort(contents).astype("S32")
    part, classes = without_locked(state), sorted(set(state.label))
    few, probs = np.zeros(len(classes), bool), rng.dirichlet(np.ones(len(classes)), len(part))
    use = part.label.notna() & part.split.isin(("train", "val"))
    p = probs[use.to_numpy()]
    found = pd.DataFrame(dict(label=part.label[use], reviewed=False))
    found["suggestion"] = np.array(classes, object)[p.argmax(1)]
    found["score"], found["confidence"] = p[:, 0], p.max(1)
    found["flagged"] = found.score < 0.005
    stored, ids = StoredScores.from_frame(part, classes, few, found), np.asarray(part.index, "S32")
    upto = bench.rows("select max(seq) from edits")[0][0]
    LabelScores(upto, ids, classes, probs, few, stored).save(bench)
    flagged = found[found.flagged].reset_index(names="sample")
    rows = flagged[["sample", "score", "suggestion"]].assign(kind="label", why="drawn", upto=upto)
    with bench.transaction() as con:
        con.register("rows", rows)
        con.execute("insert into issues by name select * from rows")
    m = len(hashes)
    fine, groups = (
        rng.integers(0, 72, m),
        np.where(rng.random(m) < 0.1, np.arange(m) // 3, np.arange(m)),
    )
    empty = np.empty((0, 2), int), np.empty(0)
    graph = Graph(
        "drawn", hashes, np.zeros((m, 1), int), np.ones((m, 1)), *empty, groups, *empty, 0.9
    )
    graph.save(bench.arrays / "graph.npz")
    drawn = np.zeros(m), np.ones(m, bool)
    Clusters("drawn", "drawn", hashes, fine, np.arange(72) // 4, *drawn, m, 0).save(
        bench.arrays / "clusters.npz"
    )
    properties = rng.random((m, len(COLUMNS))).astype("f4")
    Shards(bench.arrays / "quality" / FOLDER).append(hashes, properties)


def measure(times, what, limit, question, *asked):
    """Ask so many times; print median and p95, and the median of the CPU's time, which a busy machine does not stretch."""
    seconds, cpu = [], []
    for _ in range(times):
        start, begun = time.perf_counter(), time.process_time()
        question(*asked)
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - begun)
    p50, p95 = np.quantile(seconds, (0.5, 0.95)) * 1000
    over = f"   limit {limit * 1000:.0f}" if limit else ""
    print(
        f"  {what:<70} {p50:8.1f} ms  p95 {p95:8.1f}  cpu {np.median(cpu) * 1000:7.1f}{over}",
        flush=True,
    )


def run(n, folder):
    print(f"\n{n:,} samples", flush=True)
    limits = LIMITS.get(n, LIMITS[1_000_000])
    with clock("  make the bench (not judged)"):
        bench = build(folder, n)
        bench.state()
    with clock(f"  read the table (limit {limits['make']} s)"):
        table = SampleTable(bench)
    with clock("  read every column, when all are first asked for"):
        for name in table.columns:
            table.snapshot.array(name)
    measure(15, "nothing is new", None, table.refresh)
    for where, sort in QUESTIONS:
        found = len(table.select(where, sort))
        what = f"{where} / {sort}: {found:,}"
        measure(15, what, limits["select"], table.select, where, sort)
    frame = table.rows(np.arange(n), ["label", "suggestion", "split", "score", "key"])
    asked = frame[(frame.split == "train") & (frame.score < 0.2)]
    measure(5, "pandas: score < 0.2 of train, sorted", None, asked.sort_values, "score")
    names = table.snapshot.facet_names()
    for name in ("label", "score", "issues", "site", "duplicate_group"):
        measure(15, f"facet {name}", limits["facet"], table.facets, "score < 0.5", [name])
    measure(15, f"all {len(names)} facets", None, table.facets, "score < 0.5")
    measure(5, "pandas: value_counts of label", None, asked.label.value_counts)
    with clock("  search, the first time"):
        table.select(search="NÖRTH 77")
    measure(15, "search: north 77", limits["select"], table.select, "", "", "NÖRTH 77")
    first = np.arange(500)
    measure(15, "the first 500 rows, 8 columns", None, table.rows, first, list(table.columns)[:8])
    row = table.snapshot.state.query("split == 'train'").index[5]
    bench.edit(pd.DataFrame(dict(sample=[row], verdict="unsure")), "ann")
    scored = table.snapshot.stamps[0], LabelScores.load(bench).scores.to_frame(bench.state())
    table.scores = lambda: scored  # as a session gives them, which has them in memory
    with clock("  refresh after a decision, scores at hand"):
        table.refresh()
    with clock("  and the next answer: facets of everything"):
        table.facets("score < 0.5")
    print(f"  peak {peak():.2f} GB")


if __name__ == "__main__":
    for n in map(int, sys.argv[1:] or ["60000", "1000000"]):
        with tempfile.TemporaryDirectory() as folder:
            run(n, Path(folder) / "bench")
