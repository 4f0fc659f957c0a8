"""Refuse a file that holds more than the tables of a bench.

A view, macro or trigger would run as whoever opens the file.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import duckdb

from assay.curation.errors import OtherSchema, UserError

KINDS = (
    "coordinate_systems",
    "indexes",
    "schemas",
    "sequences",
    "tables",
    "triggers",
    "types",
    "views",
)
MACROS = ("functions",)  # looked for apart: DuckDB lists all of its own first, which takes 30 ms
# from one opening to the next; and the numbers that DuckDB gives to what it opens, *_oid
VARIES = ("database_name", "estimated_size")
EXPECTED: dict[str, set[tuple]] = {}  # what statements make
NUMBERS = itertools.count()


def refuse_foreign(
    con: duckdb.DuckDBPyConnection,
    name: str,
    place: Path,
    schemas: Mapping[str, str],
    macros: bool = True,
) -> None:
    """Refuse a file that is not as a bench of its schema.

    It is attached as `name`, and holds something else, or lacks something. A file without anything
    is a new one, and fine. Raises UserError. `con` must not use that file yet: a macro in it would
    be called in place of a function.

    schemas  # {number: the statements that make such a bench}
    macros   # whether to look for these, too
    """
    kinds = KINDS + MACROS if macros else KINDS
    found = list_objects(con, name, kinds)
    last = [*schemas][-1]
    should = expected_objects(con, schemas[last])
    # a plain table may be asked
    if {o for o in should if o[:2] == ("table", "meta")} & found:
        query = f"select value from {name}.main.meta where key = 'schema'"
        for (schema,) in con.execute(query).fetchall()[:1]:
            if schema not in schemas:
                raise schema_error(place, last, schema)
            should = expected_objects(con, schemas[schema])
    # asked last: to list what an empty file holds takes as long as all the rest
    if found != should and found != expected_objects(con, ""):
        odd = [" ".join(o[:2]) for o in sorted(found - should)] or [
            "no " + " ".join(o[:2]) for o in sorted(should - found)
        ]
        raise UserError(
            f"expected the tables of a bench and nothing else in {place}, "
            f"found {', '.join(odd[:3])}{', ...' if odd[3:] else ''}",
            "Assay wrote no such file, and what it brings would run as you: do not trust it",
        )


def schema_error(place: Path, ours: str, theirs: str) -> OtherSchema:
    """Make the error for an unknown schema."""
    return OtherSchema(
        f"expected a bench of schema {ours} in {place}, found schema {theirs}",
        "open it with the Assay that made it, or import its sources into a new bench",
    )


def expected_objects(con: duckdb.DuckDBPyConnection, statements: str) -> set[tuple]:
    """List what a file holds after these statements, by this very DuckDB.

    It is made in memory, in the DuckDB of `con`: to start another takes 15 ms. No bench has macros,
    so none are looked for.
    """
    if statements not in EXPECTED:
        made = f"expected{next(NUMBERS)}"  # two threads may ask at once
        with con.cursor() as own:
            own.execute(f"attach ':memory:' as {made}; use {made}")
            own.execute(statements)
            own.execute("use memory")
            EXPECTED[statements] = list_objects(own, made, KINDS)
            own.execute(f"detach {made}")
    return EXPECTED[statements]


def list_objects(con: duckdb.DuckDBPyConnection, name: str, kinds: tuple[str, ...]) -> set[tuple]:
    """List what the file attached as `name` holds.

    (kind, name, all else that DuckDB says of it) of each object. The statement that makes a table
    tells its columns, their defaults and the constraints.
    """
    out = set()
    for kind in kinds:
        rows = con.execute(f"select * from duckdb_{kind}() where database_name = ?", [name])
        columns = [c[0] for c in rows.description]
        odd_names = dict(coordinate_systems="crs_name", indexes="index_name")
        name_column = odd_names.get(kind, f"{kind[:-1]}_name")
        called, word = columns.index(name_column), name_column.removesuffix("_name")
        compared = [i for i, c in enumerate(columns) if c not in VARIES and not c.endswith("oid")]
        out |= {(word, row[called], str([row[i] for i in compared])) for row in rows.fetchall()}
    return out
