"""Repair a log of an older Assay by a batch of edits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.formats.splits import make_splits
from assay.curation.splits import LOCKED, SPLITS
from assay.curation.storage import schema
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.versioning import states
from assay.curation.versioning.rules import make_rule_edit

if TYPE_CHECKING:
    import duckdb

NO_SPLIT = "it had no split: an older import left it without one, and so it was never trained on"
NO_TEXT = "its label was no text: an older import took an empty cell for one"


def assign_missing_splits(bench: Bench, con: duckdb.DuckDBPyConnection) -> str:
    """Give each sample the split that its import should have given it.

    A label that is no text is taken away, too. Returns what was done in words, "" for nothing.
    """
    import pandas as pd

    state = states.read_state_at(con, schema.END)
    # an import that was undone leaves nothing
    undone = np.array([split is None for split in state["split"]], bool) & ~state.keep
    astray = ~state["split"].isin(SPLITS) & ~undone
    nameless = np.array(
        [not (label is None or isinstance(label, str) and label) for label in state.label], bool
    )
    if not (astray | nameless).any():
        return ""
    now = state.assign(
        label=state.label.astype(object).where(~nameless, None),
        split=state["split"].astype(object).where(~astray, None),
    )
    now.loc[nameless & ~now["split"].isin(LOCKED), "split"] = "pool"
    frozen = "hash" in json.loads(read_test_rule(con))
    for _, part in now[now.keep | astray].groupby("source", sort=False):
        drawn = pd.Series(
            make_splits(part, list(part.content_hash), test=0 if frozen else 0.2),
            part.index,
            dtype=object,
        )
        lost = part.index[[split is None for split in part["split"]]]
        # a copy does not enter what is frozen: a scan finds it, and holds it out
        locked = ("guard", "test") if frozen else ("guard",)
        now.loc[lost, "split"] = drawn[lost].where(~drawn[lost].isin(locked), "train")
    moved = [
        i
        for i, was, split in zip(now.index, state["split"], now["split"])
        if was is not split and was != split
    ]
    rows = [(i, "split", now["split"][i], NO_SPLIT) for i in moved]
    rows += [(i, "label", None, NO_TEXT) for i in now.index[nameless]]
    test = now[now.keep & (now["split"] == "test")].assign(label=None)
    if len(test) and not frozen:
        rule = dict(name="test", hash=states.hash_tree(test), n=len(test), audited=False)
        why = "the test split, drawn for samples that had no split"
        rows.append(make_rule_edit(rule, why))
    edits = pd.DataFrame(rows, columns=["sample", "field", "value", "why"]).assign(
        value=[json.dumps(row[2]) for row in rows]
    )
    batch = new_batch("repair")
    bench.append(con, edits, batch, "assay")
    parts = ", ".join(f"{n:,} {split}" for split, n in now["split"][moved].value_counts().items())
    left = f"{len(moved):,} samples had no split, left so by an older Assay's import"
    return f"{left}: they have one now ({parts}; batch {batch})"


def read_test_rule(con: duckdb.DuckDBPyConnection) -> str:
    """Read the rule that froze the test split, as JSON."""
    found = con.execute(
        "select arg_max(value, seq) from edits where field = 'rule' and value ->> 'name' = 'test'"
    ).fetchall()
    return found[0][0] or "{}"
