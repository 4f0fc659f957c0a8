"""The routes of Duplicates: pages of groups, plans and acts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assay.app.server.browse_routes import filter_answer, read_asked
from assay.app.server.browse_view import open_view
from assay.app.server.duplicate_view import DuplicateView
from assay.app.server.requests import answer_errors, parse_whole_number, read_body, read_field
from assay.app.server.review_session import ReviewSession
from assay.curation.errors import FilterError, UserError
from assay.curation.issues.not_copies import mark_not_copies
from assay.curation.text import check_text
from assay.curation.versioning.incoming import SENT

VIEWS: dict[str, DuplicateView] = {}


def open_duplicates(session: ReviewSession) -> DuplicateView:
    """Give the groups of a session's bench: one view a process."""
    key = str(session.bench.path)
    if key not in VIEWS or VIEWS[key].view is not open_view(session):
        VIEWS[key] = DuplicateView(open_view(session))
    return VIEWS[key]


def make_duplicates_routes(session: Callable[[], ReviewSession]) -> list[Route]:
    """Make the routes of Duplicates; each works in a thread."""

    def answering(work: Callable[[Request, dict], Any]) -> Callable:
        """Make a request's answer of work that runs in a thread.

        Where a condition is wrong, the answer marks the place.
        """

        @answer_errors
        async def answer(request: Request) -> Response:
            sent = await read_body(request) if request.method == "POST" else {}
            try:
                return JSONResponse(await run_in_threadpool(work, request, sent))
            except FilterError as e:
                return filter_answer(e)

        return answer

    def groups(request: Request, _: dict) -> dict:
        after = parse_whole_number(request.query_params.get("after", "0"), "after")
        return open_duplicates(session()).describe(read_asked(request, {}), after)

    def plan(request: Request, _: dict) -> dict:
        return open_duplicates(session()).plan(read_asked(request, {}))

    def keep(request: Request, sent: dict) -> dict:
        who = read_sender(sent)
        return open_duplicates(session()).keep(read_asked(request, {}), sent, who)

    def apart(request: Request, sent: dict) -> dict:
        who, bench = read_sender(sent), session().bench
        samples, others = (read_field(sent, name, list, []) for name in ("samples", "others"))
        if not all(isinstance(s, str) for s in [*samples, *others]):
            raise UserError("expected ids of samples, found other values", "reload the page")
        found = mark_not_copies(bench, samples, who, others, sent["batch"])
        return found | dict(seq=open_view(session()).refresh().upto)

    return [
        Route("/assay/duplicates", answering(groups)),
        Route("/assay/duplicates/plan", answering(plan)),
        Route("/assay/duplicates/keep", answering(keep), methods=["POST"]),
        Route("/assay/duplicates/apart", answering(apart), methods=["POST"]),
    ]


def read_sender(sent: dict) -> str:
    """Read who sends an act, which names its batch."""
    who, batch = read_field(sent, "who", str, ""), read_field(sent, "batch", str, "")
    if not who:
        raise UserError("expected to know who decides, found nobody", "say your name")
    if not SENT.fullmatch(batch):
        raise UserError("expected a batch named edit- and 12 hex digits, found another", "reload")
    return check_text(who, "a name")
