"""The routes of Models: the list, confusions and test accuracy.

Confusions are those of one or two models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assay.app.server.browse_routes import filter_answer
from assay.app.server.browse_view import Asked, open_view, words
from assay.app.server.models_view import describe_confusions, describe_models
from assay.app.server.requests import answer_errors, read_body
from assay.app.server.review_session import ReviewSession
from assay.curation.errors import FilterError


def read_filter(request: Request) -> Asked:
    """Read the filter of an address: its conditions and search words."""
    query = request.query_params
    return Asked(words(query.getlist("q")), search=query.get("search", ""))


def make_models_routes(session: Callable[[], ReviewSession]) -> list[Route]:
    """Make the routes of Models; each works in a thread."""

    def answering(work: Callable[[Request], Any]) -> Callable:
        @answer_errors
        async def answer(request: Request) -> Response:
            try:
                return JSONResponse(await run_in_threadpool(work, request))
            except FilterError as e:
                return filter_answer(e)

        return answer

    def models(request: Request) -> dict:
        return describe_models(session(), open_view(session()), read_filter(request))

    def confusions(request: Request) -> dict:
        names = [n for n in request.query_params.getlist("model") if n][:2] or ["probe"]
        view = open_view(session())
        return describe_confusions(session(), view, read_filter(request), names)

    @answer_errors
    async def test_accuracy(request: Request) -> Response:
        from assay.pipelines.evaluation.test_accuracy import measure_test_accuracy

        await read_body(request)
        return JSONResponse(await run_in_threadpool(measure_test_accuracy, session().bench))

    return [
        Route("/assay/models", answering(models)),
        Route("/assay/confusions", answering(confusions)),
        # it records an access to the test set, so no link does it
        Route("/assay/test-accuracy", test_accuracy, methods=["POST"]),
    ]
