"""The report of 100 runs x 10,000 test samples, and a second run of an unchanged plan: 60,000 CIFAR-10N images, predictions drawn at random.

Yardstick: reading the same 100 files of predictions and counting what they get right, in plain numpy."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import assay
from assay.curation.formats.base import ImportOptions
from assay.curation.predictions import run_predictions
from assay.pipelines.evaluation import compare
from assay.pipelines.experiments.cells import list_cells
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.reports import experiment_report
from assay.pipelines.reports.templates import write_page
from tests.benchmarks.tools import clock, need

PLAN = dict(
    versions=["v1", "v2"],
    architectures=["probe", "mlp", "cnn", "resnet", "finetune"],
    seeds=10,
    margin=0.5,
)


def fill(bench, plan):
    """Predictions of every cell of the plan as if it had been trained: right four times in five, v2 a little more often."""
    state = bench.state()
    ids = run_predictions.predicted_ids(state)
    classes = sorted(set(state.label.dropna()))
    truth = np.searchsorted(classes, state.label[ids].to_numpy(dtype=str))
    for cell in list_cells(bench, plan):
        rng = np.random.default_rng(int(cell["key"][:8], 16))
        right = rng.random(len(ids)) < 0.8 + 0.02 * (cell["version"] == "v2")
        said = np.where(right, truth, rng.integers(0, len(classes), len(ids)))
        run_predictions.store_run(
            bench,
            cell,
            1,
            "benchmark",
            60.0,
            run_predictions.Predictions(ids, np.eye(len(classes), dtype="f4")[said], classes),
        )


def main():
    work = Path(tempfile.mkdtemp())
    bench = assay.create(work / "bench")
    with clock("import and scan 60,000 images, embedded as they are"):
        ingest(
            bench,
            need("cifar10n.parquet"),
            "benchmark",
            ImportOptions(columns=dict(label="aggre"), audited_test=True),
        )
        scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    truth = bench.state().meta.map(lambda m: json.loads(m)["true_label"])
    asked = bench.queue(2000)[["sample", "suggested_label", "score"]]
    bench.edit(asked.assign(label=truth[asked["sample"]].to_numpy(), seconds=2.0), "benchmark")
    bench.commit("reviewed", "benchmark", "v2")
    plan = check_plan(PLAN)
    fill(bench, plan)
    test = bench.frame(split="test").label.sort_index()
    with clock("yardstick: 100 files read, right answers counted"):
        right = 0
        for (key,) in bench.rows("select key from runs"):
            kept = np.load(run_predictions.predictions_file(bench, key))
            said = np.array(json.loads(str(kept["classes"])))[kept["probs"].argmax(1)]
            right += (
                said[np.isin(kept["ids"], test.index.to_numpy("S32"))] == test.to_numpy(str)
            ).sum()
    for turn in ("first", "again"):
        with clock(f"compare, {turn} (curve, batches and clusters are kept)"):
            data = compare.load_report_data(bench, plan)
        with clock(f"the page, {turn} (limit for both 20 s)"):
            page = write_page(experiment_report.draw_report(bench, data), work / "report.html")
    print(f"the page has {page.stat().st_size / 1e6:.2f} MB (limit 3)", flush=True)
    (work / "plan.toml").write_text("\n".join(f"{k} = {json.dumps(v)}" for k, v in PLAN.items()))
    for _ in range(3):
        start = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "assay",
            "experiment",
            work / "plan.toml",
            "-b",
            bench.path,
            "-o",
            work / "report.html",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print(
            f"assay experiment, nothing to train, 100 runs: {time.perf_counter() - start:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
