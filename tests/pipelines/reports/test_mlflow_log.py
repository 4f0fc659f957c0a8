"""A report in MLflow: a real local store, read again by MLflow's own client."""

import json
import sys

import pandas as pd
import pytest

from assay.curation.errors import UserError
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import bench_of, copied, digits, run_assay, silent, truth_of

PLAN = dict(question="?", versions=["v1", "v2"], architectures=["probe", "mlp"], seeds=2, epochs=2)


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    bench = bench_of(digits(400), tmp_path_factory.mktemp("trained"), audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    rows, truth = bench.queue(40), truth_of(bench)
    bench.edit(pd.DataFrame(dict(sample=rows["sample"], label=truth[rows["sample"]].to_numpy())), "ann")  # fmt: skip
    bench.commit("reviewed", "ann")
    bench.experiment(PLAN, progress=False)
    return bench


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A real store in a folder."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/store")
    from mlflow import MlflowClient

    return lambda: MlflowClient(f"file://{tmp_path}/store")


def runs_of(client, experiment="assay bench"):
    """{name: run} of all that MLflow has."""
    found = client.get_experiment_by_name(experiment)
    return {r.data.tags["mlflow.runName"]: r for r in client.search_runs([found.experiment_id])}


@pytest.mark.slow
@pytest.mark.daily
def test_each_cell_and_training_is_a_run_with_its_bounds(trained_once, store, tmp_path):
    bench = copied(trained_once, tmp_path / "own")
    status, out, said = run_assay("report", "--log", "mlflow", "--json", "-b", bench.path)
    assert status == 0, said
    report = json.loads(out)
    assert report["logged"] == dict(uri=f"file://{tmp_path}/store", experiment="assay bench", matrix=4, runs=8, new=12)  # fmt: skip
    found, rows = runs_of(store()), bench.runs()
    assert len(found) == 12
    for cell in report["matrix"]:
        run = found[f"{cell['version']}/{cell['arch']}"]
        metrics, params = run.data.metrics, run.data.params
        bounds = [metrics[f"test_accuracy{end}"] for end in ("", "_lower", "_upper")]
        assert bounds == [cell["accuracy"][end] for end in ("estimate", "low", "high")]
        assert metrics["n_test"] == report["n_test"] and params["seeds"] == "0 1"
        assert params["tree"] == report["tree"][cell["version"]]
        assert params["train_tree"] == cell["train_tree"] and params["architecture"] == cell["arch"]
        (page,) = store().list_artifacts(run.info.run_id)
        assert page.path == "report.html" and page.file_size == (bench.path / "report.html").stat().st_size  # fmt: skip
        assert ("gain_lower" in metrics) == (cell["version"] == "v2")
        inner = [r for r in found.values() if r.data.tags.get("mlflow.parentRunId") == run.info.run_id]  # fmt: skip
        assert {r.data.params["seed"] for r in inner} == {"0", "1"}
    keys = {r.data.tags["assay.run"] for r in found.values() if "seed" in r.data.params}
    assert keys == set(rows.key), "our own key leads from there to the bench"
    low, mid, high = (found["v1/mlp seed 0"].data.metrics[f"test_accuracy_as_labelled{e}"] for e in ("_lower", "", "_upper"))  # fmt: skip
    mine = bench.runs("test").set_index(["version", "arch", "seed"]).loc["v1", "mlp", 0]
    assert (low, mid, high) == (mine.low, mine.accuracy, mine.high)


@pytest.mark.daily
@pytest.mark.slow
def test_to_log_again_doubles_nothing_and_a_new_judgement_updates(trained_once, store, tmp_path):
    bench = copied(trained_once, tmp_path / "own")
    report = bench.report(log="mlflow")
    assert report.data["logged"]["new"] == 12
    before = runs_of(store())
    assert bench.report(log="mlflow").data["logged"]["new"] == 0
    again = runs_of(store())
    assert {n: r.info.run_id for n, r in again.items()} == {n: r.info.run_id for n, r in before.items()}  # fmt: skip
    run = before["v1/probe"].info.run_id
    assert len(store().get_metric_history(run, "test_accuracy")) == 1
    # a test label that is corrected in an audit is another judgement of the same trainings
    rule = bench.audit(who="ann", n=80, folder=tmp_path / "audit")
    sheet = pd.read_csv(tmp_path / "audit" / "worksheet.csv", dtype=str)
    from assay.curation.review import audit

    ids = audit.draw_sheet(bench, rule)
    labels = bench.state().label[ids].to_numpy(object).copy()
    labels[:20] = ["1" if label == "0" else "0" for label in labels[:20]]
    bench.audit(sheet.assign(label=labels, seconds="1"), "ann")
    after = bench.report(log="mlflow").data
    assert after["logged"]["new"] == 0
    (cell,) = [c for c in after["matrix"] if (c["version"], c["arch"]) == ("v1", "probe")]
    now = store().get_run(run).data.metrics["test_accuracy"]
    assert now == cell["accuracy"]["estimate"] != before["v1/probe"].data.metrics["test_accuracy"]


@pytest.mark.daily
@pytest.mark.slow
def test_what_mlflow_refuses_is_said(trained_once, store, tmp_path, monkeypatch):
    bench = copied(trained_once, tmp_path / "own")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    with pytest.raises(UserError, match="maintenance mode") as e:
        bench.report(log="mlflow")
    assert "MLFLOW_ALLOW_FILE_STORE" in e.value.hint
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match="expected MLflow to take the report") as e:
        bench.report(log="mlflow")
    assert "secret" not in str(e.value)
    with pytest.raises(UserError, match="expected log='mlflow', found 'wandb'"):
        bench.report(log="wandb")


def test_without_the_extra_its_command_is_said(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)  # as where it is not installed
    status, out, said = run_assay("report", "--log", "mlflow", "--json", "-b", bench.path)
    assert status == 2 and "pip install 'assay[mlflow]'" in said
    assert json.loads(out)["code"] == "missing_extra"
