"""The verb docs, which serves the documentation on this machine."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import assay
from assay.curation.errors import UserError
from assay.curation.system import processes
from assay.curation.system.extras import require
from assay.pipelines.cli.output import print_line, print_result
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

PACKAGE = Path(assay.__file__).parent
CONFIG = PACKAGE.parent / "mkdocs.yml"  # of a clone


def show_docs(args: argparse.Namespace) -> None:
    """Open the documentation in the browser, until Ctrl-C.

    It is served on this machine alone, and loads nothing from elsewhere.
    """
    import webbrowser

    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        site = build_site(Path(folder)) if CONFIG.is_file() else PACKAGE / "site"
        with open_server(site, args.port) as server:
            link = f"http://127.0.0.1:{server.server_port}/"
            print_line(args, f"the documentation is at {link}, until Ctrl-C")
            print_result(args, dict(url=link))
            sys.stdout.flush()
            if not args.no_browser:
                webbrowser.open(link)
            server.serve_forever()


def build_site(folder: Path) -> Path:
    """Build the pages of a clone, as their text is now."""
    require("dev", "material", "mkdocs")
    mkdocs = [*processes.python_command("mkdocs"), "build", "--quiet"]
    # what it says by itself is about another product
    quiet = processes.child_environment(NO_MKDOCS_2_WARNING="1")
    subprocess.run([*mkdocs, "-f", CONFIG, "--site-dir", folder], check=True, env=quiet)
    return folder


def open_server(site: Path, port: int) -> ThreadingHTTPServer:
    """Listen on 127.0.0.1; port 0 takes any free one."""
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class QuietHandler(SimpleHTTPRequestHandler):
        """Serves a folder, and logs no request."""

        def log_message(self, format: str, *args: object) -> None:
            pass

    class DocsServer(ThreadingHTTPServer):
        """Serves the pages; a browser that hangs up is no error."""

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    try:
        return DocsServer(("127.0.0.1", port), partial(QuietHandler, directory=site))
    except (OSError, OverflowError) as e:
        raise UserError(
            f"expected a free port, found {port}: {e}", "leave --port out: any free one is taken"
        ) from None


def add(verbs: Verbs) -> None:
    """Add the verb docs."""
    verb = verbs.add("docs", show_docs)
    verb.add_argument(
        "--port", type=int, default=0, help="the port to listen on (default: any free one)"
    )
    verb.add_argument("--no-browser", action="store_true", help="only print the link")
