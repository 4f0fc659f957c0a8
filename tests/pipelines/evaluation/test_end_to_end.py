"""Frozen features against training end to end: one command, a curve, and what the difference depends on."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.curation.errors import UserError
from assay.curation.predictions.run_predictions import Predictions, predicted_ids, store_run
from assay.pipelines.evaluation.comparison import load_comparison
from assay.pipelines.evaluation.end_to_end import compare_training
from assay.pipelines.experiments.cells import list_cells
from assay.pipelines.experiments.plan import check_plan, read_plan
from assay.pipelines.experiments.questions import plan_question
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.app.test_rows import write_rows
from tests.app.test_texts import write_texts
from tests.helpers import digits_bench, run_assay, silent

PLAN = check_plan(
    dict(
        versions=["part(v1, 30)", "part(v1, 90)", "v1"],
        architectures=["probe", "mlp", "cnn"],
        seeds=3,
    )
)
RIGHT = {  # share right, by labels: the network needs many
    "probe": [0.7, 0.75, 0.8],
    "mlp": [0.6, 0.7, 0.75],
    "cnn": [0.2, 0.75, 0.99],
}


def store_planned(bench, plan, right):
    """Store runs that are right in so many of the samples, whichever these are."""
    state = bench.state()
    ids = predicted_ids(state)
    classes = sorted(state.label.dropna().unique())
    for cell in list_cells(bench, plan):
        rng = np.random.default_rng([cell["seed"], *map(ord, cell["at"] + cell["arch"])])
        share = right[cell["arch"]][plan["versions"].index(cell["version"])]
        truth = np.array([classes.index(label) for label in state.label[ids]])
        said = np.where(rng.random(len(ids)) < share, truth, (truth + 1) % len(classes))
        probs = np.eye(len(classes))[said]
        store_run(bench, cell, 1, "code", 1.0, Predictions(np.array(ids, "S32"), probs, classes))


@pytest.fixture
def bench(tmp_path):
    bench = digits_bench(600, tmp_path)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


@pytest.mark.slow
def test_planted_curves_come_back_with_who_wins_and_what_it_depends_on(bench):
    store_planned(bench, PLAN, RIGHT)
    found = compare_training(load_comparison(bench, PLAN))
    assert (found["frozen"], found["end_to_end"]) == ("probe", "cnn"), "the best on validation"
    verdicts = [g["verdict"] for g in found["gains"]]
    assert verdicts[0] == "hurts" and verdicts[2] == "helps"
    for gain, share in zip(found["gains"], np.subtract(RIGHT["cnn"], RIGHT["probe"])):
        assert gain["low"] <= share <= gain["high"]
    (only,) = found["interactions"]
    assert only["about"] == "how many labels" and only["verdict"] == "helps"
    assert only["low"] < 0.19 + 0.5 < only["high"]
    cnn = next(line for line in found["curves"] if line["arch"] == "cnn")
    sizes = [p["n_train"] for p in cnn["points"]]
    assert sizes == [30, 90, 360] and cnn["base"] == "v1"
    assert found["answer"].startswith("End to end, by cnn with 360 labels of v1")
    assert "Frozen features, by probe with 30 labels" in found["answer"]


@pytest.mark.daily
def test_a_plan_without_parts_or_of_one_kind_asks_no_such_question(bench):
    for plan in (
        PLAN | dict(versions=["v1"]),
        PLAN | dict(architectures=["probe", "mlp"]),
    ):
        store_planned(bench, plan, {a: [0.8] * 3 for a in plan["architectures"]})
        assert compare_training(load_comparison(bench, plan)) is None


def test_the_plan_is_small_names_its_parts_and_can_be_edited(bench, tmp_path):
    plan = plan_question(bench, "end-to-end", silent)
    assert plan["versions"] == ["part(v1, 100)", "part(v1, 180)", "v1"], (
        "10 labels a class at least"
    )
    assert {"probe", "mlp", "cnn"} <= set(plan["architectures"])
    status, out, err = run_assay(
        "experiment", "--question", "end-to-end", "--init", tmp_path / "p.toml", "-b", bench.path
    )
    assert status == 0, err
    assert (
        read_plan(tmp_path / "p.toml")
        == plan
        == bench.plan_experiment(path=tmp_path / "q.toml", question="end-to-end")
    )
    bench.edit(bench.state().index[:1].to_frame(name="sample").assign(keep=False), "ann")
    assert len(plan_question(bench, "end-to-end", silent)["versions"]) == 6, "of HEAD, too"
    with pytest.raises(UserError, match="out of end-to-end"):
        plan_question(bench, "frozen", silent)


def test_what_goes_beside_no_question_is_refused(bench, tmp_path):
    (tmp_path / "p.toml").write_text('versions = ["v1"]')
    question = "--question", "end-to-end", "-b", bench.path
    status, _, err = run_assay("experiment", tmp_path / "p.toml", *question)
    assert status == 2 and "--question" in err
    with pytest.raises(UserError, match="found both"):
        bench.experiment(PLAN, question="end-to-end")
    few = digits_bench(150, tmp_path / "few")
    few.commit("as they came", "ann")
    with pytest.raises(UserError, match="more than 100 train labels"):
        plan_question(few, "end-to-end", silent)


@pytest.mark.daily
def test_one_command_answers_on_digits(bench):
    status, out, err = run_assay(
        "experiment", "--question", "end-to-end", "-b", bench.path, "--json"
    )
    assert status == 0, err
    data = json.loads(out)
    found = data["end_to_end"]
    assert [g["n_train"] for g in found["gains"]] == [100, 180, 360]
    assert len(found["curves"]) == len(data["plan"]["architectures"])
    assert data["verdict"].startswith(found["answer"]) and found["interactions"]
    page = open(data["page"]).read()
    assert "Accuracy against labels" in page and "Frozen or end to end" in page


@pytest.mark.daily
@pytest.mark.slow
def test_a_question_is_answered_in_the_background_and_in_python(bench, tmp_path):
    plan = plan_question(bench, "end-to-end", silent)
    store_planned(bench, plan, {a: [0.2, 0.7, 0.8] for a in plan["architectures"]})
    question = "--question", "end-to-end", "--detach", "--json"
    page = tmp_path / "detached.html"
    status, out, err = run_assay("experiment", *question, "-o", page, "-b", bench.path)
    assert status == 0, err
    log = Path(json.loads(out)["log"])
    until = time.monotonic() + 90
    while not page.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert page.exists(), log.read_text()
    answer = bench.experiment(question="end-to-end", progress=False).data["end_to_end"]["answer"]
    assert bench.runs()["key"].nunique() == 9 * len(plan["architectures"]), "nothing is trained"
    assert answer.split(" with ")[0].split(",")[0] in page.read_text()


@pytest.mark.parametrize(
    ("medium", "trained"), [("texts", {"fasttext", "tfidf"}), ("rows", {"boosting"})]
)
def test_of_other_media_the_plan_says_what_is_left_out(tmp_path, medium, trained):
    bench, said = make_bench(medium, tmp_path), []
    plan = plan_question(bench, "end-to-end", said.append)
    assert {"probe", "mlp"} | trained <= set(plan["architectures"])
    assert "finetune and cnn read no" in said[0] and "left out" in said[0]


@pytest.mark.daily
@pytest.mark.slow
@pytest.mark.parametrize("medium", ["texts", "rows"])
def test_texts_and_rows_are_trained_and_answered(tmp_path, medium):
    bench = make_bench(medium, tmp_path)
    found = bench.experiment(question="end-to-end", progress=False).data["end_to_end"]
    assert found["frozen"] in ("probe", "mlp") and found["end_to_end"] not in ("probe", "mlp")
    n = found["gains"][-1]["n_train"]
    assert f"with {n} labels of v1" in found["answer"]
    assert [g["n_train"] for g in found["gains"]] == sorted(g["n_train"] for g in found["gains"])


def make_bench(medium, place):
    """A scanned bench of made texts, or of rows of a table."""
    if medium == "texts":
        write_texts(300).drop(columns="truth").to_csv(place / "made.csv", index=False)
    else:
        write_rows(300).drop(columns="truth").to_csv(place / "made.csv", index=False)
    columns = dict(label="label" if medium == "texts" else "loan")
    bench = assay.create(place / "bench").add(place / "made.csv", columns=columns, progress=False)
    scan(bench, ScanOptions(embedder="tfidf" if medium == "texts" else "columns"), say=silent)
    return bench
