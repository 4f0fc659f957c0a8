"""Match a person's probabilities to classes, and doubt them before they judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality import scoring
from assay.curation.text import format_count
from assay.pipelines.indexing.own_rows import BY_ORDER

if TYPE_CHECKING:
    import pandas as pd

SURE = 2  # standard errors above chance at which agreement with the given labels is more than luck
FAR = 0.1  # what another order must agree better by to be named


class MatchedProbs(NamedTuple):
    """Probabilities that may judge."""

    probs: np.ndarray  # (m, k) rows sum to 1, but of label sets
    classes: list[str]  # (k,) in lexicographic order
    note: str  # how rows and columns were matched, and how well they agree


class Columns(NamedTuple):
    """The class of each column."""

    classes: list[str]
    note: str  # how that is known
    guessed: bool


def match_probs(probs: pd.DataFrame, state: pd.DataFrame) -> MatchedProbs:
    """Match the columns of probabilities by sample id to classes.

    Raises UserError where columns or rows are others, they are no probabilities, or they agree with the given labels no
    better than chance.
    """
    part = scoring.without_locked(state)
    classes, _ = scoring.find_targets(part)
    columns = name_columns(probs, classes)
    array = probs.to_numpy("f8")[:, [columns.classes.index(c) for c in classes]]
    sums = array.sum(1)
    if (array < 0).any() or (array > 1 + 1e-3).any() or (abs(sums - 1) > 1e-3).any():
        raise UserError(
            "expected rows of probabilities that sum to 1,"
            f" found numbers from {array.min():.3g} to {array.max():.3g},"
            f" rows that sum to {sums.min():.3g} to {sums.max():.3g}",
            "apply a softmax to logits first",
        )
    needed = refuse_missing(probs, part)
    y = scoring.class_indices(part.label[needed], classes)
    needed, y = needed[y >= 0], y[y >= 0]
    matched = probs.attrs.get("matched", "")
    orders = other_orders(state, probs.index, needed) if BY_ORDER in matched else {}
    rows = probs.index.get_indexer(needed)
    agreement = check_agreement(array, rows, y, classes, columns.guessed, orders)
    notes = [columns.note, *([f"rows by {matched}"] if matched else []), agreement]
    return MatchedProbs(array, classes, "; ".join(notes))


def refuse_missing(probs: pd.DataFrame, part: pd.DataFrame) -> pd.Index:
    """List the samples that need probabilities; UserError where one has none."""
    needed = part.index[part.keep & part.split.isin(("train", "val")) & part.label.notna()]
    missing = needed.difference(probs.index)
    if len(missing):
        raise UserError(
            f"expected probabilities for {len(needed):,} train and val samples,"
            f" found none for {len(missing):,}, such as {part.key[missing[0]]}",
            "add them",
        )
    return needed


def name_columns(probs: pd.DataFrame, classes: list[str]) -> Columns:
    """Name the class of each column.

    By its name or, where it has none, by its place.
    """
    names = [str(c) for c in probs.columns]
    counted = names == [str(i) for i in range(len(names))]
    named = any(isinstance(c, str) for c in probs.columns)
    if set(names) == set(classes) and (named or not counted):
        return Columns(names, "columns by name", False)
    if not counted or len(names) != len(classes):
        raise refuse_columns(names, classes, counted)
    # counted by who trained on them, so never 0, 1, 10, 11, 2
    whole = all(c.lstrip("-").isdecimal() for c in classes)
    order = sorted(classes, key=int) if whole else classes
    how = "by number" if whole else "by alphabet"
    return Columns(order, f"columns have no names: taken as {shorten_list(order)}, {how}", True)


def refuse_columns(names: list[str], classes: list[str], counted: bool) -> UserError:
    """Say which columns are missing, and which are unknown."""
    found = format_count(len(names), "column")
    if not counted:
        found = shorten_list(names)
        if lost := sorted(set(classes) - set(names)):
            found += f"; none for {', '.join(lost[:5])}"
        if more := sorted(set(names) - set(classes)):
            found += f"; unknown {', '.join(more[:5])}"
    return UserError(
        f"expected a column for each of the {format_count(len(classes), 'class')} {shorten_list(classes)}, "
        f"found {found}",
        "name the columns by class, in any order, and leave all others out;"
        " classes are those of the kept, labelled train samples",
    )


def shorten_list(names: list[str], most: int = 12) -> str:
    return f"{', '.join(names[:most])}{' ...' * (len(names) > most)}"


def check_agreement(
    probs: np.ndarray,
    rows: np.ndarray,
    y: np.ndarray,
    classes: list[str],
    guessed: bool,
    orders: dict[str, np.ndarray],
) -> str:
    """Check that probabilities agree with given labels.

    The rows (m,) of probs (n, k) with labels y (m,). Returns how well, in words.
    Raises UserError where that is no better than chance, or where columns that were `guessed`, or rows, agree far
    better in another order. `orders`: {name: rows (m,)}.
    """
    from scipy.optimize import linear_sum_assignment

    n, k, best = len(y), len(classes), probs.argmax(1)
    confusion = np.bincount(best[rows] * k + y, minlength=k * k).reshape(k, k)
    share = confusion.trace() / n
    chance = float(confusion.sum(0) @ confusion.sum(1)) / n**2
    luck = SURE * np.sqrt(chance * (1 - chance) / n) if n >= 30 else 0
    swapped = linear_sum_assignment(-confusion)[1]
    moved = [f"{classes[i]} as {classes[j]}" for i, j in enumerate(swapped) if i != j]
    found = []
    if moved:
        better = confusion[np.arange(k), swapped].sum() / n
        found.append((better, f"with its columns in another order ({shorten_list(moved, 5)})"))
    found += [
        ((best[at] == y).mean(), f"with its rows in another order ({name})")
        for name, at in orders.items()
    ]
    other, how = max(found, default=(0, ""))
    clear = other > share + max(FAR, 3 / np.sqrt(n)) and other > chance + luck
    better = f"it would agree with {other:.0%} {how}" if clear else ""
    if k > 1 and share <= chance + luck or clear and (guessed or "rows" in how):
        raise UserError(
            f"expected probabilities that agree with the given labels beyond chance ({chance:.0%}),"
            f" found {share:.0%} of {n:,}" + (f"; {better}" if better else ""),
            "name the columns by class and the rows by sample: a column `sample`, `key` or `path`",
        )
    note = f"{share:.0%} of {format_count(n, 'given label')} are the likeliest class, {chance:.0%} by chance"
    return f"{note}; note: {better}" if better else note


def other_orders(state: pd.DataFrame, ids: pd.Index, asked: pd.Index) -> dict[str, np.ndarray]:
    """Return other orders in which a file may list samples.

    A file without names, with a row for each of `ids`.
    Returns {name: rows (m,)}: where its row for each of `asked` would be.
    """
    frame, at, rows = state.loc[ids], ids.get_indexer(asked), np.arange(len(ids))
    keys = {
        "sorted by key": frame.key,
        "sorted by path": frame.uri,
        "sorted by id": ids,
        "grouped by split": frame["split"],
    }
    ranks = {
        name: np.argsort(np.argsort(np.asarray(by, object).astype(str), kind="stable"))
        for name, by in keys.items()
    }
    ranks |= {
        "from last to first": rows[::-1],
        "one row later": (rows + 1) % len(ids),
        "one row earlier": (rows - 1) % len(ids),
    }
    return {name: rank[at] for name, rank in ranks.items()}
