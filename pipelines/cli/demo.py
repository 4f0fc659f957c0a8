"""The verb demo."""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.pipelines.cli.output import line_printer, print_result, progress_bar
from assay.pipelines.cli.verbs import Verbs


def show_demo(args: argparse.Namespace) -> None:
    """Review real solar cells as a simulated expert, and report the gain."""
    from assay.pipelines.simulation.demo import run_demo

    print_result(args, *run_demo(Path(args.folder), say=line_printer(args), progress=progress_bar))


def add(verbs: Verbs) -> None:
    """Add the verb demo."""
    verb = verbs.add("demo", show_demo)
    verb.add_argument(
        "folder", nargs="?", default="demo", help="where bench and report go (default: demo)"
    )
