"""Start the workbench: `python -m assay.app.server BENCH`."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.app.server.frame_state import FrameState
    from assay.app.server.links import AccessKeys


def main(arguments: list[str] | None = None) -> int | None:
    """Serve the workbench, print its link, and open the browser."""
    p = argparse.ArgumentParser(prog="assay.app.server")
    p.add_argument("bench")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=8501)
    p.add_argument("--no-browser", action="store_true")
    p.add_argument("--text-embedder")
    p.add_argument("--link", action="store_true")
    p.add_argument("--json", action="store_true")
    args = p.parse_args(arguments)
    from assay.app.server.auth import LOCAL
    from assay.app.server.browse_view import open_view
    from assay.app.server.links import AccessKeys
    from assay.app.server.make_app import make_app
    from assay.app.server.review_session import open_session
    from assay.curation.errors import UserError
    from assay.pipelines.cli.main import report_error
    from assay.pipelines.embedders.text import find_text_embedder

    hosts = LOCAL if args.host in ("127.0.0.1", "localhost", "::1") else (*LOCAL, args.host)
    try:
        keys = AccessKeys(args.bench)
        if args.link:
            print_link(args, make_link(keys.find_address(), args.bench, keys), "")
            return 0
        check_address(args.host, args.port)
        open_view(open_session(args.bench)).text_embedder = find_text_embedder(args.text_embedder)
    except UserError as e:
        return report_error(e, args.json)
    keys.delete_expired()
    app, frame = make_app(args.bench, keys, args.port, hosts)
    address = f"http://{args.host}:{args.port}/?token="
    print_link(args, make_link(address, args.bench, keys), "the workbench is at ")
    if not args.json:
        print(
            "the link opens once, in one browser; for another browser or person: "
            f"assay app --link -b {args.bench}",
            flush=True,
        )
    keys.write_address(address)
    if not args.no_browser:
        page = keys.write_redirect(make_link(address, args.bench, keys))
        threading.Timer(1, open_browser, [page]).start()
    serve(app, frame, args.host, args.port)


def serve(app: Callable, frame: FrameState, host: str, port: int) -> None:
    """Serve until a signal ends it.

    The streams of open windows end first.
    """
    import uvicorn

    from assay.app.server.timeouts import TimedProtocol

    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, http=TimedProtocol
    )
    server = uvicorn.Server(config)
    leave = server.handle_exit

    def end(*signal: Any) -> None:
        frame.close()  # else the server would wait for its streams, and they for the server
        leave(*signal)

    server.handle_exit = end  # type: ignore[method-assign]
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(3)  # uvicorn has said why


def make_link(address: str, path: str | Path, keys: AccessKeys) -> str:
    """Make a link that opens the workbench once.

    It opens Browse where the bench has samples. address: ends in `/?token=`.
    """
    from assay.app.server.review_session import open_session

    bench = open_session(path).bench
    if bench.rows("select 1 from samples limit 1"):
        address = address.replace("/?token=", "/browse?token=")
    return address + keys.make_token("link")


def check_address(host: str, port: int) -> None:
    """Refuse an address on which nobody can listen.

    Another workbench may be open there: its link would be taken for this one's.
    """
    import socket

    from assay.curation.errors import UserError

    try:
        socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ).close()
    except (OSError, OverflowError) as e:
        raise UserError(
            f"expected to listen on port {port} of {host}, found: {e}",
            "choose another port: --port N; `assay app --link` prints a link to a workbench that is open",
        ) from None


def print_link(args: argparse.Namespace, url: str, before: str) -> None:
    """Print a link to the workbench, as --json or after some words."""
    from assay.pipelines.cli.output import describe_result, print_json

    if args.json:
        return print_json(describe_result("app", dict(url=url)))
    print(f"{before}{url}", flush=True)


def open_browser(page: Path, seconds: int = 60) -> None:
    """Open a page of this user's; it is deleted when read."""
    import webbrowser

    webbrowser.open(page.as_uri())
    gone = threading.Timer(seconds, page.unlink, [True])
    gone.daemon = True  # the server's end does not wait for it
    gone.start()


if __name__ == "__main__":
    sys.exit(main())
