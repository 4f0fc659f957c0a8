"""Models of label sets on validation against scikit-learn and counting by hand."""

import json

import numpy as np
import pytest
from sklearn.metrics import jaccard_score, precision_score, recall_score

from assay import UserError
from assay.curation.predictions.model_predictions import list_models, read_predicted
from assay.pipelines.evaluation.member_errors import judge_on_validation
from tests.label_sets import TOPICS, scan_sets
from tests.runs import store_sets


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """240 made texts with two recipes of two seeds: `mlp` misses every music, `big` errs in three samples."""
    bench = scan_sets(tmp_path_factory.mktemp("members"))
    val = bench.state()[bench.state()["split"] == "val"]
    missing = {s: [n for n in json.loads(v) if n != "music"] for s, v in val.label.items()}
    for seed in (0, 1):
        store_sets(bench, "v1", "mlp", seed, missing)
        store_sets(bench, "v1", "big", seed, {s: ["music"] for s in val.index[seed : seed + 3]})
    return bench


def val_of(bench):
    table = bench.sample_table()
    rows = table.select("split = 'val' and keep and label is not null")
    return table.rows(rows, ["label", "flagged", "reviewed"])


def bits(labels, classes):
    return np.array([[c in json.loads(label) for c in classes] for label in labels])


def test_recall_precision_and_accuracy_are_those_of_sklearn(bench):
    val = val_of(bench)
    out = judge_on_validation(bench, ["probe"], val)
    said, classes = read_predicted(bench, "probe", val.index), out["classes"]
    order = [said.classes.index(c) for c in classes]
    told, truth = said.members[0][:, order], bits(val.label, classes)
    (model,) = out["models"]
    kept = told.any(1) | truth.any(1)
    shares = jaccard_score(truth[kept], told[kept], average="samples")
    assert model["accuracy"]["estimate"] == pytest.approx(
        (shares * kept.sum() + (~kept).sum()) / len(val)
    )
    assert model["exact"]["estimate"] == pytest.approx((told == truth).all(1).mean())
    assert model["errors"] == (told != truth).sum()
    both = [f(truth, told, average=None, zero_division=0) for f in (recall_score, precision_score)]
    for c, (row, recall, precision) in enumerate(zip(out["rows"], *both)):
        (m,) = row["models"]
        assert m["recall"]["estimate"] == pytest.approx(recall)
        assert m["precision"]["estimate"] == pytest.approx(precision)
        assert (
            m["missed"] == (truth & ~told)[:, c].sum() and m["added"] == (told & ~truth)[:, c].sum()
        )


def test_a_class_that_a_model_never_names_is_missed_and_the_difference_says_so(bench):
    val = val_of(bench)
    out = judge_on_validation(bench, ["v1/mlp", "v1/big"], val)
    music = next(row for row in out["rows"] if row["name"] == "music")
    assert music["n"] == bits(val.label, ["music"]).sum()
    mlp, big = music["models"]
    assert (mlp["missed"], mlp["added"], mlp["precision"]) == (music["n"], 0, None)
    assert big["missed"] == 0 and music["difference"]["word"] == "helps"
    assert out["difference"]["low"] > 0 and out["several"]
    assert not any(
        row["difference"] and row["difference"]["low"] > 0
        for row in out["rows"]
        if row is not music
    )


def test_cells_pair_what_is_missed_with_what_is_added(bench):
    val, classes = val_of(bench), sorted(TOPICS)
    out = judge_on_validation(bench, ["v1/big"], val)
    said = read_predicted(bench, "v1/big", val.index)
    told = said.members[:, :, [said.classes.index(c) for c in classes]]
    truth = bits(val.label, classes)
    want = {}
    for i in range(6):
        for j in range(6):
            there = told[:, :, j] & truth[:, i]
            if i != j:
                there = there & ~told[:, :, i] & ~truth[:, j]
            if there.any():
                want[classes[i], classes[j]] = (there.sum() / 2, there.any(0).sum())
    names = out["classes"]
    assert {(names[i], names[j]): (n, s) for i, j, n, _, s in out["cells"]} == want


def test_what_a_model_predicts_is_asked_for_by_class_and_an_empty_set_is_an_answer(bench):
    val, table = val_of(bench), bench.sample_table()
    none = val.index[bits(val.label, ["music"])[:, 0] & (val.label == '["music"]')]
    found = bench.samples("label = 'music' and not predicted('v1/mlp', 'music') and split = 'val'")
    assert set(found["sample"]) == set(val.index[bits(val.label, ["music"])[:, 0]]) >= set(none)
    assert len(none) and not len(table.select("predicted('v1/mlp', 'music')"))
    probs = read_predicted(bench, "probe", val.index)
    has = probs.members[0][:, probs.classes.index("food")]
    assert set(bench.samples("predicted('probe', 'food') and split = 'val'")["sample"]) == set(
        val.index[has]
    )


def test_a_model_is_not_compared_with_itself_and_runs_are_listed(bench):
    assert {m.name for m in list_models(bench)} >= {"probe", "v1/mlp", "v1/big"}
    with pytest.raises(UserError, match="two different"):
        judge_on_validation(bench, ["v1/mlp", "v1/mlp"], val_of(bench))
