"""Splits of a bench drawn anew: planted groups and copies, one batch, and what is said of it."""

import json

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.errors import Question, UserError
from assay.pipelines.indexing import split_again as module
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.split_again import split_again
from assay.pipelines.indexing.split_options import SplitOptions
from tests.helpers import bench_of, copied, digits, folders, nearly, run_assay, silent


def patients():
    """Digits of 40 patients and 30 days, split by lot; 30 train images have nearly a copy in val."""
    out = digits(500, wrong=0)
    rng = np.random.default_rng(0)
    out["patient"] = [f"p{i}" for i in rng.integers(0, 40, len(out))]
    out["day"] = [f"2024-03-{1 + i % 30:02}" for i in range(len(out))]
    copies = out[out.split == "train"].head(30)
    copies = copies.assign(
        id=["c" + i for i in copies.id], image=[nearly(i) for i in copies.image], split="val"
    )
    return pd.concat([out, copies.assign(patient=None)], ignore_index=True)


@pytest.fixture(scope="module")
def leaky_once(tmp_path_factory):
    bench = bench_of(patients(), tmp_path_factory.mktemp("leaky"))
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


@pytest.fixture
def leaky(leaky_once, tmp_path):
    return copied(leaky_once, tmp_path / "leaky")


def column(bench, name):
    return bench.state().meta.map(lambda m: json.loads(m).get(name))


def crossing(state, groups):
    """How many groups have samples in two splits, counted the plain way."""
    kept = state[state.keep]
    return sum(len(set(kept.split[groups[kept.index] == g])) > 1 for g in set(groups) - {None})


@pytest.mark.slow
def test_no_patient_and_no_copy_crosses(leaky):
    patient, keys = column(leaky, "patient"), leaky.state().key
    assert crossing(leaky.state(), patient) == 40
    out = split_again(leaky, SplitOptions("80/10/10", group_column="patient", refreeze_test=True), "ann")  # fmt: skip
    state = leaky.state()
    assert crossing(state, patient) == 0
    split = dict(zip(keys, state.split))
    assert all(split[key] == split[key[1:]] for key in split if key.startswith("c"))
    assert state.keep.all(), "what was held out comes back, since it gives nothing away any more"
    assert out["restored"] == out["before"]["near_duplicates"] == 30
    assert out["after"]["near_duplicates"] == out["after"]["groups"] == out["after"]["leaking"] == 0
    assert out["before"]["groups"] == 40 and out["before"]["leaking"] > 300
    n = len(state)
    assert abs((state.split == "val").sum() - 0.1 * n) <= patient.value_counts().max()
    assert out["after"]["splits"] == state.split.value_counts().to_dict()
    assert out["moved"] == (state.split != leaky.state("v1").split).sum()
    for side in ("before", "after"):
        e = out[side]["accuracy"]
        assert 0 < e["low"] < e["estimate"] < e["high"] <= 1
    assert out["after"]["accuracy"]["n"] == (state.split == "val").sum()
    assert any("30 samples have no patient" in note for note in out["notes"])


@pytest.mark.slow
def test_one_undo_takes_all_of_it_back(leaky):
    before, rules = leaky.state(), leaky.rules()
    out = split_again(leaky, SplitOptions(group_column="patient", refreeze_test=True), "ann")
    assert leaky.rules()["test"] != rules["test"]
    assert leaky.rules()["test"]["n"] == (leaky.state().split == "test").sum()
    leaky.undo(out["batch"], "ann")
    after = leaky.state()
    assert (after.split == before.split).all() and (after.keep == before.keep).all()
    assert leaky.rules() == rules
    again = split_again(leaky, SplitOptions(group_column="patient", refreeze_test=True), "ann")
    assert again["restored"] == out["restored"] == 30, "an undo is no person's word about them"


@pytest.mark.slow
def test_a_dry_run_writes_nothing_and_says_the_same(leaky):
    options = dict(shares="60/20/20", seed=3, refreeze_test=True)
    end = leaky.rows("select max(seq) from edits")
    dry = split_again(leaky, SplitOptions(**options, dry_run=True), "ann")
    assert dry["batch"] is None and leaky.rows("select max(seq) from edits") == end
    status, out, said = run_assay("split", "60/20/20", "--seed", 3, "--refreeze-test", "--group-column", "patient", "--dry-run", "--json", "-b", leaky.path)  # fmt: skip
    assert status == 0 and json.loads(out)["before"]["groups"] == 40, said
    done = split_again(leaky, SplitOptions(**options), "ann")
    assert done["batch"] and done | dict(batch=None) == dry
    same = split_again(leaky, SplitOptions(**options), "ann")
    assert same["batch"] is None and same["moved"] == 0


@pytest.mark.slow
def test_a_frozen_test_split_stays_unless_asked(leaky):
    test = set(leaky.frame(split="test").index)
    with pytest.raises(Question, match="expected the frozen test split to stay") as e:
        split_again(leaky, SplitOptions("80/10/10"), "ann")
    assert "--no-test" in e.value.hint and "do not compare" in e.value.hint
    with pytest.raises(UserError, match="one word about the test split"):
        split_again(leaky, SplitOptions("90/10", no_test=True, refreeze_test=True), "ann")
    rules, patient = leaky.rules(), column(leaky, "patient")
    out = split_again(leaky, SplitOptions("90/10", no_test=True, group_column="patient"), "ann")
    state = leaky.state()
    assert set(leaky.frame(split="test").index) == test and leaky.rules() == rules
    known = set(patient[state.split == "test"])
    rest = state[state.split.isin(("train", "val"))]
    assert not set(patient[rest.index]) & (known - {None}), "who is known to test is in pool"
    assert any("go to pool" in note for note in out["notes"])
    assert all("test" not in counts for counts in out["after"]["classes"].values())


@pytest.mark.slow
def test_the_newest_days_are_test(leaky):
    split_again(leaky, SplitOptions("80/10/10", time_column="day", refreeze_test=True), "ann")
    day, state = column(leaky, "day"), leaky.state()
    newest = {split: day[state.index[state.split == split]] for split in ("train", "val", "test")}
    # a copy is of the day of the image that it copies
    assert newest["train"].max() <= newest["val"].min() <= newest["val"].max() <= newest["test"].min()  # fmt: skip


@pytest.mark.slow
def test_labels_of_a_test_split_that_stays_change_nothing(leaky, tmp_path):
    other = copied(leaky, tmp_path / "other")
    with other.transaction() as con:
        con.execute("update edits set value = '\"9\"' where field = 'label' and sample in (select sample from edits where field = 'split' and value::varchar = '\"test\"')")  # fmt: skip
    other.states.clear()
    options = SplitOptions("80/20", no_test=True)
    assert split_again(leaky, options, "ann") | dict(batch="") == split_again(other, options, "ann") | dict(batch="")  # fmt: skip
    assert (leaky.state().split == other.state().split).all()


def test_without_a_scan_equal_files_stay_together_and_that_is_said(tmp_path):
    table = digits(200, wrong=0).drop(columns="split")
    twice = table.head(30).assign(id=["c" + i for i in table.id.head(30)])
    bench = bench_of(pd.concat([table, twice], ignore_index=True), tmp_path)
    out = split_again(bench, SplitOptions("60/20/20", seed=5, refreeze_test=True), "ann")
    state = bench.state()
    assert (state.groupby("content_hash").split.nunique() == 1).all()
    assert out["before"]["near_duplicates"] is None and out["after"]["accuracy"] is None
    assert "not scanned" in out["after"]["why"] and any("assay scan" in n for n in out["notes"])


def test_pool_and_source_are_drawn_alone(tmp_path):
    bench = assay.create(tmp_path / "bench")
    first, second = digits(200, wrong=0), digits(120, wrong=0, seed=1)
    bench.add(folders(tmp_path / "one", first, splits=False), split="80/20", no_test=True, progress=False)  # fmt: skip
    second = second.drop(columns=["split", "truth"]).assign(split="pool")
    bench.add(second, name="two", progress=False)
    bench.edit(pd.DataFrame(dict(sample=bench.state().index[:5], split="pool")), "ann")
    before = bench.state()
    out = bench.split("80/20", no_test=True, source="one", progress=False)
    assert any("labelled samples stay in pool" in note for note in out["notes"])
    bench.split("50/25/25", pool=True, source="two", progress=False)
    state = bench.state()
    two = state[state.source == "two"]
    fresh = two[~two.content_hash.isin(state.content_hash[state.source == "one"])]
    assert set(fresh.split) == {"train", "val", "test"} and bench.rules()["test"]["n"] == (state.split == "test").sum()  # fmt: skip
    pooled = before.index[(before.source == "one") & (before.split == "pool")]
    assert (state.split[pooled] == "pool").all()
    with pytest.raises(UserError, match="expected a source of this bench, found 'three'"):
        bench.split("80/20", no_test=True, source="three")


def test_an_unknown_column_names_those_that_are_there(bench, tmp_path):
    with pytest.raises(UserError, match="found truth") as e:
        bench.split("80/20", no_test=True, group_column="trut")
    assert "did you mean truth" in e.value.hint
    status, _, said = run_assay("split", "80/20", "--no-test", "--time-column", "truth", "--json", "-b", bench.path)  # fmt: skip
    assert status == 0, said


def test_edits_made_meanwhile_are_not_overwritten(bench, monkeypatch):
    """The probe takes seconds, in which somebody may decide."""
    measure = module.measure_split

    def decide(*given):
        if given[1] is not given[2] or not decide.done:
            decide.done = True
            bench.edit(pd.DataFrame([dict(sample=bench.frame(split="train").index[0], label="3")]), "bob")  # fmt: skip
        return measure(*given)

    decide.done = False
    monkeypatch.setattr(module, "measure_split", decide)
    with pytest.raises(UserError, match="found edits since"):
        split_again(bench, SplitOptions("80/20", no_test=True), "ann")
    assert bench.batches().iloc[-1].who == "bob"


# ---- at import


def test_an_import_draws_as_asked(tmp_path):
    table = digits(400, wrong=0).drop(columns="split")
    table["patient"] = [f"p{i % 50}" for i in range(400)]
    table.to_parquet(tmp_path / "t.parquet")
    words = ["import", tmp_path / "t.parquet", "-b", tmp_path / "b", "--label-column", "label"]
    status, out, said = run_assay(*words, "--split", "70/20/10", "--group-column", "patient", "--json")  # fmt: skip
    assert status == 0, said
    found = json.loads(out)["splits"]
    assert abs(found["val"] - 80) <= 8 and abs(found["test"] - 40) <= 8
    bench = assay.open(tmp_path / "b")
    assert crossing(bench.state(), column(bench, "patient")) == 0, "the group is in the metadata"


def test_an_import_without_test_gets_none_later_either(tmp_path):
    root = folders(tmp_path / "one", digits(200, wrong=0), splits=False)
    words = ["import", root, "-b", tmp_path / "b"]
    assert run_assay(*words, "--split", "80/20", "--no-test")[0] == 0
    bench = assay.open(tmp_path / "b")
    assert bench.state().split.value_counts().to_dict() == {"train": 160, "val": 40}
    folders(root, digits(400, wrong=0), splits=False)
    assert run_assay(*words)[0] == 0 and len(bench.state()) == 400
    assert set(bench.state().split) == {"train", "val"}
    status, _, said = run_assay(*words, "--split", "80/20", "--no-test")
    assert status == 2 and "assay split --source one" in said


def test_a_source_with_splits_of_its_own_is_asked_about(tmp_path):
    root = folders(tmp_path / "one", digits(100, wrong=0))
    words = ["import", root, "-b", tmp_path / "b"]
    status, _, said = run_assay(*words, "--split", "80/10/10")
    assert status == 2 and "20 in test" in said and "assay split" in said
    status, _, said = run_assay(*words, "--no-test")
    assert status == 2 and "--split-map test=val" in said
    status, _, said = run_assay(*words, "--split", "80/10")
    assert status == 2 and "--no-test" in said and not (tmp_path / "b").exists()
    with pytest.raises(UserError, match="expected shares to draw"):
        assay.create(tmp_path / "c").add(root, split="train")
