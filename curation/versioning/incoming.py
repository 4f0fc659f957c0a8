"""Store decisions that come from elsewhere.

Each is stored once, in order, as the batch that its sender named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import list_members, read_task
from assay.curation.text import find_flaw
from assay.curation.versioning import edits, states, undo
from assay.curation.versioning.changes import append_undo, find_known_labels, read_former_names

if TYPE_CHECKING:
    import duckdb

# a batch's name, edit- and 12 hex digits, and its rows as of Bench.edit; None: take that batch back
Sent = tuple[str, list[dict] | None]
SENT = re.compile(r"edit-[0-9a-f]{12}")


def receive_batches(bench: Bench, sent: Sequence[Sent], who: str) -> dict:
    """Store all of `sent` in order, in one transaction.

    What arrives twice is stored once. Returns {seq: the log's end, refused: {batch: why}}; everything else is
    durable, and re-scoring is the caller's to ask for."""
    refused = {
        b: f"expected a batch named edit- and 12 hex digits, found {b[:40]!r}"
        for b, _ in sent
        if not SENT.fullmatch(b)
    }
    refused |= {
        b: "expected the ids of samples, found other values"
        for b, rows in sent
        if not all(map(names_sample, rows or ()))
    }
    names = list({b: None for b, _ in sent})
    with bench.transaction() as con:
        found = con.execute(
            "select distinct batch from edits where batch in (select unnest(?))", [names]
        ).fetchall()
        there = {b for (b,) in found} | set(refused)
        for run in split_on_conflicts((b, rows) for b, rows in sent if b not in refused):
            if run[0][1] is None:
                refused |= take_back_batch(bench, con, run[0][0], who)
            elif run := [(b, rows) for b, rows in run if b not in there]:
                refused |= store_run(bench, con, run, who)
                there |= {b for b, _ in run}
        seq = con.execute("select coalesce(max(seq), 0) from edits").fetchall()[0][0]
    return dict(seq=seq, refused=refused)


def names_sample(row: dict) -> bool:
    """Tell whether a row names its sample in text."""
    return isinstance(row.get("sample"), str) and not find_flaw(row["sample"])


def split_on_conflicts(sent: Iterable[Sent]) -> Iterator[list[Sent]]:
    """Split batches into runs on samples that are all different.

    A batch that is taken back is a run by itself."""
    run, seen = [], set()
    for batch, decisions in sent:
        samples = {d["sample"] for d in decisions or ()}
        if run and (decisions is None or run[-1][1] is None or samples & seen):
            yield run
            run, seen = [], set()
        run.append((batch, decisions))
        seen |= samples
    if run:
        yield run


def store_run(
    bench: Bench, con: duckdb.DuckDBPyConnection, run: list[Sent], who: str
) -> dict[str, str]:
    """Store batches on samples that are all different.

    Returns why some are refused. As one link of the log: forty cost what one does."""
    import pandas as pd

    frame = pd.DataFrame([row for _, rows in run for row in rows], dtype=object)
    try:
        known = find_known_labels(bench, con, frame)
        if "new_class" in frame:  # somebody was asked, and added it
            new = frame.pop("new_class").eq("true")
            known = known | set(
                list_members(read_task(con), frame.label[new & frame.label.notna()])
            )
        frame, _ = read_former_names(con, frame, known)
        standing = states.read_current_values(con, frame["sample"])
        rows = edits.plan_edits(standing, known, frame, read_task(con))
    except UserError as e:  # one by one, then: the others are sound
        if len(run) == 1:
            return {run[0][0]: e.problem}
        return {b: why for one in run for b, why in store_run(bench, con, [one], who).items()}
    if len(rows):
        batch_of = {decision["sample"]: b for b, decisions in run for decision in decisions}
        bench.append(con, rows, rows["sample"].map(batch_of), who)
    return {}


def take_back_batch(
    bench: Bench, con: duckdb.DuckDBPyConnection, batch: str, who: str
) -> dict[str, str]:
    """Take a batch back, or return why not."""
    try:
        append_undo(bench, con, undo.plan_undo(con, [batch]), "undo", f"undo of {batch}", who)
    except UserError as e:
        return {batch: e.problem}
    return {}
