"""Repair what is derived: arrays, leftovers and orphan rows."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.maintenance.array_checks import without_pixels
from assay.curation.maintenance.image_checks import compare_originals
from assay.curation.maintenance.integrity import check_bench, lost_runs
from assay.curation.media import stored_traits
from assay.curation.media.decoding import STORED_SIDE
from assay.curation.media.source_decoding import decode_source
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.job_locks import exclusive_lock
from assay.curation.storage.shards import Shards
from assay.curation.system import permissions
from assay.curation.versioning import standing_table

if TYPE_CHECKING:
    pass


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
    if file.parent.parent.name == "embeddings" or file.name in ("graph.npz", "lists.npz"):
        # made of it; and without a probe an edit does not try to re-score
        for name in ("graph.npz", "lists.npz", "probe.npz"):
            (bench.arrays / name).unlink(missing_ok=True)


def delete_orphans(bench: Bench) -> None:
    """Delete orphan rows of derived tables, and write down anew what stands."""
    lost = lost_runs(bench)
    with bench.transaction() as con:
        con.execute("delete from issues where sample not in (select id from samples)")
        con.execute("delete from runs where key in (select unnest(?::varchar[]))", [lost])
        if standing_table.is_standing_wrong(con):
            standing_table.write_standing(con)
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
