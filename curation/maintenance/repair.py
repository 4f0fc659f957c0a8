"""Repair what is derived: arrays, leftovers and orphan rows."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.splits import make_splits
from assay.curation.maintenance.array_checks import is_there, without_pixels
from assay.curation.maintenance.bucket_checks import keep_all_shards
from assay.curation.maintenance.image_checks import compare_originals
from assay.curation.maintenance.integrity import check_bench, lost_runs
from assay.curation.media import stored_traits
from assay.curation.media.base import media_of
from assay.curation.media.decoding import STORED_SIDE
from assay.curation.media.source_decoding import decode_source
from assay.curation.splits import LOCKED, SPLITS
from assay.curation.storage import schema
from assay.curation.storage.array_stores import find_store
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.job_locks import exclusive_lock
from assay.curation.storage.schema import new_batch
from assay.curation.storage.shards import Shards
from assay.curation.system import permissions
from assay.curation.text import format_count
from assay.curation.versioning import states
from assay.curation.versioning.rules import make_rule_edit

if TYPE_CHECKING:
    import duckdb


def repair_bench(
    bench: Bench, findings: list[dict], progress: Progress | None = None
) -> list[dict]:
    """Carry out what findings propose, and check again.

    Damaged arrays are set aside, leftovers and orphan rows deleted, lost pixels decoded again. Samples, edits and
    commits are never touched. Returns what the second check finds.
    """
    for f in findings:
        if f["kind"] == "file":  # what is needed cannot be told without it
            raise UserError(f["what"], f["hint"])
    with exclusive_lock(bench):
        for f in findings:
            for file in map(bench.path.joinpath, f["files"]):
                if f["kind"] == "leftover":
                    file.unlink(missing_ok=True)
                else:
                    set_aside(bench, file)
        permissions.set_modes(bench.path, permissions.file_mode(bench.path) == 0o660)
        delete_orphans(bench)
        keep_all_shards(bench)
        if media_of(bench).column is None:
            decode_again(bench, progress)
    return check_bench(bench, progress)


def set_aside(bench: Bench, file: Path) -> None:
    """Move a damaged array to arrays/damaged.

    It is not deleted: where originals are gone too, most of a damaged shard may still be good.
    """
    away = bench.arrays / "damaged"
    permissions.make_folder(away)
    with suppress(FileNotFoundError):
        os.replace(file, away / f"{file.parent.name}-{file.name}")
    store = find_store(file)
    if store and is_there(store, file):  # the same bytes are fetched again
        return
    if file.parent.parent.name == "embeddings" or file.name in ("graph.npz", "lists.npz"):
        # made of it; and without a probe an edit does not try to re-score
        for name in ("graph.npz", "lists.npz", "probe.npz"):
            (bench.arrays / name).unlink(missing_ok=True)


def delete_orphans(bench: Bench) -> None:
    """Delete orphan rows; write anew what is derived of the log."""
    lost = lost_runs(bench)
    with bench.transaction() as con:
        con.execute("delete from issues where sample not in (select id from samples)")
        if con.execute(schema.OTHER_KINDS).fetchall():
            con.execute(f"update edits set {schema.KINDS}")
        con.execute("delete from runs where key in (select unnest(?::varchar[]))", [lost])
        if states.is_standing_wrong(con):
            states.write_standing(con)
        if bench.read_tail() is None:
            bench.new_tail = con.execute(
                "select (select coalesce(max(seq), 0)::varchar from edits), value from meta where key = 'head'"
            ).fetchone()


def decode_again(bench: Bench, progress: Progress | None = None) -> None:
    """Decode the pixels that kept samples lack, from unchanged originals."""
    lost = without_pixels(bench, bench.state())
    gone, changed = compare_originals(lost)
    good = np.setdiff1d(np.arange(len(lost)), [*gone, *changed])
    if len(good):
        for source, part in lost.iloc[good].groupby("source", sort=False):
            known = bench.query(
                "select content_hash from samples where source = ?", [source]
            ).content_hash
            decode_source(
                part,
                Shards(bench.arrays / "pixels"),
                STORED_SIDE,
                progress,
                stored_traits.earlier_conversion(bench, source, known),
            )


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
    left = f"{format_count(len(moved), 'sample')} had no split, left so by an older Assay's import"
    return f"{left}: they have one now ({parts}; batch {batch})"


def read_test_rule(con: duckdb.DuckDBPyConnection) -> str:
    """Read the rule that froze the test split, as JSON."""
    found = con.execute(
        "select arg_max(value, seq) from edits where field = 'rule' and value ->> 'name' = 'test'"
    ).fetchall()
    return found[0][0] or "{}"
