"""Start a process that outlives its parent."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from assay.curation.system import permissions, processes


def background(bench, name, module, *arguments):
    """Start `python -m MODULE ARGUMENTS` in a session of its own, which outlives whoever starts it and gives way to whoever sits at the machine; it
    writes to jobs/NAME.log of the bench. Returns the process."""
    folder = bench.path / "jobs"
    permissions.folder(folder)
    with open(folder / f"{name}.log", "w", opener=permissions.opener) as out:
        process = subprocess.Popen(
            processes.command(module, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=processes.environment(),
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.SIG_DFL
            ),  # a server started with & ignores it, and would pass that on
        )
    with suppress(OSError):  # it has ended
        os.setpriority(os.PRIO_PROCESS, process.pid, 10)
        Path(f"/proc/{process.pid}/autogroup").write_text(
            "10"
        )  # Linux may share the cores out by session before it looks at processes
    return process
