"""The class list: order, colour, key, guideline, exemplars, parent of every class.

Classes may be declared, by a source or a person, as edits of field `schema`. Those that are not
come after those that are, by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from assay.curation.splits import SPLITS
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import Task, explode_labels, list_members, task_of
from assay.curation.versioning.class_names import CLASS, ClassNames
from assay.curation.versioning.expressions import is_expression
from assay.curation.versioning.state_building import is_large, open_state
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd

FIELDS = ("order", "colour", "key", "guideline", "exemplars", "parent")


def encode_identity(identity: str) -> str:
    """Write a class's identity as text that the log may hold.

    Such a text is "1 cat".
    """
    name, _, ended = identity.partition("\0")
    return f"{1 + int(ended or 0)} {name}"


def decode_identity(text: str) -> str:
    """Read what encode_identity wrote."""
    number, _, name = text.partition(" ")
    return f"{name}\0{int(number) - 1}" if int(number) > 1 else name


def list_entries(names: ClassNames) -> dict[str, dict[str, Any]]:
    """List the declared classes: {name: what is said of it, by FIELDS}.

    As they are called now. One that was merged into another has left the list.
    """
    out = {}
    for edit in names.edits:
        if not edit.value["name"].startswith(CLASS):
            continue
        identity = decode_identity(edit.value["class"])
        name = names.find_name(identity)
        if names.find_class(name) == identity:
            out[name] = {field: edit.value.get(field) for field in FIELDS}
    for entry in out.values():
        if entry["parent"] is not None:
            entry["parent"] = names.find_name(decode_identity(entry["parent"]))
    return out


def make_entry(names: ClassNames, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Make the value of the edit that declares a class.

    entry: by FIELDS.
    """
    text = encode_identity(names.find_class(name))
    parent = entry.get("parent")
    if parent is not None:
        parent = encode_identity(names.find_class(parent))
    return {"name": f"{CLASS} {text}", "class": text} | entry | dict(parent=parent)


def sort_classes(classes: Iterable[str], entries: dict[str, dict[str, Any]]) -> list[str]:
    """Sort classes as they are declared, the others after them by name."""
    order = {name: entry["order"] for name, entry in entries.items() if entry["order"] is not None}
    return sorted(classes, key=lambda name: (name not in order, order.get(name, 0), name))


def order_classes(bench: Bench, classes: Iterable[str], version: str | int = "HEAD") -> list[str]:
    """Put classes of a version in the order of its class list."""
    return sort_classes(classes, list_entries(names_at(bench, version)))


def list_classes(bench: Bench, version: str | int = "HEAD") -> list[str]:
    """List the classes of a version in order.

    Declared ones, and labels of any kept sample.
    """
    entries = list_entries(names_at(bench, version))
    return sort_classes({*entries, *count_kept(bench, version).index}, entries)


def list_choices(bench: Bench, labels: Iterable[str], version: str | int = "HEAD") -> list[str]:
    """List the classes that a label may say, in order.

    They are those of `labels`, and the declared ones.
    """
    entries = list_entries(names_at(bench, version))
    return sort_classes({*list_members(task_of(bench), labels), *entries}, entries)


def tabulate_classes(bench: Bench, version: str | int = "HEAD") -> pd.DataFrame:
    """Tabulate the class list: a row for each class, in order.

    Frame name, n (kept samples), train, val, test, pool, guard (of these), order, colour, key,
    guideline, exemplars (chosen ones: ids with blanks between), parent, declared.
    """
    import pandas as pd

    entries = list_entries(names_at(bench, version))
    counts = count_kept(bench, version)
    rows = []
    for name in sort_classes({*entries, *counts.index}, entries):
        by_split = {s: count_cell(counts, name, s) for s in SPLITS}
        entry = entries.get(name, dict.fromkeys(FIELDS))
        row = dict(name=name, n=sum(by_split.values())) | by_split | entry
        rows.append(row | dict(declared=name in entries))
    columns = ["name", "n", *SPLITS, *FIELDS, "declared"]
    out = pd.DataFrame(rows, columns=columns)
    texts = [field for field in FIELDS if field != "order"]
    return out.assign(**{c: out[c].astype(object).where(out[c].notna(), None) for c in texts})


def count_kept(bench: Bench, version: str | int = "HEAD") -> pd.DataFrame:
    """Count the kept, labelled samples of each class in each split: see count_by_split."""
    import pandas as pd

    if is_expression(version) or not is_large(bench):
        state = bench.state(version)
        return count_by_split(task_of(bench), state[state.keep & state.label.notna()])
    counts = pd.DataFrame(
        [
            (label, split, n)
            for (split, label, keep, _), n in open_state(bench, version).counts.items()
            if keep and label is not None
        ],
        columns=["label", "split", "n"],
    )
    counts["label"] = counts.label.map(lambda label: list_members(task_of(bench), [label]))
    counts = counts.explode("label")
    return counts.pivot_table("n", "label", "split", "sum", fill_value=0).astype(int)


def count_by_split(task: Task, state: pd.DataFrame) -> pd.DataFrame:
    """Count the samples of each class, a row, in each split, a column."""
    import pandas as pd

    labels = explode_labels(task, state.label)
    if not len(labels):
        return pd.DataFrame()
    splits = state["split"].reindex(labels.index)
    return pd.crosstab(labels.to_numpy(object), splits.to_numpy(object))


def count_cell(counts: pd.DataFrame, name: str, split: str) -> int:
    """Read one count of a table of classes by splits."""
    there = name in counts.index and split in counts.columns
    return int(counts.loc[name, split]) if there else 0


def numbered_classes(bench: Bench, used: Sequence[str], version: str | int = "HEAD") -> list[str]:
    """List the classes by their numbers, as a training counts them.

    In a bench with a declared order those are all that it declares, whether used or not, so that
    the numbers are those of the source; else the ones that are used, by name.
    """
    entries = list_entries(names_at(bench, version))
    ordered = [name for name, entry in entries.items() if entry["order"] is not None]
    return sort_classes({*used, *ordered}, entries)
