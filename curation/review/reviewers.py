"""Who decided what, and how well people agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.curation import text
from assay.curation.splits import LOCKED
from assay.curation.statistics import estimates
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.decision_cells import SECONDS
from assay.curation.versioning.live_edits import ALIVE
from assay.curation.versioning.votes import CAST, PERSON, VOTES

if TYPE_CHECKING:
    import pandas as pd


def find_namesake(bench: Bench, who: str) -> str | None:
    """Find somebody who has decided here and has nearly this name.

    The name is `who` but for capitals and blanks. None where there is nobody, or `who` has decided, too.
    """
    people = {name for (name,) in bench.rows(f"select distinct who from edits where {PERSON}")}
    if who in people:
        return None
    alike = [group for group in text.find_alike([*people, who]) if who in group]
    return next((name for group in alike for name in group if name != who), None)


OTHERS = f"""with {CAST.format(only="and sample = $sample")}
select who, case when keep = 'false' then 'drop' when verdict = 'unsure' then 'not sure'
    else label ->> '$' end as said
from word where keep = 'false' or label is not null order by ts, who"""


def list_other_votes(bench: Bench, sample: str, who: str) -> dict:
    """List what others said of one sample, each with the last word.

    Others than `who`. Returns {votes: [{who, said}], hidden: how many are kept back}: where the
    majority rules, votes are worth something while they are independent, so one's own comes first.
    Nothing of test and guard samples.
    """
    with bench.connect() as con:
        offer_names(con)
        found = con.execute(OTHERS, dict(sample=sample, upto=END)).fetchall()
    state = bench.state()
    if sample not in state.index or state["split"][sample] in LOCKED:
        return dict(votes=[], hidden=0)
    theirs = [dict(who=name, said=said) for name, said in found if name != who]
    if bench.rule() == "majority" and len(theirs) == len(found):  # nothing of `who` yet
        return dict(votes=[], hidden=len(theirs))
    return dict(votes=theirs, hidden=0)


REVIEWERS = f"""with {ALIVE.format(only=f"and {PERSON}")},
decided as (  -- each edit of a decision carries all of its seconds
    select who, max({SECONDS}) as seconds from alive group by who, batch, sample),
spent as (
    select who, sum(seconds) as seconds, median(seconds) as median_seconds
    from decided group by who)
select who, count(distinct sample) as samples, count(*) as edits,
    count(*) filter (field = 'label' and verdict = 'set') as relabelled,
    count(*) filter (verdict = 'confirm') as confirmed,
    count(*) filter (verdict = 'unsure') as unsure,
    count(*) filter (field = 'keep' and value = 'false') as dropped,
    any_value(s.seconds) as seconds, any_value(median_seconds) as median_seconds,
    min(ts) as first, max(ts) as last
from alive join spent s using (who) group by who order by samples desc, who"""
PAIRS = f"""with {VOTES}
select a.who as a, b.who as b, count(*) as n,
    count(*) filter (a.label is not distinct from b.label) as agree
from vote a join vote b on a.sample = b.sample and a.who < b.who
where a.sample not in (select sample from held) group by all order by n desc, a, b"""


def count_reviewers(bench: Bench, version: str = "HEAD") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count each person's decisions, and how well two people agree.

    Returns two frames. Each person's decisions that stand: who, samples, edits, relabelled, confirmed,
    unsure, dropped, seconds, median_seconds, first, last. What two of them say about samples that both
    decided: a, b, n, agree, agreement, low, high; test samples are left out of this one.
    """
    from assay.curation.versioning import expressions, pointers

    upto, state = (
        pointers.find_position(bench, expressions.root_version(version)),
        bench.state(version),
    )
    held = state.index[state.split.isin(LOCKED)]
    with bench.connect() as con:
        offer_names(con, upto)
        people = con.execute(REVIEWERS, dict(upto=upto)).df()
        pointers.register_values(con, "held", list(held))
        pairs = con.execute(PAIRS, dict(upto=upto)).df()
    pairs["agreement"] = pairs.agree / pairs.n
    bounds = [estimates.wilson_interval(k, n) for k, n in zip(pairs.agree, pairs.n)]
    pairs["low"], pairs["high"] = [b[0] for b in bounds], [b[1] for b in bounds]
    return people, pairs
