"""The routes of Classes: the list, planned changes, changes and effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assay.app.server.class_acts import ClassActs
from assay.app.server.class_view import open_classes
from assay.app.server.requests import answer_errors, read_body, read_field
from assay.app.server.review_session import ReviewSession

LARGEST = 16 << 20  # bytes of an act: 400,000 ids


def make_class_routes(session: Callable[[], ReviewSession]) -> list[Route]:
    """Make the routes of Classes; each works in a thread."""

    made: list[ClassActs] = []

    def acts() -> ClassActs:
        view = open_classes(session())
        if not made or made[0].view is not view:
            made[:] = [ClassActs(view)]
        return made[0]

    def answering(work: Callable[[Request], Any]) -> Callable:
        @answer_errors
        async def answer(request: Request) -> Response:
            return JSONResponse(await run_in_threadpool(work, request))

        return answer

    def describe(request: Request) -> dict:
        return acts().view.describe()

    def notes(request: Request) -> dict:
        return acts().view.notes()

    def list_samples(request: Request) -> dict:
        return acts().view.list_samples(request.query_params.get("name", ""))

    def effect(request: Request) -> dict:
        return acts().effect(request.query_params.get("batch", ""))

    @answer_errors
    async def plan(request: Request) -> Response:
        asked = await read_body(request, LARGEST)
        return JSONResponse(await run_in_threadpool(lambda: acts().plan(asked)))

    @answer_errors
    async def change(request: Request) -> Response:
        asked = await read_body(request, LARGEST)
        who = read_field(asked, "who", str, "").strip()
        return JSONResponse(await run_in_threadpool(lambda: acts().act(asked, who)))

    return [
        Route("/assay/classes", answering(describe)),
        Route("/assay/classes", change, methods=["POST"]),
        Route("/assay/classes/plan", plan, methods=["POST"]),
        Route("/assay/classes/notes", answering(notes)),
        Route("/assay/classes/samples", answering(list_samples)),
        Route("/assay/classes/effect", answering(effect)),
    ]
