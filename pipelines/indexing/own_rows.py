"""Match the rows of a person's file to samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

# what a column of ids is called, the likeliest first
ID_NAMES = "sample sample_id id source_id key path uri file file_name filename image".split()
BY_ORDER = "the order of the rows"


def is_id_name(column: Any) -> bool:
    """Whether a column of ids is called so.

    One that pandas wrote without a name is.
    """
    return str(column).lower() in ID_NAMES or str(column).startswith("Unnamed")


def match_rows(
    frame: pd.DataFrame, state: pd.DataFrame, path: str | Path, what: str
) -> tuple[pd.DataFrame, str]:
    """Match rows to samples.

    Returns (the frame by sample id, how that is known).
    """
    column = find_key_column(frame)
    if column is None:
        matched = match_by_order(frame, state, path, what)
        return matched, f"{BY_ORDER}, which nothing vouches for"
    return match_by_key(frame, column, state, path)


def find_key_column(frame: pd.DataFrame) -> Any:
    """Find the column that says whose a row is, or None.

    One that is called so, else the first of texts.
    """
    texts = [
        c
        for c in frame
        if frame[c].dtype.kind in "OUST" or str(frame[c].dtype) in ("str", "string", "category")
    ]
    called = [c for name in ID_NAMES for c in frame if str(c).lower() == name]
    return next(iter([*(c for c in called if c in texts), *texts, *called]), None)


def match_by_order(
    frame: pd.DataFrame, state: pd.DataFrame, path: str | Path, what: str
) -> pd.DataFrame:
    """Match rows by their order: all samples, or the kept ones.

    The kept ones are what the manifest of `assay export` lists.
    """
    for ids in (state.index, state.index[state.keep]):
        if len(frame) == len(ids):
            return frame.set_index(ids)
    raise UserError(
        f"expected {format_count(len(state), 'row')} of {what} (the bench's order), "
        f"found {format_count(len(frame), 'row')} in {path}"
        " and no column that names samples",
        "add a column `sample`, `key` or `path`: assay export writes a manifest with all three",
    )


def match_by_key(
    frame: pd.DataFrame, column: Any, state: pd.DataFrame, path: str | Path
) -> tuple[pd.DataFrame, str]:
    """Match rows by ids, keys or paths, whichever most of them are."""
    import pandas as pd

    given = frame[column].astype(str).str.replace("\\", "/", regex=False)
    ways = dict(id=state.index, key=state.key, path=state.uri)
    ways |= {"file name": state.key.astype(str).str.split("/").str[-1]}
    tried = []
    for way, names in ways.items():
        known = pd.Index(np.asarray(names, object).astype(str)).str.replace("\\", "/", regex=False)
        asked = given if way != "file name" else given.str.split("/").str[-1]
        tried.append((asked.isin(known), asked, pd.Series(state.index, index=known), way))
    hits, asked, samples, way = max(tried, key=lambda t: t[0].sum())  # the first of equals
    refuse_unmatched(frame[column][~hits], asked[asked.duplicated()], way, path)
    samples = samples[samples.index.isin(asked)]
    if samples.index.has_duplicates:
        some = samples.index[samples.index.duplicated()][0]
        raise UserError(
            f"expected each {way} in {path} to be of one sample, found {some!r}, which several samples have",
            "say ids: assay export",
        )
    ids = pd.Index(samples.loc[asked].to_numpy(object), name="sample")
    return frame.drop(columns=column).set_index(ids), f"{way} (column {column})"


def refuse_unmatched(unknown: pd.Series, twice: pd.Series, way: str, path: str | Path) -> None:
    """Refuse rows that are no sample, or come twice."""
    found = []
    if len(unknown):
        found.append(f"{len(unknown):,} unknown, for example {unknown.iloc[0]!r}")
    if len(twice):
        found.append(f"{len(twice):,} that come again, for example {twice.iloc[0]!r}")
    if found:
        raise UserError(
            f"expected each row of {path} to be a sample, by its {way}, once, found {' and '.join(found)}",
            "take ids from `assay export`",
        )
