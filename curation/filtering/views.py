"""Saved views: a condition, order, search and words under a name.

One may be assigned to a person: see assignments.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from assay.curation import text
from assay.curation.errors import UnknownName, UserError
from assay.curation.filtering.table import SampleTable
from assay.curation.storage.interface import Bench
from assay.curation.versioning.rules import append_rule

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

PREFIX = "view:"  # of the rule in the log that saves one
ASKED = ("where", "sort", "search", "words")
COLUMNS = ["name", *ASKED, "who", "saved", "to"]
VIEWS = """select arg_max(value, seq), arg_max(who, seq), max(ts) from edits
    where field = 'rule' and value ->> 'name' like 'view:%' group by value ->> 'name' order by 3"""


def list_views(bench: Bench) -> pd.DataFrame:
    """List the saved views, the oldest first.

    Frame name, where, sort, search, words, who, saved, to ("": nobody).
    """
    import pandas as pd

    rows = []
    for rule, who, ts in read_views(bench):
        asked = [rule.get(key, "") for key in ASKED]
        rows.append((rule["name"].removeprefix(PREFIX), *asked, who, ts, rule.get("to", "")))
    return pd.DataFrame(rows, columns=COLUMNS)


def read_views(bench: Bench) -> list[tuple[dict[str, Any], str, datetime]]:
    """Read the rules that save views, with who did and when."""
    found = [(json.loads(value), who, ts) for value, who, ts in bench.rows(VIEWS)]
    return [
        row for row in found if len(row[0]) > 1
    ]  # a view that was removed or undone has only its name


def find_view(bench: Bench, name: str) -> dict[str, str]:
    """Find a view: {where, sort, search, words}.

    UserError where there is none of the name.
    """
    views = list_views(bench)
    found = views[views.name == name]
    if not len(found):
        known = list(views.name)
        raise UnknownName(
            f"expected a saved view, found {name!r}",
            f"there are {', '.join(known) or 'none'}; assay views --save NAME saves one",
            name,
            known,
        )
    return found[list(ASKED)].iloc[0].to_dict()


def save_view(
    bench: Bench, table: SampleTable, name: str, asked: dict[str, str], who: str
) -> dict[str, str]:
    """Save a view in the log.

    It takes the place of one of the same name. asked: where, sort, search, and words for an image-text
    model. Returns dict(batch, name, replaced).
    FilterError for what cannot be asked.
    """
    text.check_text(who, "who saves it")
    text.check_text(name, "a view's name")
    if not name.strip():
        raise UserError("expected a name for the view, found none", "as in: --save doubtful-cats")
    table.check(asked["where"], asked["sort"])
    if not any(value.strip() for value in asked.values()):
        raise UserError(
            "expected a view to ask for something, found it empty",
            "give where, sort, search or words",
        )
    for key in ("search", "words"):
        text.check_text(asked[key], "what is searched for", text.MAX_TEXT)
    known = name in set(list_views(bench).name)
    batch = append_rule(bench, dict(name=f"{PREFIX}{name}") | asked, who)
    return dict(batch=batch, name=name, replaced=known)


def remove_view(bench: Bench, name: str, who: str) -> dict[str, str]:
    """Remove a view; the log keeps what it was.

    Returns dict(batch, name).
    """
    text.check_text(who, "who removes it")
    find_view(bench, name)
    return dict(batch=append_rule(bench, dict(name=f"{PREFIX}{name}"), who), name=name)
