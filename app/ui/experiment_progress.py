"""What trains now, how far each run is, and what failed."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.server.running_jobs import seconds_left
from assay.app.ui.widgets import error_markdown, escape_markdown
from assay.curation.errors import UserError
from assay.curation.system import permissions
from assay.curation.text import format_count
from assay.pipelines.experiments.plan import format_duration
from assay.pipelines.jobs import job_files, tasks

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

VERB = "experiment"
STARTED: dict[str, subprocess.Popen] = {}  # by bench: the process that this server started last


@dataclass
class Progress:
    """An experiment at work, or one that did not end well."""

    question: str
    state: str  # starting, running, failed or stopped
    text: str = ""
    share: float = 0.0
    left: float | None = None  # seconds to go, as far as anybody can tell
    error: str = ""
    jobs: list[dict] = field(default_factory=list)  # its job files
    cells: list[dict] = field(default_factory=list)
    finished: frozenset[str] = frozenset()
    training: dict[str, float] = field(default_factory=dict)  # {key: share} of runs at work


def list_progress(bench: Bench) -> list[Progress]:
    """List the experiments that are at work, failed or were stopped."""
    jobs = job_files.list_jobs(bench)
    training = {j["key"]: j.get("share", 0.0) for j in jobs if "key" in j and is_running(j)}
    training |= {j["name"]: j.get("share", 0.0) for j in jobs if "arch" in j and is_running(j)}
    name = f"{tasks.PREFIX}{VERB}"
    task = next((j for j in jobs if j["name"] == name), None)
    own = [[j] for j in jobs if "runs" in j]
    if task:  # the page's experiment has two: one from its first moment, one of its runs
        same = [of for of in own if of[0].get("pid") == task.get("pid")]
        (same[0] if same else own.append([]) or own[-1]).append(task)
    out = [read_progress(bench, of, training) for of in own]
    return out + find_started(bench, {j.get("pid") for j in jobs})


def is_running(job: dict) -> bool:
    """Tell whether a job is at work."""
    return job["state"] == "running"


def read_progress(bench: Bench, jobs: list[dict], training: dict[str, float]) -> Progress:
    """Read how far an experiment is from its job files."""
    runs = next((j for j in jobs if "runs" in j), {})
    task = next((j for j in jobs if "runs" not in j), {})
    state = "running" if any(map(is_running, jobs)) else (runs or task)["state"]
    share = runs.get("share", 0.0)
    count = format_count(runs.get("of", runs.get("runs", 0)), "run")
    text = f"{runs.get('trained', 0)} of {count}" if runs else task.get("text", "it begins")
    if runs and not is_running(runs) and task:
        text = task.get("text", text)
    mine = {c["key"] for c in runs.get("plan_runs", ())}
    return Progress(
        question=runs.get("question") or page_question(bench) or "An experiment",
        state=state,
        text=text,
        share=min(1.0, share),
        left=seconds_left(runs) if runs and is_running(runs) else None,
        error=task.get("error") or runs.get("error", ""),
        jobs=jobs,
        cells=runs.get("plan_runs", []),
        finished=frozenset(runs.get("finished", ())),
        training={key: at for key, at in training.items() if key in mine},
    )


def find_started(bench: Bench, known: set[int | None]) -> list[Progress]:
    """Find the process started here that has no job.

    Not yet, or it ended before it had one.
    """
    process = STARTED.get(str(bench.path))
    if process is None or process.pid in known:
        return []
    status, question = process.poll(), page_question(bench) or "An experiment"
    if status is None:
        return [Progress(question, "starting", "it starts")]
    if status in (0, 130, -2):  # done, or stopped by somebody who knows
        del STARTED[str(bench.path)]
        return []
    log = bench.path / "jobs" / f"{tasks.PREFIX}{VERB}.log"
    last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
    return [Progress(question, "failed", error=" ".join(last) or f"it ended with status {status}")]


# ---- the plan that was started from the page


def plan_file(bench: Bench) -> Path:
    """Name the file of the page's last plan."""
    return bench.path / "jobs" / "page.toml"


def page_question(bench: Bench) -> str | None:
    """Read what that plan asks."""
    with suppress(OSError, ValueError):
        return str(tomllib.loads(plan_file(bench).read_text()).get("question", ""))
    return None


def start_experiment(bench: Bench, asked: dict) -> subprocess.Popen:
    """Start `assay experiment` on a plan, and come back at once.

    It is a process of its own, and outlives this page and this server. UserError where one is at work.
    """
    from assay.pipelines.reports.markdown import plan_toml

    if any(p.state in ("running", "starting") for p in list_progress(bench)):
        raise UserError(
            "expected no other experiment at work on this bench, found one",
            "wait for its end, or stop it",
        )
    permissions.make_folder(bench.path / "jobs")
    text = plan_toml({k: v for k, v in asked.items() if v is not None})
    permissions.touch_file(plan_file(bench)).write_text(text)
    return launch(bench)


def launch(bench: Bench) -> subprocess.Popen:
    """Start the experiment of the page's plan."""
    try:
        process = tasks.launch_task(bench, VERB, plan_file(bench))
    except OSError as e:
        raise UserError(f"expected it to start, found: {e}", "try again") from None
    STARTED[str(bench.path)] = process
    return process


# ---- drawing


def draw_progress(bench: Bench, progress: Progress) -> None:
    """Draw one experiment: how far it is, or why it ended."""
    if progress.state in ("running", "starting"):
        return draw_running(bench, progress)
    name = progress.jobs[0]["name"] if progress.jobs else VERB
    # no bar: a full one would look like success
    how = (
        f"failed: {progress.error}"
        if progress.state == "failed"
        else f"was stopped, or its process was killed, after {progress.text}"
    )
    st.error(escape_markdown(f"{progress.question}: {how}"))
    again, dismiss, _ = st.columns([1, 1, 4])
    if page_question(bench) == progress.question:
        again.button("Try again", key=f"again {name}", on_click=try_again, args=(bench, progress))
    dismiss.button("Dismiss", key=f"forget {name}", on_click=dismiss_all, args=(bench, progress))


def draw_running(bench: Bench, progress: Progress) -> None:
    """Draw an experiment at work."""
    name = progress.jobs[0]["name"] if progress.jobs else VERB
    stopping = st.session_state.get(f"stopping {name}", False)
    with st.container(border=True):
        left, right = st.columns([6, 1], vertical_alignment="center")
        text = "it is being stopped" if stopping else progress.text
        if progress.left is not None and not stopping:
            text += f", about {format_duration(progress.left)} to go"
        left.progress(progress.share, escape_markdown(f"{progress.question}: {text}"))
        right.button(
            "Stop",
            key=name,
            disabled=stopping or not progress.jobs,
            on_click=stop_all,
            args=(bench, progress, name),
        )
        if progress.cells:
            st.html(matrix_html(progress))


def matrix_html(progress: Progress) -> str:
    """Draw the matrix: versions down, architectures across, how far each cell is."""
    archs = list(dict.fromkeys(c["arch"] for c in progress.cells))
    rows: dict[str, dict[str, list[dict]]] = {}
    for c in progress.cells:
        rows.setdefault(c["version"], {}).setdefault(c["arch"], []).append(c)
    head = "".join(f'<th scope="col">{escape(a[:80])}</th>' for a in archs)
    body = "".join(
        f'<tr><th scope="row">{escape(version[:80])}</th>'
        + "".join(f"<td>{cell_html(cells.get(a, []), progress)}</td>" for a in archs)
        + "</tr>"
        for version, cells in rows.items()
    )
    return f'<table class="assay-cells"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'


def cell_html(cells: list[dict], progress: Progress) -> str:
    """Draw one cell: seeds done, and seeds that train."""
    done = sum(c["done"] or c["key"] in progress.finished for c in cells)
    now_at = [progress.training[c["key"]] for c in cells if c["key"] in progress.training]
    share = (done + sum(now_at)) / max(1, len(cells))
    words = f"{done} of {format_count(len(cells), 'seed')}"
    words += f", {len(now_at)} training" if now_at else ""
    return f'{words}<i style="--share:{100 * share:.0f}%"></i>'


# ---- what a click does; each is done before the page is drawn anew


def stop_all(bench: Bench, progress: Progress, name: str) -> None:
    """Stop an experiment; what is trained is kept."""
    st.session_state[f"stopping {name}"] = True
    for job in progress.jobs:
        job_files.stop_job(bench, job)
        return  # its files are of one process


def dismiss_all(bench: Bench, progress: Progress) -> None:
    """Dismiss what failed or was stopped."""
    for job in progress.jobs:
        job_files.dismiss_job(bench, job["name"])
    process = STARTED.get(str(bench.path))
    if process is not None and process.poll() is not None:
        del STARTED[str(bench.path)]  # or it would be missed as one that never had a job


def try_again(bench: Bench, progress: Progress) -> None:
    """Start the plan of the page once more."""
    dismiss_all(bench, progress)
    act(lambda: launch(bench))


def act(work: Callable[[], object]) -> None:
    """Do what a click asks for.

    What keeps it from being done, the page says when it is drawn.
    """
    try:
        work()
    except UserError as e:
        st.session_state["experiment error"] = error_markdown(e)
