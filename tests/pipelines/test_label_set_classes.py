"""Classes of label sets are renamed, merged and split: members of a set, that a person can check by eye."""

import json

import pandas as pd
import pytest

import assay
from tests.helpers import copied, run_assay

SETS = {
    "a": ["cat"], "b": ["kat", "dog"], "c": ["cat", "kat"], "d": [], "e": None, "f": ["emu", "kat"]
}  # fmt: skip


@pytest.fixture
def bench(tmp_path):
    """Six texts with sets of cat, kat, dog and emu; f is a test sample."""
    rows = [dict(id=k, text=f"text {k}", label=names) for k, names in SETS.items()]
    frame = pd.DataFrame(rows).assign(split=["train", "train", "val", "train", "train", "test"])
    (tmp_path / "one").mkdir()
    frame.to_parquet(tmp_path / "one" / "s.parquet")
    out = assay.create(tmp_path / "one" / "bench")
    out.add(tmp_path / "one" / "s.parquet", who="source", progress=False)
    return out


def read_sets(bench, version="HEAD"):
    state = bench.state(version)
    return {k: v if v is None else json.loads(v) for k, v in zip(state.key, state.label)}


def test_a_rename_renames_the_member_in_each_set_and_undo_takes_it_back(bench):
    first = bench.commit("as it came", who="ann")["tree"]
    out = bench.rename_class("kat", "cow", who="ann")
    assert (
        out["samples"] == 3
        and out["splits"] == {"train": 1, "val": 1, "test": 1}
        and not out["merged"]
    )
    assert read_sets(bench) == {
        "a": ["cat"], "b": ["cow", "dog"], "c": ["cat", "cow"], "d": [], "e": None, "f": ["cow", "emu"]
    }  # fmt: skip
    assert read_sets(bench, "v1") == {k: v and sorted(v) for k, v in SETS.items()}
    assert not bench.state().reviewed.any(), "a name is no review"
    bench.undo(who="ann")
    assert bench.commit("undone", who="ann")["tree"] == first


def test_a_merge_joins_two_members_to_one(bench):
    out = bench.rename_class("kat", "cat", who="ann")
    assert out["merged"] and out["had"] == {"train": 1, "val": 1}
    assert read_sets(bench) == {
        "a": ["cat"], "b": ["cat", "dog"], "c": ["cat"], "d": [], "e": None, "f": ["cat", "emu"]
    }  # fmt: skip
    assert bench.classes().name.tolist() == ["cat", "dog", "emu"]


def test_a_set_given_after_a_rename_means_the_new_class_of_the_old_name(bench):
    bench.rename_class("kat", "cow", who="ann")
    sample = bench.state().index[bench.state().key == "a"][0]
    bench.edit(pd.DataFrame(dict(sample=[sample], label=["kat|dog"])), who="bob")
    assert read_sets(bench)["a"] == ["cow", "dog"], "kat is no class now: it is read as cow"
    bench.add_class("kat", who="ann")
    bench.edit(pd.DataFrame(dict(sample=[sample], label=["kat|dog"])), who="bob")
    assert read_sets(bench)["a"] == ["dog", "kat"] and read_sets(bench)["b"] == ["cow", "dog"]


def test_a_split_moves_one_member_and_keeps_the_others(bench):
    state = bench.state()
    chosen = state.index[state.key.isin(["b", "f"])].tolist()
    out = bench.split_off("kat", "lion", chosen, who="ann")
    assert (out["samples"], out["stay"], out["locked"]) == (1, 1, 1), "f is a test sample"
    sets = read_sets(bench)
    assert sets["b"] == ["dog", "lion"] and sets["f"] == ["emu", "kat"]
    assert bench.state().reviewed.sum() == 1


def test_a_split_queues_the_sets_that_have_the_class(bench, tmp_path):
    words = ["classes", "split", "kat", "lion", "-b", bench.path, "--who", "ann"]
    status, out, err = run_assay(*words, "--csv", tmp_path / "q.csv")
    assert status == 0, err
    sheet = pd.read_csv(tmp_path / "q.csv")
    assert set(sheet.source_id) == {"b", "c"} and "if not kat" in sheet.reason[0]


def test_a_source_imported_again_and_a_merge_speak_of_the_renamed_class(bench, tmp_path):
    other = copied(bench, tmp_path / "other")
    bench.rename_class("kat", "cow", who="ann")
    bench.add(tmp_path / "one" / "s.parquet", who="source", progress=False)
    assert read_sets(bench)["b"] == ["cow", "dog"]
    sample = other.state().index[other.state().key == "a"][0]
    other.edit(pd.DataFrame(dict(sample=[sample], label=["kat|dog"])), who="bob")
    bench.merge(other.path, who="ann")
    assert read_sets(bench)["a"] == ["cow", "dog"]


def test_blame_tells_the_rename_of_a_member(bench):
    bench.rename_class("kat", "cow", who="ann")
    sample = bench.state().index[bench.state().key == "b"][0]
    status, out, err = run_assay("blame", sample, "-b", bench.path)
    assert status == 0 and '["cow", "dog"]' in out, (out, err)
