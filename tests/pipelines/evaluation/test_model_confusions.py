"""Models on validation against scikit-learn, scipy and counting: cells, classes, differences, doubted labels, the test lock."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_score, recall_score

import assay
from assay import UserError
from assay.curation.label_quality.live import label_scores
from assay.curation.predictions.model_predictions import list_models, read_predicted
from assay.pipelines.evaluation.model_confusions import judge_models
from assay.pipelines.evaluation.test_accuracy import measure_test_accuracy
from tests.helpers import copied
from tests.runs import mistakes, store_answers


@pytest.fixture(scope="module")
def judged_once(scanned_once, tmp_path_factory):
    """Digits with runs: v1/mlp of two seeds, v2/mlp of two that errs in threes alone, one that diverged."""
    bench = copied(scanned_once, tmp_path_factory.mktemp("judged"))
    bench.commit("", "ann")
    for seed in (0, 1):
        store_answers(bench, "v1", "mlp", seed, mistakes(bench, 30, seed))
        store_answers(bench, "v2", "mlp", seed, mistakes(bench, 8, seed, ["3"]))
    store_answers(bench, "v1", "cnn", 0, {}, failed="diverged: the loss is not a number")
    return bench


@pytest.fixture
def judged(judged_once, tmp_path):
    return copied(judged_once, tmp_path / "judged")


def val_of(bench):
    """The validation samples as the page hands them on."""
    table = bench.sample_table()
    rows = table.select("split = 'val' and keep and label is not null")
    return table.rows(rows, ["label", "flagged", "reviewed"])


def answers(bench, name, val):
    """What a model predicts, (S, m) names."""
    said = read_predicted(bench, name, val.index)
    return np.array(said.classes, object)[said.codes]


def test_cells_and_classes_are_those_that_sklearn_counts(judged_once):
    val, name = val_of(judged_once), "probe"
    out = judge_models(judged_once, [name], val)
    said = answers(judged_once, name, val)[0]
    want = confusion_matrix(val.label, said, labels=out["classes"])
    assert {(i, j): n for i, j, n, *_ in out["cells"]} == {
        (i, j): want[i, j] for i, j in zip(*np.nonzero(want))
    }
    scores = [
        f(val.label, said, labels=out["classes"], average=None)
        for f in (recall_score, precision_score)
    ]
    for row, recall, precision in zip(out["rows"], *scores):
        (m,) = row["models"]
        assert m["recall"]["estimate"] == pytest.approx(recall)
        assert m["precision"]["estimate"] == pytest.approx(precision)
        for share, n in ((m["recall"], row["n"]), (m["precision"], int(m["called"]))):
            wilson = binomtest(round(share["estimate"] * n), n).proportion_ci(method="wilson")
            assert (share["low"], share["high"]) == pytest.approx(tuple(wilson))


def test_a_recipe_counts_the_mean_over_its_seeds(judged_once):
    val = val_of(judged_once)
    out = judge_models(judged_once, ["v1/mlp"], val)
    said, truth = answers(judged_once, "v1/mlp", val), val.label.to_numpy(object)
    for i, j, n, _, samples in out["cells"]:
        there = (truth == out["classes"][i]) & (said == out["classes"][j])
        assert n == there.sum() / 2 and samples == there.any(0).sum()
    (model,) = out["models"]
    assert model["errors"] == (said != truth).sum() / 2 and model["seeds"] == 2
    assert model["accuracy"]["low"] < (said == truth).mean() < model["accuracy"]["high"]


def test_two_models_are_compared_on_the_same_samples_and_holm_allows_for_all_classes(judged_once):
    val = val_of(judged_once)
    out = judge_models(judged_once, ["v1/mlp", "v2/mlp"], val)
    right = [
        answers(judged_once, m, val) == val.label.to_numpy(object) for m in ("v1/mlp", "v2/mlp")
    ]
    assert out["difference"]["estimate"] == pytest.approx(right[1].mean() - right[0].mean())
    assert out["difference"]["low"] > 0, "22 errors fewer of 120"
    rows = {row["name"]: row["difference"] for row in out["rows"]}
    assert rows["3"]["estimate"] < 0
    tested = [d for d in rows.values() if d]
    assert tested and all(
        (d["word"] != "no evidence either way") <= (d["p_holm"] <= 0.05) for d in tested
    )
    assert any(f"all {len(tested)} classes" in note for note in out["notes"])


def test_errors_of_doubted_labels_are_counted_for_each_model_class_and_cell(judged_once):
    val, flagged = val_of(judged_once), label_scores(judged_once).flagged
    out = judge_models(judged_once, ["v1/mlp"], val)
    wrong = answers(judged_once, "v1/mlp", val) != val.label.to_numpy(object)
    doubts = flagged.reindex(val.index).eq(True).to_numpy()
    assert out["models"][0]["doubted"] == (wrong & doubts).sum() / 2 > 0
    by_class = {row["name"]: row["models"][0]["doubted"] for row in out["rows"]}
    assert by_class == {
        c: (wrong & doubts)[:, (val.label == c).to_numpy()].sum() / 2 for c in out["classes"]
    }
    assert sum(d for i, j, _, d, _ in out["cells"] if i != j) == out["models"][0]["doubted"]


@pytest.mark.parametrize("model", ["probe", "probe of v1", "v1/mlp"])
def test_a_condition_finds_the_samples_of_every_cell(judged_once, model):
    out = judge_models(judged_once, [model], val_of(judged_once))
    for i, j, _, _, samples in out["cells"][:12]:
        label, said = out["classes"][i], out["classes"][j]
        where = f"label = '{label}' and predicted('{model}', '{said}') and split = 'val' and keep"
        assert len(judged_once.samples(where)) == samples


def test_a_wrong_name_in_a_condition_says_which_models_there_are(judged_once):
    found = judged_once.samples("predicted('v3/mlp', '1')")
    assert not len(found) and "v1/mlp" in found.attrs["notes"][0]
    found = judged_once.samples("predicted('v1/mlp', 'one')")
    assert not len(found) and "no sample has predicted('v1/mlp') 'one'" in found.attrs["notes"]
    with pytest.raises(UserError, match="A MODEL"):
        judged_once.samples("predicted(label, '1')")


def test_no_condition_tells_what_a_model_says_of_test(judged):
    state = judged.state()
    before = judge_models(judged, ["v1/mlp", "probe"], val_of(judged))
    for name in state.label.dropna().unique():
        for word in ("", "not "):
            where = f"split = 'test' and {word}predicted('v1/mlp', '{name}')"
            assert not len(judged.samples(where))
    test = state.index[state["split"] == "test"]
    with judged.transaction() as con:  # whatever test labels say
        con.execute(
            "update edits set value = '\"1\"' where field = 'label' and sample in ?", [list(test)]
        )
    assert judge_models(assay.open(judged.path), ["v1/mlp", "probe"], val_of(judged)) == before


def test_what_a_model_has_not_predicted_is_left_out_and_said(judged):
    state = judged.state()
    moved = state.index[(state["split"] == "train") & state.keep][:7]
    judged.edit(pd.DataFrame(dict(sample=moved, split="val")), "ann")
    from assay.pipelines.indexing.scan import ScanOptions, scan

    scan(judged, ScanOptions(embedder="pixels"), say=lambda line: None)
    val = val_of(judged)
    out = judge_models(judged, ["probe", "v1/mlp"], val)
    assert out["unseen"] == 7 and out["n"] == len(val) - 7
    assert any(note.startswith("7 validation samples are left out") for note in out["notes"])
    assert judge_models(judged, ["probe"], val)["unseen"] == 0


def test_predictions_follow_a_rename(judged):
    judged.rename_class("3", "three", who="ann")
    val = val_of(judged)
    out = judge_models(judged, ["probe of v1", "v1/mlp"], val)
    assert "three" in out["classes"] and "3" not in out["classes"]
    want = (answers(judged, "v1/mlp", val) == val.label.to_numpy(object)).mean()
    assert out["models"][1]["accuracy"]["estimate"] == pytest.approx(want) and want > 0.5


def test_a_model_is_not_compared_with_itself_nor_a_failed_one_judged(judged_once):
    val, (key, *_) = (
        val_of(judged_once),
        [m for m in list_models(judged_once) if m.name == "v1/mlp"],
    )
    with pytest.raises(UserError, match="two different models"):
        judge_models(judged_once, ["v1/mlp", key.runs[0]["key"]], val)
    with pytest.raises(UserError, match="diverged: the loss"):
        judge_models(judged_once, ["v1/cnn"], val)
    with pytest.raises(UserError, match="v9"):
        judge_models(judged_once, ["probe of v9"], val)


def test_test_accuracy_is_numbers_alone_and_an_access(judged):
    test = judged.frame(split="test")
    out = measure_test_accuracy(judged)
    assert out["n"] == len(test) and out["accesses"] == 1
    assert {row["name"]: row["seeds"] for row in out["rows"]} == {"v1/mlp": 2, "v2/mlp": 2}
    assert all(row["accuracy"]["estimate"] == 1 > row["accuracy"]["low"] for row in out["rows"])
    assert measure_test_accuracy(judged)["accesses"] == 1, "the same again is no new access"
