"""The loop in one file: what `scan --effort 0` and an experiment with the probe say, of the same files."""

import runpy
import sys

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality import judges, live
from assay.curation.label_quality.probe import Probe
from assay.curation.storage.shards import Shards
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import ROOT, digits, silent

LESSON = ROOT / "docs/lessons/loop.py"


@pytest.fixture
def in_float64(monkeypatch):
    """The product multiplies vectors in float32, which rounds by 1e-7 of what it adds up; the lesson does not."""
    monkeypatch.setattr(Probe, "project", lambda self, X, W: self.standardize(np.asarray(X)) @ W)


def run_lesson(monkeypatch, *arguments):
    """What the file has computed when it ends, by name."""
    monkeypatch.setattr(sys, "argv", ["loop.py", *map(str, arguments)])
    return runpy.run_path(str(LESSON))


def write_digits(folder):
    """1,794 digits as files, 8 % of their labels wrong, a copy in train and one of a test digit; decisions are the truth."""
    table = digits(1794)
    table["path"] = [f"{key}.png" for key in table.id]
    table.loc[7, "image"], table.loc[11, "image"] = table.image[0], table.image[4]
    for path, image in zip(table.path, table.image):
        (folder / path).write_bytes(image)
    table[["path", "label", "split"]].to_csv(folder / "labels.csv", index=False)
    fixed = table[table.label != table.truth.astype(str)]
    fixed[["path", "truth"]].rename(columns=dict(truth="label")).to_csv(
        folder / "decisions.csv", index=False
    )


def write_solar_cells(folder):
    """2,624 solar cells with a hurried annotator's labels; decisions are the experts' majority."""
    from assay.pipelines.simulation.example_data import hurried_labels, read_solar_cells

    cells, names = read_solar_cells(), np.array(["functional", "defective"])
    split = cells.draw_splits(0, val=0.1, test=0.2)
    label = np.where(
        split == "test", cells.truth, names[hurried_labels(cells.doubt, 0).astype(int)]
    )
    (folder / "images").symlink_to(cells.root / "images")
    pd.DataFrame(dict(path=cells.paths, label=label, split=split)).to_csv(
        folder / "labels.csv", index=False
    )
    wrong = label != cells.truth
    pd.DataFrame(dict(path=np.array(cells.paths)[wrong], label=cells.truth[wrong])).to_csv(
        folder / "decisions.csv", index=False
    )


def read_vectors(bench, part):
    folder = bench.arrays / "embeddings" / read_settings(bench)["folder"]
    return Shards(folder).rows(part.content_hash)


def assert_same_scan(mine, folder, embedder, tolerance, same_order=True):
    """Probabilities, flags, order and what is held out; returns the bench."""
    bench = assay.create(folder / "bench").add(str(folder / "labels.csv"))
    scan(bench, ScanOptions(embedder=embedder, effort=0), say=silent)
    state = bench.state()
    held_out = set(state.key[~state.keep])
    assert held_out == set(mine["keys"][mine["held_out"]])
    made = judges.predict_version(bench, "HEAD")
    at = pd.Index(mine["keys"]).get_indexer(state.key[made.part.index])
    assert list(made.classes) == list(mine["classes"])
    assert abs(made.probs - mine["probs"][at]).max() < tolerance
    scores = live.label_scores(bench, "HEAD")
    assert set(state.key[scores.index[scores.flagged]]) == set(mine["keys"][mine["flagged"]])
    queue = bench.queue(len(scores), random=0.0)
    equal = state.key[queue["sample"]].to_numpy() == mine["keys"][mine["queue"]]
    assert equal.all() if same_order else equal.mean() > 0.95
    return bench


def assert_same_gain(mine, folder, bench):
    """The probes of both versions, asked for the test split, and `assay compare` of what they say."""
    decisions = pd.read_csv(folder / "decisions.csv", dtype=str)
    ids = pd.Series(bench.state().index, bench.state().key)
    fixed = pd.DataFrame(dict(sample=ids[decisions.path].to_numpy(), label=decisions.label))
    bench.edit(fixed, who="ann")
    bench.commit("fixed")
    test = bench.state().query("split == 'test'")
    said = []
    for version in ("v1", "v2"):
        fitted = judges.fit_probe(bench, bench.state(version))
        best = fitted.probe.predict(read_vectors(bench, test)).argmax(1)
        said.append(pd.Series(np.array(fitted.classes)[best], test.key, name="label"))
    out = assay.compare(*said, pd.Series(test.label.to_numpy(), test.key, name="label"))
    theirs = [out["estimate"], out["low"], out["high"]]
    assert np.allclose(theirs, mine["gain"], atol=1e-9), (theirs, mine["gain"])


@pytest.mark.slow
def test_digits_and_their_copies(tmp_path, monkeypatch, in_float64):
    write_digits(tmp_path)
    mine = run_lesson(monkeypatch, tmp_path)
    assert mine["held_out"].sum() == 1, "a copy of a test sample is in train"
    bench = assert_same_scan(mine, tmp_path, "pixels", 1e-9)
    assert_same_gain(mine, tmp_path, bench)


@pytest.mark.daily
def test_solar_cells(tmp_path, monkeypatch, in_float64):
    write_solar_cells(tmp_path)
    mine = run_lesson(monkeypatch, tmp_path)
    assert len(mine["pairs"]) > 300, "of these many are taken twice"
    bench = assert_same_scan(mine, tmp_path, "pixels", 1e-9)
    assert_same_gain(mine, tmp_path, bench)


@pytest.mark.daily
def test_as_the_product_is_flags_and_order_are_the_same(tmp_path, monkeypatch):
    write_solar_cells(tmp_path)
    assert_same_scan(run_lesson(monkeypatch, tmp_path), tmp_path, "pixels", 1e-5)


@pytest.mark.daily
def test_features_of_the_network(tmp_path, monkeypatch):
    """By torch here and by onnxruntime there, which round otherwise."""
    monkeypatch.setenv("ASSAY_ENGINE", "fp32")
    write_solar_cells(tmp_path)
    mine = run_lesson(monkeypatch, tmp_path, "--network")
    bench = assert_same_scan(mine, tmp_path, "lite0", 5e-4, same_order=False)
    state = bench.state()
    theirs = np.asarray(read_vectors(bench, state))
    apart = theirs - mine["X"][pd.Index(mine["keys"]).get_indexer(state.key)]
    assert np.linalg.norm(apart) < 1e-6 * np.linalg.norm(theirs)


def test_it_is_short_and_imports_nothing_of_ours():
    source = LESSON.read_text()
    assert len(source.splitlines()) <= 300 and "assay" not in source.replace("Assay does at", "")


@pytest.mark.slow
def test_without_an_argument_it_says_what_its_head_claims(monkeypatch, capsys):
    run_lesson(monkeypatch)
    said = capsys.readouterr().out
    assert (
        "117 of 118 wrong labels are flagged" in said and "142 of 1438 labels are flagged" in said
    )
    assert "-0.3% [-2.1%, +1.5%]" in said
