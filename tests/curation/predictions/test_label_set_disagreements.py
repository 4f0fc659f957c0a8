"""What models, and people, disagree about in label sets: class by class, against counting by hand."""

import json

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.issues.disagreements import disagreement_issues
from assay.curation.predictions import model_disagreement
from assay.pipelines.experiments.predictions import compare_models
from tests.helpers import run_assay
from tests.label_sets import scan_sets
from tests.runs import store_sets

CLASSES = np.array(["cat", "dog", "emu"], object)


def test_two_recipes_by_hand():
    """Of three samples one has another set by its dog, one by chance of a seed alone, one none."""
    A = np.array([[[0.9, 0.9, 0.1], [0.9, 0.6, 0.1], [0.9, 0.1, 0.1]], [[0.9, 0.9, 0.1], [0.9, 0.2, 0.1], [0.9, 0.1, 0.1]]])  # fmt: skip
    B = np.array([[[0.9, 0.1, 0.2], [0.9, 0.9, 0.1], [0.9, 0.1, 0.1]], [[0.9, 0.1, 0.2], [0.9, 0.3, 0.1], [0.9, 0.1, 0.1]]])  # fmt: skip
    found, about = model_disagreement.compare_members(A, B, CLASSES)
    (row,) = found.to_dict("records")
    assert (row["row"], row["question"]) == (0, "dog")
    assert (row["current"], row["candidate"]) == ('["cat", "dog"]', '["cat"]')
    assert row["between"] == pytest.approx(0.64) and row["within"] == pytest.approx(0)
    assert (about["differ"], about["noise"]) == (2, 1), "0.4 or 0.6 of two seeds each is chance"
    assert about["share"] == pytest.approx((1 + 0.5) / 3)
    assert about["control"] == pytest.approx((1 / 3 + 1 / 3) / 2)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return scan_sets(tmp_path_factory.mktemp("opinions"))


@pytest.mark.daily
def test_the_verb_names_the_class_that_two_models_see_differently(bench):
    state = bench.state()
    val = state.index[state["split"] == "val"]
    held = [s for s in val if "music" in json.loads(state.label[s])][:5]
    fewer = {s: [n for n in json.loads(state.label[s]) if n != "music"] for s in held}
    for seed in (0, 1):
        store_sets(bench, "v1", "one", seed, {})
        store_sets(bench, "v1", "two", seed, fewer)
    found, about = compare_models(bench, "v1/one", "v1/two", split="val")
    assert set(found["sample"]) == set(held) and set(found.question) == {"music"}
    assert about["share"] == pytest.approx(len(held) / len(val)) and about["control"] == 0
    words = ["disagreements", "v1/one", "v1/two", "--in", "val", "-b", bench.path]
    status, out, err = run_assay(*words)
    assert status == 0 and "music? 99% now, 1% candidate" in out, err
    assert len(json.loads(run_assay(*words, "--json")[1])["rows"]) == len(held)


def vote(bench, sample, who, names):
    label = "|".join(names) or "[]"
    bench.edit(pd.DataFrame(dict(sample=[sample], label=[label])), who=who)


def test_people_who_agree_about_all_but_one_class_disagree_about_that_one(tmp_path):
    rows = [
        dict(text=f"text {i}", label=names, split="train")
        for i, names in enumerate([["cat"], ["dog"], ["cat", "emu"]])
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "s.parquet")
    bench = assay.create(tmp_path / "b")
    bench.add(tmp_path / "s.parquet", progress=False)
    one, two, three = bench.state().sort_values("key").index
    for who, names in (("ann", ["cat", "dog"]), ("bob", ["cat", "emu", "dog"]), ("cid", ["cat"])):
        vote(bench, one, who, names)
    vote(bench, two, "ann", ["dog"])
    vote(bench, two, "bob", ["dog"])
    vote(bench, three, "ann", ["cat", "dog"])
    vote(bench, three, "bob", ["cat"])
    found = disagreement_issues(bench).set_index("sample")
    assert set(found.index) == {one, three}
    assert found.why[one] == "dog: ann, bob yes, cid no"
    assert found.suggestion[one] == '["cat", "dog"]' and found.score[one] == pytest.approx(1 / 3)
    assert found.why[three] == "dog: ann yes, bob no" and found.score[three] == 0.5
