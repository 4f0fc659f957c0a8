"""Change the class list: rename, merge, add and describe classes.

Each is one batch of kind `schema`. It touches every split, test too, for a name is no judgement; it
is no review, and is undone like any other batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UnknownClass, UserError, suggest_names
from assay.curation.splits import SPLITS
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.tasks.base import has_class, task_of
from assay.curation.text import MAX_TEXT, check_text, find_alike
from assay.curation.versioning import class_names
from assay.curation.versioning.changes import find_known_labels
from assay.curation.versioning.class_entries import (
    check_entry,
    check_exemplars,
    check_name,
    check_who,
    list_groups,
)
from assay.curation.versioning.class_list import FIELDS, list_entries, make_entry
from assay.curation.versioning.class_names import RENAME, ClassNames

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pandas as pd


# ---- rename, and merge


def rename_class(
    bench: Bench,
    old: str,
    new: str,
    who: str,
    why: str = "",
    dry: bool = False,
    rescore: bool = True,
) -> dict:
    """Rename a class, or merge it into the one of that name.

    One edit, whatever number of samples have the class, of all splits. Labels given from here on
    keep the name that they are given. dry: only say what it would do. rescore: whether to bring the
    scores to the new names, or leave that to the caller.
    Returns {batch, old, new, merged, samples, splits ({split: kept samples of the old name}),
    had (of the new name before, likewise), dropped (samples that are out), alike (other names that
    differ from the new one in capitals, blanks, accents or Unicode form alone), rescored}.
    """
    check_who(who)
    check_text(why, "a reason", MAX_TEXT)
    state, task = bench.state(), task_of(bench)
    with bench.connect() if dry else bench.transaction() as con:
        known = find_known_labels(bench, con)
        names = class_names.read_names(con)
        check_rename(names, known, old, new)
        value = make_rename(names, known, old, new)
        batch = None if dry else new_batch("schema")
        if batch:
            said = why or f"{'merge' if value['merges'] else 'rename'} {old} to {new}"[:MAX_TEXT]
            append_schema(bench, con, [value], batch, who, said)
    has = has_class(task, state.label, old)
    return dict(
        batch=batch,
        old=old,
        new=new,
        merged=value["merges"],
        samples=int((has & state.keep).sum()),
        splits=count_splits(state, has),
        had=count_splits(state, has_class(task, state.label, new)),
        dropped=int((has & ~state.keep).sum()),
        alike=list_alike(new, known - {old}),
        rescored=bench.rescore() if batch and rescore else False,
    )


def make_rename(names: ClassNames, known: Iterable[str], old: str, new: str) -> dict[str, Any]:
    """Make the value of the edit that renames a class."""
    number = 1 + sum(rename.old == old for rename in names.renames)
    return {"name": f"{RENAME} {number} {old}", "from": old, "to": new, "merges": new in known}


def check_rename(names: ClassNames, known: set[str], old: str, new: str) -> None:
    """Refuse to rename an unknown class, or to an invalid name."""
    check_name(new)
    if old not in known:
        raise explain_unknown(names, known, old)
    if old == new:
        raise UserError(
            f"expected another name for the class {old!r}, found the same", "say the new name"
        )


def explain_unknown(names: ClassNames, known: set[str], name: str) -> UserError:
    """Say what a name is that no class has."""
    if now := names.former_names(known).get(name):
        error = UnknownClass(
            f"expected a class, found {name!r}, which is called {now!r} now",
            f"say {now!r}; `assay log --batches` says who renamed it",
            name,
            (),
        )
        error.suggestions = [now]
        return error
    return UnknownClass(
        f"expected a class, found {name!r}",
        "`assay classes` lists them",
        name,
        known,
    )


def count_splits(state: pd.DataFrame, has: np.ndarray) -> dict[str, int]:
    """Count the kept samples in each split that has some; has (n,) bool: those that count."""
    counts = state.split[state.keep & has].value_counts()
    return {split: int(counts[split]) for split in SPLITS if split in counts}


# ---- add, and describe


def add_class(bench: Bench, name: str, who: str, **about: str | None) -> dict:
    """Declare a class, last in the list, with or without samples.

    about: colour, key, guideline, parent. A name that was given up by a rename is a new class from here
    on. Returns {batch, added [names], alike (names that differ from it in capitals, blanks, accents
    or Unicode form alone), near (a name that may have been meant)}.
    """
    return add_classes(bench, [name], who, **about)


def add_classes(bench: Bench, new: list[str], who: str, **about: str | None) -> dict:
    """Declare several classes: see add_class."""
    check_who(who)
    new = list(dict.fromkeys(new))
    with bench.transaction() as con:
        names, known = class_names.read_names(con), find_known_labels(bench, con)
        entries = list_entries(names)
        groups = list_groups(entries)
        for name in new:
            check_name(name)
        if there := [name for name in new if name in entries]:
            raise UserError(
                f"expected a new class, found {there[0]!r}, which is in the list",
                f"assay classes edit {there[0]!r} changes its colour, key or guideline",
            )
        orders = next_orders(entries, len(new))
        fresh = [
            check_entry(
                entries | dict.fromkeys(new), known | groups, name, dict(about, order=order)
            )
            for name, order in zip(new, orders)
        ]
        values = [make_entry(names, name, entry) for name, entry in zip(new, fresh)]
        batch = new_batch("schema")
        append_schema(bench, con, values, batch, who, f"add {', '.join(new)}"[:MAX_TEXT])
    alike = {other for name in new for other in list_alike(name, known - {name})}
    near = {other for name in new for other in suggest_names(name, known - set(new))}
    return dict(batch=batch, added=new, alike=sorted(alike), near=sorted(near - alike))


def next_orders(entries: dict[str, dict], n: int) -> list[int | None]:
    """Give n classes the next places in the list.

    None where the list has no order.
    """
    taken = [entry["order"] for entry in entries.values() if entry["order"] is not None]
    return [int(max(taken)) + 1 + i for i in range(n)] if taken else [None] * n


def edit_class(bench: Bench, name: str, who: str, **about: Any) -> dict:
    """Change colour, key, guideline, exemplars, parent or order of a class.

    about: these; None leaves one as it is, "" takes it away. key: the one that chooses the class in
    Review; exemplars: up to six ids of samples, with blanks between. A class that is in no list yet
    is declared by it. Returns {batch, name, order, colour, key, guideline, exemplars, parent}.
    """
    check_who(who)
    given = {field: value for field, value in about.items() if value is not None}
    if not given:
        raise UserError(
            f"expected what to change of {name!r}, found nothing",
            "say --colour, --key, --guideline, --exemplars or --parent",
        )
    if given.get("exemplars"):
        chosen = check_exemplars(bench.state(), name, given["exemplars"], task_of(bench))
        given["exemplars"] = chosen
    with bench.transaction() as con:
        names, known = class_names.read_names(con), find_known_labels(bench, con)
        if name not in known:
            raise explain_unknown(names, known, name)
        entries = list_entries(names)
        was = entries.get(name, dict.fromkeys(FIELDS))
        entry = check_entry(entries, known | list_groups(entries), name, was | given)
        batch = None
        if entry != was or name not in entries:
            batch = new_batch("schema")
            value = make_entry(names, name, entry)
            append_schema(bench, con, [value], batch, who, f"describe {name}"[:MAX_TEXT])
    return dict(batch=batch, name=name) | entry


def import_table(bench: Bench, rows: list[dict[str, Any]], who: str) -> dict:
    """Declare the classes of a table, in its order.

    rows: name, and any of order, colour, key, guideline, exemplars, parent; a field that a row has not stays as it
    is. Classes that the table does not name come after it. Returns {batch, declared, new (names
    that no sample has), missing (classes that the table does not name), alike}.
    """
    check_who(who)
    given = [row["name"] for row in rows]
    rows = [check_row(bench, row) for row in rows]
    if twice := {name for name in given if given.count(name) > 1}:
        raise UserError(
            f"expected every class once, found {sorted(twice)[0]!r} twice", "remove one of the rows"
        )
    if not given:
        raise UserError("expected a table of classes, found no row", "a class is one row")
    with bench.transaction() as con:
        names, known = class_names.read_names(con), find_known_labels(bench, con)
        entries = list_entries(names)
        groups = list_groups(entries)
        first = len(rows)
        after = {n: e for n, e in entries.items() if n not in given and e["order"] is not None}
        wanted = {
            row["name"]: entries.get(row["name"], dict.fromkeys(FIELDS)) | dict(order=i) | row
            for i, row in enumerate(rows)
        }
        later = sorted(after, key=lambda name: after[name]["order"])
        moved = {name: after[name] | dict(order=first + i) for i, name in enumerate(later)}
        values = []
        for name, entry in (wanted | moved).items():
            check_name(name)
            told = {field: entry.get(field) for field in FIELDS}
            told = check_entry(entries | wanted, known | groups, name, told)
            if told != entries.get(name):
                values.append(make_entry(names, name, told))
        batch = new_batch("schema") if values else None
        if batch:
            append_schema(bench, con, values, batch, who, f"class list of {len(rows)}")
    alike = [g for g in find_alike({*known, *given}) if set(g) & set(given)]
    return dict(
        batch=batch,
        declared=len(rows),
        new=[name for name in given if name not in known],
        missing=sorted(known - set(given)),
        alike=alike,
    )


def check_row(bench: Bench, row: dict[str, Any]) -> dict[str, Any]:
    """Check the exemplars that a row of a class list names."""
    if not row.get("exemplars"):
        return row
    return row | dict(
        exemplars=check_exemplars(bench.state(), row["name"], row["exemplars"], task_of(bench))
    )


def declare_classes(
    con: duckdb.DuckDBPyConnection, classes: Iterable[str], parents: dict[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the values that declare a source's classes, in its order.

    Those that are declared already stay where they are; new ones follow them. parents {class: what
    it is a kind of}: of classes that have none yet; the topmost are no classes themselves.
    """
    names = class_names.read_names(con)
    entries = list_entries(names)
    former = names.former_names(entries)
    new = dict.fromkeys(former.get(name, name) for name in classes)
    new = [name for name in new if name not in entries]
    start = next_orders(entries, 1)[0] or 0
    orders = {name: order for order, name in enumerate(new, start)}
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys([*new, *(parents or {})]):
        was = entries.get(name, dict.fromkeys(FIELDS))
        found[name] = was | (dict(order=orders[name]) if name in orders else {})
        parent = (parents or {}).get(name)
        if parent and not was["parent"] and not is_above(entries | found, name, parent):
            found[name] |= dict(parent=parent)
        if found[name] != entries.get(name):
            yield make_entry(names, name, found[name])


def is_above(entries: dict[str, dict[str, Any]], name: str, parent: str) -> bool:
    """Tell whether a class is its own parent, or above it."""
    at: str | None = parent
    while at is not None and at != name:
        at = (entries.get(at) or {}).get("parent")
    return at == name


# ---- what is written, and what is refused


def append_schema(
    bench: Bench,
    con: duckdb.DuckDBPyConnection,
    values: list[dict[str, Any]],
    batch: str,
    who: str,
    why: str,
) -> None:
    """Append schema edits as one batch."""
    import pandas as pd

    texts = [json.dumps(value) for value in values]
    rows = pd.DataFrame(dict(sample="", field="schema", value=texts, why=why))
    bench.append(con, rows, batch, who)


def list_alike(name: str, known: Iterable[str]) -> list[str]:
    """List the names that a person would take for this one."""
    groups = find_alike({name, *known})
    return [other for group in groups if name in group for other in group if other != name]
