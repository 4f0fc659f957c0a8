"""Group a person's decisions into sessions, and read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import PERSON_KINDS
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import BACK, SPOKEN
from assay.curation.versioning.pointers import register_values

if TYPE_CHECKING:
    import pandas as pd

PAUSE = 30  # minutes without an edit that end a session
COUNTS = "reviewed relabelled confirmed unsure dropped tagged moved taken_back classes".split()
DECIDED = f"e.kind in {PERSON_KINDS}"
SESSIONS = f"""with per_batch as (
    select batch, who, kind, min(ts) as first, max(ts) as last from edits
    where kind in {PERSON_KINDS} or kind = 'schema' or {BACK} group by all),
begun as (
    select *, coalesce(first - max(last) over (partition by who order by first, batch
        rows between unbounded preceding and 1 preceding) > to_minutes({PAUSE}), true) as new
    from per_batch),
numbered as (
    select *, sum(new::int) over (partition by who order by first, batch
        rows unbounded preceding) as session from begun)
select n.who, min(n.first) as first, max(n.last) as last,
    list(distinct n.batch) as batches,
    count(distinct e.sample) filter ({DECIDED} and (e.field = 'label'
        or e.field = 'keep' and e.value = 'false')) as reviewed,
    count(distinct e.sample) filter ({DECIDED} and e.field = 'label' and e.verdict = 'set')
        as relabelled,
    count(distinct e.sample) filter ({DECIDED} and e.verdict = 'confirm') as confirmed,
    count(distinct e.sample) filter ({DECIDED} and e.verdict = 'unsure') as unsure,
    count(distinct e.sample) filter ({DECIDED} and e.field = 'keep' and e.value = 'false')
        as dropped,
    count(distinct e.sample) filter ({DECIDED} and e.field = 'tag') as tagged,
    count(distinct e.sample) filter ({DECIDED} and e.field = 'split') as moved,
    count(*) filter (e.{BACK}) as taken_back,
    count(*) filter (e.kind = 'schema') as classes
from numbered n join edits e on e.batch = n.batch and e.who = n.who and e.kind = n.kind
group by n.who, n.session order by last desc, n.who"""
DECISIONS = f"""with mine as (select * from {SPOKEN} where who = $who
    and batch in (select batch from chosen) and kind in {PERSON_KINDS}),
said as (
    select sample, min(seq) as first, max(seq) as last,
        arg_max(value ->> '$', seq) filter (field = 'label') as after,
        arg_max(verdict, seq) filter (field = 'label') as verdict,
        coalesce(arg_max(value = 'false', seq) filter (field = 'keep'), false) as dropped
    from mine where field in ('label', 'keep') group by sample),
earlier as (
    select s.sample, arg_max(s.value ->> '$', s.seq) as before from {SPOKEN} s
    join said using (sample) where s.field = 'label' and s.seq < said.first group by s.sample)
select said.sample, samples.key, before, after, verdict, dropped
from said join samples on samples.id = said.sample left join earlier using (sample)
order by (verdict = 'set' or dropped) desc nulls last, said.last"""


@dataclass(frozen=True)
class Session:
    """What one person did without a long pause."""

    who: str
    first: datetime  # as stored
    last: datetime
    batches: tuple[str, ...]
    counts: dict[str, int]  # samples by what was decided, see COUNTS; values that were taken back


def list_sessions(bench: Bench) -> list[Session]:
    """List the sessions of people, newest first.

    A session ends where its person makes no edit for PAUSE minutes. Imports and scans are none.
    """
    rows = bench.rows(SESSIONS)
    return [
        Session(who, first, last, tuple(sorted(batches)), dict(zip(COUNTS, counts)))
        for who, first, last, batches, *counts in rows
    ]


def read_decisions(bench: Bench, session: Session) -> pd.DataFrame:
    """Read what was decided about each sample in a session.

    A frame sample, key, before (the label until then), after, verdict, dropped; what changed first.
    """
    with bench.connect() as con:
        offer_names(con)
        register_values(con, "chosen", list(session.batches), "batch")
        return con.execute(DECISIONS, dict(who=session.who)).df()
