"""Runs and scans under other class names: nothing is trained again, and all are judged by the names of now."""

import numpy as np
import pytest

from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality.live import label_scores
from assay.curation.predictions import runs
from assay.curation.predictions.run_predictions import Predictions
from assay.pipelines.evaluation.compare import compare_versions
from assay.pipelines.experiments import run
from assay.pipelines.experiments.cells import list_cells
from assay.pipelines.experiments.plan import check_plan
from tests.helpers import silent

PLAN = check_plan(dict(versions=["v1"], architectures=["probe"], seeds=2, question="?"))


def plan(*versions):
    return check_plan(PLAN | dict(versions=list(versions)))


@pytest.fixture
def trained(scanned):
    scanned.commit("as imported")
    assert run.run_plan(scanned, plan("v1"), silent) == 2
    return scanned


def accuracies(bench):
    return bench.runs("test").accuracy.to_numpy()


@pytest.mark.daily
def test_a_rename_trains_nothing_and_judges_as_before(trained):
    before = accuracies(trained)
    trained.rename_class("3", "three", "ann")
    trained.rename_class("8", "acht", "ann")
    trained.commit("renamed")
    assert run.run_plan(trained, plan("v1", "v2"), silent) == 0
    assert (accuracies(trained) == before).all() and len(before) == 2
    assert (trained.runs("test", "v1").accuracy == before).all()
    trained.undo(who="ann")
    trained.commit("half back")
    assert run.run_plan(trained, plan("v3"), silent) == 0
    assert (accuracies(trained) == before).all()


def test_probabilities_of_merged_classes_are_summed(trained):
    key = runs.find_runs(trained, "v1/probe")[0]["key"]
    kept = Predictions.load(trained, key)
    trained.rename_class("3", "8", "ann")
    now = Predictions.load_named(trained, key)
    assert list(now.classes) == [c for c in kept.classes if c != "3"]
    three, eight = (list(kept.classes).index(c) for c in "38")
    at = list(now.classes).index("8")
    assert np.allclose(now.probs[:, at], kept.probs[:, three] + kept.probs[:, eight])
    assert np.allclose(now.probs.sum(1), 1, atol=1e-4)


@pytest.mark.daily
def test_an_experiment_asks_what_a_merge_did_and_says_by_which_names(trained):
    trained.rename_class("3", "8", "ann")
    trained.commit("merged")
    assert run.run_plan(trained, plan("v1", "v2"), silent) == 2
    found = compare_versions(trained, plan("v1", "v2"))
    assert "all judged by the classes of now: 3 -> 8, merged" in found["verdict"]
    assert found["fairness"]["renamed"] == ["3 -> 8, merged"]
    assert len({cell["train_tree"] for cell in list_cells(trained, plan("v1", "v2"))}) == 2
    cells = {cell["version"]: cell["accuracy"]["estimate"] for cell in found["matrix"]}
    truth = trained.frame("HEAD", "test").label.sort_index()
    for version, accuracy in cells.items():  # by hand, from what the runs predicted
        hits = []
        for one in runs.find_runs(trained, f"{version}/probe"):
            kept = Predictions.load(trained, one["key"])
            wide = {name: 0.0 for name in {c if c != "3" else "8" for c in kept.classes}}
            for name, column in zip(kept.classes, kept.probs.T):
                wide["8" if name == "3" else name] = wide["8" if name == "3" else name] + column
            names = np.array(list(wide), object)
            said = names[np.array(list(wide.values())).argmax(0)]
            at = [list(kept.ids).index(s.encode()) for s in truth.index]
            hits.append((said[at] == truth.to_numpy(object)).mean())
        assert np.isclose(accuracy, np.mean(hits))


def test_a_scan_is_scored_anew_without_an_embedding(scanned, monkeypatch):
    before = label_scores(scanned)
    folder = scanned.arrays / "embeddings" / read_settings(scanned)["folder"]
    stamps = {f: f.stat().st_mtime_ns for f in folder.iterdir()}
    out = scanned.rename_class("3", "three", "ann")
    after = label_scores(scanned)
    assert out["rescored"] is True and "3" not in set(after.label) | set(after.suggestion)
    assert (after.suggestion.replace("three", "3") == before.suggestion[after.index]).mean() > 0.99
    assert np.allclose(after.score, before.score[after.index], atol=0.02)
    scanned.rename_class("three", "8", "ann")
    assert "three" not in scanned.pred_probs().columns and "8" in scanned.pred_probs().columns
    assert {f: f.stat().st_mtime_ns for f in folder.iterdir()} == stamps


@pytest.mark.daily
def test_own_probabilities_follow_a_rename(bench):
    import pandas as pd

    state = bench.state()
    names = sorted(state.label.unique())
    rng = np.random.default_rng(0)
    sure = 3.0 * (np.array(names) == state.label.to_numpy(str)[:, None])
    drawn = rng.dirichlet(np.ones(10), len(state)) + sure
    probs = pd.DataFrame(drawn / drawn.sum(1, keepdims=True), state.index, names)
    bench.scan(probs, out_of_sample=True, embedder="pixels", progress=False)
    before = bench.pred_probs()
    bench.rename_class("3", "8", "ann")
    after = bench.pred_probs()
    assert np.allclose(after["8"], before["3"] + before["8"], atol=1e-5)
