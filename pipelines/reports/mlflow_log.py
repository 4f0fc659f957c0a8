"""Log the cells and runs of a report to MLflow.

One MLflow run for each cell of the matrix (a version and an architecture, all seeds), with its accuracy, the bounds of
its interval and the page of the report; inside it one for each training. Each carries a tag with our key, by which it
is found again: to log twice changes nothing, and a new judgement (another test version) updates it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.predictions.runs import score_run
from assay.curation.storage.interface import Bench
from assay.curation.system.extras import require
from assay.pipelines.experiments.cells import list_cells, test_labels
from assay.pipelines.reports.phrases import name_second

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "assay.key"
LONGEST = 500  # characters of a parameter's value that every store takes
BOUNDS = {"estimate": "", "low": "_lower", "high": "_upper"}


@dataclass(frozen=True)
class LoggedRun:
    """What one run of MLflow is to say."""

    key: str
    name: str
    params: dict[str, Any]
    metrics: dict[str, float]
    tags: dict[str, str]
    start: int  # milliseconds
    end: int


def log_to_mlflow(bench: Bench, plan: dict, data: dict, page: Path) -> dict:
    """Log a report to the MLflow that is configured.

    data, page: as experiment_report.report returns them. The store is MLFLOW_TRACKING_URI, the experiment
    MLFLOW_EXPERIMENT_NAME or the bench's name. Returns {uri, experiment, matrix, runs, new}.
    """
    require("mlflow", "mlflow")
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or f"assay {bench.path.absolute().name}"
    with translate_errors():
        import mlflow

        uri = re.sub(
            "//[^/@]*@", "//", mlflow.get_tracking_uri()
        )  # a password is nobody's business
        client = mlflow.MlflowClient()
        experiment = find_experiment(client, name)
        cells = trainings = new = 0
        for cell, runs in describe_cells(bench, plan, data):
            parent, made = write_run(client, experiment, cell)
            client.log_artifact(parent, str(page))
            cells, new = cells + 1, new + made
            for run in runs:
                run.tags["mlflow.parentRunId"] = parent
                new += write_run(client, experiment, run)[1]
                trainings += 1
    return dict(uri=uri, experiment=name, matrix=cells, runs=trainings, new=new)


# ---- what is logged


def describe_cells(
    bench: Bench, plan: dict, data: dict
) -> Iterator[tuple[LoggedRun, list[LoggedRun]]]:
    """Describe each cell of a report, and its trainings."""
    rows = bench.rows("select key, seconds, epoch_ms(ts) from runs where failed is null")
    finished = {key: (seconds, end) for key, seconds, end in rows}
    asked = [c for c in list_cells(bench, plan) if c["key"] in finished]
    truth = test_labels(bench, plan).label
    gains = {(g["version"], g["arch"]): g for g in data["per_architecture"] if g.get("arch")}
    for cell in data["matrix"]:
        version, arch = cell["version"], cell["arch"]
        own = [c for c in asked if (c["version"], c["arch"]) == (version, arch)]
        if not own:
            continue
        about = dict(
            version=version, architecture=arch, tree=own[0]["tree"], train_tree=cell["train_tree"]
        )
        about |= dict(n_train=cell["n_train"], epochs=plan.get("epochs"))
        runs = []
        for c in own:
            seconds, end = finished[c["key"]]
            params = about | dict(seed=c["seed"], train_tree=c["train_tree"], tree=c["tree"])
            params |= dict(version=c["at"], embedding=c["config"]["embedding"])
            p, low, high = score_run(bench, c["key"], truth)
            metrics = name_bounds("test_accuracy_as_labelled", dict(estimate=p, low=low, high=high))
            metrics |= dict(train_seconds=seconds, n_test=len(truth))
            title = f"{c['at']}/{arch} seed {c['seed']}"
            # two versions may share a training: each has it
            key, tags = hash_words(c["key"], c["at"], c["tree"]), {"assay.run": c["key"]}
            runs.append(
                LoggedRun(key, title, params, metrics, tags, end - round(seconds * 1000), end)
            )
        metrics = name_bounds("test_accuracy", cell["accuracy"])
        second, beside = name_second(cell)
        name = "test_balanced_accuracy" if second == "balanced" else "test_exact_match"
        metrics |= name_bounds(name, beside)
        metrics |= dict(n_test=cell["accuracy"]["n"], train_seconds=cell["seconds"])
        tags = {"mlflow.note.content": f"{data['question']}\n\n{data['verdict']}"}
        if gain := gains.get((version, arch)):
            metrics |= name_bounds("gain", gain)
            tags["assay.gain_against"] = gain["against"]
        key = hash_words(version, arch, about["tree"], *sorted(c["key"] for c in own))
        params = about | dict(seeds=" ".join(str(c["seed"]) for c in own))
        start, end = min(r.start for r in runs), max(r.end for r in runs)
        yield LoggedRun(key, f"{version}/{arch}", params, metrics, tags, start, end), runs


def hash_words(*words: str) -> str:
    return sha256("\n".join(words).encode()).hexdigest()[:32]


def name_bounds(name: str, estimate: dict) -> dict[str, float]:
    """Name an estimate and the ends of its interval: NAME, NAME_lower, NAME_upper."""
    found = {f"{name}{ending}": estimate[end] for end, ending in BOUNDS.items()}
    return {k: float(v) for k, v in found.items() if v is not None and v == v}


# ---- into the store


def find_experiment(client: MlflowClient, name: str) -> str:
    """Find an experiment by name, or make it; returns its id."""
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage != "active":
        raise UserError(
            f"expected an MLflow experiment to log to, found {name!r} deleted there",
            "restore it, or set MLFLOW_EXPERIMENT_NAME to another name",
        )
    return found.experiment_id if found else client.create_experiment(name)


def write_run(client: MlflowClient, experiment: str, run: LoggedRun) -> tuple[str, bool]:
    """Write a run, or update the one that is there.

    Returns (its id, whether it is new).
    """
    from mlflow.entities import Metric, Param, RunTag

    found = client.search_runs([experiment], f"tags.`{KEY}` = '{run.key}'", max_results=1)
    tags = run.tags | {KEY: run.key, "mlflow.runName": run.name, "mlflow.source.name": "assay"}
    if found:
        made, was = found[0].info.run_id, found[0].data
    else:
        made = client.create_run(experiment, start_time=run.start, tags={KEY: run.key}).info.run_id
        was = None
    now = time.time_ns() // 1_000_000
    params = {k: str(v)[:LONGEST] for k, v in run.params.items() if v is not None}
    client.log_batch(
        made,
        # one that stands is not logged again: MLflow would keep both as steps
        # of two of one step the later one stands, so it is dated when it was logged
        [
            Metric(k, v, now, 0)
            for k, v in run.metrics.items()
            if was is None or was.metrics.get(k) != v
        ],
        [Param(k, v) for k, v in params.items() if was is None or k not in was.params],
        [RunTag(k, v) for k, v in tags.items()],
    )
    client.set_terminated(made, "FINISHED", run.end)
    return made, was is None


def hide_password(text: str) -> str:
    """Take user and password out of the addresses in a text."""
    return re.sub("//[^/@ ]*@", "//", text)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Say in a UserError what MLflow refuses."""
    try:
        yield
    except UserError:
        raise
    except Exception as e:
        if not type(e).__module__.startswith(("mlflow", "requests")):
            raise
        raise UserError(
            f"expected MLflow to take the report, found: {hide_password(str(e).strip().split('. ')[0])}",
            "MLFLOW_TRACKING_URI says where it is: the address of a server, databricks, or a folder "
            "(file:///..., for which MLflow wants MLFLOW_ALLOW_FILE_STORE=true)",
        ) from None
