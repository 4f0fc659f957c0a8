"""Decisions to propose: of a batch in the log, or of another copy of the bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.errors import UnknownBatch, UserError, require_file
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.versioning import states
from assay.curation.versioning.decision_cells import MOVES, SHEET, read_decisions

if TYPE_CHECKING:
    import pandas as pd

FIELDS = "('label', 'keep', 'split', 'tag')"
SAID = f"""select sample, field, value::varchar as value, verdict, why from edits
where batch = ? and field in {FIELDS} order by seq"""
# what was edited, and why at last
TOUCHED = f"""select uid, sample, why from edits
where field in {FIELDS} and kind <> 'scan' order by seq"""


class Source(NamedTuple):
    """Decisions to propose, and what was left out of them."""

    decisions: pd.DataFrame  # as Bench.edit takes them
    left: dict[str, int]  # why -> samples


def read_decision_file(path: str | Path) -> pd.DataFrame:
    """Read decisions from a CSV, or from a Parquet file with the same columns."""
    if Path(path).suffix.lower() != ".parquet":
        return read_decisions(path)
    import pandas as pd

    require_file(path, "a file of decisions", SHEET)
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as e:
        raise UserError(f"expected a Parquet file of decisions, found {path}: {e}", SHEET) from None


def read_batch_decisions(bench: Bench, batch: str) -> Source:
    """Read what a batch said, to propose it again: after a revert, say.

    Left out is what stands already, or whose sample is locked or gone. UserError where there is no such batch, or
    nothing of it is left."""
    import pandas as pd

    with bench.connect() as con:
        said = con.execute(SAID, [batch]).df()
    if not len(said):
        known = [name for (name,) in bench.rows("select distinct batch from edits")]
        raise UnknownBatch(
            f"expected a batch with decisions on samples, found {batch!r:.60}",
            "`assay log --batches` lists them",
            batch,
            known,
        )
    cells = []
    for row in said.itertuples():
        value = json.loads(row.value)
        asked = dict(sample=row.sample, why=row.why)
        if row.field == "label" and row.verdict in ("confirm", "unsure"):
            asked["verdict"] = row.verdict
        elif row.field == "tag":
            asked["tag"] = ("" if value["on"] else "-") + value["name"]
        elif value is not None:
            asked[row.field] = str(value).lower() if row.field == "keep" else value
        cells.append(asked)
    return leave_out(bench, pd.DataFrame(cells, dtype=object), batch)


def read_copy_decisions(bench: Bench, other: Bench) -> Source:
    """Read how another copy's decisions differ from what stands here.

    Of the samples that were edited there, and that edit is not in our log. UserError where the copy says nothing
    else."""
    import pandas as pd

    ours = {uid for (uid,) in bench.rows("select uid from edits")}
    with other.connect() as con:
        touched = con.execute(TOUCHED).df()
    touched = touched[~touched.uid.isin(ours)].drop_duplicates("sample", keep="last")
    with bench.connect() as con:
        here = states.read_current_values(con, touched["sample"])
    with other.connect() as con:
        there = states.read_current_values(con, touched["sample"])
    why = dict(zip(touched["sample"], touched.why))
    cells: list[dict] = []
    for sample in there.index.intersection(here.index):
        cells += diff_values(sample, here.loc[sample], there.loc[sample], why[sample])
    found = leave_out(bench, pd.DataFrame(cells, dtype=object), str(other.given))
    unknown = len(there.index.difference(here.index))
    return found._replace(left=found.left | ({"not of this bench": unknown} if unknown else {}))


def diff_values(sample: str, here: pd.Series, there: pd.Series, why: str) -> list[dict]:
    """List the decisions that make of what stands here what stands there."""
    row: dict = dict(sample=sample, why=why)
    if there.label != here.label and there.label is not None:
        row["label"] = there.label
    if bool(there["keep"]) != bool(here["keep"]):
        row["keep"] = str(bool(there["keep"])).lower()
    if there["split"] != here["split"] and there["split"] in MOVES:
        row["split"] = there["split"]
    more = [tag for tag in there.tags if tag not in here.tags]
    more += [f"-{tag}" for tag in here.tags if tag not in there.tags]
    tags = [dict(sample=sample, why=why, tag=t) for t in more if "guard:" not in t]
    return ([row] if len(row) > 2 else []) + tags


def leave_out(bench: Bench, cells: pd.DataFrame, source: str) -> Source:
    """Leave out what an edit would refuse or need not say; put a sample's cells in one row."""
    left: dict[str, int] = {}
    if len(cells):
        with bench.connect() as con:
            now = states.read_current_values(con, cells["sample"].unique())
        rows = now.reindex(cells["sample"])
        is_locked = rows["split"].isin(LOCKED).to_numpy()
        gone = rows["split"].isna().to_numpy()
        stands = is_standing(cells, rows)
        for why, mask in (
            ("gone", gone),
            ("locked", is_locked & ~gone),
            ("standing already", stands & ~is_locked & ~gone),
        ):
            if mask.any():
                left[why] = cells["sample"][mask].nunique()
        cells = cells[~(gone | is_locked | stands)]
    if not len(cells):
        found = ", ".join(f"{n:,} {why}" for why, n in left.items()) or "nothing else said there"
        raise UserError(
            f"expected changes in {source}, found none: {found}", "propose what differs from here"
        )
    tags = cells[cells["tag"].notna()] if "tag" in cells else cells[:0]
    others = cells.drop(tags.index)
    if len(others):  # of a sample's cells the last of each column
        others = others.groupby("sample", sort=False).last().reset_index()
    import pandas as pd

    return Source(pd.concat([others, tags], ignore_index=True).astype(object), left)


def is_standing(cells: pd.DataFrame, now: pd.DataFrame) -> object:
    """Tell which cells say what stands already: (n,) bool."""
    import numpy as np

    out = []
    for cell, stands in zip(cells.to_dict("records"), now.itertuples()):
        said = {k: v for k, v in cell.items() if k not in ("sample", "why") and v == v and v}
        same = dict(label=stands.label, keep=str(bool(stands.keep)).lower(), split=stands.split)
        tag = said.pop("tag", None)
        tags = stands.tags if isinstance(stands.tags, tuple) else ()
        fits = tag is None or (tag.removeprefix("-") in tags) != tag.startswith("-")
        out.append(fits and all(same.get(k) == v for k, v in said.items()))
    return np.array(out, bool)
