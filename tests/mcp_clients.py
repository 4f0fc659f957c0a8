"""Real MCP clients of a real `assay mcp`, over both transports."""

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import mcp_types
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def named(name):
    return mcp_types.Implementation(name=name, version="1")


def over_stdio(bench, name="tester", **more):
    """A client that starts its own server."""
    words = ["-m", "assay", "mcp", "-b", str(bench.path)]
    server = StdioServerParameters(command=sys.executable, args=words)
    return Client(server, client_info=named(name), **more)


@contextmanager
def http_server(bench):
    """A server over HTTP: what it printed, url, token and pid."""
    words = [sys.executable, "-m", "assay", "mcp", "--http", "--json", "-b", str(bench.path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        yield json.loads(text)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@asynccontextmanager
async def over_http(printed, name="tester"):
    """A client of a server over HTTP."""
    import httpx2

    headers = dict(Authorization=f"Bearer {printed['token']}")
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(printed["url"], http_client=http)
        async with Client(transport, client_info=named(name)) as client:
            yield client


def run(talk):
    """What a coroutine returns; in a thread of its own, since a browser's loop may run in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, talk).result()


def converse(client, *calls):
    """What each (tool, arguments) is answered, one after the other; a call may be made of the answers before."""

    async def talk():
        found = []
        async with client as one:
            for call in calls:
                name, given = call(found) if callable(call) else call
                found.append(await one.call_tool(name, given))
        return found

    return run(talk())


def data_of(result):
    """What an answer has to say of the data, the same as text and as structure."""
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content["data"]
