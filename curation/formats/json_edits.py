"""Change values in JSON text, and no other character."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from json.decoder import scanstring
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from assay.curation.errors import UserError

BLANK = re.compile(r"[ \t\r\n]*")
BOM = "\ufeff"
_decode = json.JSONDecoder().raw_decode


class Span(NamedTuple):
    """Where a value stands in a text."""

    start: int
    end: int


class JsonText:
    """The text of a file of JSON, with what is to be changed in it."""

    def __init__(self, path: Path) -> None:
        self.path, self.edits = path, []
        raw = path.read_bytes()
        try:
            self.text = raw.decode("utf-8")
            self.start = len(BOM) if self.text.startswith(BOM) else 0
            self.start = skip_blank(self.text, self.start)
            self.value, _ = _decode(self.text, self.start)
        except (ValueError, RecursionError) as e:
            raise UserError(
                f"expected JSON in UTF-8 in {path.name}, found none: {e}", "is the file complete?"
            ) from None
        self.ascii = raw.isascii()

    def members(self, span: Span | None = None) -> dict[str, Span]:
        """Find the values of an object, by their keys."""
        text, i = self.text, self.start if span is None else span.start
        return {key: Span(*place) for key, *place in list_members(text, i)}

    def elements(self, span: Span) -> list[Span]:
        """Find the elements of a list."""
        return [Span(*place) for place in list_elements(self.text, span.start)]

    def read(self, span: Span) -> Any:
        return _decode(self.text, span.start)[0]

    def replace(self, span: Span, value: Any) -> None:
        self.edits.append((span.start, span.end, self.dump(value)))

    def add_member(self, span: Span, key: str, value: Any) -> None:
        """Add a member to the end of an object."""
        members = member_starts(self.text, span.start)
        at = members[-1].end if members else span.start + 1
        between = ", " if members else ""
        if len(members) > 1:
            between = self.text[members[-2].end : members[-1].start]
        self.edits.append((at, at, f"{between}{self.dump(key)}: {self.dump(value)}"))

    def add_element(self, span: Span, value: Any) -> None:
        """Add an element to the end of a list."""
        elements = self.elements(span)
        at = elements[-1].end if elements else span.start + 1
        between = ", " if elements else ""
        if len(elements) > 1:
            between = self.text[elements[-2].end : elements[-1].start]
        self.edits.append((at, at, between + self.dump(value)))

    def remove(self, starts: Sequence[Span], gone: Collection[int]) -> None:
        """Remove elements or members, with their commas.

        starts: where each begins, with its key, and ends.
        """
        kept = [i for i in range(len(starts)) if i not in gone]
        last = kept[-1] if kept else -1
        for i in sorted(gone):
            if i < last:
                self.edits.append((starts[i].start, starts[i + 1].start, ""))
        if last + 1 < len(starts):  # a tail of what goes, and the comma before it
            begin = starts[last].end if kept else starts[0].start
            self.edits.append((begin, starts[-1].end, ""))

    def dump(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=self.ascii)

    def write(self, path: Path) -> None:
        """Write the text with its changes."""
        parts, at = [], 0
        for start, end, new in sorted(self.edits, key=itemgetter(0, 1)):  # added in that order
            assert start >= at, "two changes of one place"
            parts += [self.text[at:start], new]
            at = end
        path.write_bytes("".join([*parts, self.text[at:]]).encode())


def skip_blank(text: str, i: int) -> int:
    return BLANK.match(text, i).end()


def list_elements(text: str, i: int) -> Iterator[tuple[int, int]]:
    """List where the elements of the list at `i` begin and end."""
    i = skip_blank(text, i + 1)
    while text[i] != "]":
        _, end = _decode(text, i)
        yield i, end
        i = skip_blank(text, end)
        i = skip_blank(text, i + 1) if text[i] == "," else i


def list_members(text: str, i: int) -> Iterator[tuple[str, int, int]]:
    """List the members of the object at `i`: key, start, end."""
    i = skip_blank(text, i + 1)
    while text[i] != "}":
        key, end = scanstring(text, i + 1, False)
        start = skip_blank(text, skip_blank(text, end) + 1)
        _, end = _decode(text, start)
        yield key, start, end
        i = skip_blank(text, end)
        i = skip_blank(text, i + 1) if text[i] == "," else i


def member_starts(text: str, i: int) -> list[Span]:
    """List where members begin, with their keys, and end."""
    out, i = [], skip_blank(text, i + 1)
    while text[i] != "}":
        begin = i
        _, end = scanstring(text, i + 1, False)
        _, end = _decode(text, skip_blank(text, skip_blank(text, end) + 1))
        out.append(Span(begin, end))
        i = skip_blank(text, end)
        i = skip_blank(text, i + 1) if text[i] == "," else i
    return out
