"""One cell trained and stored; as a process it does what its standard input asks, line by line, and ends where that ends."""

import sys
import traceback
from functools import partial

import numpy as np

from assay import curation
from assay.curation.predictions import runs
from assay.curation.storage.locks import at_work
from assay.curation.system import processes
from assay.pipelines.experiments.trainer import Trainer
from assay.pipelines.jobs import job_files
from assay.pipelines.jobs.isolated import fault
from assay.pipelines.jobs.job_files import when_free


@at_work
def answer(bench, trainer, ask, tell):
    """Do what one line asks, and tell how it goes: {"share", "text"} on the way, then {"seconds", "failed"}, or {"error", "hint"}."""
    cell = ask["cell"]
    if ask["what"] == "cost":
        try:
            return tell(seconds=trainer.cost(cell))
        except Exception as e:  # an architecture from anywhere may fail in any way
            return tell(**fault(e))
    about = {k: cell[k] for k in ("key", "version", "at", "arch", "seed")}
    with job_files.claim(bench, cell["key"], **about) as job:
        if job is None:
            return tell(elsewhere=True)

        def step(share, text):
            job.tell(share=round(share, 3), text=text)
            tell(share=share, text=text)

        try:
            if when_free(partial(diverged, bench, trainer, cell), step) or runs.covers(
                bench, cell["key"], np.array(trainer.ids, "S32")
            ):
                return tell(seconds=0.0, failed=None)  # somebody was faster
            out = trainer.train(cell, step)
        except Exception as e:  # the other cells go on, and `assay runs` shows it
            job.tell(often=False, state="failed", **fault(e), trace=traceback.format_exc()[-4000:])
            return tell(**fault(e))
        tell(**out)


def diverged(bench, trainer, cell):
    """Has it been trained, and found no number? What its training reads of the bench is read here, too."""
    trainer.drawn(cell["at"], cell["seed"])
    return bench.rows("select 1 from runs where key = ? and failed is not null", [cell["key"]])


def main(path):
    """The worker process: each line of standard input is {"what", "cell"}. Who started it is gone when the input ends: then so is it, at once."""
    trainer = None

    def work(ask, tell):
        nonlocal trainer
        try:
            trainer = trainer or when_free(
                lambda: Trainer(curation.open(path)),
                lambda share, text: tell(share=share, text=text),
            )
        except Exception as e:
            tell(**fault(e))
        else:
            answer(trainer.bench, trainer, ask, tell)

    processes.serve(work)


if __name__ == "__main__":
    main(sys.argv[1])
