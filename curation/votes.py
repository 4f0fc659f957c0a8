"""Everyone's decision about a sample, kept as a vote: which label a majority gives, where people disagree, and how well they agree."""

from curation import stats, text
from curation.edits import SECONDS
from curation.undo import ALIVE
from curation.versions import END

PERSON = "(batch like 'edit-%' or batch like 'audit-%')"
RULES = ("latest", "majority")
# each person's last word on each sample: a label, or None for drop; who is unsure has no vote. By time, not by position in the log: a merge
# puts the same edits in another order
CAST = f"""{ALIVE.format(only=f"and {PERSON} and field in ('label', 'keep') {{only}}")},
word as (
    select sample, who, max(ts) as ts,
        arg_max(value, ts) filter (field = 'label') as label, arg_max(verdict, ts) filter (field = 'label') as verdict,
        arg_max(seq, ts) filter (field = 'label') as seq, arg_max(value, ts) filter (field = 'keep') as keep
    from alive group by sample, who),
vote as (
    select sample, who, ts, seq, case when keep = 'false' then null else label ->> '$' end as label from word
    where keep = 'false' or (label is not null and verdict <> 'unsure'))"""
VOTES = CAST.format(only="")
WINNERS = f"""with {VOTES},
tally as (select sample, label, count(*) as n, arg_max(seq, ts) as seq from vote where label is not null group by all),
most as (select sample, max(n) as n from tally group by sample)
select r.n, t.seq from (select sample, any_value(seq) as seq from tally semi join most using (sample, n) group by sample having count(*) = 1) t
join {{rows}} r using (sample)"""
# where the standing label has not more than half of two votes or more. Test and guard samples are nobody's queue
DISAGREEMENTS = f"""with {VOTES},
tally as (select sample, label, count(*) as n, string_agg(who, ', ' order by who) as people, max(ts) as ts from vote group by all),
many as (select sample, sum(n) as total from tally group by all having count(*) > 1)
select t.sample, t.label, t.n, m.total, t.people from tally t join many m using (sample) order by t.sample, t.n desc, t.ts desc"""


def namesake(bench, who):
    """Somebody who has decided here and whose name is `who` but for capitals and blanks, or None; nobody where `who` has decided, too."""
    people = {name for (name,) in bench.rows(f"select distinct who from edits where {PERSON}")}
    return None if who in people else next((name for group in text.alike([*people, who]) if who in group for name in group if name != who), None)


def winners(con, upto, rows):
    """The edits that the most votes make stand: dict of n (the sample's number in the table `rows`) and seq. A tie is no majority: there stands
    what would without the rule."""
    found = con.execute(WINNERS.format(rows=rows), dict(upto=upto)).fetchnumpy()
    return {k: found[k].astype("i8") for k in ("n", "seq")}


def disagreements(bench, state, upto=END):
    """Samples on which people disagree and no majority stands: frame kind, sample, score (share of votes for the standing label; low is bad),
    suggestion (the other label with most votes), why."""
    import pandas as pd

    with bench.connect() as con:
        rows = con.execute(f"{DISAGREEMENTS}", dict(upto=upto)).fetchall()
    by_sample = {}
    for sample, label, n, total, people in rows:
        by_sample.setdefault(sample, []).append((label, n, total, people))
    known = state.loc[state.index.intersection(list(by_sample))]
    out = []
    for s, keep, label in zip(known.index, known.keep, known.label):
        stands = label if keep else None
        share = sum(n for other, n, _, _ in by_sample[s] if other == stands) / by_sample[s][0][2]
        if share > 0.5 or known["split"][s] in ("test", "guard"):
            continue
        other = next(other for other, *_ in by_sample[s] if other != stands)
        why = "; ".join(f"{people}: {'drop' if other is None else other}" for other, _, _, people in by_sample[s])
        out.append(("reviewer_disagreement", s, share, other, why))
    return pd.DataFrame(out, columns=["kind", "sample", "score", "suggestion", "why"])


OTHERS = f"""with {CAST.format(only="and sample = $sample")}
select who, case when keep = 'false' then 'drop' when verdict = 'unsure' then 'not sure' else label ->> '$' end as said
from word where keep = 'false' or label is not null order by ts, who"""


def others(bench, sample, who):
    """What others than `who` said of one sample, each with the last word: dict votes [dict who, said], hidden (how many are kept back: where the
    majority rules, votes are worth something while they are independent, so one's own comes first). Nothing of test and guard samples."""
    with bench.connect() as con:
        found = con.execute(OTHERS, dict(sample=sample, upto=END)).fetchall()
    state = bench.state()
    if sample not in state.index or state["split"][sample] in ("test", "guard"):
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
    from curation import versions

    upto, state = versions.position(bench, versions.root(version)), bench.state(version)
    held = state.index[state.split.isin(("test", "guard"))]
    with bench.connect() as con:
        people = con.execute(REVIEWERS, dict(upto=upto)).df()
        versions.register(con, "held", list(held))
        pairs = con.execute(PAIRS, dict(upto=upto)).df()
    pairs["agreement"] = pairs.agree / pairs.n
    bounds = [stats.wilson(k, n) for k, n in zip(pairs.agree, pairs.n)]
    pairs["low"], pairs["high"] = [b[0] for b in bounds], [b[1] for b in bounds]
    return people, pairs
