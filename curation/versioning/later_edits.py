"""Find decisions that are so already, or older than others'."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from assay.curation.errors import Question, UserError
from assay.curation.storage.schema import PERSON_KINDS
from assay.curation.text import format_count
from assay.curation.versioning.decision_cells import DECISIONS
from assay.curation.versioning.live_edits import SPOKEN
from assay.curation.versioning.pointers import register_values

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# the last word on a label, if nothing but decisions came after it on that sample: what a merge or an
# undo left, a decision settles, and be it the same again
LAST_WORD = f"""with mine as (select e.* from {SPOKEN} e semi join wanted w on e.sample = w.sample),
ours as (select sample, max(seq) as seq from mine where kind not in {PERSON_KINDS} group by sample),
said as (
    select sample, max(seq) as seq, arg_max(who, seq) as who, arg_max(value ->> '$', seq) as value,
        arg_max(verdict, seq) as verdict, list(distinct why) filter (who = $who) as whys
    from mine where field = 'label' and kind in {PERSON_KINDS} group by sample)
select sample, value, verdict, whys from said left join ours using (sample)
where who = $who and (ours.seq is null or said.seq > ours.seq)"""
# who has decided last, after a position of the log
NEWER = """select sample, field, arg_max(who, seq) as who from edits
semi join wanted using (sample)
where field in ('label', 'keep', 'split') and kind not in ('import', 'scan', 'repair') and seq > $upto
group by sample, field"""
REASONS = "select distinct sample, why from edits semi join wanted using (sample) where why <> ''"
SHOWN = 3  # samples that a question names


def drop_repeated(con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, who: str) -> pd.DataFrame:
    """Leave out labels that the same person has given or confirmed already.

    rows: as edits.plan_edits. A first confirmation, a second person's, and one with a reason that its person has not
    given yet are edits.
    """
    stays = (rows.field == "label") & rows.verdict.isin(("confirm", "unsure"))
    if not stays.any():
        return rows
    register_values(con, "wanted", rows["sample"][stays].tolist())
    said = {sample: said for sample, *said in con.execute(LAST_WORD, dict(who=who)).fetchall()}
    repeated = []
    for row in rows[stays].itertuples():
        label, before, whys = said.get(row.sample, (None, None, None))
        same = before == row.verdict or (before, row.verdict) == ("set", "confirm")
        is_told = row.why == "" or row.why in (whys or ())
        repeated.append(same and is_told and label == json.loads(row.value))
    stays[stays] = repeated
    return rows[~stays]


def find_newer(
    con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, decisions: pd.DataFrame
) -> pd.Series:
    """Find rows that change what was decided since they were written.

    rows: as edits.plan_edits.
    decisions: with the position in the log at which each row was written, `upto`. Returns who
    decided it, by the index of `rows`.
    """
    import pandas as pd

    changes = rows[rows.field.isin(("label", "keep", "split")) & (rows.verdict == "set")]
    if "upto" not in decisions or not len(changes):
        return pd.Series(dtype=object)
    written = {
        str(s): read_position_cell(u) for s, u in zip(decisions["sample"], decisions["upto"])
    }
    written = {sample: upto for sample, upto in written.items() if upto is not None}
    found = {}
    for upto in sorted(set(written.values())):  # one, but for sheets that were put together
        register_values(con, "wanted", [s for s, u in written.items() if u == upto])
        asked = con.execute(NEWER, dict(upto=upto)).fetchall()
        found |= {(sample, field): who for sample, field, who in asked}
    slots = zip(changes.index, changes["sample"], changes.field)
    by = {at: found[sample, field] for at, sample, field in slots if (sample, field) in found}
    return pd.Series(by, dtype=object)


def read_position_cell(cell: object) -> int | None:
    """Read a cell of the column upto; None where it is empty."""
    text = "" if cell is None or cell != cell else str(cell).strip().removesuffix(".0")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 15:
        raise UserError(
            f"expected upto as a position in the log, found {text!r:.40}",
            "leave the column as `assay queue` wrote it, or remove it",
        )
    return int(text)


def count_reasons_left_out(
    con: duckdb.DuckDBPyConnection, decisions: pd.DataFrame, why: str, left: set[str]
) -> int:
    """Count the reasons in `decisions` that no edit in the log carries.

    Such a row decides nothing, or what was so already. why: of the rows that decide something and have no reason of
    their own. left: samples that were left as they are, which is said elsewhere.
    """
    import pandas as pd

    asked = set()
    for row in decisions.to_dict("records"):
        cells = {name: "" if pd.isna(cell) else str(cell) for name, cell in row.items()}
        decides = any(cells.get(name) for name in DECISIONS)
        reason = cells.get("why") or (why if decides else "")
        if reason and cells["sample"] not in left:
            asked.add((cells["sample"], reason))
    if not asked:
        return 0
    register_values(con, "wanted", sorted({sample for sample, _ in asked}))
    return len(asked - set(con.execute(REASONS).fetchall()))


def ask_overwrite(rows: pd.DataFrame, newer: pd.Series) -> Question:
    """Ask whose decision is to stand."""
    samples = rows["sample"][newer.index].drop_duplicates()
    people = ", ".join(sorted(set(newer)))
    first = ", ".join(s[:12] for s in samples[:SHOWN])
    more = ", ..." if len(samples) > SHOWN else ""
    return Question(
        f"expected a sheet with the newest decisions, found {format_count(len(samples), 'sample')} that {people} "
        f"decided otherwise since it was written: {first}{more}",
        "say --overwrite yes to let the sheet stand, --overwrite no to leave these as they are; "
        "nothing was applied",
    )
