"""Who may talk to the workbench: one middleware before pages, routes and websocket, on loopback too."""

import re
from base64 import b64encode
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from assay.app.server.timeouts import timely

SAFE = ("GET", "HEAD", "OPTIONS")
LOCAL = ("127.0.0.1", "localhost", "[::1]")
POLICY = (  # Streamlit writes styles into its pages, makes workers and components of blobs, and has one script in its first page, known by its digest
    "default-src 'self'; script-src 'self' blob: {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
UNKNOWN = "no token: open the link that `assay app` printed, with all that stands after the ?; `assay app --link` prints another"
USED = "the token of this link was used, or is too old: a link opens once, in one browser; `assay app --link` prints another"
ENTER = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={to}"><title>Assay</title>"""


class Guard:
    """ASGI middleware. A request must name a host of ours (DNS rebinding does not), a POST or websocket must come from a page of ours (another
    site's does not), a route of ours takes JSON alone, and all need the cookie for which the link's token was exchanged once."""

    def __init__(self, app, door, port, hosts=LOCAL):
        self.app, self.door, self.hosts = app, door, {h.lower() for h in hosts}
        self.headers = (*HEADERS, (b"content-security-policy", policy().encode()))
        self.cookie = f"assay-{port}"  # cookies know no ports: two workbenches must not share one

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        if problem := self.problem(scope):
            return await refuse(scope, receive, send, problem)
        known, offered = self.door.knows(shown(headers_of(scope), self.cookie)), self.offered(scope)
        if offered is not None:
            key = (
                None if known else self.door.enter(offered)
            )  # who is in already leaves the link to whom it was meant for
            if known or key:
                return await self.enter(scope, send, key)
            return await refuse(scope, receive, send, USED)
        if not known:
            return await refuse(scope, receive, send, UNKNOWN)
        if scope["type"] == "http":
            receive = timely(receive, scope["path"].startswith("/assay/"))

        async def guarded(message):
            if message["type"] == "http.response.start":
                message = message | dict(headers=[*message.get("headers", ()), *self.headers])
            await send(message)

        await self.app(scope, receive, guarded)

    def problem(self, scope):
        """Why a request is refused, in words, or None."""
        headers = headers_of(scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if name_of(host) not in self.hosts:
            return (
                f"this workbench is not called {host[:100]}: open the link that `assay app` printed"
            )
        asks = scope["type"] == "websocket" or scope["method"] not in SAFE
        if asks and (origin is None or place_of(origin) != host.lower()):
            return "asked by a page of another site"
        if (
            asks
            and scope["path"].startswith("/assay/")
            and not headers.get("content-type", "").startswith("application/json")
        ):
            return "expected JSON"
        return None

    def offered(self, scope):
        """The token in the link, or None."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        return dict(parse_qsl(scope["query_string"].decode("latin1"))).get("token")

    async def enter(self, scope, send, key):
        """Exchange the token for a cookie that no script can read and no other site can send; from a page of ours, so that a strict cookie goes
        along whatever led here. key: None where the browser has one."""
        rest = [
            (k, v) for k, v in parse_qsl(scope["query_string"].decode("latin1")) if k != "token"
        ]
        at = quote(scope["path"].lstrip("/"))  # a backslash would be another slash, and lead away
        to = f"/{at}?{urlencode(rest)}" if rest else f"/{at}"
        body = ENTER.format(
            to=to.replace("&", "&amp;").replace('"', "%22").replace("<", "%3C")
        ).encode()
        headers = [(b"content-type", b"text/html"), (b"cache-control", b"no-store"), *HEADERS]
        if key:
            headers += [
                (b"set-cookie", f"{self.cookie}={key}; HttpOnly; SameSite=Strict; Path=/".encode())
            ]
        await send(dict(type="http.response.start", status=200, headers=headers))
        await send(dict(type="http.response.body", body=body))


def policy():
    """What a page of ours may load and run: what this server gives, and nothing that was written into it."""
    import streamlit

    page = Path(streamlit.__file__).with_name("static") / "index.html"
    written = re.findall(r"<script>(.*?)</script>", page.read_text(), re.S)
    return POLICY.format(
        scripts=" ".join(
            f"'sha256-{b64encode(sha256(s.encode()).digest()).decode()}'" for s in written
        )
    )


def headers_of(scope):
    return {k.decode("latin1").lower(): v.decode("latin1") for k, v in scope["headers"]}


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
