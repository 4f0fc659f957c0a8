"""The verb demo."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from assay.pipelines.cli.app import become_server
from assay.pipelines.cli.output import line_printer, print_line, print_result, progress_bar
from assay.pipelines.cli.verbs import Verbs


def show_demo(args: argparse.Namespace) -> None:
    """Review real solar cells as a simulated expert, and report the gain."""
    from assay.pipelines.simulation.demo import run_demo

    found, bench = run_demo(Path(args.folder), say=line_printer(args), progress=progress_bar)
    print_result(args, found, f"assay app -b {bench.given}")
    if opens_workbench(args):
        print_line(args, "\nThe workbench opens in your browser; Ctrl-C ends it.")
        become_server(bench, "--port", find_port())


def find_port(usual: int = 8501) -> int:
    """Find a free port, the usual one if it is."""
    for port in (usual, 0):
        with socket.socket() as tried, suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return tried.getsockname()[1]
    return usual


def opens_workbench(args: argparse.Namespace) -> bool:
    """Whether somebody sits before a terminal, and wants a browser."""
    in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return sys.stdout.isatty() and not (args.no_browser or args.json or in_ci)


def add(verbs: Verbs) -> None:
    """Add the verb demo."""
    verb = verbs.add("demo", show_demo)
    verb.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        default="demo",
        help="where benches and reports go (default: demo)",
    )
    verb.add_argument(
        "--no-browser", action="store_true", help="do not open the workbench at the end"
    )
