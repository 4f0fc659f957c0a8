"""Find where the values of a JSON text stand in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import JSONDecoder, scanstring
from typing import Any, NamedTuple

from assay.curation.errors import UserError

BLANKS = re.compile(r"[ \t\n\r]*")
DECODER = JSONDecoder()


class Child(NamedTuple):
    """A value in an object or array, and where it stands in the text."""

    key: Any  # its name, or its number in an array
    opens: int  # where its name begins, or the value in an array
    start: int
    end: int
    value: Any


def list_children(text: str, start: int = 0) -> list[Child]:
    """List the values of the object or array at `start`."""
    at = skip_blanks(text, start)
    named = text[at] == "{"
    close = "}" if named else "]"
    at = skip_blanks(text, at + 1)
    found: list[Child] = []
    while text[at] != close:
        opens, key = at, len(found)
        if named:
            key, at = scanstring(text, at + 1, False)
            at = skip_blanks(text, skip_blanks(text, at) + 1)  # past the colon
        value, end = DECODER.raw_decode(text, at)
        found.append(Child(key, opens, at, end, value))
        at = skip_blanks(text, end)
        if text[at] == ",":
            at = skip_blanks(text, at + 1)
    return found


def skip_blanks(text: str, at: int) -> int:
    return BLANKS.match(text, at).end()


def parse_json(text: str, name: str, line: int | None = None) -> Any:
    """Parse a JSON text; UserError says on which line it breaks."""
    try:
        return json.loads(text, strict=False)
    except json.JSONDecodeError as e:
        where = f"{name}, line {line or e.lineno}, column {e.colno}"
        raise UserError(f"expected JSON in {where}, found: {e.msg}", "mend it there") from e
    except (RecursionError, ValueError) as e:  # nested very deeply; a number of very many digits
        why = "it is nested too deeply" if isinstance(e, RecursionError) else str(e)
        raise UserError(f"expected JSON in {name}, found: {why}", "write plain rows") from e


def cut_children(children: list[Child], gone: Callable[[Child], bool]) -> list[tuple[int, int]]:
    """List the spans to cut, each child with one comma."""
    kept = [i for i, child in enumerate(children) if not gone(child)]
    last = kept[-1] if kept else -1
    spans = [
        (child.opens, children[i + 1].opens)
        for i, child in enumerate(children)
        if gone(child) and i < last
    ]
    if children and last < len(children) - 1:
        begin = children[last].end if kept else children[0].opens
        spans.append((begin, children[-1].end))
    return spans


def splice(text: str, pieces: list[tuple[int, int, str]]) -> str:
    """Put each new piece in the place of text[start:end]."""
    out, at = [], 0
    for start, end, new in sorted(pieces):
        out += [text[at:start], new]
        at = end
    return "".join([*out, text[at:]])


def replace_field(blob: bytes, name: str, value: Any) -> bytes:
    """Replace the value of a top-level field in a JSON object.

    A missing field is put first. Of two with one name the last counts, as for those who read it.
    """
    mark = b"\xef\xbb\xbf" if blob.startswith(b"\xef\xbb\xbf") else b""
    text = blob[len(mark) :].decode()
    fields = list_children(text, text.index("{"))
    plain = json.dumps(value, ensure_ascii="\\u" in text)
    held = [field for field in fields if field.key == name]
    if held:
        return mark + splice(text, [(held[-1].start, held[-1].end, plain)]).encode()
    first = fields[0].opens if fields else text.index("{") + 1
    added = f"{json.dumps(name)}: {plain}{', ' if fields else ''}"
    return mark + splice(text, [(first, first, added)]).encode()
