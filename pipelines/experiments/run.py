"""Training what a plan asks for and lacks, on all cores or GPUs at once: a kill costs the cells that were under way, and no other."""

import shutil
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from assay.curation.errors import UserError
from assay.curation.slicing import slices
from assay.curation.storage.locks import at_work
from assay.curation.system import permissions
from assay.curation.system.processes import PATIENCE
from assay.curation.text import pad, width
from assay.curation.times import iso_time, now
from assay.pipelines.engines.local import START, Unfinished, crew, lanes
from assay.pipelines.experiments.plan import cells, duration, expected, matrix, missing, test_labels
from assay.pipelines.jobs import job_files, processes


def prepare(bench, plan):
    """(cells, those to train) of a plan that can be judged; UserError for one that cannot."""
    state = bench.state()
    if not (state.keep & (state.split == "test")).any():
        raise UserError(
            "expected a test split to judge on, found none",
            "import test samples, or import anew so that a split is made",
        )
    test_labels(bench, plan)
    slices.queried(bench, plan.get("slices") or {})
    wanted = cells(bench, plan)
    return wanted, missing(wanted)


def announce(plan, wanted, todo, seconds, lost, n, say, dry):
    """The matrix of a plan and what it will cost, before anything is trained; left out where nothing is to do and nobody asked."""
    rows = list(matrix(plan, wanted, seconds, lost))
    columns = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    cost = (
        f", about {duration(sum(seconds.values()) / n)} on {n} worker{'s' * (n > 1)}"
        if todo
        else ""
    )
    say(f"experiment  {len(wanted)} cells, {len(todo)} to train{cost}")
    for row in rows if todo or dry else ():
        say("  " + "  ".join(map(pad, row, columns)).rstrip())


@at_work
def run(bench, plan, say=print, progress=None, most=None, dry=False, patience=PATIENCE):
    """Train every missing cell, `most` at once (default: as many as there are cores or GPUs); each is stored when it is done. `dry`: only say what
    there is to do, and what it will cost. A cell that makes no step for `patience` seconds is stuck, and ended. Returns how many were trained;
    Unfinished names those that failed, when the others are done, and UserError what cannot be built before anything is trained."""
    begun = iso_time(now())
    wanted, todo = prepare(bench, plan)
    envs, broken, lost = lanes(len(todo), most), [], {}

    def measure(cell):
        answer = workers[0].ask("cost", cell)
        if "lost" in answer:  # its process is gone, and so are its cells; the others go on
            lost[cell["arch"]] = answer["error"]
        elif "error" in answer:  # the matrix comes first: it says what the others will cost
            broken.append(unbuilt(cell, answer))
        return answer.get("seconds")

    with crew(bench, envs, patience) as workers:
        seconds = expected(bench, todo, measure)
        workers = workers[: 1 + int(sum(seconds.values()) / START)]
        announce(plan, wanted, todo, seconds, lost, len(workers), say, dry)
        if broken and dry:
            raise broken[0]
        if not todo or dry:
            return 0
        about = dict(
            question=plan["question"],
            cells=len(wanted),
            done=len(wanted) - len(todo),
            begun=begun,
            keys=[c["key"] for c in todo],
        )
        with job_files.claim(bench, f"experiment-{uuid.uuid4().hex[:12]}", **about) as job:
            if broken:
                job.tell(
                    often=False, state="failed", error=broken[0].problem
                )  # whoever follows it from elsewhere hears of it
                raise broken[0]
            failed = [
                cell | dict(error=lost[cell["arch"]], lost=True)
                for cell in todo
                if cell["key"] not in seconds
            ]
            todo = [cell for cell in todo if cell["key"] in seconds]
            failed += train(
                bench, todo, seconds, workers, job, progress or (lambda share, text: None)
            )
            for cell in failed:
                if cell.get("lost"):
                    leave_word(bench, cell)
            if failed:
                job.tell(
                    often=False,
                    state="failed",
                    error=f"{len(failed)} cells failed, first: {failed[0]['error']}",
                )
    if failed:
        first = failed[0]
        raise Unfinished(
            f"expected {len(about['keys'])} cells to train, found {len(failed)} that failed; "
            f"first {first['arch']} on {first['at']} with seed {first['seed']}: {first['error']}",
            f"the others are done and kept; assay runs -b {bench.given} lists all; mend the plan, or run it again",
            len(about["keys"]) - len(failed),
        )
    return len(todo)


def unbuilt(cell, answer):
    return UserError(
        f"expected {cell['arch']} to take a few steps of training, found {answer['error']}",
        answer.get("hint", "mend the network"),
    )


def leave_word(bench, cell):
    """Leave word of a cell whose process is gone, as the process itself does of any other failure: see jobs.states."""
    about = {k: cell[k] for k in ("key", "version", "at", "arch", "seed")}
    with job_files.claim(bench, cell["key"], **about) as job:
        if job is not None:
            job.tell(often=False, state="failed", error=cell["error"])


def train(bench, todo, seconds, workers, job, progress):
    """Give the cells out, dearest first, so that the last ones to end are small. Returns those that failed, with their `error`."""
    lock, free, failed, under_way = threading.Lock(), list(workers), [], {}
    total, done, count = sum(seconds.values()) or 1, 0.0, 0

    def tell(text=""):
        share = (done + sum(seconds[k] * s for k, s in under_way.items())) / total
        progress(
            share,
            f"{count} of {len(todo)} cells; {text}" if text else f"{count} of {len(todo)} cells",
        )
        job.tell(share=round(share, 3), trained=count, of=len(todo))

    def one(cell):
        nonlocal done, count

        def hear(share, text):
            with lock:
                under_way[cell["key"]] = share
                tell(f"{cell['at']} {text}, seed {cell['seed']}")

        with lock:
            worker = free.pop()
        answer = worker.ask("train", cell, hear)
        while answer.get("elsewhere"):  # another experiment is at this cell
            time.sleep(0.5)
            answer = worker.ask("train", cell, hear)
        with lock:
            free.append(worker)
            under_way.pop(cell["key"], None)
            done, count = done + seconds[cell["key"]], count + 1
            if "error" in answer:
                failed.append(cell | answer)
            tell()

    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            list(pool.map(one, sorted(todo, key=lambda c: -seconds[c["key"]])))
        except BaseException:  # Ctrl-C
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.stop()
            raise
    return failed


def detach(bench, plan_file, arguments):
    """Start `assay experiment` in a session of its own, with a copy of its plan, and come back at once. Returns (its pid, its log)."""
    folder = bench.path / "jobs"
    permissions.folder(folder)
    name = f"plan-{uuid.uuid4().hex[:8]}"
    shutil.copyfile(plan_file, permissions.touch(folder / f"{name}.toml"))
    process = processes.background(
        bench, name, "assay", "experiment", folder / f"{name}.toml", "-b", bench.path, *arguments
    )
    return process.pid, folder / f"{name}.log"
