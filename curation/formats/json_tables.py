"""Read tables in JSON: rows, columns, or a row for each id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from assay.curation.errors import UserError
from assay.curation.formats.json_classes import holds_class_list, name_columns
from assay.curation.formats.json_text import parse_json
from assay.curation.formats.table_cells import MOST_COLUMNS, Places, Table, check_width
from assay.curation.formats.text_tables import find_broken, read_text
from assay.curation.text import format_count

NAMED = ("path", "label")  # the columns of {image: label}
FOREIGN = {  # names in an object that tell what wrote it; other formats may read these
    ("images", "annotations"): "boxes or masks, as COCO has them",
    ("shapes",): "the shapes of one image, as LabelMe has them",
    ("_via_img_metadata",): "regions, as VIA has them",
}


class Shape(NamedTuple):
    """How the rows of a JSON file are kept."""

    kind: Literal["rows", "columns", "ids", "pairs", "split"]
    under: str | None = None  # the name of the list of rows in the file's object


def read_json(path: Path) -> Table:
    value = parse_json(read_text(path), path.name)
    return list_rows(value, find_shape(value, path.name), path.name)


def read_json_lines(path: Path, skip_bad: bool = False) -> Table:
    """Read a file that has an object on each line.

    skip_bad: leave out the lines that are no JSON, instead of refusing all."""
    lines = enumerate(read_text(path, skip_bad).split("\n"), 1)
    left_out: list[tuple[str, str]] = []
    rows = parse_lines(((n, line) for n, line in lines if line.strip()), path.name, skip_bad, left_out)  # fmt: skip
    table = collect_rows(rows, "line", path.name)
    return replace(table, left_out=[*left_out, *table.left_out])


def parse_lines(
    lines: Iterable[tuple[int, str]], name: str, skip_bad: bool, left_out: list[tuple[str, str]]
) -> Iterator[tuple[int, Any]]:
    """Parse numbered lines; what is skipped goes to `left_out`."""
    for n, line in lines:
        if skip_bad and (wrong := find_broken(line)):
            left_out.append((f"line {n}", wrong))
            continue
        try:
            yield n, parse_json(line, name, n)
        except UserError as e:
            if not skip_bad:
                raise
            left_out.append((f"line {n}", f"is no JSON: {e.problem.rpartition('found: ')[2]}"))


def find_shape(value: Any, name: str) -> Shape:
    """Find how the rows are kept; UserError where there are none."""
    if isinstance(value, list) and (not value or any(isinstance(v, dict) for v in value)):
        return Shape("rows")
    if isinstance(value, dict) and value:
        if foreign := next(
            (why for keys, why in FOREIGN.items() if value.keys() >= set(keys)), None
        ):
            raise UserError(
                f"expected rows of images and labels in {name}, found {foreign}",
                "Assay reads one label for each image; others come later. "
                "--pictures-only on the folder of the images imports them without labels",
            )
        values = list(value.values())
        if {"columns", "data"} <= value.keys() and isinstance(value["columns"], list):
            return Shape("split")
        lists = [key for key, v in value.items() if is_list_of_rows(v)]
        lists = [k for k in lists if not holds_class_list(k, value[k])] or lists
        if len(lists) == 1:
            return Shape("rows", lists[0])
        if all(isinstance(v, list) for v in values) and len({len(v) for v in values}) == 1:
            return Shape("columns")
        if all(isinstance(v, dict) for v in values):
            return Shape("columns" if is_frame(value) else "ids")
        if not any(isinstance(v, dict | list) for v in values):
            return Shape("pairs")
    raise UserError(
        f"expected rows in {name}: a list of objects, an object of columns, or one for each image; "
        f"found {describe_json(value)}",
        'for example [{"image": "1.png", "label": "cat"}]',
    )


def is_list_of_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def is_frame(value: dict[str, dict]) -> bool:
    """Whether an object of objects is pandas' {column: {row: cell}}."""
    rows = [list(v) for v in value.values()]
    return all(keys == rows[0] for keys in rows) and all(key.isdigit() for key in rows[0])


def describe_json(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object with {', '.join(map(str, list(value)[:5])) or 'nothing'}"
    return "a list without objects" if isinstance(value, list) else "a single value"


def list_rows(value: Any, shape: Shape, name: str) -> Table:
    """List the rows of a parsed file as a table."""
    if shape.under is not None:
        table = collect_rows(enumerate(value[shape.under]), "row", name)
        table, named_by = name_columns(table, value, shape.under)
        others = [key for key in value if key not in (shape.under, named_by)]
        unread = f"; not read: {', '.join(others)[:300]}" if others else ""
        said = [f"read as rows: {shape.under}{unread}"] if len(value) > 1 else []
        return replace(table, notes=[*said, *table.notes])
    if shape.kind == "rows":
        return collect_rows(enumerate(value), "row", name)
    if shape.kind == "ids":
        return collect_rows(enumerate({"id": key} | row for key, row in value.items()), "row", name)
    if shape.kind == "pairs":
        columns = dict(zip(NAMED, (list(value), list(value.values()))))
    elif shape.kind == "split":
        header, rows = value["columns"], value["data"]
        check_width(len(header), name)
        if any(not isinstance(row, list) or len(row) != len(header) for row in rows):
            raise UserError(
                f"expected {format_count(len(header), 'cell')} in each row of {name}", "mend it"
            )
        columns = {str(key): [row[j] for row in rows] for j, key in enumerate(header)}
    else:
        columns = {
            key: list(cells.values()) if isinstance(cells, dict) else cells
            for key, cells in value.items()
        }
    check_width(len(columns), name)
    n = len(next(iter(columns.values()), []))
    return Table(
        {key: blank_cells(cells) for key, cells in columns.items()}, Places("row", range(n))
    )


def collect_rows(rows: Iterable[tuple[int, Any]], word: str, name: str) -> Table:
    """Collect numbered rows into columns; a row may lack some."""
    columns: dict[str, list] = {}
    numbers: list[int] = []
    left_out = []
    for number, row in rows:
        if not isinstance(row, dict):
            left_out.append((f"{word} {number}", f"is {describe_json(row)}, no object"))
            continue
        for key in row:
            if key not in columns:
                if len(columns) >= MOST_COLUMNS:
                    check_width(len(columns) + 1, name)
                columns[key] = [None] * len(numbers)
        for key, cells in columns.items():
            cell = row.get(key)
            cells.append(None if cell == "" else cell)
        numbers.append(number)
    return Table(columns, Places(word, numbers), left_out)


def blank_cells(cells: list) -> list:
    """Read empty texts as missing cells, as in a CSV."""
    return [None if cell == "" else cell for cell in cells]
