"""Texts for the browser: their beginning, cut to what a place has room for."""

from __future__ import annotations

import re
from html import escape

from starlette.responses import Response

# characters that are sent to a place of so many pixels; what is larger gets the whole
MOST = {128: 400, 256: 1_000, 512: 6_000, 1024: 6_000}
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML
STYLE = (
    "font:{size}px/1.4 system-ui,sans-serif;color:#1b1e23;background:#f4f2ec;box-sizing:border-box;"
    "height:100%;padding:{size}px;overflow:hidden;overflow-wrap:anywhere;white-space:pre-wrap"
)


def cut_text(text: str, side: int) -> dict:
    """Cut a text to what a place of `side` pixels has room for.

    Returns dict text, characters (of the whole)."""
    most = next((n for pixels, n in MOST.items() if side <= pixels), len(text))
    return dict(text=text[:most], characters=len(text))


def draw_text(text: str | None, side: int) -> Response:
    """Answer with a text as a picture, in the browser's own type; 404 where there is none."""
    if text is None:
        return Response("no such text", 404)
    width = 160 if side <= 128 else 260 if side <= 256 else 560
    words = escape(UNWRITABLE.sub("\ufffd", cut_text(text, side)["text"]))
    style = STYLE.format(size=13 if width < 500 else 16)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" '
        f'viewBox="0 0 {width} {width}"><foreignObject width="100%" height="100%">'
        f'<div xmlns="http://www.w3.org/1999/xhtml" dir="auto" style="{style}">{words}</div>'
        "</foreignObject></svg>"
    )
    headers = {"cache-control": "private, max-age=86400"}
    return Response(svg, media_type="image/svg+xml", headers=headers)
