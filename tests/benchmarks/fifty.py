"""A bench in FiftyOne at size: seconds of a push, of a push with nothing new, after 100 edits, and of a pull of 100 changes, on n CIFAR-10N images.

`python -m tests.benchmarks.fifty 10000`. One process, the bench's own mongod, no App. The seconds of the scan on the same machine are the yardstick."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.formats.base import ImportOptions
from assay.pipelines.fiftyone import changes, sync
from assay.pipelines.fiftyone import dataset as mirror
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.conftest import DATA


def main(n=2_000):
    clock = []

    def timed(what, job, *arguments, **more):
        begin = time.perf_counter()
        out = job(*arguments, **more)
        clock.append((what, time.perf_counter() - begin))
        print(
            f"{what:<44} {clock[-1][1]:8.1f} s  {clock[-1][1] / n * 1000:8.2f} ms an image",
            flush=True,
        )
        return out

    with tempfile.TemporaryDirectory() as folder:
        table = pd.read_parquet(DATA / "cifar10n.parquet").iloc[:n]
        table.to_parquet(Path(folder) / "cifar.parquet")
        bench = assay.create(Path(folder) / "bench")
        label = "worst" if "worst" in table else next(c for c in table if "worst" in c)
        timed(
            "import",
            ingest,
            bench,
            Path(folder) / "cifar.parquet",
            "benchmark",
            ImportOptions(columns=dict(label=label), audited_test=True),
        )
        timed("scan (pixels)", scan, bench, ScanOptions(embedder="pixels"), say=lambda line: None)
        fo, _ = timed("start mongod and FiftyOne", mirror.connect_database, bench)
        dataset = mirror.open_dataset(bench, fo)
        print(
            {
                k: v
                for k, v in timed("push, all new", sync.push_samples, bench, fo, dataset).items()
                if k != "lost"
            }
        )
        print(
            {
                k: v
                for k, v in timed(
                    "push, nothing new", sync.push_samples, bench, fo, dataset
                ).items()
                if k != "lost"
            }
        )
        ids = bench.state().query("split == 'train'").index
        bench.edit(pd.DataFrame(dict(sample=ids[:100], tag="seen")), "benchmark")
        print(
            {
                k: v
                for k, v in timed(
                    "push after 100 edits", sync.push_samples, bench, fo, dataset
                ).items()
                if k != "lost"
            }
        )
        dataset.set_values(
            "tags", {s: ["train", "seen", "odd"] for s in ids[:100]}, key_field="assay_id"
        )
        found = timed(
            "find 100 changes",
            sync.find_changes,
            bench,
            dataset,
            sync.PushedSamples(bench, dataset),
        )
        assert len(found) == 100 and (found.verdict == "apply").all()
        out = timed("edit", bench.edit, changes.make_decisions(found), "benchmark")
        assert out["edits"] == 100 and np.isin("odd", bench.state().tags[ids[0]])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
