"""The verb app, which becomes the server of the workbench.

The server is a process of its own, since pipelines know nothing of windows.
"""

from __future__ import annotations

import argparse
import os
import sys

from assay import curation
from assay.curation.errors import NoBench
from assay.curation.storage.store import MAKE
from assay.curation.system import permissions, processes
from assay.curation.system.extras import require
from assay.pipelines.cli.output import bench_path, open_bench
from assay.pipelines.cli.samples import add_text_embedder
from assay.pipelines.cli.verbs import Verbs

SERVER = ("streamlit", "starlette", "uvicorn", "cachetools", "matplotlib")


def open_app(args: argparse.Namespace) -> None:
    """Open the workbench in the browser.

    --new makes an empty bench first, where there is none: its first page says how to fill it.
    """
    require("app", *SERVER)  # before a new bench is made
    try:
        bench = open_bench(args)
    except NoBench as e:
        if args.link or not args.new:
            e.reword(lambda text: text.replace(MAKE, f"{MAKE}; or begin an empty one with --new"))
            raise
        bench = curation.create(bench_path(args), args.group)
    else:
        if args.group:
            permissions.set_modes(bench.path, group=True)
    reads = ["--text-embedder", args.text_embedder] if args.text_embedder else []
    more = [*["--no-browser"] * args.no_browser, *["--link"] * args.link, *["--json"] * args.json]
    become_server(bench, "--host", args.host, "--port", args.port, *more, *reads)


def become_server(bench: curation.Bench, *options: object) -> None:
    """Become the server of the workbench: this process is its process."""
    require("app", *SERVER)
    command = processes.python_command("assay.app.server", bench.path, *options)
    sys.stdout.flush()
    os.execve(command[0], command, processes.child_environment())


def add(verbs: Verbs) -> None:
    """Add the verb app."""
    verb = verbs.add("app", open_app)
    verb.add_argument(
        "--port", type=int, default=8501, help="the port to listen on (default: %(default)s)"
    )
    verb.add_argument(
        "--new", action="store_true", help="make an empty bench in the folder where there is none"
    )
    verb.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on; any but the default lets others in who have the link",
    )
    verb.add_argument(
        "--group",
        action="store_true",
        help="your group may read and write the bench, too (default: you alone)",
    )
    verb.add_argument(
        "--link",
        action="store_true",
        help="only print another link to the workbench that is open: each opens once, in one browser",
    )
    add_text_embedder(verb)
    verb.add_argument("--no-browser", action="store_true", help="only print the link")
