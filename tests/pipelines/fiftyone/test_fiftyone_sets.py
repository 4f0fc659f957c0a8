"""FiftyOne on label sets, both ways: fo.Classifications on a real mongod, in processes of their own."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import assay
from assay import UserError
from assay.pipelines.fiftyone import mongod
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import ROOT, run_assay

pytestmark = pytest.mark.daily
CHANGE = """import sys
import assay
from assay.pipelines.fiftyone import dataset
bench = assay.open(sys.argv[1])
fo, _ = dataset.connect_database(bench)
shown = dataset.open_dataset(bench, fo)
rows = sorted(shown.match_tags("train"), key=lambda s: s.source_id)
one, two, three = rows[:3]
one.ground_truth.classifications.append(fo.Classification(label="emu"))
two.ground_truth.classifications = []
three.ground_truth.classifications.append(fo.Classification(label="yak"))
for sample in (one, two, three):
    sample.save()
"""
WRITE = """import sys
import fiftyone as fo
made = fo.Dataset("sets", persistent=True)
for file, names in (("a", ["dog", "cat"]), ("b", []), ("c", None)):
    found = names and [fo.Classification(label=name) for name in names]
    label = None if names is None else fo.Classifications(classifications=found or [])
    made.add_sample(fo.Sample(f"{sys.argv[1]}/{file}.png", tags_of=label))
"""
SETS = [["cat"], ["cat", "dog"], ["dog"], ["emu"], [], ["cat", "emu"]] * 4


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """24 pictures with label sets, of train and val, scanned."""
    try:
        mongod.find_binary()
    except UserError as e:
        pytest.skip(e.problem)
    folder, rng = tmp_path_factory.mktemp("sets"), np.random.default_rng(0)
    rows = []
    for i, names in enumerate(SETS):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), "u1")).save(folder / f"{i:02}.png")
        split = "val" if i % 4 == 3 else "train"
        rows.append(json.dumps(dict(file_name=f"{i:02}.png", label=names, split=split)))
    (folder / "metadata.jsonl").write_text("\n".join(rows))
    bench = assay.create(folder / "bench")
    bench.add(folder / "metadata.jsonl", who="source", progress=False)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    return bench


def test_what_is_changed_there_becomes_edits_of_sets(bench):
    before = bench.state()
    assert bench.push_fiftyone()["samples"] == 24
    assert bench.push_fiftyone()["unchanged"] == 24, "nothing is taken for a change"
    subprocess.run([sys.executable, "-c", CHANGE, bench.path], check=True, cwd=ROOT)
    out = bench.pull_fiftyone("ann")
    train = before[before["split"] == "train"].sort_values("key").index
    now = bench.state().label
    assert out["edits"] == 2 and set(out["applied"]["sample"]) == set(train[:2])
    assert json.loads(now[train[0]]) == sorted({*json.loads(before.label[train[0]]), "emu"})
    assert now[train[1]] == "[]"
    assert "new_classes" in out["left"].why[0] and "'yak'" in out["left"].why[0]
    assert now.drop(train[:2]).equals(before.label.drop(train[:2]))
    bench.pull_fiftyone("ann", take="bench")
    assert bench.push_fiftyone()["waiting"] == 0


def test_classifications_of_the_users_own_data_set_are_sets(tmp_path, monkeypatch):
    for i, name in enumerate("abc"):
        noise = np.random.default_rng(i).integers(0, 255, (16, 16, 3), "u1")
        Image.fromarray(noise).save(tmp_path / f"{name}.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FIFTYONE_DATABASE_DIR", str(tmp_path / "db"))
    monkeypatch.delenv("FIFTYONE_DATABASE_URI", raising=False)
    subprocess.run([sys.executable, "-c", WRITE, tmp_path], check=True, cwd=ROOT)
    words = ["import", "fiftyone:sets", "-b", tmp_path / "b", "--no-test"]
    done = subprocess.run(
        [sys.executable, "-m", "assay", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    state = assay.open(tmp_path / "b").state()
    found = {uri[-5]: label for uri, label in zip(state.uri, state.label)}
    assert found["a"] == '["cat", "dog"]' and found["b"] == "[]" and not isinstance(found["c"], str)
    assert run_assay("status", "-b", tmp_path / "b")[0] == 0
