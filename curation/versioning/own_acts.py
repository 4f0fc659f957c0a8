"""Undo or redo a person's own last act, and describe it.

Another person's act is never taken back: neither their batch, nor a value that they edited since.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.text import check_text, format_count
from assay.curation.versioning import undo
from assay.curation.versioning.changes import append_undo
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import SPOKEN

if TYPE_CHECKING:
    import duckdb

NAMED = re.compile(r"(undo|redo)-[0-9a-f]{12}")
ACTS = ("edit", "schema", "guard")  # kinds of batches that are somebody's act, whole
SHOWN = 20  # samples of an act that are named
# batches that save, assign or remove a view: acts of a person, too
VIEWS = """select distinct batch from edits
    where kind = 'rule' and who = ? and value ->> 'name' like 'view:%'"""
TOOK = """select distinct unnest(from_json(coalesce(suggested -> 'undo', suggested -> 'redo'),
    '["varchar"]')) from edits where batch = ?"""
SAID = f"""select field, value, verdict, count(distinct sample) from {SPOKEN}
    where batch in (select unnest($names)) and kind not in ('undo', 'redo', 'revert')
    group by all order by 4 desc, 1, 2"""
MEANT = """select sample, min(seq) from edits
    where batch in (select unnest(?)) and sample <> '' group by sample order by 2"""


def undo_own(bench: Bench, who: str, redo: bool = False, name: str | None = None) -> dict[str, Any]:
    """Undo the last act of `who`, or redo what they undid.

    name: of the batch that does so, undo- or redo- and 12 hex digits; sent twice it is done once. An act of which
    others edited every value since is passed over. Returns {batch, undone (the batches), words, samples (the first
    SHOWN), n, restored, left_alone, passed, seq}. UserError where there is none.
    """
    kind = "redo" if redo else "undo"
    check_text(who, "who decides")
    if name is not None and (not NAMED.fullmatch(name) or not name.startswith(kind)):
        raise UserError(
            f"expected a batch named {kind}- and 12 hex digits, found {name[:40]!r}",
            "reload the page",
        )
    with bench.transaction() as con:
        taken = name and [batch for (batch,) in con.execute(TOOK, [name]).fetchall()]
        out = dict(batch=name, restored=0, left_alone=0, passed=0)
        if not taken:
            out, taken = take_back(bench, con, who, kind, name)
        seq = con.execute("select max(seq) from edits").fetchall()[0][0]
        return out | describe_act(con, taken) | dict(undone=taken, seq=seq)


def take_back(
    bench: Bench, con: duckdb.DuckDBPyConnection, who: str, kind: str, name: str | None
) -> tuple[dict[str, Any], list[str]]:
    """Undo or redo the newest possible act of one person.

    Returns (what happened, the batches).
    """
    acts = list_own_acts(con, who, kind)
    for passed, batch in enumerate(acts):
        plan = undo.plan_undo(con, [batch]) if kind == "undo" else undo.plan_redo(con, batch)
        if plan.popped.astype(bool).any():
            why = f"{kind} of {batch}"
            out = append_undo(bench, con, plan, kind, why, who, batch=name or new_batch(kind))
            taken = sorted({b for popped in plan.popped for b in popped})
            return out | dict(passed=passed), taken
    what = "undo" if kind == "undo" else "do again"
    since = f"; others changed all of {format_count(len(acts), 'act')} since" if acts else ""
    raise UserError(
        f"expected an act of {who} to {what}, found none{since}", "History shows who did what"
    )


def list_own_acts(con: duckdb.DuckDBPyConnection, who: str, kind: str) -> list[str]:
    """List the batches that somebody can undo or redo, the newest first."""
    stacks = undo.read_stacks(con, each_person=True)
    if kind == "redo":
        return [b for b in stacks.undone[::-1] if stacks.authors[b] == who]
    views = {batch for (batch,) in con.execute(VIEWS, [who]).fetchall()}
    mine = [b for b in stacks.done[::-1] if stacks.authors[b] == who]
    return [b for b in mine if stacks.kinds[b] in ACTS or b in views]


def describe_act(con: duckdb.DuckDBPyConnection, batches: list[str]) -> dict[str, Any]:
    """Describe batches as one act: words, samples (the first SHOWN), n."""
    offer_names(con)
    said = con.execute(SAID, dict(names=batches)).fetchall()
    samples = [sample for sample, _ in con.execute(MEANT, [batches]).fetchall()]
    words = list(
        dict.fromkeys(word_edit(field, value, verdict) for field, value, verdict, _ in said)
    )
    sets = [name for name in map(name_set, (value for _, value, *_ in said)) if name]
    words = [f"guard as {name}" for name in sets] or words
    if len(words) > 2:
        words = [f"{words[0]} and {len(words) - 1} more"]
    about = f": {format_count(len(samples), 'sample')}" if samples else ""
    return dict(words=", ".join(words) + about, samples=samples[:SHOWN], n=len(samples))


def name_set(value: str) -> str | None:
    """Name the regression set that a rule freezes; None for another value."""
    said = json.loads(value)
    name = said.get("name", "") if isinstance(said, dict) and "score" in said else ""
    return name.removeprefix("guard:") if name.startswith("guard:") else None


def word_edit(field: str, value: str, verdict: str) -> str:
    """Say in words what an edit does."""
    said = json.loads(value)
    if field == "label" and verdict in ("confirm", "unsure"):
        return dict(confirm="confirm", unsure="not sure")[verdict]
    if field == "label":
        return f"label {said}" if isinstance(said, str) else "label"
    if field == "keep":
        return "restore" if said else "drop"
    if field == "split":
        return f"move to {said}"
    if field == "tag":
        return f"tag {said['name']}" if said.get("on") else f"take off the tag {said['name']}"
    if field == "schema":
        return f"rename {said['from']} to {said['to']}" if "from" in said else "change of classes"
    if field == "rule" and said.get("name", "").startswith("not copies:"):
        return "no copies"
    return f"view {said.get('name', '').removeprefix('view:')}" if field == "rule" else field
