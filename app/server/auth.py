"""Check who may talk to the workbench.

One check stands before pages, routes and websocket, on loopback too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from assay.app.server.content_policy import content_policy
from assay.app.server.links import KEY_SECONDS, AccessKeys
from assay.app.server.timeouts import Receive, limit_body_time

SAFE = ("GET", "HEAD", "OPTIONS")
LOCAL = ("127.0.0.1", "localhost", "[::1]")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
UNKNOWN = (
    "no token: open the link that `assay app` printed, with all that stands after the ?; {another}"
)
USED = (
    "the token of this link was used, or is too old: a link opens once, in one browser; {another}"
)
# its folder's name alone: whoever has no key need not know where it lies
ANOTHER = "`assay app --link -b {bench}`, where the workbench of {bench} runs, prints another"
REDIRECT = (
    '<!doctype html><meta charset="utf-8">'
    '<meta http-equiv="refresh" content="0;url={to}"><title>Assay</title>'
)
Scope = dict  # of ASGI: type, method, path, headers ...
Send = Callable[[dict], Awaitable[None]]


class AccessCheck:
    """ASGI middleware that refuses strangers.

    A request must name a host of ours (DNS rebinding does not), a POST or websocket must come from
    a page of ours (another site's does not), a route of ours takes JSON alone, and all need the
    cookie for which the link's token was exchanged once. Starlette's TrustedHostMiddleware knows
    neither IPv6 hosts nor websockets, and does not say what to do.
    """

    def __init__(self, app: Callable, keys: AccessKeys, port: int, hosts: tuple = LOCAL):
        self.app, self.keys, self.hosts = app, keys, {h.lower() for h in hosts}
        self.headers = (*HEADERS, (b"content-security-policy", content_policy().encode()))
        self.another = ANOTHER.format(bench=keys.bench)
        self.cookie = f"assay-{port}"  # cookies know no ports: two workbenches must not share one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        if problem := self.find_problem(scope):
            return await refuse_request(scope, receive, send, problem)
        known = self.keys.is_known(read_cookie(read_headers(scope), self.cookie))
        token = read_token(scope)
        if token is not None:
            # who is in already leaves the link to whom it was meant for
            key = None if known else self.keys.exchange_link(token)
            if known or key:
                return await self.let_in(scope, send, key)
            problem = USED.format(another=self.another)
            return await refuse_request(scope, receive, send, problem)
        if not known:
            problem = UNKNOWN.format(another=self.another)
            return await refuse_request(scope, receive, send, problem)
        if scope["type"] == "http":
            receive = limit_body_time(receive, scope["path"].startswith("/assay/"))

        async def send_with_headers(message: dict) -> None:
            if message["type"] == "http.response.start":
                message = message | dict(headers=[*message.get("headers", ()), *self.headers])
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def find_problem(self, scope: Scope) -> str | None:
        """Say in words why a request is refused, or None."""
        headers = read_headers(scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host_name(host) not in self.hosts:
            return (
                f"this workbench is not called {host[:100]}: open the link that `assay app` printed"
            )
        asks = scope["type"] == "websocket" or scope["method"] not in SAFE
        if not asks:
            return None
        if origin is None or origin_host(origin) != host.lower():
            return "asked by a page of another site"
        is_json = headers.get("content-type", "").startswith("application/json")
        if scope["path"].startswith("/assay/") and not is_json:
            return "expected JSON"
        return None

    async def let_in(self, scope: Scope, send: Send, key: str | None) -> None:
        """Answer the link with a cookie.

        No script can read it, and no other site can send it. A page of ours then leads on, so that
        a strict cookie goes along whatever led here.
        key: None where the browser has one.
        """
        query = parse_qsl(scope["query_string"].decode("latin1"))
        rest = [(k, v) for k, v in query if k != "token"]
        at = quote(scope["path"].lstrip("/"))  # a backslash would be another slash, and lead away
        to = f"/{at}?{urlencode(rest)}" if rest else f"/{at}"
        headers = [(b"content-type", b"text/html"), (b"cache-control", b"no-store"), *HEADERS]
        if key:
            cookie = (
                f"{self.cookie}={key}; HttpOnly; SameSite=Strict; Path=/; Max-Age={KEY_SECONDS}"
            )
            headers.append((b"set-cookie", cookie.encode()))
        await send(dict(type="http.response.start", status=200, headers=headers))
        body = REDIRECT.format(to=escape(to)).encode()
        await send(dict(type="http.response.body", body=body))


def read_headers(scope: Scope) -> dict[str, str]:
    """Read the headers of a request, by their names in lower case."""
    return {k.decode("latin1").lower(): v.decode("latin1") for k, v in scope["headers"]}


def read_token(scope: Scope) -> str | None:
    """Read the token in the link, or None."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    return dict(parse_qsl(scope["query_string"].decode("latin1"))).get("token")


def read_cookie(headers: dict[str, str], name: str) -> str:
    """Read the value of a cookie, or ""."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def host_name(host: str) -> str:
    """A Host header without its port."""
    host = host.lower()
    return host[: host.rindex("]") + 1] if "]" in host else host.split(":")[0]


def origin_host(origin: str) -> str | None:
    """The host and port that an Origin header names, or None."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # such as http://[
        return None


async def refuse_request(scope: Scope, receive: Receive, send: Send, problem: str) -> None:
    """Answer 403, or close a websocket, with the reason."""
    if scope["type"] == "websocket":
        await receive()
        return await send(dict(type="websocket.close", code=1008, reason=problem[:120]))
    text = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    await send(dict(type="http.response.start", status=403, headers=text))
    await send(dict(type="http.response.body", body=f"{problem}\n".encode()))
