"""Write SQL from the tree of a condition, of known parts alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NoReturn

from assay.curation.errors import FilterError, suggest_names
from assay.curation.filtering.columns import Column, predicted_column
from assay.curation.filtering.functions import (
    ARITHMETIC,
    CASTS,
    COMPARISONS,
    DEAREST,
    FUNCTIONS,
    LIKE,
    LIKE_ESCAPE,
    price_pattern,
    quote_name,
    quote_text,
)
from assay.curation.text import format_count

Place = tuple[int, int]  # characters of the text, the second not included
DEEPEST = 100  # brackets in brackets
NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
LONGEST_TEXT = 1000  # characters of a text in a condition
WORDS = dict(number="a number", text="text", bool="true or false", list="a list", time="a date")


class ConditionWriter:
    """One tree, written as SQL over columns c0, c1, ..."""

    def __init__(
        self, text: str, offset: int, columns: Mapping[str, Column], prefix: str = "c"
    ) -> None:
        """Prepare it for a tree.

        offset: bytes that the parser read before the text. prefix: of the columns' names.
        """
        self.prefix = prefix
        self.text, self.raw, self.offset = text, text.encode(), offset
        self.columns, self.depth = columns, 0
        self.used: dict[str, str] = {}
        self.compared: list[tuple[str, str]] = []

    # ---- places

    def place(self, node: dict) -> Place | None:
        """Find the characters that a node was made of."""
        at, length = node["query_location"] - self.offset, node["query_location_length"]
        if not 0 <= at <= len(self.raw):
            return None
        start, part = self.raw[:at], self.raw[at : at + length]
        begin = len(start.decode(errors="ignore"))
        return begin, begin + len(part.decode(errors="ignore"))

    def text_at(self, place: Place | None) -> str:
        return self.text[slice(*place)] if place else ""

    def refuse(self, node: dict, expected: str, found: str = "", hint: str = "") -> NoReturn:
        """Raise the FilterError that marks a node."""
        place = self.place(node)
        raise FilterError(self.text, place, expected, found or self.text_at(place), hint)

    # ---- nodes

    def write_truth(self, node: dict) -> str:
        """Write what is true or false."""
        sql, kind = self.write(node)
        if kind not in ("bool", "null"):
            name = self.text_at(self.place(node)) or "..."
            self.refuse(
                node, "a condition", f"{name}, which is {WORDS[kind]}", "compare it with something"
            )
        return sql

    def write(self, node: dict) -> tuple[str, str]:
        """Write a node; returns its SQL and its kind."""
        write = {
            "CONJUNCTION": self._conjunction,
            "COMPARISON": self._comparison,
            "BETWEEN": self._between,
            "OPERATOR": self._operator,
            "FUNCTION": self._function,
            "COLUMN_REF": self._column,
            "CONSTANT": self._constant,
            "CAST": self._cast,
        }.get(node["class"])
        if write is None:
            what = node["class"].lower().replace("_", " ")
            self.refuse(node, "columns, values, operators and plain functions", f"a {what}")
        if node.get("alias"):
            self.refuse(node, "columns, values, operators and plain functions")
        if self.depth > DEEPEST:
            self.refuse(node, f"at most {DEEPEST} brackets in brackets", "more")
        self.depth += 1
        out = write(node)
        self.depth -= 1
        return out

    def _conjunction(self, node: dict) -> tuple[str, str]:
        word = {"CONJUNCTION_AND": " and ", "CONJUNCTION_OR": " or "}[node["type"]]
        return f"({word.join(map(self.write_truth, node['children']))})", "bool"

    def _comparison(self, node: dict) -> tuple[str, str]:
        if node["type"] not in COMPARISONS:
            self.refuse(node, f"one of {', '.join(COMPARISONS.values())}")
        left, right = self._alike(node["left"], node["right"])
        self._remember(node["left"], node["right"])
        self._remember(node["right"], node["left"])
        if node["type"] in ("COMPARE_EQUAL", "COMPARE_NOTEQUAL"):
            for column, value in ((node["left"], node["right"]), (node["right"], node["left"])):
                if member := self._write_member(column, value):
                    no = "not " * (node["type"] == "COMPARE_NOTEQUAL")
                    return f"({no}{member})", "bool"
        return f"({left} {COMPARISONS[node['type']]} {right})", "bool"

    def _between(self, node: dict) -> tuple[str, str]:
        value, low, high = self._alike(node["input"], node["lower"], node["upper"])
        return f"({value} between {low} and {high})", "bool"

    def _operator(self, node: dict) -> tuple[str, str]:
        children, kind = node["children"], node["type"]
        if kind == "OPERATOR_NOT":
            return f"(not {self.write_truth(children[0])})", "bool"
        if kind in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
            word = "is null" if kind == "OPERATOR_IS_NULL" else "is not null"
            return f"({self.write(children[0])[0]} {word})", "bool"
        if kind in ("COMPARE_IN", "COMPARE_NOT_IN"):
            for child in children[1:]:
                self._remember(children[0], child)
            value, *among = self._alike(*children)
            members = [self._write_member(children[0], child) for child in children[1:]]
            if all(members):
                no = "not " * (kind == "COMPARE_NOT_IN")
                return f"({no}({' or '.join(filter(None, members))}))", "bool"
            word = "in" if kind == "COMPARE_IN" else "not in"
            return f"({value} {word} ({', '.join(among)}))", "bool"
        if kind == "OPERATOR_COALESCE":
            kinds = [self.write(child)[1] for child in children]
            return f"coalesce({', '.join(self._alike(*children))})", next(
                (k for k in kinds if k != "null"), "null"
            )
        return self.refuse(node, "columns, values, operators and plain functions")

    def _function(self, node: dict) -> tuple[str, str]:
        name, given = node["function_name"].lower(), [a["expression"] for a in node["arguments"]]
        plain = not (
            node["schema"] or node["catalog"] or node["filter"] or node["distinct"]
            or node["order_bys"]["orders"] or any(a["name"] for a in node["arguments"])
        )  # fmt: skip
        if not plain:
            self.refuse(node, "a plain function")
        if name in ARITHMETIC and node["is_operator"]:
            parts = [self._as(argument, "number") for argument in given]
            return f"({name.join(['', *parts] if len(parts) == 1 else parts)})", "number"
        if name == "||" and node["is_operator"]:
            return f"({' || '.join(self._as(argument, 'text') for argument in given)})", "text"
        if name in LIKE:
            text, pattern = (self._as(argument, "text") for argument in given)
            return f"({text} {LIKE[name]} {pattern})", "bool"
        if name in LIKE_ESCAPE:
            text, pattern, escape = (self._as(argument, "text") for argument in given)
            return f"({text} {LIKE_ESCAPE[name]} {pattern} escape {escape})", "bool"
        if name == "list_value":
            return f"[{', '.join(self._as(argument, 'text') for argument in given)}]", "list"
        if name == "has":
            return self._has(node, given)
        if name == "predicted":
            return self._predicted(node, given)
        if name in ("list_has", "array_contains", "contains") and given:
            if self.write(given[0])[1] == "list":
                return self._has(node, given)
            name = "contains" if name == "contains" else "list_contains"
        if name not in FUNCTIONS:
            near = suggest_names(name, ["has", "predicted", *FUNCTIONS])
            hint = f"did you mean {' or '.join(near)}?" if near else "see the page of the columns"
            self.refuse(node, "a function that may be used here", name, hint)
        if name.startswith("regexp"):
            self._check_pattern(node, given)
        kinds, gives = FUNCTIONS[name]
        if not 1 <= len(given) <= len(kinds):
            self.refuse(
                node, f"{format_count(len(kinds), 'value')} in {name}(...)", f"{len(given)}"
            )
        parts = [self._as(argument, kind) for argument, kind in zip(given, kinds)]
        return f"{name}({', '.join(parts)})", gives

    def _check_pattern(self, node: dict, given: list[dict]) -> None:
        """Refuse a regular expression that could take minutes, which nothing can interrupt."""
        if len(given) != 2 or not _is_text(given[1]):
            self.refuse(node, "a regular expression in single quotes")
        pattern = given[1]["literal"]["text"]
        if price_pattern(pattern) > DEAREST:
            self.refuse(given[1], "a short regular expression of few repetitions", pattern)

    def _has(self, node: dict, given: list[dict]) -> tuple[str, str]:
        """Write has('dark') or has(tags, 'mine') as SQL.

        has('dark') looks among the issues.
        """
        if len(given) == 1:
            issues = {"class": "COLUMN_REF", "column_names": ["issues"]}
            given = [
                issues | {k: node[k] for k in ("query_location", "query_location_length")},
                *given,
            ]
        if len(given) != 2:
            self.refuse(node, "has('an issue') or has(tags, 'a tag')")
        self._remember(*given)
        return f"list_contains({self._as(given[0], 'list')}, {self._as(given[1], 'text')})", "bool"

    def _predicted(self, node: dict, given: list[dict]) -> tuple[str, str]:
        """Write predicted('v2/mlp', 'cat') as SQL: whether a model predicts a class.

        Of a model with several seeds: whether one of them does.
        """
        if len(given) != 2 or not all(map(_is_text, given)):
            self.refuse(node, "predicted('A MODEL', 'A CLASS')", hint="the page Models lists them")
        model, named = (argument["literal"]["text"] for argument in given)
        column = predicted_column(model).name
        code = self.used.setdefault(column, f"{self.prefix}{len(self.used)}")
        self.compared.append((column, named))
        # what it has not predicted is neither true nor false
        return (
            f"(case when len({code}) > 0 then list_contains({code}, {quote_text(named)}) end)",
            "bool",
        )

    def _column(self, node: dict) -> tuple[str, str]:
        name = self._find_column(node)
        return self.used.setdefault(name, f"{self.prefix}{len(self.used)}"), self.columns[name].kind

    def _find_column(self, node: dict) -> str:
        name = ".".join(node["column_names"])
        if name not in self.columns:
            near = [known for known in self.columns if known.casefold() == name.casefold()]
            if len(near) != 1:
                near = near or suggest_names(name, self.columns)
                quoted = [quote_name(known) for known in near]
                hint = f"did you mean {' or '.join(quoted)}?" if near else ""
                if not near:
                    hint = "texts stand in single quotes, as in label = 'cat'"
                self.refuse(node, "a column", name, hint)
            name = near[0]
        return name

    def _constant(self, node: dict) -> tuple[str, str]:
        kind, text = node["literal"]["kind"], node["literal"].get("text", "")
        if kind == "STRING":
            if len(text) > LONGEST_TEXT:
                self.refuse(
                    node,
                    f"texts of at most {format_count(LONGEST_TEXT, 'character')}",
                    format_count(len(text), "character"),
                )
            return quote_text(text), "text"
        if kind in ("INTEGER", "NUMERIC") and NUMBER.fullmatch(text):
            return f"({text})" if text[0] == "-" else text, "number"
        if kind == "BOOLEAN":
            return ("true" if str(text).lower() == "true" else "false"), "bool"
        if kind == "NULL_LITERAL":
            return "null", "null"
        return self.refuse(node, "a number, a text, true, false or null")

    def _cast(self, node: dict) -> tuple[str, str]:
        kind = node["type_expr"].get("type_name", "").upper()
        plain = not node["type_expr"].get("children") and not node["type_expr"].get("catalog")
        if kind not in CASTS or not plain:
            self.refuse(node, f"one of the types {', '.join(CASTS)}")
        word = "try_cast" if node["try_cast"] else "cast"
        return f"{word}({self.write(node['child'])[0]} as {kind})", CASTS[kind]

    # ---- kinds

    def _as(self, node: dict, kind: str | None) -> str:
        """Write a node that must be of a kind."""
        sql, found = self.write(node)
        if kind not in (None, found) and found != "null":
            name = self.text_at(self.place(node))
            self.refuse(node, WORDS[kind], f"{name}, which is {WORDS[found]}")
        return sql

    def _alike(self, *nodes: dict) -> list[str]:
        """Write nodes that are compared with each other: of one kind."""
        written = [self.write(node) for node in nodes]
        kinds = [
            kind for node, (_, kind) in zip(nodes, written) if kind != "null" and not _is_text(node)
        ] or ["text"]
        out = []
        for node, (sql, kind) in zip(nodes, written):
            if _is_text(node):  # '3' beside a number is the number
                sql = self._read_text(node, kinds[0])
            elif kind not in (kinds[0], "null"):
                name = self.text_at(self.place(node))
                hint = ""
                if kinds[0] == "text" and NUMBER.fullmatch(name):
                    hint = f"put it in single quotes: {quote_text(name)}"
                self.refuse(node, WORDS[kinds[0]], f"{name}, which is {WORDS[kind]}", hint)
            out.append(sql)
        return out

    def _read_text(self, node: dict, kind: str) -> str:
        """Write a text that is compared with something of a kind."""
        text = node["literal"]["text"]
        if kind == "number" and not re.fullmatch(rf"\s*\+?{NUMBER.pattern}\s*", text):
            self.refuse(node, "a number", quote_text(text))
        if kind == "bool" and text.lower() not in ("true", "false"):
            self.refuse(node, "true or false", quote_text(text))
        if kind == "list":
            self.refuse(node, "a list", quote_text(text), f"as in has(tags, {quote_text(text)})")
        return quote_text(text) if kind in ("text", "time") else text.strip()

    def _write_member(self, column: dict, value: dict) -> str | None:
        """Write whether a column of label sets has a class; None where it is no such column.

        Such as `["cat", "dog"]` is a whole set, which is compared as it is.
        """
        if column["class"] != "COLUMN_REF" or not _is_text(value):
            return None
        name, text = self._find_column(column), value["literal"]["text"]
        if not self.columns[name].sets or text.startswith("["):
            return None
        sql, quoted = self.write(column)[0], json.dumps(text, ensure_ascii=False)
        first, later = quote_text(f"[{quoted}"), quote_text(f", {quoted}")
        return f"(contains({sql}, {first}) or contains({sql}, {later}))"

    def _remember(self, column: dict, value: dict) -> None:
        """Remember what a column is compared with."""
        if column["class"] == "COLUMN_REF" and _is_text(value):
            self.compared.append((self._find_column(column), value["literal"]["text"]))


def _is_text(node: dict) -> bool:
    return node["class"] == "CONSTANT" and node["literal"]["kind"] == "STRING"
