"""Tell which column says whose a row is, which its label, which probabilities."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.table_columns import as_texts
from assay.curation.text import plain_name
from assay.pipelines.comparison.cells import WRITE, Columns
from assay.pipelines.indexing.own_rows import ID_NAMES

IDS = [*ID_NAMES, *"image_id img img_path filepath file_path uid name index row".split()]
# beside probabilities a column label may be the given one: only these are then read
SAID = (
    "predicted_label prediction predictions predicted pred preds y_pred ypred yhat y_hat predicted_class"
    " pred_label pred_class"
).split()
PREDICTED = [*SAID, *"output answer label labels class class_name category".split()]
GIVEN = (
    "label labels true_label target truth ground_truth gold y_true y class class_name category given_label answer"
).split()
ALSO = "also also_right acceptable also_acceptable".split()
GROUPS = "group groups slice subgroup".split()
SEEDS = "seed model_seed run".split()
LISTS = "probs pred_probs probabilities proba prob scores".split()
PREFIX = re.compile(r"(?:prob|p|proba|probability|probs|pred_probs?)[_:. -](?P<name>.+)", re.I)
UNNAMED = re.compile(r"unnamed(: ?\d+)?", re.I)


def find_named(columns: Columns, names: Sequence[str]) -> list[str]:
    """Find the columns that are called so, the likeliest first."""
    plain = {}
    for column in columns.cells:
        plain.setdefault(re.sub(r"[ -]", "_", column.strip().casefold()), column)
    return [plain[name] for name in names if name in plain]


def find_ids(columns: Columns, others: Iterable[str]) -> dict[str, np.ndarray]:
    """Find the columns that may say whose a row is: {column: texts (n,)}.

    Those that are called so, the likeliest first; else all texts that are no `others`.
    """
    if columns.unnamed and not find_named(columns, ["sample"]):
        return {}
    taken = set(others)
    called = [c for c in find_named(columns, IDS) if c not in taken]
    called += [c for c in columns.cells if UNNAMED.fullmatch(c.strip()) and c not in taken]
    texts = [
        c
        for c, cells in columns.cells.items()
        if c not in (*taken, *called) and not isinstance(cells, np.ndarray) and is_text(cells)
    ]
    return {c: read_ids(columns.cells[c], c) for c in [*called, *texts]}


def is_text(cells: Sequence[Any]) -> bool:
    return any(isinstance(v, str) for v in cells[:100]) and not any(
        isinstance(v, list | dict) for v in cells[:100]
    )


def read_ids(cells: Sequence[Any], column: str) -> np.ndarray:
    """Write ids as texts (n,), with / between folders; "" for none."""
    texts = cells if all(type(v) is str for v in cells) else as_texts(list(cells), column)
    return np.array([clean_id(t) if t else "" for t in texts], object)


def clean_id(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "/")
    return text.strip().removeprefix("./")


def read_labels(columns: Columns, column: str) -> np.ndarray:
    """Read a column of labels as texts (n,), None for none."""
    cells = columns.cells[column]
    if any(isinstance(v, list | dict | np.ndarray) for v in cells):
        raise UserError(
            f"expected one label a row in the column {column} of {columns.name}, found lists",
            "one label each; further acceptable ones of a test sample go into the column also",
        )
    return np.array(as_texts(list(cells), column), object)


def choose_label(columns: Columns, names: list[str], asked: str | None, taken: set[str]) -> str:
    """Choose the column of labels: the one asked for, one that is called so, or the only one.

    Raises UserError where several could be it, or none.
    """
    if asked is not None:
        if asked not in columns.cells:
            listed = ", ".join(columns.cells)[:300]
            raise UserError(
                f"expected a column {asked} in {columns.name}, found {listed}", "name one of these"
            )
        return asked
    if called := [c for c in find_named(columns, names) if c not in taken]:
        return called[0]
    left = [c for c in columns.cells if c not in taken]
    if len(left) == 1:
        return left[0]
    found = ", ".join(columns.cells)[:300]
    raise UserError(f"expected a column of labels in {columns.name}, found {found}", WRITE)


def find_probabilities(
    columns: Columns, classes: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Find columns of probabilities: {class: column}, and notes.

    They are called as classes, or by a prefix: prob_cat, p_cat.
    """
    known = {plain_name(c): c for c in classes}
    named = find_named(columns, [*IDS, *SEEDS, *PREDICTED])
    taken = {c for c in named if c not in classes} | {
        c for c in columns.cells if UNNAMED.fullmatch(c)
    }
    prefixed = {}
    for column in columns.cells:
        if (m := PREFIX.fullmatch(column.strip())) and is_numeric(columns.cells[column]):
            name = m["name"]
            prefixed[name if name in classes else known.get(plain_name(name), name)] = column
    if len(prefixed) > 1 and set(prefixed) & set(classes):
        return prefixed, []
    plain = {
        c if c in classes else known[plain_name(c)]: c
        for c in columns.cells
        if (c in classes or plain_name(c) in known) and is_numeric(columns.cells[c])
    }
    numeric = [c for c in columns.cells if c not in taken and is_numeric(columns.cells[c])]
    # classes that no label has stand beside those that some have
    others = {c: c for c in numeric if c not in plain.values()}
    if plain and others and sum_to_one(columns, numeric):
        return plain | others, []
    if len(plain) > 1 and set(plain) >= set(classes):
        return plain, []
    lacks = ", ".join(sorted(set(classes) - set(plain))[:3])
    said = f"{columns.name}: columns are called as some classes, but none as {lacks}: not read as probabilities"
    return {}, [said] if len(plain) > 1 else []


def sum_to_one(columns: Columns, names: list[str]) -> bool:
    """Whether the first rows of these columns sum to 1, which a count or a score would not."""
    part = [[float(v if v is not None else "nan") for v in columns.cells[c][:20]] for c in names]
    return len(names) > 1 and bool((abs(np.sum(part, 0) - 1) < 0.01).all())


def is_numeric(cells: Sequence[Any]) -> bool:
    """Whether the first cells are numbers, or texts of some."""
    try:
        for v in cells[:20]:
            float(v if v is not None else "nan")
    except (TypeError, ValueError):
        return False
    return True


def read_lists(columns: Columns, column: str) -> np.ndarray | None:
    """Read a column of lists of numbers (n, k); None where it holds none."""
    cells = columns.cells[column]
    if not any(isinstance(v, list | tuple | np.ndarray) for v in cells[:1]):
        if not (isinstance(cells[0], str) and cells[0].lstrip().startswith("[")):
            return None
        try:
            cells = [json.loads(v) for v in cells]
        except (TypeError, ValueError):
            raise UserError(
                f"expected lists of numbers in the column {column} of {columns.name}, found others",
                "write [0.1, 0.9] in each row",
            ) from None
    try:
        matrix = np.array([list(v) for v in cells], float)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.ndim != 2:
        raise UserError(
            f"expected lists of as many numbers in each row of the column {column} of {columns.name}, found others",
            "one number for each class",
        )
    return matrix


def read_numbers(columns: Columns, names: Sequence[str]) -> np.ndarray:
    """Read columns of numbers (n, k); UserError names a cell that is none."""
    out = np.empty((columns.n, len(names)))
    for j, name in enumerate(names):
        cells = columns.cells[name]
        try:
            out[:, j] = np.array(cells, dtype=float)  # None is NaN
        except (TypeError, ValueError):
            bad = next(i for i, v in enumerate(cells) if not is_numeric([v]))
            raise UserError(
                f"expected probabilities in the column {name} of {columns.name}, found {cells[bad]!r} in row {bad + 1}",
                "write numbers from 0 to 1, with a decimal point",
            ) from None
    return out


def check_probabilities(probs: np.ndarray, name: str) -> np.ndarray:
    """Check that rows (n, k) are probabilities; what is only rounded is scaled.

    UserError for NaN, numbers beyond 0 and 1, and rows that don't sum to 1.
    """
    sums = probs.sum(1)
    wrong = {
        "no number": ~np.isfinite(probs).all(1),
        "a number beyond 0 and 1": ((probs < -1e-6) | (probs > 1 + 1e-6)).any(1),
        "numbers that do not sum to 1": abs(sums - 1) > 0.01,
    }
    for what, rows in wrong.items():
        if rows.any():
            raise UserError(
                f"expected probabilities in each row of {name}, found {what} in {rows.sum():,} of {len(probs):,},"
                f" first in row {int(rows.argmax()) + 1}",
                "scores of a network become probabilities by a softmax; leave out what was not predicted",
            )
    return probs.clip(0, 1) / sums[:, None]
