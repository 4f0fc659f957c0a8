"""The ASGI app of one bench: Streamlit's pages, and routes beside them.

The routes give pictures and take decisions, so that a review does not wait for a page.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from assay.app.server.links import AccessKeys
from assay.app.server.review_session import SESSIONS, open_session
from assay.app.server.routes import make_routes

if TYPE_CHECKING:
    import streamlit as st

# nobody is told that we are here, and what is for developers of pages is not shown
STREAMLIT_SETTINGS = {
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 500,  # MB, held in memory until it is looked through
    "theme.light.primaryColor": "#2a78d6",
    "theme.dark.primaryColor": "#5b9bea",
}


def make_app(path: str | Path, keys: AccessKeys, port: int, hosts: tuple[str, ...]) -> st.App:
    """Make the ASGI app of the bench in `path`."""
    os.environ["ASSAY_BENCH"] = str(Path(path).absolute())
    import streamlit as st
    from streamlit import config

    for option, value in STREAMLIT_SETTINGS.items():
        config.set_option(option, value)
    from starlette.middleware import Middleware
    from streamlit.runtime.pages_manager import PagesManager

    from assay.app.server.auth import AccessCheck

    # or Streamlit takes the modules in pages/ for scripts, until somebody has opened Overview
    PagesManager.uses_pages_directory = False

    @asynccontextmanager
    async def lifespan(app: st.App) -> AsyncIterator[None]:
        threading.Thread(target=warm_up, args=(path,), daemon=True).start()
        yield
        keys.delete_own_files()  # here: a signal that ended the server is raised again behind it
        for session in SESSIONS.values():
            session.close()

    return st.App(
        Path(__file__).parents[1] / "main.py",
        lifespan=lifespan,
        routes=make_routes(path),
        middleware=[Middleware(AccessCheck, keys=keys, port=port, hosts=hosts)],
    )


def warm_up(path: str | Path) -> None:
    """Load what the first page waits for, while the browser opens."""
    from assay.curation.errors import UserError
    from assay.curation.statistics import sampling

    for name in ("overview", "history"):
        import_module(f"assay.app.pages.{name}")
    session = open_session(path)
    with suppress(UserError):  # the page says what is wrong
        sampling.random_order_rows(session.bench.state())
        session.thumbnails.load_shards()
