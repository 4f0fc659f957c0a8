"""Which edits stand for each sample: log positions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownVersion
from assay.curation.storage.interface import Bench
from assay.curation.versioning.expressions import is_expression
from assay.curation.versioning.votes import find_winners

if TYPE_CHECKING:
    import duckdb


MADE = dict(
    label="field = 'label'",
    given="field = 'label' and origin_kind = 'import'",
    keep="field = 'keep'",
    split="field = 'split'",
)


SEQS = ", ".join(f"coalesce(max(seq) filter ({made}), 0) as {name}" for name, made in MADE.items())
LAST = f"""select sample, {SEQS}
from edits where seq > $since and seq <= $upto {{only}} group by sample"""


NUMBERED = "(select id as sample, row_number() over (order by rowid) as n from samples)"


def number_samples(con: duckdb.DuckDBPyConnection) -> str:
    """Choose the SQL that numbers samples 1, 2, ... as they came.

    By rowid, but for rows that are not committed yet."""
    last = con.execute("select coalesce(max(rowid), 0) from samples").fetchall()[0][0]
    return "(select id as sample, rowid + 1 as n from samples)" if last < 2**50 else NUMBERED


def split_ids(
    con: duckdb.DuckDBPyConnection, each: int, step: int = 1000
) -> list[tuple[str, str | None]]:
    """Split all ids into ranges of about `each` samples: (the first, the first of the next).

    By every `step`th sample; ("", None) alone where there are fewer.
    """
    step = max(1, min(step, each // 1000))
    found = con.execute("select id from samples where rowid % ? = 0 order by id", [step])
    many = each // step
    ids = [sample for (sample,) in found.fetchall()][many::many]
    return list(zip(["", *ids], [*ids, None]))


def read_pointers(
    con: duckdb.DuckDBPyConnection, upto: int, n: int, wanted: bool = False, by_row: bool = False
) -> np.ndarray:
    """Read which edits stand at `upto`.

    (n, 4) int: the seq of the edit that says the label, given label, keep and split of each sample, 0 where none
    does; a row for every sample, or one for each of the table `wanted` (by_row: which has their rows, by which millions
    are found three times as fast). Read from the table `standing` as far as that goes, and from the edits since."""
    out = np.zeros((n, len(MADE)), "i8", order="F")
    kept_upto = read_standing_position(con)
    since = kept_upto[0] if kept_upto[0] <= upto else 0
    rows, points = "wanted" if wanted else number_samples(con), ", ".join(MADE)
    on = "on standing.n = w.row + 1" if by_row else "using (sample)"
    kept = (
        f"select w.n, {points} from standing join wanted w {on}"
        if wanted
        else f"select n, {points} from standing"
    )
    tail = LAST.format(only="and sample in (select sample from wanted)" if wanted else "")
    tail = f"select r.n, {points} from ({tail}) join {rows} r using (sample)"
    for part in (kept, tail) if since else (tail,):
        values = dict(since=since, upto=upto) if part is tail else None
        found = con.execute(part, values).fetchnumpy()
        row = found["n"] - 1
        for j, name in enumerate(MADE):
            # a later edit points beyond an earlier one
            there = slice(None) if part is kept else found[name] > 0
            out[row[there], j] = found[name][there]
    if read_label_rule(con, upto, kept_upto) == "majority":
        found = find_winners(con, upto, rows)
        out[found.number - 1, 0] = found.seq
    return out


def register_values(
    con: duckdb.DuckDBPyConnection,
    name: str,
    values: Sequence,
    column: str = "sample",
    rows: np.ndarray | None = None,
) -> None:
    """Offer `values` to SQL as a table.

    Columns: `column`, n = 1, 2, ... and, where they are given, the rows of samples."""
    import pyarrow as pa

    kind = pa.int64() if column == "seq" else pa.string()
    numbers = np.arange(1, len(values) + 1)
    table = {column: pa.array(values, kind), "n": numbers}
    con.register(name, pa.table(table if rows is None else table | {"row": rows}))


def read_label_rule(
    con: duckdb.DuckDBPyConnection, upto: int, kept: tuple[int, str | None] | None = None
) -> str:
    """Read how a label follows from several people's decisions at `upto`.

    latest, or majority. `kept`: what read_standing_position said, if it was asked."""
    since, known = kept or read_standing_position(con)
    since, known = (since, known) if since <= upto else (0, None)
    named = "field = 'rule' and value ->> 'name' = 'standing'"
    found = con.execute(
        f"select value ->> 'value' from edits where seq > ? and seq <= ? and {named} order by seq",
        [since, upto],
    ).fetchall()
    return (found[-1][0] if found else known) or "latest"


def read_standing_position(con: duckdb.DuckDBPyConnection) -> tuple[int, str | None]:
    """Read up to which position the table `standing` was written.

    0 where it was not; and the label rule at that position."""
    found = dict(
        con.execute(
            "select key, value from meta where key in ('standing', 'standing_rule')"
        ).fetchall()
    )
    return int(found.get("standing", 0)), found.get("standing_rule")


def find_position(bench: Bench, version: str | int) -> int:
    """Find the log position of a version.

    HEAD, a commit or a number. A commit never moves: it is asked for once."""
    if version not in bench.positions or os.stat(bench.file).st_ino != bench.inode:
        with bench.connect() as con:
            upto = read_position(con, version)
        if version == "HEAD":
            return upto
        bench.positions[version] = upto
    return bench.positions[version]


def read_position(con: duckdb.DuckDBPyConnection, version: str | int) -> int:
    """Read the log position of a version; UserError where there is none."""
    commits = dict(
        con.execute(
            "select name, upto from commits union all select '', coalesce(max(seq), 0) from edits"
        ).fetchall()
    )
    last = commits.pop("")
    if version == "HEAD":
        return last
    if version in commits:
        return commits[version]
    if str(version).isdecimal() and 0 < int(version) <= last:
        return int(version)
    names = ", ".join(sorted(commits, key=commits.get)) or "no commits yet"
    raise UnknownVersion(
        f"expected a version, found {version!r}",
        f"there are HEAD, {names}, and expressions such as 'v1 - flagged'",
        version,
        ["HEAD", *commits],
    )


def is_head(bench: Bench, version: str | int) -> bool:
    """Whether a version is the end of the log."""
    return not is_expression(version) and find_position(bench, version) == find_position(
        bench, "HEAD"
    )
