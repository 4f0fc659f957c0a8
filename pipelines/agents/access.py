"""Check who may talk to the server over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

HOSTS = ("127.0.0.1", "localhost", "::1")
REFUSALS = {
    421: b"this server is not called that\n",
    403: b"asked by a page of another site\n",
    401: b"no token, or another one: see what `assay mcp --http` printed\n",
}


class TokenCheck:
    """ASGI middleware that refuses strangers.

    A request must name a host of ours (DNS rebinding does not), come from no page of another site, and bring the token.
    """

    def __init__(self, app: Callable, token: str) -> None:
        self.app, self.token = app, token.encode()

    async def __call__(
        self, scope: dict, receive: Callable, send: Callable[[dict], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send(dict(type="websocket.close", code=1008))
        status = self.find_problem(scope["headers"])
        if status is None:
            return await self.app(scope, receive, send)
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send(dict(type="http.response.start", status=status, headers=headers))
        await send(dict(type="http.response.body", body=REFUSALS[status]))

    def find_problem(self, headers: list[tuple[bytes, bytes]]) -> int | None:
        """Find the status with which a request is refused, or None."""
        said = {name.lower(): value for name, value in headers}
        host, origin = said.get(b"host", b"").decode("latin1"), said.get(b"origin")
        if host_name(f"//{host}") not in HOSTS:
            return 421
        if origin is not None and origin.decode("latin1").lower() != f"http://{host}".lower():
            return 403
        given = said.get(b"authorization", b"").split(b" ", 1)
        if given[0].lower() != b"bearer" or not secrets.compare_digest(given[-1], self.token):
            return 401
        return None


def host_name(address: str) -> str | None:
    """Read the name of the host in an address, or None."""
    try:
        return urlsplit(address).hostname
    except ValueError:  # such as //[
        return None
