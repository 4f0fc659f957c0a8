"""The operators and functions that a condition may use: pure ones."""

import re

DEAREST = 1000  # price of a regular expression
REPEATED = re.compile(r"\{(\d+),?(\d*)\}")

COMPARISONS = dict(
    COMPARE_EQUAL="=",
    COMPARE_NOTEQUAL="<>",
    COMPARE_LESSTHAN="<",
    COMPARE_LESSTHANOREQUALTO="<=",
    COMPARE_GREATERTHAN=">",
    COMPARE_GREATERTHANOREQUALTO=">=",
    COMPARE_DISTINCT_FROM="is distinct from",
    COMPARE_NOT_DISTINCT_FROM="is not distinct from",
)
# operators between two values, or before one: kinds of what they take and give
ARITHMETIC = ("+", "-", "*", "/", "//", "%", "^", "**")
LIKE = {"~~": "like", "!~~": "not like", "~~*": "ilike", "!~~*": "not ilike", "~~~": "glob"}
LIKE_ESCAPE = dict(
    like_escape="like",
    not_like_escape="not like",
    ilike_escape="ilike",
    not_ilike_escape="not ilike",
)
# functions: (kinds of what each takes, the kind of what it gives); None: any. Later ones may be left out
FUNCTIONS: dict[str, tuple[tuple[str | None, ...], str]] = dict(
    lower=(("text",), "text"),
    upper=(("text",), "text"),
    trim=(("text",), "text"),
    strip_accents=(("text",), "text"),
    length=(("text",), "number"),
    len=((None,), "number"),
    contains=((None, "text"), "bool"),
    starts_with=(("text", "text"), "bool"),
    ends_with=(("text", "text"), "bool"),
    prefix=(("text", "text"), "bool"),
    suffix=(("text", "text"), "bool"),
    regexp_matches=(("text", "text"), "bool"),
    regexp_full_match=(("text", "text"), "bool"),
    substring=(("text", "number", "number"), "text"),
    substr=(("text", "number", "number"), "text"),
    left=(("text", "number"), "text"),
    right=(("text", "number"), "text"),
    split_part=(("text", "text", "number"), "text"),
    abs=(("number",), "number"),
    sign=(("number",), "number"),
    round=(("number", "number"), "number"),
    floor=(("number",), "number"),
    ceil=(("number",), "number"),
    sqrt=(("number",), "number"),
    ln=(("number",), "number"),
    log10=(("number",), "number"),
    exp=(("number",), "number"),
    isnan=(("number",), "bool"),
    isfinite=(("number",), "bool"),
    hash=((None,), "number"),
    list_contains=(("list", "text"), "bool"),
    list_has_any=(("list", "list"), "bool"),
    list_has_all=(("list", "list"), "bool"),
)
CASTS = dict(
    INTEGER="number",
    BIGINT="number",
    DOUBLE="number",
    FLOAT="number",
    VARCHAR="text",
    BOOLEAN="bool",
    DATE="time",
    TIMESTAMP="time",
)


def price_pattern(pattern: str) -> int:
    """Price a regular expression by its length and counted repetitions.

    About the steps for each character that it reads: repetitions are written out before it is run.
    """
    price = len(pattern)
    for low, high in REPEATED.findall(pattern):
        price *= max(1, int(high or low))
    return price


def quote_text(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """Write a column's name as a condition does.

    Quoted, where it is no plain word.
    """
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else '"' + name.replace('"', '""') + '"'
