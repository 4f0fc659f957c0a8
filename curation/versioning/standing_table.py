"""The table `standing`: what stands at the end of the log.

It is derived, so that the log need not be read from its first edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.curation.storage.schema import END
from assay.curation.versioning.pointers import (
    LAST,
    MADE,
    NUMBERED,
    read_label_rule,
    read_standing_position,
)

if TYPE_CHECKING:
    import duckdb

# what the table is
WHOLE = f"select sample, n, {', '.join(MADE)} from ({LAST.format(only='')}) join {NUMBERED} using (sample)"


def write_standing(con: duckdb.DuckDBPyConnection) -> None:
    """Write down what stands at the end of the log.

    Sorted, so that one sample is found fast."""
    con.execute("delete from standing")
    con.execute(f"insert into standing {WHOLE} order by sample", dict(since=0, upto=END))
    con.execute(
        "insert or replace into meta values ('standing_rule', ?)", [read_label_rule(con, END)]
    )
    con.execute("insert or replace into meta select 'standing', coalesce(max(seq), 0) from edits")


def is_standing_wrong(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the table is not what the log says: `write_standing` mends it."""
    upto = read_standing_position(con)[0]
    both = f"(from ({WHOLE}) except from standing) union all (from standing except from ({WHOLE}))"
    query = f"select 1 from ({both}) limit 1"
    return bool(upto and con.execute(query, dict(since=0, upto=upto)).fetchall())
