"""Tools that ask for work: a scan, an experiment, a report.

Each becomes a background task of the bench, as the workbench starts them: one of a kind at a time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned, read_settings
from assay.curation.system import permissions
from assay.pipelines.agents.agent_bench import AgentBench, Answer, Arguments
from assay.pipelines.agents.data_marking import unescape_text
from assay.pipelines.jobs.job_files import list_jobs
from assay.pipelines.jobs.tasks import start_task

TOLD = "name state question share text error hint since done runs".split()
PLAN = "agent-plan.toml"  # in jobs/ of the bench


class StartScan(Arguments):
    """How thorough a scan."""

    effort: Literal[0, 1, 2] | None = Field(
        None, description="0 and 1 take seconds to minutes, 2 longer; as the last scan without it"
    )


class StartExperiment(Arguments):
    """What to train; without versions the first one is compared with HEAD."""

    versions: list[Annotated[str, Field(max_length=300)]] | None = Field(
        None, min_length=1, max_length=6
    )
    architectures: list[Annotated[str, Field(pattern="^[a-z0-9_]{1,40}$")]] = Field(
        ["probe", "mlp"], min_length=1, max_length=4
    )
    seeds: int = Field(5, ge=1, le=10)


def start_scan(agents: AgentBench, asked: StartScan, agent: str) -> Answer:
    """Start a scan as the last one was.

    It holds out no sample, since that would be an edit.
    """
    effort, words = asked.effort, []
    if is_scanned(agents.bench):
        last = read_settings(agents.bench)
        own = last["folder"].startswith("own-") or last["probabilities"] == "own"
        if own or ":" in last["embedder"] or last["effort"] > 2:
            raise UserError(
                "expected a last scan by an embedder of Assay's and an effort of at most 2, found another",
                "a person repeats it",
            )
        words = ["--embedder", last["embedder"]]
        effort = last["effort"] if effort is None else effort
    words += ["--effort", 1 if effort is None else effort]
    return start(agents, "scan", *words, "--keep-leakage")


def start_experiment(agents: AgentBench, asked: StartExperiment, agent: str) -> Answer:
    """Start an experiment."""
    if asked.versions is None:
        return start(agents, "experiment")
    from assay.pipelines.experiments.plan import check_plan
    from assay.pipelines.experiments.run import prepare_cells

    plan = check_plan(
        asked.model_dump() | dict(versions=[unescape_text(v) for v in asked.versions])
    )
    prepare_cells(agents.bench, plan)  # what is wrong with it is said here, not in a log
    keys = ("versions", "architectures", "seeds")
    text = "".join(f"{key} = {json.dumps(plan[key], ensure_ascii=False)}\n" for key in keys)
    return start(agents, "experiment", write_plan(agents, text))


def write_plan(agents: AgentBench, text: str) -> Path:
    """Write a plan into the bench."""
    folder = agents.bench.path.absolute() / "jobs"
    permissions.make_folder(folder)
    path = folder / PLAN
    with open(path, "w", encoding="utf-8", opener=permissions.opener) as file:
        file.write(text)
    return path


def start_report(agents: AgentBench, asked: Arguments, agent: str) -> Answer:
    """Start the report of the last experiment: report.html of the bench."""
    return start(agents, "report")


def start(agents: AgentBench, verb: str, *arguments: object) -> Answer:
    """Start a verb as a task; UserError where one is at work."""
    start_task(agents.bench, verb, *arguments)
    return Answer(dict(started=verb, jobs=describe_jobs(agents)))


def show_jobs(agents: AgentBench, asked: Arguments, agent: str) -> Answer:
    """List the jobs that run, failed or were stopped."""
    return Answer(dict(jobs=describe_jobs(agents)))


def describe_jobs(agents: AgentBench) -> list[dict]:
    """Describe the jobs of the bench."""
    return [{k: job[k] for k in TOLD if k in job} for job in list_jobs(agents.bench)]
