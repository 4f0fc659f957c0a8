"""What an older Assay left in a log that may not stand: put right by a batch of edits that says so."""

import json

import numpy as np

from assay.curation.formats.splits import make_splits
from assay.curation.splits import LOCKED, SPLITS
from assay.curation.storage import schema
from assay.curation.storage.schema import new_batch
from assay.curation.versioning import versions


def mend(bench, con):
    """Give every sample a split whose import left it without one, as that import should have; returns what was done in words, or ""."""
    import pandas as pd

    state = versions.state_at(con, schema.END)
    undone = (
        np.array([split is None for split in state["split"]], bool) & ~state.keep
    )  # an import that was taken back leaves nothing
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
    frozen = "hash" in json.loads(test_rule(con))
    for _, part in now[now.keep | astray].groupby("source", sort=False):
        drawn = pd.Series(
            make_splits(part, list(part.content_hash), test=0 if frozen else 0.2),
            part.index,
            dtype=object,
        )
        lost = part.index[[split is None for split in part["split"]]]
        locked = (
            ("guard", "test") if frozen else ("guard",)
        )  # a copy does not enter what is frozen: a scan finds it, and holds it out
        now.loc[lost, "split"] = drawn[lost].where(~drawn[lost].isin(locked), "train")
    moved = [
        i
        for i, was, split in zip(now.index, state["split"], now["split"])
        if was is not split and was != split
    ]
    rows = [
        (
            i,
            "split",
            now["split"][i],
            "it had no split: an older import left it without one, and so it was never trained on",
        )
        for i in moved
    ]
    rows += [
        (i, "label", None, "its label was no text: an older import took an empty cell for one")
        for i in now.index[nameless]
    ]
    test = now[now.keep & (now["split"] == "test")].assign(label=None)
    if len(test) and not frozen:
        rule = dict(name="test", hash=versions.tree(test), n=len(test), audited=False)
        rows.append(("", "rule", rule, "the test split, drawn for samples that had no split"))
    edits = pd.DataFrame(rows, columns=["sample", "field", "value", "why"]).assign(
        value=[json.dumps(row[2]) for row in rows]
    )
    batch = new_batch("repair")
    bench.append(con, edits, batch, "assay")
    parts = ", ".join(f"{n:,} {split}" for split, n in now["split"][moved].value_counts().items())
    return f"{len(moved):,} samples had no split, left so by an older Assay's import: they have one now ({parts}; batch {batch})"


def test_rule(con):
    """The rule that froze the test split, as JSON; {} where there is none."""
    found = con.execute(
        "select arg_max(value, seq) from edits where field = 'rule' and value ->> 'name' = 'test'"
    ).fetchall()
    return found[0][0] or "{}"
