"""Change one field of JSON text, and nothing beside it."""

from __future__ import annotations

import json
import re
from typing import Any

BLANK = re.compile(r"[ \t\r\n]*")


def replace_field(blob: bytes, name: str, value: Any) -> bytes:
    """Replace a field's value at the top of a JSON object.

    A missing one is put first.
    """
    mark = b"\xef\xbb\xbf" if blob.startswith(b"\xef\xbb\xbf") else b""
    text = blob[len(mark) :].decode()
    decoder = json.JSONDecoder()
    at = skip_blanks(text, text.index("{") + 1)
    first = at
    plain = json.dumps(value, ensure_ascii="\\u" in text)
    place = None
    while text[at] == '"':
        field, at = decoder.raw_decode(text, at)
        start = skip_blanks(text, skip_blanks(text, at) + 1)  # behind the colon
        _, at = decoder.raw_decode(text, start)
        if field == name:
            place = start, at  # the last of a name counts, as for those who read it
        at = skip_blanks(text, at)
        at = skip_blanks(text, at + 1) if text[at] == "," else at
    if place:
        return mark + f"{text[: place[0]]}{plain}{text[place[1] :]}".encode()
    comma = ", " if text[first] == '"' else ""
    return mark + f"{text[:first]}{json.dumps(name)}: {plain}{comma}{text[first:]}".encode()


def skip_blanks(text: str, at: int) -> int:
    match = BLANK.match(text, at)
    assert match
    return match.end()
