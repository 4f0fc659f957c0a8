"""Find samples that people label differently, or that a merge left open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END
from assay.curation.versioning import expressions, pointers
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import ALIVE
from assay.curation.versioning.votes import VOTES

if TYPE_CHECKING:
    import pandas as pd

OPEN_CONFLICTS = f"""with {ALIVE.format(only="and kind = 'merge' and (suggested -> 'conflict') is not null")}
select a.sample, a.field, a.value, a.suggested, a.seq from alive a where not exists (
    select 1 from edits e where e.sample = a.sample and e.seq > a.seq and e.kind = 'edit') order by a.seq"""
# where two or more people voted, and not all for the same
DISAGREEMENTS = f"""with {VOTES},
tally as (select sample, label, count(*) as n, string_agg(who, ', ' order by who) as people, max(ts) as ts
    from vote group by all),
many as (select sample, sum(n) as total from tally group by all having count(*) > 1)
select t.sample, t.label, t.n, m.total, t.people from tally t join many m using (sample)
order by t.sample, t.n desc, t.ts desc"""


def find_merge_conflicts(bench: Bench, state: pd.DataFrame, upto: int = END) -> list[Issue]:
    """Find conflicts of merges that nobody has decided since.

    The suggestion is the other side's label. A decision on the sample, be it a confirmation, settles it. `upto`: a
    position in the log.
    """
    with bench.connect() as con:
        names = offer_names(con, upto)
        rows = con.execute(OPEN_CONFLICTS, dict(upto=upto)).fetchall()
    out = {}
    for sample, field, value, suggested, seq in rows:
        conflict, ours = json.loads(suggested)["conflict"], json.loads(value)
        if sample in state.index and state.split[sample] not in LOCKED:
            theirs = conflict["theirs"]
            here, there = (v["on"] if field == "tag" else v for v in (ours, theirs))
            label = names.find(there, seq) if field == "label" else None
            there = label or there
            why = f"{conflict['slot']}: {here} here, {there} by {conflict['who']}"
            out[sample] = Issue("merge_conflict", sample, 0.0, label, why)
    return list(out.values())


def find_reviewer_disagreements(bench: Bench, state: pd.DataFrame, upto: int = END) -> list[Issue]:
    """Find samples on which people disagree without a majority.

    The label as it stands has at most half of two votes or more. The score is the share of votes for the label as it
    stands, the suggestion the other label with most votes. Test and guard samples are nobody's queue.
    """
    with bench.connect() as con:
        offer_names(con, upto)
        rows = con.execute(DISAGREEMENTS, dict(upto=upto)).fetchall()
    by_sample: dict[str, list] = {}
    for sample, *vote in rows:
        by_sample.setdefault(sample, []).append(vote)
    known = state.loc[state.index.intersection(list(by_sample))]
    out = []
    for sample, keep, label, split in zip(known.index, known.keep, known.label, known["split"]):
        votes, now = by_sample[sample], label if keep else None
        total = votes[0][2]
        share = sum(n for other, n, _, _ in votes if other == now) / total
        if share > 0.5 or split in LOCKED:
            continue
        suggestion = next(other for other, *_ in votes if other != now)
        why = "; ".join(
            f"{people}: {'drop' if other is None else other}" for other, _, _, people in votes
        )
        out.append(Issue("reviewer_disagreement", sample, share, suggestion, why))
    return out


FIND = {
    "merge_conflict": find_merge_conflicts,
    "reviewer_disagreement": find_reviewer_disagreements,
}


def find_disagreements(scan: ScanView, kind: str, threshold: float | None = None) -> list[Issue]:
    upto = pointers.find_position(scan.bench, expressions.root_version(scan.version))
    return FIND[kind](scan.bench, scan.state, upto)


def disagreement_issues(bench: Bench, version: str = "HEAD") -> pd.DataFrame:
    """List what people disagree about, conflicts of merges first."""
    import pandas as pd

    scan = ScanView(bench, bench.state(version), version)
    rows = [row for kind in FIND for row in find_disagreements(scan, kind)]
    return pd.DataFrame(rows, columns=list(Issue._fields))


FINDER = IssueFinder(
    {  # others were dropped by somebody: they stay listed
        "merge_conflict": Kind("a merge brought another answer", closed_by="nothing"),
        "reviewer_disagreement": Kind("people gave different answers", closed_by="nothing"),
    },
    find_disagreements,
    when="look",
    order=10,
)
