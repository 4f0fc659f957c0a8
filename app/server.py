"""The workbench's server: Streamlit's pages, and beside them routes for pictures and decisions, which the review does not wait for."""

import argparse
import json
import os
import sys
import threading
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path

SETTINGS = {  # of Streamlit: nobody is told that we are here, and what is for developers of pages is not shown
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 500,  # MB, held in memory until it is looked through
    "theme.light.primaryColor": "#2a78d6",
    "theme.dark.primaryColor": "#5b9bea",
}
LONGEST = 64 << 10  # bytes of a decision


def desk_of(path):
    """The desk of the bench in `path`, one a process."""
    import curation
    from app.desk import Desk

    path = str(Path(path).absolute())
    if path not in DESKS:
        DESKS[path] = Desk(curation.open(path))
    return DESKS[path]


DESKS = {}


def parsed(body):
    """The object that the bytes of a request are."""
    from curation.errors import UserError

    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # neither NaN, nor 1e999, nor half a character is JSON
    except (ValueError, RecursionError):
        raise UserError("expected JSON, found something else", "send an object") from None
    if not isinstance(found, dict):
        raise UserError("expected a JSON object, found another value", "send an object")
    return found


def field(asked, name, kind, default):
    """A field of what was sent; UserError where it is of another type."""
    from curation.errors import UserError

    found = asked.get(name, default)
    if not isinstance(found, kind):
        raise UserError(f"expected a {kind.__name__} as {name}, found a {type(found).__name__}", "reload the page")
    return found


def whole(text, name):
    """A whole number from a query or a path."""
    from curation.errors import UserError

    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise UserError(f"expected a whole number as {name}, found {text[:40]!r}", "reload the page")
    return int(text)


def routes(path):
    """The routes that a review talks to; each works in a thread, so that nobody waits for another's disk."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, RedirectResponse, Response
    from starlette.routing import Route

    from curation.errors import UserError

    async def asked(request):
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST:
                raise UserError(f"expected at most {LONGEST:,} bytes, found more", "send one decision at a time")
        return parsed(body)

    def answering(work):
        async def answer(request):
            try:
                return await work(request)
            except UserError as e:
                return JSONResponse(dict(error=e.problem, hint=e.hint), 400)

        return answer

    @answering
    async def image(request):
        side = min(1024, max(16, whole(request.query_params.get("side", "512"), "side")))
        jpeg = await run_in_threadpool(desk_of(path).picture, request.path_params["sample"], side)
        if jpeg is None:
            return Response("no such picture", 404)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})

    @answering
    async def decisions(request):
        a = await asked(request)
        who, sent = field(a, "who", str, ""), field(a, "sent", list, [])
        if not all(isinstance(s, dict) and isinstance(s.get("batch"), str) for s in sent):
            raise UserError("expected objects with a batch in `sent`, found another value", "reload the page")
        return JSONResponse(await run_in_threadpool(desk_of(path).receive, sent, who))

    @answering
    async def items(request):
        a = await asked(request)
        session, skip = field(a, "session", str, ""), field(a, "skip", list, [])
        if not all(isinstance(s, str) for s in skip):
            raise UserError("expected ids of samples in `skip`, found another value", "reload the page")

        def read():
            desk = desk_of(path)
            desk.look()
            return dict(items=desk.items(session, skip[:2000]), classes=desk.classes, seq=desk.seq)

        return JSONResponse(await run_in_threadpool(read))

    @answering
    async def why(request):
        from app import explain

        return JSONResponse(await run_in_threadpool(explain.why, desk_of(path).bench, request.path_params["sample"]))

    @answering
    async def others(request):
        from curation.votes import others

        sample, who = request.path_params["sample"], request.query_params.get("who", "")
        return JSONResponse(await run_in_threadpool(others, desk_of(path).bench, sample, who))

    @answering
    async def live(request):
        session, after = request.query_params.get("session", ""), whole(request.query_params.get("after", "0"), "after")
        return JSONResponse(await run_in_threadpool(desk_of(path).live, session, after))

    @answering
    async def audited(request):
        from app import blind

        bench, name = desk_of(path).bench, request.path_params["name"]
        if request.method == "POST":
            return JSONResponse(await run_in_threadpool(blind.answer, bench, name, await asked(request)))
        jpeg = await run_in_threadpool(blind.picture, bench, name, whole(request.path_params["row"], "row"), 512)
        return Response(jpeg, media_type="image/jpeg") if jpeg else Response("no such picture", 404)

    @answering
    async def places(request):
        from app.map import points

        made = await run_in_threadpool(points, desk_of(path).bench, request.query_params.get("by", "label"))
        return Response(made, media_type="application/octet-stream", headers={"cache-control": "private, max-age=3600"})

    async def first(request):
        return RedirectResponse(f"/?{request.url.query}")

    return [
        Route("/overview", first),  # Streamlit knows its first page by no name
        Route("/assay/map", places),
        Route("/assay/audit/{name}", audited, methods=["POST"]),
        Route("/assay/audit/{name}/{row}", audited),
        Route("/assay/image/{sample}", image),
        Route("/assay/decisions", decisions, methods=["POST"]),
        Route("/assay/items", items, methods=["POST"]),
        Route("/assay/live", live),
        Route("/assay/why/{sample}", why),
        Route("/assay/votes/{sample}", others),
    ]


def make(path, door, port, hosts):
    """The ASGI app of the bench in `path`."""
    os.environ["ASSAY_BENCH"] = str(Path(path).absolute())
    import streamlit as st
    from streamlit import config

    for option, value in SETTINGS.items():
        config.set_option(option, value)
    from starlette.middleware import Middleware

    from app.guard import Guard

    @asynccontextmanager
    async def life(app):
        threading.Thread(target=warm, args=(path,), daemon=True).start()
        yield
        door.shut()  # here: a signal that ended the server is raised again behind it
        for desk in DESKS.values():
            desk.close()

    guard = Middleware(Guard, door=door, port=port, hosts=hosts)
    return st.App(Path(__file__).with_name("main.py"), lifespan=life, routes=routes(path), middleware=[guard])


def warm(path):
    """What the first page waits for, begun while the browser is still opening: what it imports, and what the log says."""
    from curation import queue
    from curation.errors import UserError

    for name in ("overview", "history"):
        import_module(f"app.{name}")
    desk = desk_of(path)
    with suppress(UserError):  # the page says what is wrong
        queue.places(desk.bench.state())
        desk.pictures.held()


def main(arguments=None):
    p = argparse.ArgumentParser(prog="app.server")
    p.add_argument("bench")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=8501)
    p.add_argument("--no-browser", action="store_true")
    p.add_argument("--link", action="store_true")
    a = p.parse_args(arguments)
    import uvicorn

    from app.door import Door
    from app.guard import LOCAL
    from app.patience import Timely
    from curation.errors import UserError

    hosts = LOCAL if a.host in ("127.0.0.1", "localhost", "::1") else (*LOCAL, a.host)
    try:
        door = Door(a.bench)
        if a.link:
            print(f"{door.address()}{door.give('link')}")
            return 0
        desk_of(a.bench)
    except UserError as e:
        print(e, file=sys.stderr)
        return 2
    door.sweep()
    app, address = make(a.bench, door, a.port, hosts), f"http://{a.host}:{a.port}/?token="
    print(f"the workbench is at {address}{door.give('link')}", flush=True)
    print(f"the link opens once, in one browser; for another browser or person: assay app --link -b {a.bench}", flush=True)
    door.open_at(address)
    if not a.no_browser:
        threading.Timer(1, browse, [door.leading(address + door.give("link"))]).start()
    uvicorn.run(app, host=a.host, port=a.port, log_level="warning", access_log=False, http=Timely)


def browse(page, seconds=60):
    """Have the browser open a page of this user's, which goes when it has been read."""
    import webbrowser

    webbrowser.open(page.as_uri())
    gone = threading.Timer(seconds, page.unlink, [True])
    gone.daemon = True  # the server's end does not wait for it
    gone.start()


if __name__ == "__main__":
    from app import server  # the module that the pages import: as __main__ it would hold every bench a second time

    sys.exit(server.main())
