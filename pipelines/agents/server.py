"""The MCP server: the official SDK's, over stdio or over loopback HTTP."""

from __future__ import annotations

import base64
import json
import re
import secrets
import socket
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.pipelines.agents.access import TokenCheck
from assay.pipelines.agents.agent_bench import AgentBench
from assay.pipelines.agents.tools import INSTRUCTIONS, TOOLS, Reply, Tool, call_tool

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

HOST = "127.0.0.1"
UNNAMED = "unnamed"


def name_agent(given: str | None) -> str:
    """Name an agent so that it is taken for no person."""
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "", given or "")[:60].strip()
    return f"agent:{plain or UNNAMED}"


def make_server(bench: Bench) -> Server:
    """Make the server of a bench."""
    import anyio
    import mcp_types as types
    from mcp.server.lowlevel import Server

    agents = AgentBench(bench)

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(**describe_tool(tool)) for tool in TOOLS])

    async def answer(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        client = context.session.client_params
        agent = name_agent(client.client_info.name if client else None)
        work = partial(call_tool, agents, params.name, params.arguments or {}, agent)
        # a proposal that has begun is finished, whoever hangs up
        reply = await anyio.to_thread.run_sync(work)
        return types.CallToolResult(**describe_reply(reply))

    return Server(
        "assay",
        version=version("assay"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=answer,
    )


def describe_tool(tool: Tool) -> dict[str, Any]:
    """Describe a tool as the protocol has it."""
    hints = dict(read_only_hint=not tool.acts, destructive_hint=False, open_world_hint=False)
    schema = tool.takes.model_json_schema()
    return dict(name=tool.name, description=tool.says, input_schema=schema, annotations=hints)


def describe_reply(reply: Reply) -> dict[str, Any]:
    """Describe a reply as the protocol has it.

    It is there twice, as text and as structure.
    """
    content = [dict(type="text", text=json.dumps(reply.told, ensure_ascii=False))]
    if reply.jpeg is not None:
        data = base64.b64encode(reply.jpeg).decode()
        content.append(dict(type="image", data=data, mime_type="image/jpeg"))
    return dict(content=content, structured_content=reply.told, is_error=reply.failed)


def serve_stdio(bench: Bench) -> None:
    """Serve one client over standard input and output, until it hangs up."""
    import anyio
    from mcp.server.stdio import stdio_server

    async def serve() -> None:
        server = make_server(bench)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(serve)


class HttpServer:
    """A server over loopback HTTP, with a token of its own."""

    def __init__(self, bench: Bench, port: int) -> None:
        """Listen on a port; UserError where it is taken.

        0: any free one.
        """
        self.bench, self.token = bench, secrets.token_urlsafe(24)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.socket.bind((HOST, port))
            self.socket.listen()  # who connects before it serves waits
        except (OSError, OverflowError) as e:
            self.socket.close()
            raise UserError(
                f"expected a free port, found {port}: {e}",
                "leave --port out: any free one is taken",
            ) from None
        self.url = f"http://{HOST}:{self.socket.getsockname()[1]}/mcp"

    def serve(self) -> None:
        """Serve until Ctrl-C."""
        import uvicorn

        app = TokenCheck(make_server(self.bench).streamable_http_app(host=HOST), self.token)
        config = uvicorn.Config(app, log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[self.socket])
