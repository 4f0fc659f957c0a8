"""Run a verb as a background task: see jobs/tasks.py."""

from __future__ import annotations

import signal
import sys
from contextlib import redirect_stderr

from assay import curation
from assay.curation.system import permissions
from assay.pipelines.cli import output
from assay.pipelines.jobs import job_files
from assay.pipelines.jobs.tasks import PREFIX, task_file


def run_task(path: str, verb: str, *arguments: str) -> int:
    """Run a verb on a bench, and return its exit status.

    Its job file tells how far it is, its result, and why it failed.
    """
    bench = curation.open(path)
    question = " ".join([verb, *arguments[:1]])[:200]
    with job_files.claim_job(bench, f"{PREFIX}{verb}", question=question) as job:
        if job is None:
            return 2
        output.LISTENER = job.tell
        from assay.pipelines.cli.main import main

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end as by Ctrl-C
        errors = task_file(bench, verb).with_suffix(".err")
        with open(errors, "w+", opener=permissions.opener) as err, redirect_stderr(err):
            try:
                status = main([verb, *arguments, "-b", path, "--json"])
            except BaseException as e:
                job.fail(f"{type(e).__name__}: {e}"[:2000])
                raise
            err.seek(0)
            said = err.read().strip()[-2000:]
            # 1: a check said no, and that is its result; 130: somebody stopped it, and knows
            if status not in (0, 130) and (status != 1 or said):
                job.fail(said)
        return status


if __name__ == "__main__":
    sys.exit(run_task(*sys.argv[1:]))
