"""The verb mcp, which serves the bench to agents."""

from __future__ import annotations

import argparse
import json
import os
import sys

from assay import curation
from assay.curation.errors import UserError
from assay.curation.system.extras import require
from assay.pipelines.cli.output import bench_path, open_bench, print_line, print_result
from assay.pipelines.cli.verbs import Verbs


def serve_agents(args: argparse.Namespace) -> None:
    """Serve the bench to agents: they look, ask for work, and propose.

    It speaks the Model Context Protocol on standard input and output, or with --http on this machine's own address.
    """
    require("mcp", "mcp")
    bench = curation.open(bench_path(args))
    if not args.http and (args.json or args.port):
        raise UserError(
            "expected --json and --port with --http alone, found one without it",
            "leave it out: standard output is the protocol's",
        )
    from assay.pipelines.agents.server import HttpServer, serve_stdio

    if not args.http:
        if bench.upgrade_note:  # standard output is the protocol's
            print(f"note: {bench.upgrade_note}", file=sys.stderr)
        return serve_stdio(bench)
    server = HttpServer(open_bench(args), args.port)
    headers = dict(Authorization=f"Bearer {server.token}")
    print_line(args, f"agents are served at {server.url}, until Ctrl-C; a client's configuration:")
    print_line(args, json.dumps(dict(assay=dict(type="http", url=server.url, headers=headers))))
    print_result(args, dict(url=server.url, token=server.token, pid=os.getpid()))
    sys.stdout.flush()
    return server.serve()


def add(verbs: Verbs) -> None:
    """Add the verb mcp."""
    verb = verbs.add("mcp", serve_agents)
    verb.add_argument(
        "--http",
        action="store_true",
        help="over HTTP at 127.0.0.1, with a token that is printed, instead of standard input and output",
    )
    verb.add_argument(
        "--port", type=int, default=0, help="the port of --http (default: any free one)"
    )
