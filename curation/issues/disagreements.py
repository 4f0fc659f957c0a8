"""Samples that people label differently, or that a merge left open."""

import json

from assay.curation.splits import LOCKED
from assay.curation.storage import schema
from assay.curation.storage.schema import END
from assay.curation.versioning import expressions, versions
from assay.curation.versioning.live_edits import ALIVE
from assay.curation.versioning.votes import VOTES

OPEN = f"""with {ALIVE.format(only="and batch like 'merge-%' and (suggested -> 'conflict') is not null")}
select a.sample, a.field, a.value, a.suggested from alive a
where not exists (select 1 from edits e where e.sample = a.sample and e.seq > a.seq and e.batch like 'edit-%') order by a.seq"""


def conflicts(bench, state, upto=schema.END):
    """Conflicts of merges that nobody has decided since: frame kind, sample, score, suggestion (their label), why. A decision on the sample, be it
    a confirmation, settles it."""
    import pandas as pd

    with bench.connect() as con:
        rows = con.execute(OPEN, dict(upto=upto)).fetchall()
    out = {}
    for sample, field, value, suggested in rows:
        told, ours = json.loads(suggested)["conflict"], json.loads(value)
        if sample in state.index and state.split[sample] not in LOCKED:
            here, there = (v["on"] if field == "tag" else v for v in (ours, told["theirs"]))
            why = f"{told['slot']}: {here} here, {there} by {told['who']}"
            out[sample] = ("merge_conflict", sample, 0.0, there if field == "label" else None, why)
    return pd.DataFrame(
        list(out.values()), columns=["kind", "sample", "score", "suggestion", "why"]
    )


def of_people(bench, version="HEAD"):
    """Where people contradict each other, as issues: conflicts of merges, then disagreements."""
    import pandas as pd

    upto, state = versions.position(bench, expressions.root(version)), bench.state(version)
    return pd.concat(
        [conflicts(bench, state, upto), disagreements(bench, state, upto)], ignore_index=True
    )


# where the standing label has not more than half of two votes or more. Test and guard samples are nobody's queue
DISAGREEMENTS = f"""with {VOTES},
tally as (select sample, label, count(*) as n, string_agg(who, ', ' order by who) as people, max(ts) as ts from vote group by all),
many as (select sample, sum(n) as total from tally group by all having count(*) > 1)
select t.sample, t.label, t.n, m.total, t.people from tally t join many m using (sample) order by t.sample, t.n desc, t.ts desc"""


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
        if share > 0.5 or known["split"][s] in LOCKED:
            continue
        other = next(other for other, *_ in by_sample[s] if other != stands)
        why = "; ".join(
            f"{people}: {'drop' if other is None else other}"
            for other, _, _, people in by_sample[s]
        )
        out.append(("reviewer_disagreement", s, share, other, why))
    return pd.DataFrame(out, columns=["kind", "sample", "score", "suggestion", "why"])
