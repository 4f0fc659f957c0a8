"""A model that contradicts most labels says more of itself than of them."""

import numpy as np

import assay
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import bench_of, digits, run_assay


def scan_lines(bench):
    lines = []
    scan(bench, ScanOptions(embedder="pixels"), say=lines.append)
    return [line for line in lines if "more of the model" in line]


def test_scan_and_status_doubt_a_model_that_contradicts_most_labels(tmp_path):
    found = digits(300, wrong=0)
    drawn = np.random.default_rng(0).integers(0, 10, len(found)).astype(str)
    bench = bench_of(found.assign(label=drawn), tmp_path / "drawn")
    (line,) = scan_lines(bench)
    assert "--embedder lite0" in line and "--embeddings FILE" in line
    status, out, _ = run_assay("status", "-b", bench.path)
    assert status == 0 and "more of the model" in out
    assert "--embedder lite0" in out.split("advice")[1]
    in_python = assay.open(bench.path).status()["weak_model"]
    assert "bench.scan(embedder='lite0')" in in_python
    sound = bench_of(found, tmp_path / "sound")
    assert not scan_lines(sound) and sound.status()["weak_model"] is None
