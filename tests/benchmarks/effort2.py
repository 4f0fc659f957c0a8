"""Effort 2 against effort 1 on 10,000 images of `aggre`: what a trained network adds to the probe, in average precision and seconds."""

import json
import shutil
import tempfile
from pathlib import Path

import pandas as pd

import assay
from assay.curation.formats.base import ImportOptions
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.benchmarks.scan import average_precision
from tests.benchmarks.tools import clock, need

work = Path(tempfile.mkdtemp())
pd.read_parquet(need("cifar10n.parquet")).head(10_000).to_parquet(work / "part.parquet")
bench = assay.create(work / "bench")
ingest(bench, work / "part.parquet", "benchmark", ImportOptions(columns=dict(label="aggre")))
state = bench.state()
judged = state[state["split"].isin(("train", "val"))]
truth = judged.meta.map(lambda m: json.loads(m)["true_label"])
for effort in (1, 2):
    with clock(f"scan at effort {effort}"):
        found = scan(
            bench, ScanOptions(effort=effort), say=lambda line: print("   ", line, flush=True)
        )
    print(
        f"effort {effort}: average precision {average_precision(bench, truth, found):.3f}",
        flush=True,
    )
shutil.rmtree(work)
