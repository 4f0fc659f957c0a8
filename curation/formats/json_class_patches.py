"""Add classes to the list of names in a JSON file.

The file has the list beside its rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assay.curation.errors import UserError
from assay.curation.formats.json_classes import find_keys, read_class_list
from assay.curation.formats.json_text import list_children, splice
from assay.curation.formats.table_cells import Table
from assay.curation.formats.table_files import read_table

NewCells = dict[int, dict[str, Any]]  # of a row, by column


def number_cells(cells: NewCells, table: Table) -> list[str]:
    """Replace new names with the numbers of the file's class list.

    Only in columns whose numbers that list names. Returns the names that the list must get.
    """
    if table.class_list is None:
        return []
    fresh: list[str] = []
    for column, known in table.categories.items():
        numbers = table.codes.get(column)
        for row in cells.values():
            label = row.get(column)
            if label is None:
                continue
            if label not in known and label not in fresh:
                fresh.append(label)
            if numbers is not None:
                more = zip(fresh, range(max(numbers.values()) + 1, 1 << 62))
                row[column] = (numbers | dict(more))[label]
    return fresh


def check_names(
    path: Path, table: Table, fresh: list[str], write: Callable[[Path], None]
) -> list[str]:
    """Check that new names do not change how a file is read.

    The names come at the end of its list. UserError where they do change it. Returns what to say.
    """
    if not fresh:
        return []
    with TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        write(draft)
        after = read_table(draft).categories
    for column, known in table.categories.items():
        if after.get(column) != [*known, *fresh]:
            raise UserError(
                f"expected that {path.name} can be read with {', '.join(fresh)} at the end of"
                f" {table.class_list}, found that this would not plainly name {column} any more",
                f"rename the class in {table.class_list} by hand and import it again, or --format manifest",
            )
    were = "was" if len(fresh) == 1 else "were"
    said = f"{', '.join(fresh)} {were} added at the end of {table.class_list} in {path.name}"
    return [f"{said}; the others keep their numbers"]


def add_names(text: str, key: str, fresh: list[str]) -> str:
    """Add names to the end of the list at `key`.

    They are written as the others are.
    """
    member = [child for child in list_children(text) if child.key == key][-1]
    children, listed = list_children(text, member.start), read_class_list(member.value)
    first = max(listed) + 1 if isinstance(listed, dict) else 0
    between = text[children[-2].end : children[-1].opens] if len(children) > 1 else ", "
    more = [
        between + form_class(member.value, name, n, text.isascii())
        for n, name in enumerate(fresh, first)
    ]
    return splice(text, [(children[-1].end, children[-1].end, "".join(more))])


def form_class(listed: Any, name: str, number: int, plain: bool) -> str:
    """Form one more class of a list as its last one is."""

    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=plain)

    if isinstance(listed, dict):
        named = type(next(iter(listed.values()))) is int  # {name: number}
        return f"{dump(name)}: {number}" if named else f'"{number}": {dump(name)}'
    keys = None if isinstance(listed[-1], str) else find_keys(listed[-1])
    if keys is None:
        return dump(name)
    as_text = isinstance(listed[-1][keys[0]], str)
    return dump({keys[0]: str(number) if as_text else number, keys[1]: name})
