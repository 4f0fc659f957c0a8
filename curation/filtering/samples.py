"""Find samples for a script, as a frame or a queue."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError, require_file
from assay.curation.filtering.columns import SIMILARITY
from assay.curation.filtering.likeness import Words
from assay.curation.filtering.table import SampleTable
from assay.curation.review.filtered_queue import queue_found
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

SHOWN = "key split label suggestion score flagged decision issues".split()


def find_samples(
    table: SampleTable,
    where: str = "",
    sort: str = "",
    limit: int | None = None,
    search: str = "",
    like: Iterable[str | bytes | Path | Words] = (),
    columns: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Find samples, and give columns of them.

    Frame sample and `columns`: by default key, split, label, suggestion, score, flagged, decision, issues. Its attrs
    have `found` (how many, before `limit`), `locked` (how many of the rows are of test or guard, which show no label)
    and `notes` (what may surprise).
    """
    if limit is not None and limit < 1:
        raise UserError(f"expected a limit of at least 1, found {limit}", "leave it out for all")
    like = [
        read_like(one) for one in ([like] if isinstance(like, str | bytes | Path | Words) else like)
    ]
    names = [*SHOWN, *([SIMILARITY.name] if like else [])] if columns is None else list(columns)
    found = table.select(where, sort, search, like)
    names = [name for name in names if name != "sample"]
    rows = table.rows(found[:limit], names, like).reset_index()
    rows.attrs["found"] = len(found)
    rows.attrs["locked"] = int(table.snapshot.locked[found[:limit]].sum())
    rows.attrs["notes"] = table.check(where, sort, like, names)
    return rows


def read_like(like: str | bytes | Path | Words) -> str | bytes | Words:
    """Read what to look for.

    A Path is a picture's file; a text names a sample.
    """
    if not isinstance(like, Path):
        return like
    require_file(like, "a picture", "or give the id or key of a sample")
    try:
        return like.expanduser().read_bytes()
    except OSError as e:
        raise UserError(f"expected a picture, found {like}: {e.strerror}", "give a file") from None


def queue_where(
    bench: Bench,
    table: SampleTable,
    n: int,
    where: str,
    random: float | None = None,
    version: str = "HEAD",
    again: float = 0.0,
    opinion: str | None = None,
) -> pd.DataFrame:
    """Queue what a condition finds, worst first: see filtered_queue.queue_found."""
    asked = dict(
        random=bool(random), version=version != "HEAD", again=bool(again), opinion=bool(opinion)
    )
    if others := [name for name, given in asked.items() if given]:
        raise UserError(
            f"expected a condition alone, found {', '.join(others)} beside it",
            "nothing of a filter is drawn at random, and it sees the samples as they are now; "
            "has('NAME_label') asks for what the opinion NAME doubts",
        )
    found = table.snapshot.state.index[table.select(where)]
    queue = queue_found(bench, found, n)
    queue.attrs["notes"] = table.check(where)
    return queue


def mark_samples(bench: Bench, where: str) -> np.ndarray | None:
    """Mark the samples (n,) for which a condition is true.

    None where there is no condition.
    """
    if not where.strip():
        return None
    table = bench.sample_table()
    wanted = np.zeros(len(table), bool)
    wanted[table.select(where)] = True
    return wanted
