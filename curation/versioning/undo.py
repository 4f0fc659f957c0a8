"""Undo, redo, revert.

Each (sample, field) is a stack of edits; undo pops it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.errors import UnknownBatch, UserError
from assay.curation.storage.schema import END
from assay.curation.times import show_time
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import ALIVE, BACK, SLOT, SPOKEN, TOGGLES, VOTE

if TYPE_CHECKING:
    import datetime

    import duckdb
    import pandas as pd

PLAN = f"""
with touched as (select distinct sample, {SLOT} as slot from edits where batch in (select batch from chosen)),
{ALIVE.format(only="and sample in (select sample from touched)")},
stack as (
    select a.* replace (if(a.batch in (select batch from chosen), a.batch, a.decision) as batch),
        a.batch in (select batch from chosen) or a.decision in (select batch from chosen) as mine
    from alive a semi join touched t on a.sample = t.sample and a.slot = t.slot),
foot as (select sample, slot, max(seq) filter (not mine) as foot, arg_max(mine, seq) as free from stack group by all)
select s.sample, s.slot, any_value(s.field) as field,
    -- those below the foot, too: a merge may bring an import over a decision, which would go on to vote
    list(distinct s.batch) filter (mine and free) as popped,
    arg_max(s.value, s.seq) as now, arg_max(s.verdict, s.seq) as said, arg_max(s.who, s.seq) as since_who,
    max(foot) as foot,
    arg_max(s.value, s.seq) filter (s.seq = foot) as value, arg_max(s.verdict, s.seq) filter (s.seq = foot) as verdict,
    arg_max(s.origin, s.seq) filter (s.seq = foot) as origin
from stack s join foot f on s.sample = f.sample and s.slot = f.slot group by all having bool_or(mine)
order by min(s.seq) filter (mine)"""
BATCHES = """
select batch, any_value(kind), any_value(who) from edits where kind <> 'proposal'
group by batch order by min(seq)"""
# batches of votes, and the imports that brought them
BROUGHT = f"select distinct batch, origin from edits where {VOTE}"


def plan_undo(con: duckdb.DuckDBPyConnection, batches: Iterable[str]) -> pd.DataFrame:
    """Plan what taking `batches` off the stacks would do.

    A frame sample, slot, field, now, said (its verdict), value (what comes back, JSON), verdict, origin, popped (the
    batches that it takes off there; empty where somebody edited since, so that it is left alone), since_who."""
    import pandas as pd

    con.register("chosen", pd.DataFrame(dict(batch=list(batches)), dtype=object))
    offer_names(con)
    frame = con.execute(PLAN, dict(upto=END)).df()
    frame["popped"] = [
        [] if p is None or p is pd.NA or not len(p) else sorted(p) for p in frame.popped
    ]
    return frame


def undo_edits(plan: pd.DataFrame, kind: str, why: str) -> pd.DataFrame:
    """Make the edits that carry out a plan; kind: undo or redo."""
    import pandas as pd

    found = plan[plan.popped.map(bool).astype(bool)]
    off = dict(tag=dict(on=False), rule={}, schema={})
    nothing = [
        json.dumps({"name": slot.partition(":")[2], **off[f]} if f in off else None)
        for f, slot in zip(found.field, found.slot)
    ]
    return pd.DataFrame(
        dict(
            sample=found["sample"],
            field=found.field,
            value=found.value.where(
                found.value.notna(), pd.Series(nothing, found.index, dtype=object)
            ),
            verdict=found.verdict.where(found.verdict.notna(), "set"),
            origin=found.origin.where(found.origin.notna(), ""),
            why=why,
            suggested=[json.dumps({kind: p}) for p in found.popped],
        )
    )


REDO = f"""
with mine as (select sample, {SLOT} as slot, seq, suggested from edits where batch = $batch),
{ALIVE.format(only="and sample in (select sample from mine)")},
top as (select sample, slot, max(seq) as top from alive group by all),
back as (select sample, slot, seq, unnest(from_json((suggested -> 'undo'), '["varchar"]')) as batch from mine),
revived as (
    select e.*, b.seq as undone_at from (select *, {SLOT} as slot from {SPOKEN} where not {BACK}) e
    join back b on e.batch = b.batch and e.sample = b.sample and e.slot = b.slot)
select r.sample, r.slot, any_value(r.field) as field, list(distinct r.batch) as popped,
    arg_max(r.value, r.seq) as value, arg_max(r.verdict, r.seq) as verdict, arg_max(r.origin, r.seq) as origin,
    coalesce(any_value(t.top) > any_value(r.undone_at), false) as since
from revived r left join top t on t.sample = r.sample and t.slot = r.slot group by all order by min(r.undone_at)"""


def plan_redo(con: duckdb.DuckDBPyConnection, batch: str) -> pd.DataFrame:
    """Plan to redo what the undo or revert `batch` took off.

    Left alone where somebody edited since."""
    offer_names(con)
    frame = con.execute(REDO, dict(upto=END, batch=batch)).df()
    frame["popped"] = [[] if since else sorted(p) for p, since in zip(frame.popped, frame.since)]
    return frame


class Stacks(NamedTuple):
    """The batches of a log, newest last."""

    done: list[str]  # batches that stand: they can be undone
    undone: list[str]  # undo and revert batches that stand: they can be redone
    authors: dict[str, str]  # of every batch
    kinds: dict[str, str]  # of every batch
    brought: dict[str, str]  # batch of votes -> the import that brought them, and takes them back


def read_stacks(con: duckdb.DuckDBPyConnection, each_person: bool = False) -> Stacks:
    """Read which batches can be undone, and which redone.

    A new edit empties the second, as editors do; with each_person only its author's."""
    targets = {}
    for by, target, alive in con.execute(
        f"with {TOGGLES} select distinct by_batch, target, alive from turned order by 1, 2",
        dict(upto=END),
    ).fetchall():
        targets.setdefault(by, (alive, []))[1].append(target)
    batches = con.execute(BATCHES).fetchall()
    kinds = {batch: kind for batch, kind, _ in batches}
    authors = {batch: who for batch, _, who in batches}
    brought = dict(con.execute(BROUGHT).fetchall())
    done, undone = [], []
    for batch in [batch for batch in kinds if batch not in brought]:
        alive, of = targets.get(batch, (None, []))
        legacy = [t for t in of if kinds.get(t) == "undo"]
        if alive is None:
            done.append(batch)
            undone = [u for u in undone if each_person and authors[u] != authors[batch]]
        elif alive or legacy:
            of = [t for u in legacy for t in targets[u][1]] or of
            undone = [u for u in undone if not set(targets[u][1]) & set(of)]
            done += of
        else:
            done = [d for d in done if d not in of]
            undone.append(batch)
    return Stacks(done, undone, authors, kinds, brought)


def choose_batches(
    con: duckdb.DuckDBPyConnection,
    batch: str | None = None,
    who: str | None = None,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
) -> list[str]:
    """Choose the batches that a revert speaks of.

    One by name, or the decisions of somebody, those since or until a time, or all of these.
    Imports, scans, audits of the test set and rules are only meant where they are named."""
    stacks = read_stacks(con)
    if batch is not None:
        if batch not in stacks.kinds:
            raise UnknownBatch(
                f"expected a batch of this bench, found {batch!r}",
                "`assay log --batches` lists them",
                batch,
                stacks.kinds,
            )
        if stacks.kinds[batch] in ("repair", "mend"):
            raise UserError(
                f"expected a decision or an import, found {batch}: what it put right stands",
                "edit its samples: assay edit, assay log --batches",
            )
        if batch in stacks.brought:
            raise UserError(
                f"expected a decision or an import, found {batch}: votes that an import brought",
                f"revert the import: {stacks.brought[batch]}",
            )
        if batch not in stacks.done and batch not in stacks.undone:
            raise UserError(
                f"expected a batch that stands, found {batch} undone already",
                "assay redo takes the last undo back",
            )
        return [batch]
    named = con.execute(
        """select batch from edits where ($who is null or who = $who) and ($since is null or ts >= $since)
        and ($until is null or ts <= $until) and kind <> 'proposal' group by batch order by min(seq)""",
        dict(who=who, since=since, until=until),
    ).fetchall()
    standing = {b for b in stacks.done if stacks.kinds[b] in ("edit", "merge")}
    chosen = [b for (b,) in named if b in standing]
    if not chosen:
        by = f" by {who}" if who else ""
        from_then = f" since {show_time(since)}" if since else ""
        to_then = f" until {show_time(until)}" if until else ""
        raise UserError(
            f"expected decisions that stand{by}{from_then}{to_then}, found none",
            "`assay log --batches` lists batches with their authors and times",
        )
    return chosen
