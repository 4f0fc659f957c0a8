"""Who decided what, and how well people agree."""

from assay.curation import text
from assay.curation.splits import LOCKED
from assay.curation.statistics import estimates
from assay.curation.storage.schema import END
from assay.curation.versioning.edits import SECONDS
from assay.curation.versioning.live_edits import ALIVE
from assay.curation.versioning.votes import CAST, PERSON, VOTES


def namesake(bench, who):
    """Somebody who has decided here and whose name is `who` but for capitals and blanks, or None; nobody where `who` has decided, too."""
    people = {name for (name,) in bench.rows(f"select distinct who from edits where {PERSON}")}
    return (
        None
        if who in people
        else next(
            (
                name
                for group in text.alike([*people, who])
                if who in group
                for name in group
                if name != who
            ),
            None,
        )
    )


OTHERS = f"""with {CAST.format(only="and sample = $sample")}
select who, case when keep = 'false' then 'drop' when verdict = 'unsure' then 'not sure' else label ->> '$' end as said
from word where keep = 'false' or label is not null order by ts, who"""


def others(bench, sample, who):
    """What others than `who` said of one sample, each with the last word: dict votes [dict who, said], hidden (how many are kept back: where the
    majority rules, votes are worth something while they are independent, so one's own comes first). Nothing of test and guard samples."""
    with bench.connect() as con:
        found = con.execute(OTHERS, dict(sample=sample, upto=END)).fetchall()
    state = bench.state()
    if sample not in state.index or state["split"][sample] in LOCKED:
        return dict(votes=[], hidden=0)
    theirs = [dict(who=name, said=said) for name, said in found if name != who]
    early = bench.rule() == "majority" and len(theirs) == len(found)
    return dict(votes=[] if early else theirs, hidden=len(theirs) if early else 0)


REVIEWERS = f"""with {ALIVE.format(only=f"and {PERSON}")},
decided as (select who, max({SECONDS}) as seconds from alive group by who, batch, sample),  -- each edit of a decision carries all of its seconds
spent as (select who, sum(seconds) as seconds, median(seconds) as median_seconds from decided group by who)
select who, count(distinct sample) as samples, count(*) as edits,
    count(*) filter (field = 'label' and verdict = 'set') as relabelled, count(*) filter (verdict = 'confirm') as confirmed,
    count(*) filter (verdict = 'unsure') as unsure, count(*) filter (field = 'keep' and value = 'false') as dropped,
    any_value(s.seconds) as seconds, any_value(median_seconds) as median_seconds, min(ts) as first, max(ts) as last
from alive join spent s using (who) group by who order by samples desc, who"""
PAIRS = f"""with {VOTES}
select a.who as a, b.who as b, count(*) as n, count(*) filter (a.label is not distinct from b.label) as agree
from vote a join vote b on a.sample = b.sample and a.who < b.who
where a.sample not in (select sample from held) group by all order by n desc, a, b"""


def reviewers(bench, version="HEAD"):
    """(each person's decisions that stand: frame who, samples, edits, relabelled, confirmed, unsure, dropped, seconds, median_seconds, first, last;
    what two of them say about samples that both decided: frame a, b, n, agree, agreement, low, high). Test samples are left out of the second."""
    from assay.curation.versioning import expressions, versions

    upto, state = versions.position(bench, expressions.root(version)), bench.state(version)
    held = state.index[state.split.isin(LOCKED)]
    with bench.connect() as con:
        people = con.execute(REVIEWERS, dict(upto=upto)).df()
        versions.register(con, "held", list(held))
        pairs = con.execute(PAIRS, dict(upto=upto)).df()
    pairs["agreement"] = pairs.agree / pairs.n
    bounds = [estimates.wilson(k, n) for k, n in zip(pairs.agree, pairs.n)]
    pairs["low"], pairs["high"] = [b[0] for b in bounds], [b[1] for b in bounds]
    return people, pairs
