"""Read a condition or an order, and nothing more.

DuckDB's own parser makes a tree of it. What is run is written anew from the tree, of nothing but known operators,
known functions, our columns and quoted values: no word of a person's reaches the database as SQL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.curation.errors import FilterError
from assay.curation.filtering.columns import Column
from assay.curation.filtering.condition_sql import ConditionWriter, Place
from assay.curation.text import format_count

if TYPE_CHECKING:
    import duckdb

LONGEST = 20_000  # characters of a condition
BEFORE = "select 1 from samples where (\n"
ORDER = "select 1 from samples order by\n"


@dataclass
class Condition:
    """A condition as SQL."""

    sql: str = "true"
    columns: dict[str, str] = field(default_factory=dict)  # {column: its name in `sql`}
    # (column, value) that are compared for equality: a class that nothing has is worth a note
    compared: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class SortKey:
    """One key of an order as SQL."""

    sql: str
    columns: dict[str, str]
    column: str | None  # where it is a column alone
    descending: bool
    nulls_first: bool


def parse_condition(
    con: duckdb.DuckDBPyConnection, text: str, columns: Mapping[str, Column]
) -> Condition:
    """Read a condition; FilterError marks what is wrong with it."""
    if not text.strip():
        return Condition()
    node = _parse(con, text, BEFORE, "\n)")
    plain = _parse(con, "true", BEFORE, "\n)")
    condition, _ = node.pop("where_clause", None), plain.pop("where_clause")
    if node != plain or condition is None:
        raise FilterError(
            text, None, "one condition", "more than that", "write what follows WHERE in SQL"
        )
    writer = ConditionWriter(text, len(BEFORE.encode()), columns)
    sql = writer.write_truth(condition)
    return Condition(sql, writer.used, writer.compared)


def parse_sort(
    con: duckdb.DuckDBPyConnection, text: str, columns: Mapping[str, Column]
) -> list[SortKey]:
    """Read an order, as in `score desc, key`.

    What has no value comes last, unless it says `nulls first`.
    """
    if not text.strip():
        return []
    node, plain = _parse(con, text, ORDER, ""), _parse(con, "1", ORDER, "")
    modifiers, _ = node.pop("modifiers", []), plain.pop("modifiers")
    if node != plain or len(modifiers) != 1 or modifiers[0]["type"] != "ORDER_MODIFIER":
        raise FilterError(
            text, None, "columns to sort by", "more than that", "as in: score desc, key"
        )
    keys = []
    for i, order in enumerate(modifiers[0]["orders"]):
        expression = order["expression"]
        writer = ConditionWriter(text, len(ORDER.encode()), columns, f"k{i}c")
        if expression["class"] == "CONSTANT":
            place = writer.place(expression)
            raise FilterError(text, place, "a column to sort by", writer.text_at(place), "")
        sql, _ = writer.write(expression)
        alone = next(iter(writer.used)) if expression["class"] == "COLUMN_REF" else None
        down, first = order["type"] == "DESCENDING", order["null_order"] == "NULLS FIRST"
        keys.append(SortKey(sql, writer.used, alone, down, first))
    return keys


def _parse(con: duckdb.DuckDBPyConnection, text: str, before: str, after: str) -> dict:
    """Parse a text between two others into the node of one SELECT."""
    if len(text) > LONGEST or "\0" in text:
        long = len(text) > LONGEST
        found = format_count(len(text), "character") if long else "a NUL character"
        raise FilterError(
            text[:100], None, f"at most {format_count(LONGEST, 'character')} of text", found, ""
        )
    try:
        text.encode()
        with con.cursor() as cursor:
            asked = [before + text + after]
            found = cursor.execute("select json_serialize_sql(?)", asked).fetchall()[0][0]
        tree = json.loads(found)
    except UnicodeEncodeError:
        raise FilterError(
            "", None, "text", "half a surrogate pair, which is no character", ""
        ) from None
    except (RecursionError, ValueError):
        raise FilterError(text, None, "a condition", "too many brackets in brackets", "") from None
    if tree["error"]:
        raise _explain(text, before, tree)
    if len(tree["statements"]) != 1:
        place = _find_character(text, ";")
        raise FilterError(text, place, "one condition", "several statements", "leave out the ;")
    return tree["statements"][0]["node"]


def _explain(text: str, before: str, tree: dict) -> FilterError:
    """Say what the parser says, at its place in the text."""
    raw, at = text.encode(), int(tree.get("position") or 0) - len(before.encode())
    start = len(raw[: max(at, 0)].decode(errors="ignore"))
    if at < 0 or start >= len(text):
        what = "its end" if at >= 0 else tree["error_message"]
        return FilterError(
            text, (len(text), len(text)), "a condition", what, "something is missing there"
        )
    word = text[start:].split(maxsplit=1)
    end = start + min(len(word[0]) if word else 1, 40)
    hint = "texts stand in single quotes, as in label = 'cat'"
    return FilterError(text, (start, end), "a condition as SQL writes it", text[start:end], hint)


def _find_character(text: str, character: str) -> Place | None:
    at = text.find(character)
    return None if at < 0 else (at, at + 1)
