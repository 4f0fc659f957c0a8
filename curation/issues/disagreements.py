"""Find samples that people label differently, or that a merge left open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END
from assay.curation.tasks.base import Task, read_task
from assay.curation.tasks.multilabel import make_set
from assay.curation.versioning import expressions, pointers
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import ALIVE
from assay.curation.versioning.votes import PERSON, VOTES

if TYPE_CHECKING:
    import pandas as pd

OPEN_CONFLICTS = f"""with {ALIVE.format(only="and kind = 'merge' and (suggested -> 'conflict') is not null")}
select a.sample, a.field, a.value, a.suggested, a.seq from alive a where not exists (
    select 1 from edits e where e.sample = a.sample and e.seq > a.seq and e.kind = 'edit') order by a.seq"""
CONTESTED = f"""select sample from edits where {PERSON} and field in ('label', 'keep')
group by sample having count(distinct who) > 1
union select sample from edits where kind = 'merge' and (suggested -> 'conflict') is not null"""
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
    stands, the suggestion the other label with most votes. Test and guard samples are nobody's queue. With several
    labels a sample each class is voted on by itself, unless somebody drops the sample: see judge_members.
    """
    with bench.connect() as con:
        offer_names(con, upto)
        rows = con.execute(DISAGREEMENTS, dict(upto=upto)).fetchall()
        task = read_task(con)
    by_sample: dict[str, list] = {}
    for sample, *vote in rows:
        by_sample.setdefault(sample, []).append(vote)
    known = state.loc[state.index.intersection(list(by_sample))]
    out = []
    for sample, keep, label, split in zip(known.index, known.keep, known.label, known["split"]):
        votes, now = by_sample[sample], label if keep else None
        if task.several and isinstance(now, str) and all(vote[0] is not None for vote in votes):
            if split not in LOCKED and (issue := judge_members(sample, now, votes, task)):
                out.append(issue)
            continue
        total = votes[0][2]
        share = sum(n for other, n, _, _ in votes if other == now) / total
        if share > 0.5 or split in LOCKED:
            continue
        suggestion = next(other for other, *_ in votes if other != now)
        why = "; ".join(
            f"{people}: {'drop' if other is None else task.show(other)}"
            for other, _, _, people in votes
        )
        out.append(Issue("reviewer_disagreement", sample, share, suggestion, why))
    return out


def judge_members(sample: str, now: str, votes: list, task: Task) -> Issue | None:
    """Judge the classes of a label set that people voted on; None where each has a majority for what stands.

    votes: (label, how many people, of how many, who). A class is open where at most half of the people agree with the
    label about it. The score is the share that agree about the most doubtful class; the suggestion turns what more
    than half of them would.
    """
    total, named = votes[0][2], set(task.members(now))
    turned, shares, why = set(named), [], []
    for name in sorted(named.union(*(task.members(label) for label, *_ in votes))):
        yes = [(n, people) for label, n, _, people in votes if name in task.members(label)]
        no = [(n, people) for label, n, _, people in votes if name not in task.members(label)]
        for_it = sum(n for n, _ in yes) / total
        agree = for_it if name in named else 1 - for_it
        if agree > 0.5:
            continue
        shares.append(agree)
        why.append(f"{name}: {join_people(yes)} yes, {join_people(no)} no")
        if agree < 0.5:
            turned ^= {name}
    if not shares:
        return None
    suggestion = make_set(turned) if turned != named else votes[0][0]
    if suggestion == now:
        suggestion = next(label for label, *_ in votes if label != now)
    return Issue("reviewer_disagreement", sample, min(shares), suggestion, "; ".join(why))


def join_people(votes: list[tuple[int, str]]) -> str:
    """Join the names of those who voted so; "nobody" for none."""
    return ", ".join(sorted(", ".join(people for _, people in votes).split(", "))) or "nobody"


FIND = {
    "merge_conflict": find_merge_conflicts,
    "reviewer_disagreement": find_reviewer_disagreements,
}


def find_disagreements(scan: ScanView, kind: str, threshold: float | None = None) -> list[Issue]:
    upto = pointers.find_position(scan.bench, expressions.root_version(scan.version))
    return FIND[kind](scan.bench, scan.state, upto)


def list_contested(bench: Bench) -> list[str]:
    """List the samples that people may disagree about: several decided, or a merge left it open."""
    return [sample for (sample,) in bench.rows(CONTESTED)]


def disagreement_issues(
    bench: Bench, version: str = "HEAD", state: pd.DataFrame | None = None
) -> pd.DataFrame:
    """List what people disagree about, conflicts of merges first.

    state: of the samples that they may disagree about, where it is known.
    """
    import pandas as pd

    scan = ScanView(bench, bench.state(version) if state is None else state, version)
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
