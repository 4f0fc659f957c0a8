"""Move a class to another place in the class list."""

from __future__ import annotations

from typing import Any

from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.tasks.base import list_members, read_task
from assay.curation.text import MAX_TEXT
from assay.curation.versioning import class_names
from assay.curation.versioning.changes import find_known_labels
from assay.curation.versioning.class_changes import append_schema, explain_unknown
from assay.curation.versioning.class_entries import check_who
from assay.curation.versioning.class_list import FIELDS, list_entries, make_entry, sort_classes


def move_class(bench: Bench, name: str, who: str, before: str | None = None) -> dict:
    """Move a class before another in the list, or to its end.

    One edit where the list has an order with room there; else all of it is numbered anew.
    Returns {batch (None where it stands there already), name, place (from 1), of}.
    """
    check_who(who)
    state = bench.state()
    with bench.transaction() as con:
        names, known = class_names.read_names(con), find_known_labels(bench, con)
        for one in filter(None, (name, before)):
            if one not in known:
                raise explain_unknown(names, known, one)
        entries = list_entries(names)
        classes = sort_classes(
            {*entries, *list_members(read_task(con), state.label[state.keep]), name}, entries
        )
        rest = [other for other in classes if other != name]
        at = rest.index(before) if before in rest else len(rest)
        moved = [*rest[:at], name, *rest[at:]]
        batch = None
        if moved != classes and before != name:
            values = [
                make_entry(names, one, entries.get(one, dict.fromkeys(FIELDS)) | dict(order=order))
                for one, order in place_class(moved, at, entries).items()
            ]
            batch = new_batch("schema")
            to = f"before {before}" if before else "to the end"
            append_schema(bench, con, values, batch, who, f"move {name} {to}"[:MAX_TEXT])
    places = moved if batch else classes
    return dict(batch=batch, name=name, place=places.index(name) + 1, of=len(places))


def place_class(moved: list[str], at: int, entries: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Give the class at place `at` an order between its neighbours'.

    Where that cannot be, all get new ones.
    """
    order = [(entries.get(name) or {}).get("order") for name in moved]
    if all(o is not None for i, o in enumerate(order) if i != at):
        low = order[at - 1] if at else order[at + 1] - 2
        high = order[at + 1] if at + 1 < len(moved) else low + 2
        if low < (low + high) / 2 < high:
            return {moved[at]: (low + high) / 2}
    return {name: i for i, name in enumerate(moved) if order[i] != i or i == at}
