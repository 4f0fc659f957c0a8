"""Everyone's last decision about a sample, as a vote; a majority's label."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.storage.schema import PERSON_KINDS
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import ALIVE

if TYPE_CHECKING:
    import duckdb

PERSON = f"kind in {PERSON_KINDS}"
RULES = ("latest", "majority")
# each person's last word on each sample: a label, or None for drop; who is unsure has no vote. By time, not by
# position in the log: a merge puts the same edits in another order
CAST = f"""{ALIVE.format(only=f"and {PERSON} and field in ('label', 'keep') {{only}}")},
word as (
    select sample, who, max(ts) as ts, min(ts) as first, max(seq) as upto, bool_or(kind = 'audit') as audited,
        arg_max(value, ts) filter (field = 'label') as label, arg_max(verdict, ts) filter (field = 'label') as verdict,
        arg_max(seq, ts) filter (field = 'label') as seq, arg_max(value, ts) filter (field = 'keep') as keep
    from alive group by sample, who),
vote as (
    select sample, who, ts, seq, case when keep = 'false' then null else label ->> '$' end as label from word
    where keep = 'false' or (label is not null and verdict <> 'unsure'))"""
VOTES = CAST.format(only="")
WINNERS = f"""with {VOTES},
tally as (select sample, label, count(*) as n, arg_max(seq, ts) as seq from vote where label is not null group by all),
most as (select sample, max(n) as n from tally group by sample)
select r.n, t.seq from (
    select sample, any_value(seq) as seq from tally semi join most using (sample, n)
    group by sample having count(*) = 1) t
join {{rows}} r using (sample)"""


class Winners(NamedTuple):
    """The edits whose labels most votes are for."""

    number: np.ndarray  # (m,) of the sample in the table `rows`, from 1
    seq: np.ndarray  # (m,) of the edit


def find_winners(con: duckdb.DuckDBPyConnection, upto: int, rows: str) -> Winners:
    """Find the edits that most votes make stand.

    A tie is no majority: there stands what would without the rule."""
    offer_names(con, upto)
    found = con.execute(WINNERS.format(rows=rows), dict(upto=upto)).fetchnumpy()
    return Winners(found["n"].astype("i8"), found["seq"].astype("i8"))
