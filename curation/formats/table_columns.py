"""Which column of a table holds images, which labels, splits and ids."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from assay.curation.errors import UnknownColumn, UserError
from assay.curation.formats.table_files import Table

PATHS = ("path", "filepath", "image_path", "image", "img", "file", "filename")  # the first there is
LABELS = ("label", "class", "target", "category")
MOST_CLASSES = 1000  # a column of more values is no guess for the labels


@dataclass(frozen=True)
class Roles:
    """The names of a table's columns by what they hold; None where no column holds it."""

    image: str
    id: str | None
    split: str | None
    group: str | None
    label: str | None


def choose_roles(table: Table, asked: dict[str, str | None], file: str, exported: bool) -> Roles:
    """Choose the columns that the importer asked for, and guess the others.

    asked: {image, label, split, id, group: column or "none"}. exported: whether Assay wrote the
    table. UserError where there is no column of images, or the labels could be several.
    """
    image = choose_image_column(table, asked.get("image"))
    if image is None:
        found = ", ".join([*table.columns, *table.byte_columns])
        raise UserError(
            f"expected a column of image paths or bytes in {file}, found {found}",
            f"--image-column NAME; found without it: {', '.join(PATHS)}, or the only column of bytes",
        )
    id = choose_column(table, "id", asked.get("id"), ("key", "id") if exported else ("id",))
    split = choose_column(table, "split", asked.get("split"), ("split",))
    group = choose_column(table, "group", asked.get("group"))
    taken = {image, id, split, group, "sample_id" if exported else None}
    return Roles(image, id, split, group, choose_label_column(table, asked.get("label"), taken))


def choose_column(
    table: Table, option: str, asked: str | None, words: tuple[str, ...] = ()
) -> str | None:
    """Choose the column asked for, else the first called one of `words`."""
    names = [*table.columns, *(table.byte_columns if option == "image" else [])]
    if asked and asked not in names and asked != "none":
        raise UnknownColumn(
            f"expected a column {asked}, found {', '.join(names)}",
            f"--{option}-column takes one of these",
            asked,
            names,
        )
    if asked:
        return asked if asked in names else None
    return next((name for word in words for name in names if word == name.lower()), None)


def choose_image_column(table: Table, asked: str | None) -> str | None:
    likely = table.image_column
    return (
        choose_column(table, "image", asked)
        or (likely if likely and likely.lower() in PATHS else None)
        or choose_column(table, "image", None, PATHS)
        or likely
    )


def choose_label_column(table: Table, asked: str | None, taken: set[str | None]) -> str | None:
    """Choose the column of the labels.

    It is the one asked for, the one called label, or the only one that could be it. A
    column could be it that has a word of LABELS in its name, or values that come twice each, or so.
    """
    free = {
        name: [v for v in values if v is not None]
        for name, values in table.columns.items()
        if name not in taken
    }
    exact = [name for name in free if name.lower() == "label"]
    if asked or exact:
        return choose_column(table, "label", asked or exact[0])
    named = [name for name in free if any(word in name.lower() for word in LABELS)]
    if len(named) == 1 and named[0].lower() in LABELS:
        return named[0]
    could = [name for name in free if name in named or holds_classes(free[name])]
    if len(could) == 1:
        return could[0]
    found = f"{len(could)} that could be it: {', '.join(could)}"
    raise UserError(
        f"expected a label column, found {found if could else ', '.join(table.columns) or 'none'}",
        "say which: --label-column NAME, or none for a pool",
    )


def holds_classes(values: list) -> bool:
    """Whether values repeat as classes do, and are text or whole numbers."""
    if not 2 <= len(set(map(str, values))) <= min(MOST_CLASSES, len(values) / 2):
        return False
    return not any(
        isinstance(v, list | dict) or isinstance(v, float) and not v.is_integer() for v in values
    )


def as_texts(values: list, column: str) -> list[str | None]:
    """Labels, ids, ... as text: 3 and 3.0 are "3".

    An empty cell, blanks and NaN are None. UserError where a cell is a list or a struct.
    """
    if any(isinstance(v, list | dict) for v in values):
        raise UserError(
            f"expected text or numbers in the column {column}, found lists or structs",
            "name another column",
        )
    texts = [read_text_cell(value) for value in values]
    # pandas writes whole numbers with a gap among them so
    floats = all(t is None or re.fullmatch(r"-?\d+\.0+", t) for t in texts)
    return [t and t.split(".")[0] for t in texts] if floats else texts


def read_text_cell(value: Any) -> str | None:
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return None if value is None or not text.strip() or text.lower() == "nan" else text


def as_written(values: list, column: str) -> list[str | None]:
    """Text as Assay exported it: nan and a blank are words."""
    return [None if v is None or v == "" or v != v else str(v) for v in values]
