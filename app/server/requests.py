"""Read requests, and answer their errors in words."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from assay.curation.errors import NotScanned, UserError
from assay.curation.text import format_count

LONGEST = 64 << 10  # bytes of a decision
Answer = Callable[[Request], Awaitable[Response]]


def parse_object(body: bytes) -> dict:
    """Parse the object that the bytes of a request are."""
    try:
        found = json.loads(body)
        # neither NaN, nor 1e999, nor half a character is JSON
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise UserError("expected JSON, found something else", "send an object") from None
    if not isinstance(found, dict):
        raise UserError("expected a JSON object, found another value", "send an object")
    return found


def read_field(asked: dict, name: str, kind: type, default: Any) -> Any:
    """Read a field; UserError where it is of another type."""
    found = asked.get(name, default)
    if not isinstance(found, kind):
        raise UserError(
            f"expected a {kind.__name__} as {name}, found a {type(found).__name__}",
            "reload the page",
        )
    return found


def parse_whole_number(text: str, name: str) -> int:
    """Parse a whole number of a query or path."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise UserError(
            f"expected a whole number as {name}, found {text[:40]!r}", "reload the page"
        )
    return int(text)


async def read_body(request: Request, longest: int = LONGEST) -> dict:
    """Read the JSON object sent; UserError where it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > longest:
            raise UserError(
                f"expected at most {format_count(longest, 'byte')}, found more",
                "send one decision at a time",
            )
    return parse_object(body)


def answer_errors(work: Answer) -> Answer:
    """Answer a UserError as JSON with status 400.

    `unscanned` says that a scan mends it.
    """

    async def answer(request: Request) -> Response:
        try:
            return await work(request)
        except UserError as e:
            told = dict(error=e.problem, hint=e.hint, unscanned=isinstance(e, NotScanned))
            return JSONResponse(told, 400)

    return answer
