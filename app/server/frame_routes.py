"""The routes of the bar above all pages.

They are for events, people, undo, jobs, commits and assignments.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from assay.app.server.browse_view import open_view
from assay.app.server.frame_state import FrameState, read_calmly
from assay.app.server.requests import answer_errors, read_body, read_field
from assay.app.server.review_session import ReviewSession
from assay.app.server.running_jobs import dismiss_named, stop_named
from assay.curation.errors import UserError
from assay.curation.filtering.assignments import find_waiting
from assay.curation.text import check_text
from assay.curation.versioning.pointers import find_position

TICK = 0.7  # seconds between two looks of a stream
BEAT = 10  # seconds after which it says the same again, so that a dead stream is noticed
LARGEST = 16 << 20  # bytes of what is assigned: two million positions


async def stream_events(state: FrameState, request: Request) -> AsyncIterator[str]:
    """Write the state whenever it changes, as server-sent events.

    Until the browser goes, or the server ends.
    """
    sent, at = "", 0.0
    yield "retry: 1000\n\n"
    while not state.closed and not await request.is_disconnected():
        told = json.dumps(await run_in_threadpool(read_calmly, state))
        if told != sent or time.monotonic() - at > BEAT:
            sent, at = told, time.monotonic()
            yield f"data: {told}\n\n"
        await asyncio.sleep(TICK)


def make_frame_routes(session: Callable[[], ReviewSession], state: FrameState) -> list[Route]:
    """Make the routes of the bar; each works in a thread."""

    async def events(request: Request) -> Response:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        told = stream_events(state, request)
        return StreamingResponse(told, media_type="text/event-stream", headers=headers)

    async def status(request: Request) -> Response:
        told = await run_in_threadpool(read_calmly, state)
        return JSONResponse(told, headers={"cache-control": "no-store"})

    def posting(work: Callable[[dict], Any], longest: int = 64 << 10) -> Callable:
        """Do some work on the object that was sent, in a thread."""

        @answer_errors
        async def answer(request: Request) -> Response:
            asked = await read_body(request, longest)
            return JSONResponse(await run_in_threadpool(work, asked))

        return answer

    def here(asked: dict) -> dict:
        window = read_field(asked, "window", str, "")
        if asked.get("gone") is True:
            state.people.leave(window)
        else:
            who, page = read_field(asked, "who", str, ""), read_field(asked, "page", str, "")
            state.people.arrive(window, who, page)
        return {}

    def undo(asked: dict) -> dict:
        who, redo = read_who(asked), read_field(asked, "redo", bool, False)
        name = read_field(asked, "name", str, "") or None
        return session().undo_own(who, redo, name)

    def stop(asked: dict) -> dict:
        name = read_field(asked, "job", str, "")
        if asked.get("dismiss") is True:
            dismiss_named(session().bench, name)
        elif not stop_named(session().bench, name):
            raise UserError("expected a job at work, found it ended", "nothing is to be stopped")
        return {}

    def stop_below(asked: dict) -> dict:
        points = read_field(asked, "points", str, "") or "0"
        try:
            below = float(points) / 100
        except ValueError:
            problem = f"expected a number of points, found {points[:40]!r}"
            raise UserError(problem, "for example: 0.2") from None
        session().bench.set_stop(below or None, read_who(asked))
        seq = find_position(session().bench, "HEAD")
        session().request_rescore(seq)
        return dict(seq=seq)

    def commit(asked: dict) -> dict:
        who, message = read_who(asked), read_field(asked, "message", str, "")
        made = session().bench.commit(message, who)
        return dict(name=made["name"], new=made["new"])

    def queue(asked: dict) -> dict:
        name = read_field(asked, "view", str, "")
        waiting = find_waiting(session().bench, name)
        if not waiting:
            raise UserError("expected samples to review, found all reviewed", "nothing is left")
        return dict(
            queue=session().queues.remember(waiting, f"the assignment {name}"), samples=len(waiting)
        )

    def assign(asked: dict) -> dict:
        return assign_chosen(session(), asked, read_who(asked))

    return [
        Route("/assay/events", events),
        Route("/assay/status", status),
        Route("/assay/here", posting(here), methods=["POST"]),
        Route("/assay/undo", posting(undo), methods=["POST"]),
        Route("/assay/stop", posting(stop), methods=["POST"]),
        Route("/assay/stop-below", posting(stop_below), methods=["POST"]),
        Route("/assay/commit", posting(commit), methods=["POST"]),
        Route("/assay/queue", posting(queue), methods=["POST"]),
        Route("/assay/assign", posting(assign, LARGEST), methods=["POST"]),
    ]


def read_who(asked: dict) -> str:
    """Read who asks; UserError where nobody has said."""
    who = read_field(asked, "who", str, "").strip()
    if not who:
        raise UserError("expected to know who decides, found nobody", "say your name")
    return check_text(who, "a name")


def assign_chosen(review: ReviewSession, asked: dict, who: str) -> dict:
    """Assign what a page has chosen: see BrowseView.chosen_positions."""
    view = open_view(review)
    with view.lock:
        view.refresh()
        samples = view.read_ids(view.chosen_positions(asked))
    conditions = [c for c in read_field(asked, "conditions", list, []) if isinstance(c, str)]
    where = conditions[0] if len(conditions) == 1 else " and ".join(f"({c})" for c in conditions)
    words = {key: read_field(asked, key, str, "") for key in ("to", "sort", "search", "name")}
    out = review.bench.assign(**words, where=where, who=who, samples=samples)
    return out | dict(views=view.list_views())
