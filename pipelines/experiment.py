"""Training what a plan asks for and lacks, on all cores or GPUs at once: a kill costs the cells that were under way, and no other."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from curation import slices
from curation.errors import UserError
from curation.leftovers import at_work
from curation.text import pad, width
from curation.times import iso_time, now
from pipelines import jobs
from pipelines.plan import cells, duration, expected, matrix, missing
from pipelines.ruler import test_labels

START = 5  # seconds that a worker takes until it trains: for less work than that no other is started


def lanes(todo, most=None):
    """One environment for each worker that runs at once: a GPU each where there are any, else the cores shared out evenly."""
    if gpus := devices():
        return [dict(CUDA_VISIBLE_DEVICES=gpu) for gpu in gpus[: min(most or len(gpus), todo)]]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    n = max(1, min(most or cores, cores, todo))
    threads = str(max(1, cores // n))
    return [dict(OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads, MKL_NUM_THREADS=threads) for _ in range(n)]


def devices():
    """The GPUs that may be used, as CUDA_VISIBLE_DEVICES names them; asked of the driver, since importing torch takes seconds."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [d for d in named.split(",") if d.strip() and d.strip() != "-1"]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    return [str(i) for i, line in enumerate(listed.splitlines()) if line.startswith("GPU ")]


class Worker:
    """A process that trains cells (pipelines.worker), asked line by line; one that was killed is started anew by the next ask."""

    def __init__(self, bench, env):
        self.bench, self.env, self.process = bench, env, None

    def ask(self, what, cell, hear=lambda **about: None):
        """What the worker answers in the end: a dict. `hear(share=, text=)` is told of progress on the way."""
        if self.process is None:
            path = os.pathsep.join(filter(None, [str(jobs.ROOT), os.getcwd(), os.environ.get("PYTHONPATH")]))
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.worker", str(self.bench.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                process_group=0,  # Ctrl-C is for the one who started it
                env=os.environ | self.env | dict(PYTHONPATH=path),
            )
        process = self.process
        try:
            print(json.dumps(dict(what=what, cell=cell)), file=process.stdin, flush=True)
            for line in process.stdout:
                about = json.loads(line)
                if "share" not in about:
                    return about
                hear(**about)
        except (BrokenPipeError, ValueError):  # it died, or was stopped meanwhile
            pass
        code, self.process = process.wait(), None
        return dict(error=f"the process that trained it ended with status {code}" + " (killed: is there memory enough?)" * (code == -9))

    def stop(self):
        if (process := self.process) is not None:
            process.kill()  # what it had finished is stored; what it had not is trained again
            process.wait()
            with suppress(OSError, ValueError):
                process.stdin.close()
                process.stdout.close()


@contextmanager
def crew(bench, envs):
    """Workers, one for each of `envs`, gone when their work is."""
    workers = [Worker(bench, env) for env in envs]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.stop()


def prepare(bench, plan):
    """(cells, those to train) of a plan that can be judged; UserError for one that cannot."""
    state = bench.state()
    if not (state.keep & (state.split == "test")).any():
        raise UserError("expected a test split to judge on, found none", "import test samples, or import anew so that a split is made")
    test_labels(bench, plan)
    slices.queried(bench, plan.get("slices") or {})
    wanted = cells(bench, plan)
    return wanted, missing(wanted)


def announce(plan, wanted, todo, seconds, n, say, dry):
    """The matrix of a plan and what it will cost, before anything is trained; left out where nothing is to do and nobody asked."""
    rows = list(matrix(plan, wanted, seconds))
    columns = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    cost = f", about {duration(sum(seconds.values()) / n)} on {n} worker{'s' * (n > 1)}" if todo else ""
    say(f"experiment  {len(wanted)} cells, {len(todo)} to train{cost}")
    for row in rows if todo or dry else ():
        say("  " + "  ".join(map(pad, row, columns)).rstrip())


@at_work
def run(bench, plan, say=print, progress=None, most=None, dry=False):
    """Train every missing cell, `most` at once (default: as many as there are cores or GPUs); each is stored when it is done. `dry`: only say what
    there is to do, and what it will cost. Returns how many were trained; UserError names those that failed, when the others are done, and what
    cannot be built before anything is trained."""
    begun = iso_time(now())
    wanted, todo = prepare(bench, plan)
    envs, broken = lanes(len(todo), most), []

    def measure(cell):
        try:
            return cost(workers[0], cell)
        except UserError as e:  # the matrix comes first: it says what the others will cost
            broken.append(e)

    with crew(bench, envs) as workers:
        seconds = expected(bench, todo, measure)
        workers = workers[: 1 + int(sum(seconds.values()) / START)]
        announce(plan, wanted, todo, seconds, len(workers), say, dry)
        if broken:
            raise broken[0]
        if not todo or dry:
            return 0
        about = dict(question=plan["question"], cells=len(wanted), done=len(wanted) - len(todo), begun=begun, keys=[c["key"] for c in todo])
        with jobs.claim(bench, f"experiment-{uuid.uuid4().hex[:12]}", **about) as job:
            failed = train(bench, todo, seconds, workers, job, progress or (lambda share, text: None))
            if failed:
                job.tell(often=False, state="failed", error=f"{len(failed)} cells failed, first: {failed[0]['error']}")
    if failed:
        first = failed[0]
        raise UserError(
            f"expected {len(todo)} cells to train, found {len(failed)} that failed; first {first['arch']} on {first['at']} with seed {first['seed']}: "
            f"{first['error']}",
            f"the others are done and kept; assay runs -b {bench.given} lists all; mend the plan, or run it again",
        )
    return len(todo)


def cost(worker, cell):
    answer = worker.ask("cost", cell)
    if "error" in answer:
        raise UserError(
            f"expected {cell['arch']} to take a few steps of training, found {answer['error']}", answer.get("hint", "mend the network")
        )
    return answer["seconds"]


def train(bench, todo, seconds, workers, job, progress):
    """Give the cells out, dearest first, so that the last ones to end are small. Returns those that failed, with their `error`."""
    lock, free, failed, under_way = threading.Lock(), list(workers), [], {}
    total, done, count = sum(seconds.values()) or 1, 0.0, 0

    def tell(text=""):
        share = (done + sum(seconds[k] * s for k, s in under_way.items())) / total
        progress(share, f"{count} of {len(todo)} cells; {text}" if text else f"{count} of {len(todo)} cells")
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
    folder.mkdir(exist_ok=True)
    name = f"plan-{uuid.uuid4().hex[:8]}"
    shutil.copyfile(plan_file, folder / f"{name}.toml")
    process = jobs.background(bench, name, "pipelines", "experiment", folder / f"{name}.toml", "-b", bench.path, *arguments)
    return process.pid, folder / f"{name}.log"
