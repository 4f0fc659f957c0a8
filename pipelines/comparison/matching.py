"""Match the rows of predictions with the samples that are judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.comparison.predictions import Answers
from assay.pipelines.comparison.truth import Truth

BY_ORDER = "the order of the rows, which nothing vouches for"


@dataclass(frozen=True)
class Matched:
    """Where each sample's answer is in a file."""

    rows: np.ndarray  # (m,) the row of each sample; -1: none
    how: str  # by which column rows were matched
    unknown: int  # rows of no sample


def match_answers(answers: Answers, truth: Truth) -> Matched:
    """Find the row of each sample, by the ids, keys, paths or file names that match most.

    Raises UserError where none match, a sample comes twice, a file name is ambiguous, or two columns disagree.
    """
    if not answers.keys or not truth.names:
        return match_order(answers, truth)
    best: tuple[int, np.ndarray, str, np.ndarray] | None = None
    for column, texts in answers.keys.items():
        for way in truth.names:
            if way == "file name" and best and 2 * best[0] >= min(len(texts), len(truth.labels)):
                continue
            asked = file_names(texts) if way == "file name" else texts
            found = look_up(truth, way, asked, answers.name)
            hits = int((found >= 0).sum())
            if best and 2 * hits > len(asked) and way != "file name":
                refuse_disagreement(best, found, column, answers.name)
            if hits and (best is None or hits > best[0]):
                best = hits, found, column if way == column else f"{column} ({way})", asked
    if best is None:
        column, texts = next(iter(answers.keys.items()))
        raise UserError(
            f"expected rows of {answers.name} to be samples of {truth.name}, found none: {column} is {texts[0]!r}"
            f" there, and {next(iter(truth.names))} {truth.ids[0]!r} here",
            "name samples in both by the same ids or paths",
        )
    _, found, how, asked = best
    refuse_repeated(found, asked, answers.name)
    rows = np.full(len(truth.labels), -1)
    hit = found >= 0
    rows[found[hit]] = np.flatnonzero(hit)
    return Matched(rows, how, int((~hit).sum()))


def look_up(truth: Truth, way: str, asked: np.ndarray, name: str) -> np.ndarray:
    """Find the sample of each text (n,), -1 for none; UserError where several have it."""
    index = truth.lookups[way]
    if index.is_unique:
        return index.get_indexer(asked)
    several = set(index[index.duplicated()])
    if hit := sorted(several & set(asked)):
        some = ", ".join(map(repr, hit[:3]))
        raise UserError(
            f"expected each {way} in {name} to be of one sample, found {some}, which several samples of {truth.name}"
            " have",
            "name samples by id or by the whole path",
        )
    first = index[~index.duplicated()]
    places = np.flatnonzero(~index.duplicated())
    found = first.get_indexer(asked)
    return np.where(found >= 0, places[found], -1)


def file_names(texts: np.ndarray) -> np.ndarray:
    return np.array([t.rsplit("/", 1)[-1] for t in texts], object)


def refuse_disagreement(best: tuple, found: np.ndarray, column: str, name: str) -> None:
    """Refuse a file in which two columns name different samples in one row."""
    both = (best[1] >= 0) & (found >= 0)
    if (best[1][both] != found[both]).any():
        row = int(np.flatnonzero(both & (best[1] != found))[0])
        raise UserError(
            f"expected the columns {best[2]} and {column} of {name} to name the same samples, found others,"
            f" first in row {row + 1}",
            "leave out the one that is a count of rows",
        )


def refuse_repeated(found: np.ndarray, asked: np.ndarray, name: str) -> None:
    """Refuse samples that come twice in one training's answers."""
    hit = found[found >= 0]
    counts = np.bincount(hit) if len(hit) else np.zeros(1, int)
    if counts.max() > 1:
        some = list(dict.fromkeys(asked[np.isin(found, np.flatnonzero(counts > 1))]))
        raise UserError(
            f"expected each sample once in {name}, found {format_count(len(some), 'sample')} again, for example"
            f" {', '.join(map(repr, some[:3]))}",
            "keep one row for each; several trainings are told apart by a column seed",
        )


def match_order(answers: Answers, truth: Truth) -> Matched:
    """Match rows by their order, where nothing names samples and numbers agree."""
    if not answers.ordered or len(answers.labels) != len(truth.labels) or truth.test is not None:
        lacks = truth.name if answers.keys else answers.name
        raise UserError(
            f"expected a column that names samples in {lacks}, found none",
            "add a column id, key or path",
        )
    return Matched(np.arange(len(truth.labels)), BY_ORDER, 0)
