"""Names of classes that a JSON file lists beside its rows.

The rows have numbers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assay.curation.formats.table_cells import Table
from assay.curation.formats.table_labels import NAMED, plain_name

KEYS = (
    "classes classnames names categories labels labelnames labelmap id2label idtolabel"
    " idx2label idxtoclass idx2class label2id labeltoid classtoidx class2idx"
).split()
IDS, NAMES = ("id", "index", "value", "classid", "categoryid"), ("name", "label", "title", "class")


def holds_class_list(key: str, value: Any) -> bool:
    """Whether a member of a JSON object lists its classes."""
    return plain_name(key) in KEYS and bool(read_class_list(value))


def read_class_list(value: Any) -> dict[int, str] | list[str] | None:
    """Read a list of class names in any of four forms.

    They are [name], [{id, name}], {number: name} and {name: number}. None of anything else.
    """
    if isinstance(value, list) and value:
        if all(isinstance(name, str) for name in value):
            return value if len(set(value)) == len(value) else None
        pairs = [read_class(v) for v in value]
    elif isinstance(value, dict) and value:
        pairs = [
            (k, v) if isinstance(v, str) else (v, k) if type(v) is int else None
            for k, v in value.items()
        ]
    else:
        return None
    if not all(pair and str(pair[0]).isdecimal() for pair in pairs):
        return None
    found = {int(pair[0]): str(pair[1]) for pair in pairs if pair}
    return found if len(set(found.values())) == len(pairs) == len(found) else None


def read_class(value: Any) -> tuple[Any, Any] | None:
    """Read one {id, name}."""
    if not isinstance(value, dict):
        return None
    keys = find_keys(value)
    return (value[keys[0]], value[keys[1]]) if keys else None


def find_keys(value: dict) -> tuple[str, str] | None:
    """Find what one class calls its id and its name."""
    plain = {plain_name(key): key for key in value}
    ids = [plain[key] for key in IDS if key in plain]
    names = [plain[key] for key in NAMES if key in plain and isinstance(value[plain[key]], str)]
    return (ids[0], names[0]) if ids and names else None


def name_columns(table: Table, value: dict[str, Any], under: str) -> tuple[Table, str | None]:
    """Replace numbers in columns of labels by the file's class names.

    Returns the table, and which member is that list, if one was of use. A note says so; another
    says where numbers and list do not fit.
    """
    key = next((k for k, v in value.items() if k != under and holds_class_list(k, v)), None)
    if key is None:
        return table, None
    listed = read_class_list(value[key])
    notes, columns, codes = list(table.notes), dict(table.columns), {}
    categories = dict(table.categories)
    for column in [c for c in columns if plain_name(c) in NAMED]:
        cells = columns[column]
        names = listed if isinstance(listed, dict) else number_names(listed or [], cells)
        order = [names[number] for number in sorted(names)] if names else list(listed or [])
        known = {cell for cell in cells if cell is not None}
        if known and known <= set(order):
            categories[column] = order
        elif known and all(type(c) is int for c in known) and known - {-1} <= set(names):
            columns[column] = [None if c is None else names.get(c) for c in cells]
            categories[column] = order
            codes[column] = {name: number for number, name in names.items()}
            notes.append(f"the numbers in {column} are named by {key}")
        else:
            notes.append(
                f"{key} does not plainly name what {column} holds: it stays as it is written"
            )
    used = key if categories else None
    table = replace(
        table, columns=columns, categories=categories, codes=codes, notes=notes, class_list=used
    )
    return table, used


def number_names(names: list[str], cells: list) -> dict[int, str]:
    """Number a list of names from 0 or from 1.

    {} where the cells do not tell which.
    """
    known = {c for c in cells if type(c) is int and c >= 0}
    if not known or (0 in known) == (max(known) == len(names)):
        return {}
    return dict(enumerate(names, 0 if 0 in known else 1))
