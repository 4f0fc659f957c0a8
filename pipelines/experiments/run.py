"""Train the missing cells of a plan.

On all cores or GPUs at once.
A kill costs the runs that were under way, and no other.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.media.base import media_of
from assay.curation.slicing import slices
from assay.curation.storage.interface import Bench, Tell
from assay.curation.storage.job_locks import shared_lock
from assay.curation.system import permissions
from assay.curation.system.processes import PATIENCE
from assay.curation.tasks.base import refuse_task
from assay.curation.text import format_count, pad_text, text_width
from assay.curation.times import iso_time, now
from assay.pipelines.engines.base import Crew, Failure, find_engine
from assay.pipelines.experiments.cells import list_cells, missing_cells, test_labels
from assay.pipelines.experiments.plan import expect_seconds, format_duration, matrix_rows
from assay.pipelines.experiments.worker import ABOUT, make_trainer, measure_cost, train_cell
from assay.pipelines.jobs import job_files, tasks
from assay.pipelines.training.architectures.recipes import find_recipe

# seconds that a worker takes until it trains: for less work than that no other is started
START = 5
MOST_FOLLOWED = 2000  # runs of a plan that its job names: the file is written twice a second


class Unfinished(UserError):
    """Some runs failed; the others, `trained` of them, are kept."""

    code = "unfinished"

    def __init__(self, problem: str, hint: str, trained: int):
        super().__init__(problem, hint)
        self.trained = trained


def prepare_cells(bench: Bench, plan: dict) -> tuple[list[dict], list[dict]]:
    """List all cells of a plan, and those to train.

    Raises UserError for a plan that cannot be judged.
    """
    state = bench.state()
    if not (state.keep & (state.split == "test")).any():
        raise UserError(
            "expected a test split to judge on, found none",
            "import test samples, or import anew so that a split is made",
        )
    test_labels(bench, plan)
    slices.resolve_slices(bench, plan.get("slices") or {})
    wanted = list_cells(bench, plan)
    return wanted, missing_cells(wanted)


def announce_matrix(
    plan: dict,
    wanted: list[dict],
    todo: list[dict],
    seconds: dict[str, float],
    lost: dict[str, str],
    n: int,
    say: Tell,
    dry: bool,
) -> None:
    """Say the matrix of a plan before anything is trained.

    And what it will cost.
    The matrix is left out where nothing is to do and nobody asked (`dry`).
    """
    rows = list(matrix_rows(plan, wanted, seconds, lost))
    columns = [max(text_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    cost = (
        f", about {format_duration(sum(seconds.values()) / n)} on {n} worker{'s' * (n > 1)}"
        if todo
        else ""
    )
    say(f"experiment  {format_count(len(wanted), 'run')}, {len(todo)} to train{cost}")
    for row in rows if todo or dry else ():
        say("  " + "  ".join(map(pad_text, row, columns)).rstrip())


def refuse_foreign_networks(bench: Bench, architectures: Sequence[str]) -> None:
    """Refuse networks of images where samples are texts, and the like."""
    if any(find_recipe(arch).is_rules for arch in architectures):
        refuse_task(bench, "rules", "leave them out of the plan")
    medium = media_of(bench).name
    others = {arch: find_recipe(arch).media for arch in architectures}
    foreign = [f"{arch} for {of}s" for arch, of in others.items() if of not in (None, medium)]
    if foreign:
        raise UserError(
            f"expected architectures for {medium}s, found {', '.join(foreign)}",
            "probe and mlp read vectors, whatever they are of",
        )


@shared_lock
def run_plan(
    bench: Bench,
    plan: dict,
    say: Tell = print,
    progress: Callable[[float, str], None] | None = None,
    most: int | None = None,
    dry: bool = False,
    patience: float = PATIENCE,
    engine: str = "local",
    address: str | None = None,
) -> int:
    """Train every missing cell; return how many were trained.

    Each is stored when it is done.
    `engine`, `address`: where. `most` at once (default: as many as there are cores or GPUs). `dry`: only say what
    there is to do, and what it will cost. A cell that makes no step for `patience` seconds is
    stuck, and ended. Unfinished names those that failed, when the others are done, and UserError what cannot be built
    before anything is trained.
    """
    begun = iso_time(now())
    refuse_foreign_networks(bench, plan["architectures"])
    wanted, todo = prepare_cells(bench, plan)
    broken, lost = [], {}

    def patience_of(shard):  # a closed form has no steps, and ends
        recipe = find_recipe(shard["cell"]["arch"])
        return None if recipe.closed_form and not recipe.is_rules else patience

    def measure(cell):
        (answer,) = crew.run([dict(cell=cell)], measure_cost, patience=patience_of, at_once=1)
        if not isinstance(answer, Failure):
            return answer.value
        if answer.lost:  # its process is gone, and so are its cells; the others go on
            lost[cell["arch"]] = answer.error
        else:  # the matrix comes first: it says what the others will cost
            broken.append(cannot_build(cell, answer))

    chosen = find_engine(engine)
    with chosen.open_crew(bench, make_trainer, len(todo), most, address) as crew:
        seconds = expect_seconds(bench, todo, measure)
        n = min(crew.size, 1 + int(sum(seconds.values()) / START))
        announce_matrix(plan, wanted, todo, seconds, lost, n, say, dry)
        if broken and dry:
            raise broken[0]
        if not todo or dry:
            return 0
        about = dict(
            question=plan["question"],
            runs=len(wanted),
            done=len(wanted) - len(todo),
            begun=begun,
            keys=[c["key"] for c in todo],
            plan_runs=describe_matrix(wanted),
            expects=round(sum(seconds.values()) / max(1, n), 1),
        )
        with job_files.claim_job(bench, f"experiment-{uuid.uuid4().hex[:12]}", **about) as job:
            if broken:
                job.fail(broken[0].problem)  # shown to whoever follows the job from elsewhere
                raise broken[0]
            failed = [
                cell | dict(error=lost[cell["arch"]], lost=True)
                for cell in todo
                if cell["key"] not in seconds
            ]
            todo = [cell for cell in todo if cell["key"] in seconds]
            tell = progress or (lambda share, text: None)
            failed += train_cells(todo, seconds, crew, n, patience_of, job, tell)
            for cell in failed:
                if cell.get("lost"):
                    record_lost_cell(bench, cell)
            if failed:
                job.fail(f"{format_count(len(failed), 'run')} failed, first: {failed[0]['error']}")
    if failed:
        first = failed[0]
        raise Unfinished(
            f"expected {format_count(len(about['keys']), 'run')} to train, found {len(failed)} that failed; "
            f"first {first['arch']} on {first['at']} with seed {first['seed']}: {first['error']}",
            f"the others are done and kept; assay runs -b {bench.given} lists all; mend the plan, or run it again",
            len(about["keys"]) - len(failed),
        )
    return len(todo)


def cannot_build(cell: dict, answer: Failure) -> UserError:
    return UserError(
        f"expected {cell['arch']} to take a few steps of training, found {answer.error}",
        answer.hint or "mend the network",
    )


def describe_matrix(wanted: list[dict]) -> list[dict]:
    """Describe the cells of a plan, for whoever follows it.

    [] where they are too many.
    """
    if len(wanted) > MOST_FOLLOWED:
        return []
    names = [name for name in job_files.CELL if name != "done"]
    return [{name: c[name] for name in names} | dict(done=bool(c["done"])) for c in wanted]


def record_lost_cell(bench: Bench, cell: dict) -> None:
    """Record the failure of a cell whose process is gone.

    Of any other failure, the process leaves word itself.
    """
    with job_files.claim_job(bench, cell["key"], **{k: cell[k] for k in ABOUT}) as job:
        if job is not None:
            job.fail(cell["error"])


def train_cells(
    todo: list[dict],
    seconds: dict[str, float],
    crew: Crew,
    at_once: int,
    patience_of: Callable[[dict], float | None],
    job: job_files.Job,
    progress: Callable[[float, str], None],
) -> list[dict]:
    """Train the cells, dearest first; return those that failed.

    So the last ones to end are small.
    Returns those that failed, with their `error`.
    """
    lock, failed, under_way = threading.Lock(), [], {}
    total, done, count = sum(seconds.values()) or 1, 0.0, 0
    finished = []  # keys of runs that ended well

    def tell(text=""):
        share = (done + sum(seconds[k] * s for k, s in under_way.items())) / total
        progress(
            share,
            f"{count} of {format_count(len(todo), 'run')}; {text}"
            if text
            else f"{count} of {format_count(len(todo), 'run')}",
        )
        job.tell(share=round(share, 3), trained=count, of=len(todo), finished=finished)

    def hear(shard, step=None, **other):
        if step is not None:
            cell, (share, text) = shard["cell"], step
            with lock:
                under_way[cell["key"]] = share
                tell(f"{cell['at']} {text}, seed {cell['seed']}")

    shards = [dict(cell=cell) for cell in sorted(todo, key=lambda c: -seconds[c["key"]])]
    with closing(crew.run(shards, train_cell, hear, patience_of, at_once)) as answers:
        for answer in answers:
            cell = answer.shard["cell"]
            with lock:
                under_way.pop(cell["key"], None)
                done, count = done + seconds[cell["key"]], count + 1
                if isinstance(answer, Failure):
                    failed.append(cell | dict(error=answer.error, lost=answer.lost))
                else:
                    finished.append(cell["key"])
                tell()
    return failed


def detach_run(bench: Bench, plan: str | Path | dict | None, arguments: list) -> tuple[int, Path]:
    """Start `assay experiment` in a session of its own.

    It gets a copy of the plan, a TOML file or as a dict; without one it makes its own. Comes back at once with (its
    pid, its log).
    """
    from assay.pipelines.experiments.plan_template import write_plan

    folder = bench.path / "jobs"
    permissions.make_folder(folder)
    name = f"plan-{uuid.uuid4().hex[:8]}"
    given = []
    if plan:
        given = [folder / f"{name}.toml"]
        if isinstance(plan, dict):
            write_plan(bench, given[0], plan)
        else:
            shutil.copyfile(plan, permissions.touch_file(given[0]))
    process = tasks.start_process(
        bench, name, "assay", "experiment", *given, "-b", bench.path, *arguments
    )
    return process.pid, folder / f"{name}.log"
