"""The routes of Browse: orders, captions, sprites, facets, acts, one sample."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from cachetools import LRUCache
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assay.app.server.browse_acts import act
from assay.app.server.browse_view import Asked, BrowseView, open_view, words
from assay.app.server.guard_act import list_sets
from assay.app.server.requests import (
    PACKED,
    answer_errors,
    parse_whole_number,
    read_body,
    read_field,
)
from assay.app.server.review_session import ReviewSession
from assay.app.server.sample_details import describe_sample
from assay.app.server.selected import find_seeds, write_table
from assay.app.server.sprites import SIDES, count_cells, make_sprite
from assay.curation.errors import FilterError, UserError
from assay.curation.filtering.likeness import EmbedText, add_words

PICTURE = "picture:"  # before the digest of a picture that was dropped in
LARGEST = 16 << 20  # bytes of an act: two million positions
FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}


def read_asked(
    request: Request, pictures: Mapping[str, bytes], embed: EmbedText | None = None
) -> Asked:
    """Read what a page asks for of its query.

    pictures: those that were dropped in, by the names that stand for them. embed: reads words.
    """
    query = request.query_params
    like = words(query.getlist("like"))
    if lost := [name for name in like if name.startswith(PICTURE) and name not in pictures]:
        raise UserError(
            f"expected a picture that was dropped in, found {lost[0][:40]} of an earlier server",
            "drop it in again",
        )
    return Asked(
        words(query.getlist("q")),
        query.get("sort", ""),
        query.get("search", ""),
        tuple(
            add_words([pictures.get(name, name) for name in like], query.get("words", ""), embed)
        ),
        query.get("group", ""),
    )


def filter_answer(e: FilterError) -> JSONResponse:
    """Answer a wrong condition: what is wrong, in which one, and where."""
    told = dict(
        error=e.problem, hint=e.hint, place=e.place, condition=getattr(e, "condition", None)
    )
    return JSONResponse(told, 400)


def make_browse_routes(session: Callable[[], ReviewSession]) -> list[Route]:
    """Make the routes of Browse; each works in a thread."""

    pictures: LRUCache = LRUCache(16)

    def view() -> BrowseView:
        return open_view(session())

    def answering(work: Callable[[Request], Any]) -> Callable:
        """Make a request's answer of work that runs in a thread.

        Where a condition is wrong, the answer marks the place.
        """

        @answer_errors
        async def answer(request: Request) -> Response:
            try:
                found = await run_in_threadpool(work, request)
            except FilterError as e:
                return filter_answer(e)
            return found if isinstance(found, Response) else JSONResponse(found)

        return answer

    def describe(request: Request) -> dict:
        return view().describe()

    def samples(request: Request) -> Response:
        after = parse_whole_number(request.query_params.get("after", "0"), "after")
        asked = read_asked(request, pictures, view().words_embedder())
        packed = view().pack_order(asked, after, "bits" in request.query_params)
        return Response(packed, media_type="application/octet-stream", headers=PACKED)

    def tiles(request: Request) -> dict:
        page = parse_whole_number(request.path_params["page"], "page")
        return view().read_tiles(request.path_params["of"], page)

    def sprite(request: Request) -> Response:
        number = parse_whole_number(request.path_params["n"], "sprite")
        side = parse_whole_number(request.query_params.get("side", "64"), "side")
        if side not in SIDES:
            raise UserError(f"expected a side of {SIDES}, found {side}", "reload the page")
        order, cells = view().find_order(request.query_params.get("of", "")), count_cells(side)
        part = order.positions[number * cells : (number + 1) * cells]
        jpeg, unreadable = make_sprite(session().thumbnails, view().read_pictured(part), side)
        headers = FOR_EVER if not unreadable else {"cache-control": "no-store"}
        told = {"x-unreadable": json.dumps(unreadable)}
        return Response(jpeg, media_type="image/jpeg", headers=headers | told | PACKED)

    def facets(request: Request) -> list:
        asked = read_asked(request, pictures)
        names = words(request.query_params.getlist("name"))
        table = view().refresh()
        found = table.facets(asked.where, list(names) or None, asked.search)
        return [describe_facet(f) for f in found]

    def position(request: Request) -> dict:
        since = parse_whole_number(request.query_params.get("since", "0"), "since")
        found = session().bench.rows(
            """select who, count(distinct sample) filter (sample <> ''), max(seq) from edits
            where seq > ? group by who order by 2 desc""",
            [since],
        )
        return dict(
            seq=max((seq for *_, seq in found), default=since), by=[row[:2] for row in found]
        )

    def sample(request: Request) -> dict:
        name, who = request.path_params["sample"], request.query_params.get("who", "")
        return describe_sample(session().bench, name, who, view().read_row(name))

    @answer_errors
    async def change(request: Request) -> Response:
        asked = await read_body(request, LARGEST)
        who = read_field(asked, "who", str, "")
        found = await run_in_threadpool(act, view(), session(), asked, who)
        return JSONResponse(found)

    @answer_errors
    async def table(request: Request) -> Response:
        chosen = await read_body(request, LARGEST)
        told, rows = await run_in_threadpool(write_table, view(), chosen)
        return Response(told, media_type="text/csv; charset=utf-8", headers={"x-rows": str(rows)})

    @answer_errors
    async def seeds(request: Request) -> Response:
        chosen = await read_body(request, LARGEST)
        return JSONResponse(await run_in_threadpool(find_seeds, view(), chosen))

    def sets(request: Request) -> list:
        return list_sets(session().bench)

    @answer_errors
    async def save_view(request: Request) -> Response:
        asked = await read_body(request)
        who, name = read_field(asked, "who", str, ""), read_field(asked, "name", str, "")
        if not who:
            raise UserError("expected to know who saves it, found nobody", "say your name")
        conditions = read_field(asked, "conditions", list, [])
        if not all(isinstance(c, str) for c in conditions):
            raise UserError("expected conditions as text, found other values", "reload the page")
        search, sort = read_field(asked, "search", str, ""), read_field(asked, "sort", str, "")
        told = add_words((), read_field(asked, "words", str, ""), None)
        wanted = Asked(words(conditions), sort, search, tuple(told))
        return JSONResponse(
            dict(views=await run_in_threadpool(view().save_view, name, wanted, who))
        )

    @answer_errors
    async def picture(request: Request) -> Response:
        asked = await read_body(request, LARGEST)
        try:
            blob = base64.b64decode(read_field(asked, "picture", str, ""), validate=True)
        except binascii.Error:
            raise UserError("expected a picture, found another value", "drop it in again") from None
        name = PICTURE + sha256(blob).hexdigest()[:16]
        await run_in_threadpool(view().choose, Asked(like=(blob,)))
        pictures[name] = blob
        return JSONResponse(dict(like=name))

    return [
        Route("/assay/browse", answering(describe)),
        Route("/assay/samples", answering(samples)),
        Route("/assay/tiles/{of}/{page}", answering(tiles)),
        Route("/assay/sprite/{n}", answering(sprite)),
        Route("/assay/facets", answering(facets)),
        Route("/assay/position", answering(position)),
        Route("/assay/sample/{sample}", answering(sample)),
        Route("/assay/act", change, methods=["POST"]),
        Route("/assay/table", table, methods=["POST"]),
        Route("/assay/ids", seeds, methods=["POST"]),
        Route("/assay/sets", answering(sets)),
        Route("/assay/view", save_view, methods=["POST"]),
        Route("/assay/picture", picture, methods=["POST"]),
    ]


def describe_facet(facet: Any) -> dict:
    """Describe a facet as JSON."""
    from dataclasses import asdict

    return asdict(facet)
