"""The FiftyOne App, served until somebody ends it."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from typing import Any

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import line_printer, print_line, print_result

PORT = 5151  # FiftyOne's own


def serve_app(
    args: argparse.Namespace, bench: Bench, fo: Any, dataset: Any, port: int, out: dict, back: str
) -> None:
    """Serve the App until Ctrl-C or a SIGTERM.

    `out`: what was pushed; `back`: the command that imports changes.
    """
    from assay.pipelines.fiftyone import mongod
    from assay.pipelines.fiftyone.dataset import fiftyone_folder
    from assay.pipelines.fiftyone.sync import PushedSamples, find_changes

    print_line(args, "starting the App: about 20 seconds")
    # who started us as a subprocess ends us as a person would
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        session = launch_app(fo, dataset, port, line_printer(args))
        url = f"http://127.0.0.1:{port}/datasets/{dataset.name}"
        dataset.info["app"] = url
        dataset.save()
        pull = f"{back}, from another terminal or afterwards, imports your changes"
        print_line(args, f"open {url} (Ctrl-C ends it; {pull})")
        print_result(args, out | dict(url=url, pid=os.getpid()))
        sys.stdout.flush()
        while mongod.running_port(fiftyone_folder(bench) / "db"):
            time.sleep(0.5)
        raise UserError(
            "expected FiftyOne's database to run on, found it ended",
            f"{fiftyone_folder(bench) / 'mongod.log'} says why; start again",
        )
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        dataset.reload()
        dataset.info.pop("app", None)
        dataset.save()
        waiting = len(find_changes(bench, dataset, PushedSamples(bench, dataset)))
        print_line(args, f"the App is closed; {format_count(waiting, 'change')} to be pulled")
        if not args.json:
            again = f"assay fiftyone -b {bench.given} opens it again"
            print_result(args, None, back if waiting else again)
        with suppress(Exception):
            session.close()


def launch_app(
    fo: Any, dataset: Any, port: int, say: Callable[[str], object], patience: float = 300
) -> Any:
    """Launch the App, and return FiftyOne's session.

    Where its page is late for FiftyOne's own minute, it is waited for and asked once more: beside
    nine other jobs on two cores it took more than three minutes.
    """
    from fiftyone.core.service import ServiceListenTimeout

    for last in (False, True):
        try:
            with open(os.devnull, "w") as nothing, redirect_stdout(nothing):  # its banner
                return fo.launch_app(
                    dataset, remote=True, port=port, address="127.0.0.1", auto=False
                )
        except ServiceListenTimeout:
            if last:
                break
        say("the App was not there after a minute: trying once more")
        until = time.monotonic() + patience
        while not is_served(port) and time.monotonic() < until:
            time.sleep(0.5)
    raise UserError(
        f"expected FiftyOne's App on port {port} within some minutes, found no answer",
        "end other heavy work and try again, or choose another port: --port N",
    )


def is_served(port: int) -> bool:
    """Whether anything answers on a port of this machine."""
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def find_free_port(asked: int | None) -> int:
    """Find a free port, or check the one that was asked for.

    FiftyOne would join a server that runs there, and show somebody else's data.
    """
    for port in [asked] if asked else range(PORT, PORT + 50):
        with socket.socket() as s, suppress(OSError, OverflowError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            return port
    raise UserError(
        f"expected a free port, found {asked or PORT} taken",
        "choose another: --port N, or leave it out",
    )
