"""Find the samples of a slice.

A class, or what a query or a list of a person picks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownSample, UserError
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import Task, explode_labels

if TYPE_CHECKING:
    import pandas as pd

PICKED = (
    "select list(distinct coalesce(sample::varchar, 'NULL')) as samples from ({}\n) chosen(sample)"
)


def slice_by_class(frame: pd.DataFrame, task: Task) -> dict[str, list]:
    """Slice the samples of `frame` by class: {class: ids}, in lexicographic order.

    Unlabelled ones are in none, and those with several classes in several.
    """
    frame = explode_labels(task, frame.label).to_frame("label")
    return {label: list(ids) for label, ids in frame.groupby("label", sort=True).groups.items()}


def resolve_slices(bench: Bench, wanted: dict[str, str | list]) -> dict[str, list[str]]:
    """Find the samples of slices that a person defines.

    Returns {name: ids, each once}. wanted: {name: one SELECT whose first column is sample ids, or a
    list of samples by id or key, as history.blame_sample takes them}. UserError for a query that
    `bench.sql` refuses, and for a slice that names what is no sample of the bench, or nothing.
    """
    samples = bench.rows("select id, key from samples order by id") if wanted else ()
    known, find, out = {sample for sample, _ in samples}, make_sample_finder(samples), {}
    answers = run_slice_queries(bench, [what for what in wanted.values() if isinstance(what, str)])
    for name, what in wanted.items():
        if isinstance(what, str):
            asked = answers[what]
            found = [{str(s)} & known for s in asked]
            hint = "select sample ids first, as in: select id from samples where source = '...'"
        elif isinstance(what, list):
            asked, found = what, [find(str(s)) for s in what]
            hint = "say ids, as `assay queue` and `assay export` list them, or keys in their source"
        else:
            raise UserError(
                f"expected a SELECT or a list of samples for slice {name!r}, found {what!r}",
                'as in: name = "select id ..."',
            )
        if bad := [(sample, ids) for sample, ids in zip(asked, found) if len(ids) != 1]:
            sample, ids = bad[0]
            which = f"which could be {', '.join(sorted(ids)[:3])}"
            which = which if ids else "which this bench does not have"
            problem = (
                f"expected samples in slice {name!r}, found {len(bad):,} that are not one, "
                f"first {str(sample)!r}, {which}"
            )
            if ids:
                raise UserError(problem, hint)
            raise UnknownSample(problem, hint, sample, [key for _, key in samples[:10_000]])
        if not found:
            raise UserError(
                f"expected samples in slice {name!r}, found none", "mend the query or the list"
            )
        out[name] = list(dict.fromkeys(s for (s,) in found))
    return out


def run_slice_query(bench: Bench, query: str) -> list:
    """List the first column of a person's SELECT.

    Each value once, sorted. Asked as one list, so that no limit on rows can cut it short.
    """
    found = bench.sql(PICKED.format(query.strip().rstrip(";"))).samples[0]
    return sorted(found) if np.ndim(found) else []


def run_slice_queries(bench: Bench, queries: list[str]) -> dict[str, list]:
    """Run several queries as one: {query: as run_slice_query}.

    Each takes a process to answer. Where one fails they are asked one by one, so that the error
    names it.
    """
    if len(queries) > 1:
        asked = ", ".join(f"({PICKED.format(q.strip().rstrip(';'))})" for q in queries)
        with suppress(UserError):
            found = bench.sql(f"select {asked}", seconds=30 * len(queries)).iloc[0]
            answers = zip(queries, found, strict=True)
            return {q: sorted(ids) if np.ndim(ids) else [] for q, ids in answers}
    return {q: run_slice_query(bench, q) for q in queries}


def make_sample_finder(samples: list[tuple[str, str]]) -> Callable[[str], set[str]]:
    """Make a function that finds samples by what people write.

    From what a person calls a sample to the ids that this may mean. As in history.blame_sample: its id or
    its key, else the end of its key or the beginning of its id. samples: (id, key), sorted.
    """
    ids, keys, ends = [s for s, _ in samples], defaultdict(set), defaultdict(set)
    for sample, key in samples:
        keys[sample].add(sample)
        keys[key].add(sample)
        parts = key.split("/")
        for i in range(1, len(parts)):
            ends["/".join(parts[i:])].add(sample)

    def find(name):
        begin = ids[bisect_left(ids, name) : bisect_left(ids, name + "\U0010ffff")]
        return keys.get(name) or ends.get(name, set()) | set(begin)

    return find
