"""The HTTP routes that the pages' scripts call."""

import json

from assay.app.server.review_session import desk_of

LONGEST = 64 << 10  # bytes of a decision


def parsed(body):
    """The object that the bytes of a request are."""
    from assay.curation.errors import UserError

    try:
        found = json.loads(body)
        json.dumps(
            found, ensure_ascii=False, allow_nan=False
        ).encode()  # neither NaN, nor 1e999, nor half a character is JSON
    except (ValueError, RecursionError):
        raise UserError("expected JSON, found something else", "send an object") from None
    if not isinstance(found, dict):
        raise UserError("expected a JSON object, found another value", "send an object")
    return found


def field(asked, name, kind, default):
    """A field of what was sent; UserError where it is of another type."""
    from assay.curation.errors import UserError

    found = asked.get(name, default)
    if not isinstance(found, kind):
        raise UserError(
            f"expected a {kind.__name__} as {name}, found a {type(found).__name__}",
            "reload the page",
        )
    return found


def whole(text, name):
    """A whole number from a query or a path."""
    from assay.curation.errors import UserError

    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise UserError(
            f"expected a whole number as {name}, found {text[:40]!r}", "reload the page"
        )
    return int(text)


def routes(path):
    """The routes that a review talks to; each works in a thread, so that nobody waits for another's disk."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, RedirectResponse, Response
    from starlette.routing import Route

    from assay.curation.errors import UserError

    async def asked(request):
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST:
                raise UserError(
                    f"expected at most {LONGEST:,} bytes, found more", "send one decision at a time"
                )
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
        return Response(
            jpeg, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"}
        )

    @answering
    async def decisions(request):
        a = await asked(request)
        who, sent = field(a, "who", str, ""), field(a, "sent", list, [])
        if not all(isinstance(s, dict) and isinstance(s.get("batch"), str) for s in sent):
            raise UserError(
                "expected objects with a batch in `sent`, found another value", "reload the page"
            )
        return JSONResponse(await run_in_threadpool(desk_of(path).receive, sent, who))

    @answering
    async def items(request):
        a = await asked(request)
        session, skip = field(a, "session", str, ""), field(a, "skip", list, [])
        if not all(isinstance(s, str) for s in skip):
            raise UserError(
                "expected ids of samples in `skip`, found another value", "reload the page"
            )

        def read():
            desk = desk_of(path)
            desk.look()
            return dict(items=desk.items(session, skip[:2000]), classes=desk.classes, seq=desk.seq)

        return JSONResponse(await run_in_threadpool(read))

    @answering
    async def why(request):
        from assay.app.server import explanations

        return JSONResponse(
            await run_in_threadpool(
                explanations.why, desk_of(path).bench, request.path_params["sample"]
            )
        )

    @answering
    async def others(request):
        from assay.curation.review.reviewers import others

        sample, who = request.path_params["sample"], request.query_params.get("who", "")
        return JSONResponse(await run_in_threadpool(others, desk_of(path).bench, sample, who))

    @answering
    async def live(request):
        session, after = (
            request.query_params.get("session", ""),
            whole(request.query_params.get("after", "0"), "after"),
        )
        return JSONResponse(await run_in_threadpool(desk_of(path).live, session, after))

    @answering
    async def audited(request):
        from assay.app.server import audit_sheet

        bench, name = desk_of(path).bench, request.path_params["name"]
        if request.method == "POST":
            return JSONResponse(
                await run_in_threadpool(audit_sheet.answer, bench, name, await asked(request))
            )
        jpeg = await run_in_threadpool(
            audit_sheet.picture, bench, name, whole(request.path_params["row"], "row"), 512
        )
        return Response(jpeg, media_type="image/jpeg") if jpeg else Response("no such picture", 404)

    @answering
    async def places(request):
        from assay.app.server.map_data import points

        made = await run_in_threadpool(
            points, desk_of(path).bench, request.query_params.get("by", "label")
        )
        return Response(
            made,
            media_type="application/octet-stream",
            headers={"cache-control": "private, max-age=3600"},
        )

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
