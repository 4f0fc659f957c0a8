"""Read several labels a row: lists, texts such as cat|dog, columns of 0 and 1."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from assay.curation.tasks.multilabel import make_set, read_set
from assay.curation.text import MAX_NAME, MAX_TEXT, find_flaw, format_count

SEPARATORS = "|;,"  # of labels in one text, the likelier first
ONES = {"1", "1.0", "True", "true"}


class BadLabels(ValueError):
    """Labels of a row that cannot be read; it says why."""


def join_names(names: Iterable[Any], classes: Collection[str] = ()) -> str:
    """Make a label of names of classes.

    classes: those that are declared, () for any. BadLabels where a name is none of these, comes twice, or is no text.
    """
    found: list[str] = []
    for name in names:
        if isinstance(name, bool | dict | list) or name is None or name != name:
            raise BadLabels(f"has {name!r:.80} among its labels, which is no name of a class")
        name = str(int(name)) if isinstance(name, float) and name.is_integer() else str(name)
        if not name.strip():
            raise BadLabels("has a label without a name")
        if wrong := find_flaw(name, MAX_NAME):
            raise BadLabels(f"has a label that {wrong}")
        if classes and name not in classes:
            raise BadLabels(f"has the label {name!r:.80}, which is none of the declared classes")
        if name in found:
            raise BadLabels(f"has the label {name!r:.80} twice")
        found.append(name)
    text = make_set(found)
    if wrong := find_flaw(text, MAX_TEXT):
        raise BadLabels(f"has labels whose list {wrong}")
    return text


def read_cell(cell: Any, separator: str, classes: Collection[str] = ()) -> str | None:
    """Read the labels of one cell: a list, JSON of a list, or names between separators.

    None where it is empty. separator: "" for a cell that is one name.
    """
    if cell is None or cell != cell or isinstance(cell, str) and not cell.strip():
        return None
    if isinstance(cell, str):
        names = read_json_list(cell)
        if names is None:
            names = [part.strip() for part in cell.split(separator)] if separator else [cell]
        return join_names(names, classes)
    if isinstance(cell, dict):
        raise BadLabels("has a struct in place of a list of labels")
    return join_names(cell if isinstance(cell, list | tuple) else [cell], classes)


def read_json_list(text: str) -> list | None:
    """Read a text as a JSON list, or None."""
    if not text.lstrip().startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def read_set_bits(names: Sequence[str], bits: Sequence[Any]) -> str | None:
    """Read a row of 0 and 1 as the names that are set; None where none is 0 or 1."""
    if all(bit is None or bit != bit for bit in bits):
        return None
    return join_names(name for name, bit in zip(names, bits) if str(bit) in ONES)


def choose_separator(values: Iterable[Any]) -> str:
    """Choose what stands between the names of a column's texts, "" for nothing."""
    texts = {v for v in values if isinstance(v, str) and read_json_list(v) is None}
    return next((mark for mark in SEPARATORS if any(mark in text for text in texts)), "")


def holds_lists(values: Iterable[Any]) -> bool:
    """Whether a column holds lists, or JSON of lists, and nothing else."""
    known = [v for v in values if v is not None and v == v and v != ""]
    if any(isinstance(v, list) and any(isinstance(one, dict) for one in v) for v in known):
        return False  # conversations, boxes
    return bool(known) and all(
        isinstance(v, list) or isinstance(v, str) and read_json_list(v) is not None for v in known
    )


def explain_task(why: str) -> str:
    """Say that a source has several labels a sample, and by what it was seen."""
    return f"several labels (multilabel), because {why}"


def count_sets(labels: Iterable[str | None]) -> str:
    """Count the labels a sample has, in words."""
    sizes = [len(read_set(label)) for label in labels if label]
    mean = sum(sizes) / len(sizes) if sizes else 0
    return f"{mean:.1f} a sample, {format_count(sizes.count(0), 'sample')} with none of them"
