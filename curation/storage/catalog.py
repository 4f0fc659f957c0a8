"""What a bench's file may hold: the tables of its schema and nothing else, since a view, macro or trigger runs as whoever opens the file."""

from functools import cache

import duckdb

from assay.curation.errors import UserError

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
VARIES = (
    "database_name",
    "estimated_size",
)  # from one opening to the next; and the numbers that DuckDB gives to what it opens, *_oid


def refuse_foreign(con, name, place, schemas, macros=True):
    """Refuse the attached file `name` if it holds anything that a bench of its schema does not hold, or lacks something. `con` must not use that
    file yet: a macro in it would be called in place of a function. schemas: {number: the statements that make such a bench}. `macros`: whether to
    look for these, too. A file without anything is a new one, and fine."""
    kinds = KINDS + MACROS if macros else KINDS
    found = objects(con, name, kinds)
    if found == expected("", kinds):
        return
    last = [*schemas][-1]
    newest = expected(schemas[last], kinds)
    if (
        meta := {o for o in newest if o[:2] == ("table", "meta")} & found
    ):  # a plain table, which may be asked
        said = con.execute(f"select value from {name}.main.meta where key = 'schema'").fetchall()
        if said and said[0][0] not in schemas:
            raise other_schema(place, last, said[0][0])
    should = expected(schemas[said[0][0]], kinds) if meta and said else newest
    if found != should:
        odd = [" ".join(o[:2]) for o in sorted(found - should)] or [
            "no " + " ".join(o[:2]) for o in sorted(should - found)
        ]
        raise UserError(
            f"expected the tables of a bench and nothing else in {place}, found {', '.join(odd[:3])}{', ...' if odd[3:] else ''}",
            "Assay wrote no such file, and what it brings would run as you: do not trust it",
        )


def other_schema(place, ours, theirs):
    return UserError(
        f"expected a bench of schema {ours} in {place}, found schema {theirs}",
        "open it with the Assay that made it, or import its sources into a new bench",
    )


@cache
def expected(statements, kinds):
    """What a file holds after these statements, by this very DuckDB, as `objects` has it."""
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as made; use made")
        con.execute(statements)
        con.execute("use memory")
        return objects(con, "made", kinds)


def objects(con, name, kinds):
    """{(kind, name, all else that DuckDB says of it)} of the file attached as `name`. The statement that makes a table tells its columns, their
    defaults and the constraints."""
    out = set()
    for kind in kinds:
        rows = con.execute(f"select * from duckdb_{kind}() where database_name = ?", [name])
        columns = [c[0] for c in rows.description]
        name_column = dict(coordinate_systems="crs_name", indexes="index_name").get(
            kind, f"{kind[:-1]}_name"
        )
        called, word = columns.index(name_column), name_column.removesuffix("_name")
        told = [i for i, c in enumerate(columns) if c not in VARIES and not c.endswith("oid")]
        out |= {(word, row[called], str([row[i] for i in told])) for row in rows.fetchall()}
    return out
