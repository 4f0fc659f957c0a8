"""Find rows with cells that are missing, impossible, extreme, misspelt or of another type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.media.row_cells import is_number, read_date
from assay.curation.media.rows import read_column_kinds
from assay.curation.text import format_count

PREVALENT = 0.5  # of the rows: what more of them are is how this table is
USUAL = 0.5  # of the rows: a column that fewer have is no loss
SPREAD = 6  # robust z-scores, on the plain and the logarithmic scale
SIGN = 0.01  # of a column, at most, may have the other sign to be impossible
FEWEST = 50  # numbers of a column, from which on one of them can be extreme
FILLER = re.compile(r"-?(9{2,}|1)")  # 999 for unknown, -1 for none
ALIKE = 0.8  # of two spellings, by difflib
COMMON = 20  # times as frequent is the word that a misspelt one means
ONCE = 100  # rows of a column, from which on a word that comes once is odd
WORDS = 60  # different words, above which a column is none of categories
KINDS = {
    "missing_values": Kind("many of its columns have no value", 0.7),
    "impossible_value": Kind("a number of the wrong sign, or a filler such as 999", 0.5, closed_by="nothing"),
    "extreme_value": Kind("a number far from all others of its column", float(np.exp(-1))),
    "misspelt_category": Kind("a word that is nearly a frequent one of its column", 0.5, closed_by="nothing"),
    "rare_category": Kind("the only row with this word", 0.5, closed_by="nothing"),
    "odd_type": Kind("a word among numbers, or no date among dates", 0.5, closed_by="nothing"),
}  # fmt: skip


class OddCell(NamedTuple):
    """A cell that stands out."""

    row: int  # among the open ones
    score: float
    why: str


def find_odd_rows(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find the rows of a kind, if at most half are of it; by another threshold, all."""
    rows = np.flatnonzero(scan.is_open)
    cells = [scan.rows[i] for i in rows.tolist()]
    limit = KINDS[kind].threshold if threshold is None else threshold
    found: dict[int, list[OddCell]] = {}
    for cell in FINDERS[kind](cells, read_column_kinds(scan.bench)):
        if cell.score < limit:
            found.setdefault(cell.row, []).append(cell)
    ids, out = scan.state.index, []
    for n, odd in sorted(found.items()):
        why = "; ".join(cell.why for cell in sorted(odd, key=lambda cell: cell.score)[:3])
        out.append(Issue(kind, ids[rows[n]], min(cell.score for cell in odd), None, why))
    return out if threshold is not None or len(out) <= PREVALENT * len(rows) else []


def read_numbers(rows: list[dict], name: str) -> np.ndarray:
    """Read a column of numbers, (n,); NaN where there is none."""
    return np.array([c if is_number(c := row.get(name)) else np.nan for row in rows], "f8")


def find_missing(rows: list[dict[str, Any]], kinds: dict[str, str]) -> list[OddCell]:
    """Find rows that lack columns which most rows have."""
    counts = Counter(name for row in rows for name in row)
    usual = [name for name in kinds if counts[name] > USUAL * len(rows)]
    out = []
    for n, row in enumerate(rows):
        lost = [name for name in usual if name not in row]
        if lost:
            some = ", ".join(lost[:5]) + (" and others" if len(lost) > 5 else "")
            why = f"{len(lost):,} of {format_count(len(usual), 'usual column')} missing: {some}"
            out.append(OddCell(n, 1 - len(lost) / len(usual), why))
    return out


def find_impossible(rows: list[dict[str, Any]], kinds: dict[str, str]) -> list[OddCell]:
    """Find numbers of the sign that hardly any other has, and fillers far from all others."""
    out = []
    for name in of_kind(kinds, "number"):
        values = read_numbers(rows, name)
        there = values[~np.isnan(values)]
        if len(there) < FEWEST:
            continue
        negative = np.flatnonzero(values < 0)
        if 0 < len(negative) <= SIGN * len(there):
            others = f"of {format_count(len(there), 'number')} {len(negative):,} below zero"
            out += [
                OddCell(n, 0.0, f"{name} is {values[n]:g}: {others}") for n in negative.tolist()
            ]
        different = np.unique(there)
        for filler, near in ((different[-1], different[-2:-1]), (different[0], different[1:2])):
            rest = np.delete(different, np.searchsorted(different, filler))
            if not len(near) or not FILLER.fullmatch(f"{filler:g}") or len(rest) < 3:
                continue
            # a filler stands apart by more than all the others span
            if abs(filler - near[0]) > np.ptp(rest):
                same = np.flatnonzero(values == filler)
                why = f"{name} is {filler:g} in {format_count(len(same), 'row')}, the next number is {near[0]:g}"
                out += [
                    OddCell(n, 0.1, why)
                    for n in same.tolist()
                    if values[n] >= 0 or len(negative) != len(same)
                ]
    return out  # fmt: skip


def find_extreme(rows: list[dict[str, Any]], kinds: dict[str, str]) -> list[OddCell]:
    """Find numbers far from the middle of their column, as they are and as logarithms."""
    out = []
    for name in of_kind(kinds, "number"):
        values = read_numbers(rows, name)
        if np.sum(~np.isnan(values)) < FEWEST:
            continue
        logs = np.sign(values) * np.log1p(abs(values))
        z = np.fmin(robust_z(values), robust_z(logs))
        middle = np.nanmedian(values)
        for n in np.flatnonzero(z > 1).tolist():
            why = f"{name} is {values[n]:g}, {middle:g} in the middle"
            out.append(OddCell(n, float(np.exp(-z[n] / SPREAD)), why))
    return out


def robust_z(values: np.ndarray) -> np.ndarray:
    """Compute distances from the median in robust standard deviations, (n,).

    Of a column that mostly says one number, by those that say another.
    """
    middle = np.nanmedian(values)
    spread = 1.4826 * np.nanmedian(abs(values - middle))
    if not spread > 0:
        spread = np.nanstd(values[values != middle]) if (values != middle).any() else 0.0
    return abs(values - middle) / spread if spread > 0 else np.zeros(len(values))


def find_misspelt(rows: list[dict[str, Any]], kinds: dict[str, str]) -> list[OddCell]:
    """Find words that are nearly a word which comes many times as often."""
    out = []
    for name in of_kind(kinds, "category"):
        counts = count_words(rows, name)
        frequent = [word for word, count in counts.items() if count >= COMMON]
        meant = {}
        for word, count in counts.items():
            likely = [w for w in frequent if counts[w] >= COMMON * count and same_digits(w, word)]
            if len(word) > 2 and (close := get_close_matches(word, likely, 1, ALIKE)):
                meant[word] = close[0]
        for n, row in enumerate(rows):
            if (word := row.get(name)) in meant:
                usual = f"{meant[word]!r} in {counts[meant[word]]:,}"
                why = f"{name} is {word!r} in {format_count(counts[word], 'row')}, {usual}"
                out.append(OddCell(n, 0.0, why))
    return out


def same_digits(a: str, b: str) -> bool:
    """Whether two words have the same digits: 9th is no 5th misspelt."""
    return re.findall(r"\d", a) == re.findall(r"\d", b)


def count_words(rows: list[dict[str, Any]], name: str) -> Counter[str]:
    """Count the words of a column; none where it has too many for one of categories."""
    counts = Counter(cell for row in rows if isinstance(cell := row.get(name), str))
    return counts if len(counts) <= max(WORDS, len(rows) // 20) else Counter()


def find_rare(rows: list[dict[str, Any]], kinds: dict[str, str]) -> list[OddCell]:
    """Find words that come once, in columns whose words come often."""
    out = []
    for name in of_kind(kinds, "category"):
        counts = count_words(rows, name)
        if counts.total() < ONCE or len(counts) > WORDS:
            continue
        out += [
            OddCell(n, 0.0, f"the only row whose {name} is {row[name]!r}, of {counts.total():,}")
            for n, row in enumerate(rows)
            if counts.get(row.get(name)) == 1
        ]
    return out


def find_odd_types(rows: list[dict[str, Any]], kinds: dict[str, str]) -> list[OddCell]:
    """Find words in columns of numbers, and what is no date in columns of dates."""
    out = []
    for name in of_kind(kinds, "number", "date"):
        fits = is_number if kinds[name] == "number" else is_date
        out += [
            OddCell(n, 0.0, f"{name} is {str(row[name])[:60]!r}, in a column of {kinds[name]}s")
            for n, row in enumerate(rows)
            if name in row and not fits(row[name])
        ]
    return out


def is_date(cell: Any) -> bool:
    return isinstance(cell, str) and read_date(cell) is not None


def of_kind(kinds: dict[str, str], *wanted: str) -> list[str]:
    return [name for name, kind in kinds.items() if kind in wanted]


FINDERS: dict[str, Callable[[list[dict[str, Any]], dict[str, str]], list[OddCell]]] = {
    "missing_values": find_missing,
    "impossible_value": find_impossible,
    "extreme_value": find_extreme,
    "misspelt_category": find_misspelt,
    "rare_category": find_rare,
    "odd_type": find_odd_types,
}
FINDER = IssueFinder(KINDS, find_odd_rows, media=("row",), order=87)
