"""Run a verb as a background process that tells how far it is."""

import signal
import sys
from contextlib import redirect_stderr

from assay import curation
from assay.curation.system import permissions
from assay.pipelines.cli import output
from assay.pipelines.jobs import job_files
from assay.pipelines.jobs.tasks import PREFIX, place


def run(path, verb, *arguments):
    """Do it here, and tell of it: how far it is, what it said when it was done, or why it failed. Returns the exit status."""
    bench = curation.open(path)
    with job_files.claim(
        bench, f"{PREFIX}{verb}", question=" ".join([verb, *arguments[:1]])[:200]
    ) as job:
        if job is None:
            return 2
        output.HEARD = job.tell
        from assay.pipelines.cli.main import main

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end as by Ctrl-C
        with (
            open(place(bench, verb).with_suffix(".err"), "w+", opener=permissions.opener) as err,
            redirect_stderr(err),
        ):
            try:
                status = main([verb, *arguments, "-b", path, "--json"])
            except BaseException as e:
                job.tell(often=False, state="failed", error=f"{type(e).__name__}: {e}"[:2000])
                raise
            err.seek(0)
            if status not in (0, 130):  # 130: somebody stopped it, and knows
                job.tell(often=False, state="failed", error=err.read().strip()[-2000:])
        return status


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
