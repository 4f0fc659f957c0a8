"""The labels that models are judged by: a file's, or a bench's test version."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import refuse_task
from assay.curation.text import find_alike, format_count
from assay.pipelines.comparison import cells, columns
from assay.pipelines.evaluation.test_set import AuditedLabels, audited_labels
from assay.pipelines.experiments.cells import test_labels

if TYPE_CHECKING:
    import pandas as pd

MOST_VALUES = 100  # of a column that is asked for as groups


@dataclass(frozen=True)
class Truth:
    """Test samples with their labels, and what is known of them."""

    name: str  # of the file, or of the bench's split
    names: dict[str, np.ndarray]  # way of matching -> a text for each sample (m,)
    labels: np.ndarray  # (m,) texts, each a class
    classes: list[str]
    also: list[tuple[int, str]] = field(default_factory=list)  # (row, a label that is right too)
    groups: dict[str, np.ndarray] = field(default_factory=dict)  # column -> values (m,)
    notes: list[str] = field(default_factory=list)
    test: pd.DataFrame | None = None  # the bench's samples, in the order of labels
    audited: AuditedLabels | None = None  # of the bench

    @property
    def ids(self) -> np.ndarray:
        """What samples are called (m,)."""
        first = next(iter(self.names.values()), None)
        return np.arange(len(self.labels)).astype(str) if first is None else first

    @cached_property
    def lookups(self) -> dict[str, pd.Index]:
        """An index of each way of matching, made once."""
        import pandas as pd

        return {way: pd.Index(names) for way, names in self.names.items()}


def read_truth(source: Any, by: Sequence[str] = (), label_column: str | None = None) -> Truth:
    """Read a file or frame of labels: ids, labels, groups, also-right labels.

    by: columns to slice by; else those called group. UserError for no labels, or ids that come twice.
    """
    table = cells.read_source(source, "labels")
    label = columns.choose_label(
        table,
        columns.GIVEN,
        label_column,
        set(columns.find_named(table, [*columns.IDS, *columns.ALSO])),
    )
    also = columns.find_named(table, columns.ALSO)[:1]
    groups = list(by) or columns.find_named(table, columns.GROUPS)
    if lost := [c for c in groups if c not in table.cells]:
        found = ", ".join(table.cells)[:300]
        raise UserError(
            f"expected a column {lost[0]} in {table.name}, found {found}", "name one of these"
        )
    named = columns.find_ids(table, [label, *also, *groups])
    labels = columns.read_labels(table, label)
    kept = np.array([v is not None for v in labels], bool)
    notes = list(table.notes)
    if not table.unnamed:
        others = [c for c in columns.find_named(table, columns.GIVEN) if c != label]
        unread = f", not {' or '.join(others[:3])}" if others else ""
        notes.append(f"{table.name}: labels in the column {label}{unread}")
    if not kept.all():
        without = format_count(int((~kept).sum()), "row", "has", "have")
        notes.append(
            f"{table.name}: {without} no label, and {'is' if without.startswith('1 ') else 'are'} left out"
        )
    if not kept.any():
        raise UserError(
            f"expected labels in the column {label} of {table.name}, found none", cells.WRITE
        )
    names = {c: texts[kept] for c, texts in named.items()}
    names = keep_names(names, table.name)
    classes = sorted(set(labels[kept]))
    if len(classes) > max(1_000, kept.sum() // 2) and kept.sum() > 10:
        raise UserError(
            f"expected classes in the column {label} of {table.name}, found {format_count(len(classes), 'value')}",
            "name another column as the label",
        )
    truth = Truth(
        table.name,
        names,
        labels[kept],
        classes,
        read_also(table, also[0], kept) if also else [],
        {c: read_values(table, c, kept) for c in groups},
        notes + describe_alike(classes),
    )
    return check_also(truth)


def keep_names(names: dict[str, np.ndarray], file: str) -> dict[str, np.ndarray]:
    """Keep the columns that tell samples apart, and add file names.

    UserError where one that is called as ids are has an id twice.
    """
    import pandas as pd

    out, twice = {}, {}
    for column, texts in names.items():
        again = pd.Index(texts).duplicated()
        if again.any() or (texts == "").any():
            twice[column] = texts[again][0] if again.any() else ""
        else:
            out[column] = texts
    if not out and twice:
        column, text = next(iter(twice.items()))
        found = f"{text!r} again" if text else "an empty one"
        raise UserError(
            f"expected each row of {file} to be a sample once, found {found} in the column {column}",
            "leave one row for each sample",
        )
    return out | add_file_names(out)


def add_file_names(names: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The last part of paths as a further way to match, where there are folders."""
    for texts in names.values():
        if any("/" in text for text in texts[:1000]):
            return {"file name": np.array([t.rsplit("/", 1)[-1] for t in texts], object)}
    return {}


def describe_alike(classes: list[str]) -> list[str]:
    """Name classes of the labels that a person would take for one."""
    alike = find_alike(classes)
    return (
        [f"classes that differ in spelling alone: {', '.join(map(repr, alike[0]))}"]
        if alike
        else []
    )


def read_values(table: cells.Columns, column: str, kept: np.ndarray) -> np.ndarray:
    """Read a column to slice by (m,) texts; UserError for too many values."""
    texts = columns.read_labels(table, column)[kept]
    n = len(set(texts))
    if n > MOST_VALUES:
        raise UserError(
            f"expected at most {MOST_VALUES} groups in the column {column} of {table.name}, found {n:,}",
            "group its values first, or slice by another column",
        )
    return np.array([t or "(none)" for t in texts], object)


def read_also(table: cells.Columns, column: str, kept: np.ndarray) -> list[tuple[int, str]]:
    """Read further labels that are right: lists, JSON lists, or texts such as cat|dog."""
    out = []
    values = [v for v, keep in zip(table.cells[column], kept) if keep]
    for row, value in enumerate(values):
        if value is None or value == "" or isinstance(value, float) and value != value:
            continue
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                raise UserError(
                    f"expected labels in the column {column} of {table.name}, found {value[:80]!r}",
                    'write cat|dog or ["cat", "dog"]',
                ) from None
        several = value if isinstance(value, list | tuple) else str(value).split("|")
        out += [(row, str(label).strip()) for label in several if str(label).strip()]
    return out


def check_also(truth: Truth) -> Truth:
    """Read also-right labels by the classes' spelling, and say which are no class."""
    if not truth.also:
        return truth
    known = set(truth.classes)
    odd = sorted({label for _, label in truth.also} - known)
    if not odd:
        return truth
    said = f"{truth.name}: also names classes that no label has: {', '.join(map(repr, odd[:5]))}"
    return replace(truth, notes=[*truth.notes, said], classes=sorted(known | set(odd)))


def read_bench_truth(bench: Bench, split: str = "test") -> Truth:
    """The labels of a bench's split, as it is now, with its classes.

    UserError for a bench of several labels a sample, or a split without labels.
    """
    refuse_task(bench, "a comparison of prediction files", "compare runs of an experiment instead")
    if split == "test":
        test = test_labels(bench, {})
        audited = audited_labels(bench, test)
    else:
        state = bench.state()
        test = state[state.keep & (state.split == split) & state.label.notna()].sort_index()
        if not len(test):
            raise UserError(
                f"expected labelled samples in {split}, found none", "choose another split"
            )
        audited = AuditedLabels(test.label, test.label, 0)
    names = dict(
        id=test.index.to_numpy(object).astype(str).astype(object),
        key=np.array([columns.clean_id(str(k)) for k in test.key], object),
        path=np.array([columns.clean_id(str(u)) for u in test.uri], object),
    )
    names["file name"] = np.array([k.rsplit("/", 1)[-1] for k in names["key"]], object)
    listed = set(test.label) | set(audited.clean) | set(list_classes(bench))
    return Truth(
        f"{split} of {bench.path.name}",
        names,
        audited.given.to_numpy(object),
        sorted(listed),
        test=test,
        audited=audited,
    )


def list_classes(bench: Bench) -> list[str]:
    from assay.curation.review import audit

    return audit.list_classes(bench)
