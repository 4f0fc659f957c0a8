"""Files of predictions on a bench's test split: judged as its own runs are, and counted as a look at it."""

import numpy as np
import pandas as pd
import pytest

import assay
from assay.pipelines.evaluation.pairwise import compare_runs
from tests.helpers import audit_of, bench_of, digits
from tests.runs import store_answers


@pytest.fixture
def runs(tmp_path):
    """(bench, {architecture: [frame of ids and labels, one a seed]}) of runs with known answers."""
    bench = bench_of(digits(400, wrong=0), tmp_path)
    state = bench.state()
    test = state[(state["split"] == "test") & state.keep].sort_index()
    rng, said = np.random.default_rng(0), {}
    for arch, wrong in (("worse", 0.3), ("good", 0.05)):
        for seed in (0, 1):
            missed = test.index[rng.random(len(test)) < wrong]
            answers = {s: "9" if test.label[s] != "9" else "1" for s in missed}
            store_answers(bench, "v1", arch, seed, answers)
            whole = test.label.astype(object).to_dict() | answers
            said.setdefault(arch, []).append(pd.DataFrame(dict(key=test.key[list(whole)].to_numpy(), label=whole.values())))  # fmt: skip
    return bench, said


def test_files_are_judged_as_the_runs_that_wrote_them(runs):
    bench, said = runs
    own = compare_runs(bench, "v1/worse", "v1/good")
    out = assay.compare(said["worse"], said["good"], bench=bench)
    assert [out[k] for k in ("estimate", "low", "high", "n", "seeds")] == [
        own[k] for k in ("estimate", "low", "high", "n", "seeds")
    ]
    assert (out["flips"]["gained"], out["flips"]["lost"]) == (own["gained"], own["lost"])
    assert out["models"][0]["matched"] == "key" and "test labels unaudited" in out["verdict"]
    assert bench.compare("v1/worse", "v1/good")["low"] == own["low"]


def test_a_look_at_the_test_split_is_recorded_once(runs):
    bench, said = runs
    first = bench.compare(said["worse"], said["good"])["access"]["accesses"]
    assert bench.compare(said["worse"], said["good"])["access"]["accesses"] == first
    assert bench.compare(said["good"], said["worse"][::-1])["access"]["accesses"] == first
    other = said["good"][0].assign(label="3")
    assert bench.compare(said["worse"], other)["access"]["accesses"] == first + 1
    with pytest.raises(assay.UserError, match="expected labels or a bench"):
        assay.compare(said["worse"], said["good"], other, bench)


def test_what_is_refused_leaves_no_look(runs):
    bench, said = runs
    with pytest.raises(assay.UserError):
        bench.compare(said["worse"], said["good"][0].assign(key="nothing"))
    assert bench.rows("select count(*) from looks") == [(0,)]


def test_an_audited_part_of_the_test_labels_corrects_files_as_it_corrects_runs(runs, tmp_path):
    bench, said = runs
    audit_of(bench, tmp_path / "audit", 30)
    own = compare_runs(bench, "v1/worse", "v1/good")
    out = bench.compare(said["worse"], said["good"])
    assert "audited in part" in out["verdict"]
    assert [out[k] for k in ("estimate", "low", "high")] == [
        own[k] for k in ("estimate", "low", "high")
    ]
    assert out["given"] == own["given"] and out["label_noise"]["noise"] is not None
    for mine, side in zip(out["models"], ("first", "second")):
        assert mine["accuracy"]["low"] == pytest.approx(own[side]["low"], abs=0.02)
    with pytest.raises(assay.UserError, match="without an audit of its own"):
        bench.compare(
            said["worse"], said["good"], audited=pd.DataFrame(dict(sample=["x"], label=["1"]))
        )
