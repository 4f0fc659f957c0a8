"""Decisions that come from elsewhere: each is stored once, in order, as the batch that its sender named."""

import re

from assay.curation.errors import UserError
from assay.curation.text import flaw
from assay.curation.versioning import edits, undo, versions

SENT = re.compile(r"edit-[0-9a-f]{12}")


def receive(bench, sent, who):
    """Store all of `sent` in one transaction: (batch: edit- and 12 hex digits, rows of Bench.edit as dicts, or None: take that batch back). What
    arrives twice is stored once. Returns {seq: the log's end, refused: {batch: why}}; everything else is durable, and re-scoring is the
    caller's to ask for."""
    refused = {
        b: f"expected a batch named edit- and 12 hex digits, found {b[:40]!r}"
        for b, _ in sent
        if not SENT.fullmatch(b)
    }
    refused |= {
        b: "expected the ids of samples, found other values"
        for b, rows in sent
        if not all(map(names_one, rows or ()))
    }
    names = list({b: None for b, _ in sent})
    with bench.transaction() as con:
        found = con.execute(
            "select distinct batch from edits where batch in (select unnest(?))", [names]
        ).fetchall()
        there = {b for (b,) in found} | set(refused)
        for run in apart((b, rows) for b, rows in sent if b not in refused):
            if run[0][1] is None:
                refused |= take_back(bench, con, run[0][0], who)
            elif run := [(b, rows) for b, rows in run if b not in there]:
                refused |= store(bench, con, run, who)
                there |= {b for b, _ in run}
        seq = con.execute("select coalesce(max(seq), 0) from edits").fetchall()[0][0]
    return dict(seq=seq, refused=refused)


def names_one(row):
    """Whether a row says in text which sample it is about."""
    return isinstance(row.get("sample"), str) and not flaw(row["sample"])


def apart(sent):
    """Of (batch, decisions or None), ...: runs of decisions on samples that are all different; a batch that is taken back is a run by itself."""
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


def store(bench, con, run, who):
    """Store batches on samples that are all different, as one link of the log: forty cost what one does. {batch: why} of those that are refused."""
    import pandas as pd

    frame = pd.DataFrame([row for _, rows in run for row in rows], dtype=object)
    try:
        rows = edits.plan(versions.standing(con, frame["sample"]), bench.classes(con, frame), frame)
    except UserError as e:  # one by one, then: the others are sound
        return (
            {run[0][0]: e.problem}
            if len(run) == 1
            else {b: why for one in run for b, why in store(bench, con, [one], who).items()}
        )
    if len(rows):
        bench.append(
            con, rows, rows["sample"].map({d["sample"]: b for b, rows in run for d in rows}), who
        )
    return {}


def take_back(bench, con, batch, who):
    """Take a batch back; {batch: why} where it cannot be."""
    try:
        bench.take_back(con, undo.plan(con, [batch]), "undo", f"undo of {batch}", who)
    except UserError as e:
        return {batch: e.problem}
    return {}
