"""The verb that opens the workbench: it starts the server as a process, since pipelines know nothing of windows."""

import os
import sys

from assay import curation
from assay.curation.system import processes
from assay.pipelines.cli.output import open_bench


def app(a):
    """the workbench in the browser: review, and see what the decisions do"""
    new = a.bench and not a.link  # one that is named may be new: its first page says how to fill it
    bench = curation.create(a.bench, a.group) if new else open_bench(a)
    more = [*["--no-browser"] * a.no_browser, *["--link"] * a.link]
    command = processes.command(
        "assay.app.server", bench.path, "--host", a.host, "--port", a.port, *more
    )
    sys.stdout.flush()
    os.execve(command[0], command, processes.environment())


def add(verb):
    """Register the verb with the command line."""
    v = verb(app)
    v.add_argument("--port", type=int, default=8501)
    v.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on; any but the default lets others in who have the link",
    )
    v.add_argument(
        "--group",
        action="store_true",
        help="your group may read and write the bench, too (default: you alone)",
    )
    v.add_argument(
        "--link",
        action="store_true",
        help="only print another link to the workbench that is open: each opens once, in one browser",
    )
    v.add_argument("--no-browser", action="store_true", help="only print the link")
