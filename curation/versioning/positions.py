"""Names of log positions: HEAD, commits, numbers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.versioning.expressions import is_expression

if TYPE_CHECKING:
    import duckdb


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
    raise UserError(
        f"expected a version, found {version!r}",
        f"there are HEAD, {names}, and expressions such as 'v1 - flagged'",
    )


def is_head(bench: Bench, version: str | int) -> bool:
    """Whether a version is the end of the log."""
    return not is_expression(version) and find_position(bench, version) == find_position(
        bench, "HEAD"
    )
