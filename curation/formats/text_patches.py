"""Change cells of CSV and JSON texts, and nothing else.

Rows are named by what reading them gave: a CSV's and JSON Lines' by their first line, from 1; those
of other JSON by their number, from 0. `cells` has the new cells of a row by column, None for empty;
`removed` are rows that go.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.curation.csv_files import guess_separator, read_lines
from assay.curation.formats.json_tables import NAMED, Shape
from assay.curation.formats.json_text import Child, cut_children, list_children, splice
from assay.curation.formats.text_tables import split_encoding

Cells = dict[int, dict[str, Any]]


def rewrite_text(source: Path, target: Path, change: Callable[[str], str]) -> None:
    """Write a text file again, changed, in its own encoding; bytes of another one stay."""
    blob = source.read_bytes()
    mark, encoding = split_encoding(blob)
    how = encoding or "utf-8", "surrogateescape"
    target.write_bytes(mark + change(blob[len(mark) :].decode(*how)).encode(*how))


# ---- CSV


def patch_csv(text: str, cells: Cells, removed: set[int]) -> str:
    """Change cells of a CSV; quotes stay where they were."""
    lines = io.StringIO(text, newline="").readlines()
    separator = guess_separator(text)
    header: list[str] | None = None
    out, done = [], 0
    for first, last, row in read_lines(text, []):
        if header is None:
            header = [name.strip() for name in row]
        elif first in removed or first in cells:
            out += lines[done : first - 1]
            if first not in removed:
                new = {header.index(name): cell for name, cell in cells[first].items()}
                out.append(patch_csv_row("".join(lines[first - 1 : last]), new, separator))
            done = last
    return "".join([*out, *lines[done:]])


def patch_csv_row(row: str, new: dict[int, str | None], separator: str) -> str:
    """Change cells of a row, by number."""
    cell = re.compile(rf'"(?:[^"]|"")*"|[^\r\n{re.escape(separator)}]*')
    pieces, at = [], 0
    for j in range(max(new) + 1):
        end = cell.match(row, at).end()
        if j in new:
            quoted = row.startswith('"', at)
            pieces.append((at, end, quote_cell(new[j], quoted, separator)))
        at = end + 1
    return splice(row, pieces)


def quote_cell(cell: Any, quoted: bool, separator: str) -> str:
    text = "" if cell is None else str(cell)
    if not quoted and not set(text) & {'"', "\r", "\n", separator}:
        return text
    return '"' + text.replace('"', '""') + '"'


# ---- JSON


def patch_json_lines(text: str, cells: Cells, removed: set[int]) -> str:
    """Change members of the objects in JSON Lines."""
    lines = text.split("\n")
    plain = text.isascii()
    for n, values in cells.items():
        lines[n - 1] = splice(lines[n - 1], set_members(lines[n - 1], 0, values, plain))
    return "\n".join(line for n, line in enumerate(lines, 1) if n not in removed)


def patch_json(text: str, shape: Shape, cells: Cells, removed: set[int]) -> str:
    """Change cells of a JSON file of a `shape`."""
    plain, top = text.isascii(), list_children(text)
    if shape.under is not None:
        top = list_children(text, find_child(top, shape.under).start)
    if shape.kind == "columns":
        return splice(text, patch_columns(text, top, cells, removed, plain))
    if shape.kind == "split":
        return splice(text, patch_split(text, top, cells, removed, plain))
    pieces = change_list(top, {}, removed, plain)
    for n, values in cells.items():
        if n in removed:
            continue
        if shape.kind == "pairs":
            pieces.append((top[n].start, top[n].end, dump(values[NAMED[1]], plain)))
        else:
            pieces += set_members(text, top[n].start, values, plain)
    return splice(text, pieces)


def patch_columns(
    text: str, top: list[Child], cells: Cells, removed: set[int], plain: bool
) -> list[tuple[int, int, str]]:
    """Change an object of columns, lists or objects of cells."""
    pieces = []
    for column in top:
        new = {n: row[column.key] for n, row in cells.items() if column.key in row}
        if not new and not removed:
            continue
        children = list_children(text, column.start)
        pieces += change_list(children, new, removed, plain)
    return pieces


def patch_split(
    text: str, top: list[Child], cells: Cells, removed: set[int], plain: bool
) -> list[tuple[int, int, str]]:
    """Change pandas' object of columns, index and rows of data."""
    header = [str(name) for name in find_child(top, "columns").value]
    rows = list_children(text, find_child(top, "data").start)
    pieces = change_list(rows, {}, removed, plain)
    if any(child.key == "index" for child in top):
        index = list_children(text, find_child(top, "index").start)
        pieces += change_list(index, {}, removed, plain)
    for n, values in cells.items():
        if n not in removed:
            row = list_children(text, rows[n].start)
            new = {header.index(name): value for name, value in values.items()}
            pieces += change_list(row, new, set(), plain)
    return pieces


def change_list(
    children: list[Child], new: dict[int, Any], removed: set[int], plain: bool
) -> list[tuple[int, int, str]]:
    """Change and cut values of a list by their number."""
    at = {child.opens: i for i, child in enumerate(children)}
    cuts = cut_children(children, lambda child: at[child.opens] in removed) if removed else []
    changed = [
        (children[n].start, children[n].end, dump(value, plain))
        for n, value in new.items()
        if n not in removed
    ]
    return [*((a, b, "") for a, b in cuts), *changed]


def set_members(
    text: str, start: int, values: dict[str, Any], plain: bool
) -> list[tuple[int, int, str]]:
    """Change members of the object at `start`; new ones come last."""
    children = list_children(text, start)
    held = {child.key: child for child in children}  # of two with one name, the last counts
    pieces = [
        (held[name].start, held[name].end, dump(value, plain))
        for name, value in values.items()
        if name in held
    ]
    new = {name: value for name, value in values.items() if name not in held and value is not None}
    if new:
        last = children[-1]
        comma, colon = ", ", ": "
        if len(children) > 1:  # as its own members are set apart
            comma = text[children[-2].end : last.opens]
        quoted = json.dumps(last.key, ensure_ascii=plain)
        colon = text[last.opens : last.start].replace(quoted, "", 1) or colon
        added = [f"{comma}{dump(n, plain)}{colon}{dump(v, plain)}" for n, v in new.items()]
        pieces.append((last.end, last.end, "".join(added)))
    return pieces


def find_child(children: list[Child], key: str) -> Child:
    return [child for child in children if child.key == key][-1]


def dump(value: Any, plain: bool) -> str:
    """Write a value as the file does, escaped or not."""
    return json.dumps(value, ensure_ascii=plain)
