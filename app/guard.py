"""Who may talk to the workbench: one middleware before pages, routes and websocket, on loopback too."""

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

SAFE = ("GET", "HEAD", "OPTIONS")
LOCAL = ("127.0.0.1", "localhost", "[::1]")
HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"), (b"x-frame-options", b"SAMEORIGIN"))
ENTER = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={to}"><title>Assay</title>"""


class Guard:
    """ASGI middleware. A request must name a host of ours (DNS rebinding does not), a POST or websocket must come from a page of ours (another
    site's does not), a route of ours takes JSON alone, and all need the cookie for which the link's token was exchanged once."""

    def __init__(self, app, token, port, hosts=LOCAL):
        self.app, self.token, self.hosts = app, token, {h.lower() for h in hosts}
        self.cookie = f"assay-{port}"  # cookies know no ports: two workbenches must not share one

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        if problem := self.problem(scope):
            return await refuse(scope, receive, send, problem)
        if scope["type"] == "http" and self.offered(scope) is not None:
            return await self.enter(scope, send)

        async def guarded(message):
            if message["type"] == "http.response.start":
                message = message | dict(headers=[*message.get("headers", ()), *HEADERS])
            await send(message)

        await self.app(scope, receive, guarded)

    def problem(self, scope):
        """Why a request is refused, in words, or None."""
        headers = {k.decode("latin1").lower(): v.decode("latin1") for k, v in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        if name_of(host) not in self.hosts:
            return f"this workbench is not called {host[:100]}: open the link that `assay app` printed"
        asks = scope["type"] == "websocket" or scope["method"] not in SAFE
        if asks and (origin is None or place_of(origin) != host.lower()):
            return "asked by a page of another site"
        if asks and scope["path"].startswith("/assay/") and not headers.get("content-type", "").startswith("application/json"):
            return "expected JSON"
        token = self.offered(scope) if scope["type"] == "http" else None
        if not secrets.compare_digest((token if token is not None else shown(headers, self.cookie)).encode(), self.token.encode()):
            return "no token: open the link that `assay app` printed, with all that stands after the ?"
        return None

    def offered(self, scope):
        """The token in the link, or None."""
        return dict(parse_qsl(scope["query_string"].decode("latin1"))).get("token")

    async def enter(self, scope, send):
        """Exchange the token for a cookie that no script can read and no other site can send; from a page of ours, so that a strict cookie goes
        along whatever led here."""
        rest = [(k, v) for k, v in parse_qsl(scope["query_string"].decode("latin1")) if k != "token"]
        at = quote(scope["path"].lstrip("/"))  # a backslash would be another slash, and lead away
        to = f"/{at}?{urlencode(rest)}" if rest else f"/{at}"
        body = ENTER.format(to=to.replace("&", "&amp;").replace('"', "%22").replace("<", "%3C")).encode()
        cookie = f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
        plain = [(b"content-type", b"text/html"), (b"cache-control", b"no-store"), (b"set-cookie", cookie.encode())]
        await send(dict(type="http.response.start", status=200, headers=[*plain, *HEADERS]))
        await send(dict(type="http.response.body", body=body))


def name_of(host):
    """A Host header without its port."""
    host = host.lower()
    return host[: host.rindex("]") + 1] if "]" in host else host.split(":")[0]


def place_of(origin):
    """The host and port that an Origin header names, or None."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # such as http://[
        return None


def shown(headers, name):
    """The value of a cookie, or ""."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def refuse(scope, receive, send, problem):
    if scope["type"] == "websocket":
        await receive()
        return await send(dict(type="websocket.close", code=1008, reason=problem[:120]))
    text = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    await send(dict(type="http.response.start", status=403, headers=text))
    await send(dict(type="http.response.body", body=f"{problem}\n".encode()))
