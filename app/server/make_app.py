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

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from assay.app.server.browse_routes import make_browse_routes
from assay.app.server.browse_view import open_view
from assay.app.server.called_wrong import list_called_wrong
from assay.app.server.class_routes import make_class_routes
from assay.app.server.component_files import COMPONENT_ROUTE
from assay.app.server.duplicates_routes import make_duplicates_routes
from assay.app.server.early_page import write_early_page
from assay.app.server.frame_routes import make_frame_routes
from assay.app.server.frame_state import FrameState
from assay.app.server.links import AccessKeys
from assay.app.server.map_routes import make_map_routes
from assay.app.server.mistakes import explain_mistake
from assay.app.server.models_routes import make_models_routes
from assay.app.server.requests import (
    PACKED,
    answer_errors,
    parse_whole_number,
    read_body,
    read_field,
)
from assay.app.server.review_session import SESSIONS, ReviewSession, open_session
from assay.app.server.texts import cut_text, draw_text
from assay.curation.errors import UserError

if TYPE_CHECKING:
    import streamlit as st


# no usage statistics, and nothing shown that is for developers of pages
STREAMLIT_SETTINGS = {
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 500,  # MB, held in memory until it is looked through
    "theme.light.primaryColor": "#1f66bf",
    "theme.dark.primaryColor": "#5b9bea",
}


def make_app(
    path: str | Path, keys: AccessKeys, port: int, hosts: tuple[str, ...]
) -> tuple[st.App, FrameState]:
    """Make the ASGI app of a bench, and its FrameState.

    path: of the bench. The state is what all windows are told.
    """
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

    frame = FrameState(lambda: open_session(path))

    @asynccontextmanager
    async def lifespan(app: st.App) -> AsyncIterator[None]:
        threading.Thread(target=warm_up, args=(path,), daemon=True).start()
        yield
        frame.close()
        keys.delete_own_files()  # here: after this the signal that ended the server is raised again
        for session in SESSIONS.values():
            session.close()

    app = st.App(
        Path(__file__).parents[1] / "main.py",
        lifespan=lifespan,
        routes=make_routes(path, frame),
        middleware=[Middleware(AccessCheck, keys=keys, port=port, hosts=hosts)],
    )
    return app, frame


def warm_up(path: str | Path) -> None:
    """Load what the first page waits for, while the browser opens."""
    from assay.curation.errors import UserError
    from assay.curation.statistics import sampling
    from assay.curation.versioning.state_building import is_large

    for name in ("browse", "overview", "history"):
        import_module(f"assay.app.pages.{name}")
    session = open_session(path)
    with suppress(UserError):  # the page says what is wrong
        session.thumbnails.load_shards()
        open_view(session).prepare()
        if is_large(session.bench):
            return  # a column is read when it is first asked for
        sampling.random_order_rows(session.bench.state())
        open_view(session).read_columns()


LARGEST = 4096  # pixels of a picture's longer side


def draw_jpeg(jpeg: bytes | None, headers: dict | None = None) -> Response:
    """Answer with a picture, or 404 where there is none."""
    if jpeg is None:
        return Response("no such picture", 404)
    return Response(jpeg, media_type="image/jpeg", headers=PACKED | (headers or {}))


def read_side(request: Request) -> int:
    """Read how large a picture is asked for."""
    asked = parse_whole_number(request.query_params.get("side", "512"), "side")
    return min(LARGEST, max(16, asked))


def make_routes(path: str | Path, frame: FrameState) -> list[Route]:
    """Make the routes of the bench in `path`.

    Each works in a thread, so that nobody waits for another's disk.
    """

    def session() -> ReviewSession:
        return open_session(path)

    @answer_errors
    async def image(request: Request) -> Response:
        side, sample = read_side(request), request.path_params["sample"]
        if session().thumbnails.media.has_words:
            return draw_text(await run_in_threadpool(session().read_text, sample), side)
        jpeg = await run_in_threadpool(session().thumbnail, sample, side)
        return draw_jpeg(jpeg, {"cache-control": "private, max-age=86400"})

    @answer_errors
    async def text(request: Request) -> Response:
        side = read_side(request)
        found = await run_in_threadpool(session().read_text, request.path_params["sample"])
        if found is None:
            return Response("no such text", 404)
        headers = {"cache-control": "private, max-age=86400"}
        return JSONResponse(cut_text(found, side), headers=headers)

    async def medium(request: Request) -> Response:
        name = (await run_in_threadpool(lambda: session().thumbnails.media)).name
        headers = {"cache-control": "no-store"}  # the first import decides
        return Response(f'export const medium = "{name}";', 200, headers, "text/javascript")

    @answer_errors
    async def decisions(request: Request) -> Response:
        asked = await read_body(request)
        who, sent = read_field(asked, "who", str, ""), read_field(asked, "sent", list, [])
        if not all(isinstance(s, dict) and isinstance(s.get("batch"), str) for s in sent):
            raise UserError(
                "expected objects with a batch in `sent`, found another value", "reload the page"
            )
        return JSONResponse(await run_in_threadpool(session().store_decisions, sent, who))

    @answer_errors
    async def items(request: Request) -> Response:
        asked = await read_body(request)
        browser, skip = read_field(asked, "session", str, ""), read_field(asked, "skip", list, [])
        queue = read_field(asked, "queue", str, "")
        if not all(isinstance(s, str) for s in skip):
            raise UserError(
                "expected ids of samples in `skip`, found another value", "reload the page"
            )

        def read() -> dict:
            review = session()
            review.keep_fresh()
            rows = review.next_rows(browser, skip[:2000], queue=queue)
            about = dict(classes=review.classes, seq=review.seq, several=review.task.several)
            return dict(items=rows) | about

        return JSONResponse(await run_in_threadpool(read))

    @answer_errors
    async def item(request: Request) -> Response:
        sample, browser = request.path_params["sample"], request.query_params.get("session", "")

        def read() -> dict:
            session().keep_fresh()
            return session().take_sample(browser, sample)

        return JSONResponse(await run_in_threadpool(read))

    @answer_errors
    async def why(request: Request) -> Response:
        from assay.app.server.explanations import serve_sample

        sample = request.path_params["sample"]
        return JSONResponse(await run_in_threadpool(serve_sample, session().bench, sample))

    @answer_errors
    async def words(request: Request) -> Response:
        from assay.app.server.speaking_words import find_speaking_words

        sample = request.path_params["sample"]
        return JSONResponse(await run_in_threadpool(find_speaking_words, session(), sample))

    async def mistake(request: Request) -> Response:
        sample = request.path_params["sample"]
        return JSONResponse(await run_in_threadpool(explain_mistake, session(), sample))

    @answer_errors
    async def votes(request: Request) -> Response:
        from assay.curation.review.reviewers import list_other_votes

        sample, who = request.path_params["sample"], request.query_params.get("who", "")
        found = await run_in_threadpool(list_other_votes, session().bench, sample, who)
        return JSONResponse(found)

    @answer_errors
    async def list_wrong(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(list_called_wrong, session().bench))

    @answer_errors
    async def live(request: Request) -> Response:
        after = parse_whole_number(request.query_params.get("after", "0"), "after")
        browser = request.query_params.get("session", "")

        def read() -> dict:
            from assay.app.server.explanations import serve_live

            said = session().live_effect(browser, after)
            return said | dict(explained=serve_live(said))

        return JSONResponse(await run_in_threadpool(read))

    @answer_errors
    async def audit(request: Request) -> Response:
        from assay.app.server.audit_sheet import row_picture, row_text, save_answer

        bench, name = session().bench, request.path_params["name"]
        if request.method == "POST":
            answer = await read_body(request)
            return JSONResponse(await run_in_threadpool(save_answer, bench, name, answer))
        row = parse_whole_number(request.path_params["row"], "row")
        side = read_side(request)
        words = await run_in_threadpool(row_text, bench, name, row)
        if words is not None:
            return JSONResponse(cut_text(words, side))
        return draw_jpeg(await run_in_threadpool(row_picture, bench, name, row, side))

    async def report(request: Request) -> Response:
        from assay.pipelines.reports.kept_reports import find_page

        page = await run_in_threadpool(find_page, session().bench, request.path_params["key"])
        if page is None:
            return Response("no such report", 404)
        # as text, it is taken apart and never run; as a file it goes to whoever asked for it
        if "download" in request.query_params:
            return FileResponse(page, media_type="text/html", filename="report.html")
        return FileResponse(page, media_type="text/plain; charset=utf-8")

    async def first_page(request: Request) -> Response:
        return RedirectResponse(f"/?{request.url.query}")

    async def browse_page(request: Request) -> Response:
        has_data = await run_in_threadpool(session().bench.rows, "select 1 from samples limit 1")
        if not has_data:  # there is nothing to browse, and Overview imports
            return await first_page(request)
        return HTMLResponse(write_early_page(), headers={"cache-control": "no-cache"})

    return [
        Route("/browse", browse_page),
        Route("/overview", first_page),  # Streamlit knows its first page by no name
        COMPONENT_ROUTE,
        Route("/assay/audit/{name}", audit, methods=["POST"]),
        Route("/assay/audit/{name}/{row}", audit),
        Route("/assay/image/{sample}", image),
        Route("/assay/text/{sample}", text),
        Route("/assay/medium.js", medium),
        Route("/assay/decisions", decisions, methods=["POST"]),
        Route("/assay/items", items, methods=["POST"]),
        Route("/assay/item/{sample}", item),
        Route("/assay/called", list_wrong),
        Route("/assay/live", live),
        Route("/assay/report/{key}", report),
        Route("/assay/why/{sample}", why),
        Route("/assay/words/{sample}", words),
        Route("/assay/mistake/{sample}", mistake),
        Route("/assay/votes/{sample}", votes),
        *make_browse_routes(session),
        *make_class_routes(session),
        *make_frame_routes(session, frame),
        *make_models_routes(session),
        *make_map_routes(session),
        *make_duplicates_routes(session),
    ]
