"""Open the workbench from Python, and end it."""

from __future__ import annotations

import socket
import subprocess
import time
import webbrowser
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.system import processes
from assay.curation.system.extras import require
from assay.verb_processes import start_verb

if TYPE_CHECKING:
    from assay.curation import Bench


class Workbench:
    """The server of a bench's workbench, a process of its own; `stop` ends it."""

    def __init__(self, bench: Bench, host: str, port: int, text_embedder: str = "") -> None:
        self.bench, self.host, self.port = bench, host, port
        reads = ["--text-embedder", text_embedder] if text_embedder else []
        self.url, self.process = start_server(bench, "--host", host, "--port", port, *reads)
        self._wait_until_open()

    def _wait_until_open(self, seconds: float = 60) -> None:
        """Wait until the server can be asked; UserError where it cannot."""
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            with suppress(OSError), socket.create_connection((self.host, self.port), 1):
                return
            time.sleep(0.05)
        self.stop()
        raise UserError(
            f"expected the workbench to answer within {seconds:g} s, found that it does not",
            "opened from a terminal it says why",
        )

    def link(self) -> str:
        """Make another link: each opens once, in one browser."""
        url, process = start_server(self.bench, "--link")
        process.wait()
        return url

    def stop(self) -> None:
        """End the server; what was decided is stored already."""
        self.process.terminate()
        self.process.wait()

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *about: Any) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = self.url if self.process.poll() is None else "stopped"
        return f"Workbench({state})"

    def _repr_html_(self) -> str:
        url = escape(self.url, quote=True)
        text = f'<a href="{url}" target="_blank" rel="noopener">Open the workbench</a>'
        return text if self.process.poll() is None else "The workbench was stopped."


def open_workbench(
    bench: Bench, host: str, port: int, browser: bool, text_embedder: str
) -> Workbench:
    """Start the workbench; open the browser, if asked."""
    opened = Workbench(bench, host, port, text_embedder)
    if browser:
        webbrowser.open(opened.link())
    return opened


def start_server(bench: Bench, *options: object) -> tuple[str, subprocess.Popen]:
    """Start the server, and return its link and process.

    UserError where it says that it cannot.
    """
    require("app", "streamlit", "starlette", "uvicorn", "cachetools", "matplotlib")
    words = processes.python_command(
        "assay.app.server", bench.path, "--no-browser", "--json", *options
    )
    told, process = start_verb(words, "the workbench to start")
    return told["url"], process
