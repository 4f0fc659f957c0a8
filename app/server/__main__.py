"""The workbench's server: Streamlit's pages, and beside them routes for pictures and decisions, which the review does not wait for."""

import argparse
import os
import sys
import threading
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path

from assay.app.server.review_session import DESKS, desk_of
from assay.app.server.routes import routes

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


def make(path, door, port, hosts):
    """The ASGI app of the bench in `path`."""
    os.environ["ASSAY_BENCH"] = str(Path(path).absolute())
    import streamlit as st
    from streamlit import config

    for option, value in SETTINGS.items():
        config.set_option(option, value)
    from starlette.middleware import Middleware

    from assay.app.server.auth import Guard

    @asynccontextmanager
    async def life(app):
        threading.Thread(target=warm, args=(path,), daemon=True).start()
        yield
        door.shut()  # here: a signal that ended the server is raised again behind it
        for desk in DESKS.values():
            desk.close()

    guard = Middleware(Guard, door=door, port=port, hosts=hosts)
    return st.App(
        Path(__file__).parents[1] / "main.py",
        lifespan=life,
        routes=routes(path),
        middleware=[guard],
    )


def warm(path):
    """What the first page waits for, begun while the browser is still opening: what it imports, and what the log says."""
    from assay.curation.errors import UserError
    from assay.curation.statistics import sampling

    for name in ("overview", "history"):
        import_module(f"assay.app.pages.{name}")
    desk = desk_of(path)
    with suppress(UserError):  # the page says what is wrong
        sampling.places(desk.bench.state())
        desk.pictures.held()


def main(arguments=None):
    p = argparse.ArgumentParser(prog="assay.app.server")
    p.add_argument("bench")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=8501)
    p.add_argument("--no-browser", action="store_true")
    p.add_argument("--link", action="store_true")
    a = p.parse_args(arguments)
    import uvicorn

    from assay.app.server.auth import LOCAL
    from assay.app.server.links import Door
    from assay.app.server.timeouts import Timely
    from assay.curation.errors import UserError

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
    print(
        f"the link opens once, in one browser; for another browser or person: assay app --link -b {a.bench}",
        flush=True,
    )
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
    sys.exit(main())
