"""Load people's decisions between two versions, in the order they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.versioning import expressions, pointers
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.decision_cells import SECONDS
from assay.curation.versioning.live_edits import ALIVE, SPOKEN
from assay.curation.versioning.votes import PERSON

if TYPE_CHECKING:
    import pandas as pd

# what decides whether a sample trains, and as what; columns of pointers.read_pointers
FIELDS = dict(label=0, keep=2, split=3)
HERE = ALIVE.format(
    only=f"and field in {tuple(FIELDS)} and sample in (select sample from edits where {PERSON})"
)

STOOD = f"with {HERE} select seq from alive where {PERSON}"

# the decisions on the stacks at $upto; `made`: the one that brought the value that stands (not a
# later one that merely confirmed it), and with it what stood before: at the first version or, of a
# sample imported since, as it was imported
DECIDED = f"""with {HERE},
spoken as {SPOKEN},
born as (
    select sample, field, min(seq) as seq from edits
    where origin_kind = 'import' and sample in (select sample from pointed where first = 0) group by all),
stands as (
    select p.sample, p.field, e.value, e.origin, b.value as before from pointed p join spoken e on e.seq = p.last
    left join born i on i.sample = p.sample and i.field = p.field and p.first = 0
    left join spoken b on b.seq = if(p.first = 0, i.seq, p.first)),
stack as (
    select a.sample, a.field, a.batch, a.kind, a.seq, a.value = s.value as same, s.origin
    from alive a join stands s using (sample, field)),
parted as (select sample, field, coalesce(max(seq) filter (not same), 0) as since from stack group by all),
maker as (
    select sample, field, coalesce(
        min(seq) filter (same and seq > since and {PERSON}), min(seq) filter (batch = origin)) as seq
    from stack join parted using (sample, field) group by all)
select a.sample, a.field, a.batch, a.who, a.why, a.ts, a.seq, {SECONDS} as seconds,
    coalesce(a.seq = m.seq, false) as made,
    s.value ->> '$' as after, s.before ->> '$' as before
from alive a left join maker m using (sample, field) left join stands s using (sample, field)
where {PERSON} order by a.ts, a.seq"""


def resolve_span(bench: Bench, first: str, last: str) -> tuple[int, int]:
    """Find the two log positions of a span of reviews.

    UserError where a version is an expression, or `last` is no later than `first`.
    """
    for version in (first, last):
        if expressions.is_expression(version):
            raise UserError(
                f"expected two positions in the log, found {version}, which nobody reviewed",
                "compare two commits for costs of review",
            )
    a, b = (pointers.find_position(bench, v) for v in (first, last))
    if a >= b:
        raise UserError(
            f"expected reviews between {first} and {last}, found {last} no later than {first}",
            "name the earlier version first",
        )
    return a, b


def load_decisions(bench: Bench, first: int, last: int) -> pd.DataFrame:
    """Load people's decisions on train and val samples.

    In the order in which they were made. Those that stand at the log position `last` and did not at
    `first`. A row for each label, keep and split that a decision speaks of: sample, field, batch,
    who, why, ts, seq, seconds, made, before, after (text), is_review (a decision about label or
    keep is a review, a mere move to another split is not) and number: how many reviews came before
    (a move counts with the next).
    """
    import pandas as pd

    split = bench.state(last)["split"]
    with bench.connect() as con:
        ids = con.sql("select id from samples order by rowid").fetchnumpy()["id"]
        was, now = (pointers.read_pointers(con, upto, len(ids)) for upto in (first, last))
        at = {field: np.flatnonzero(was[:, j] != now[:, j]) for field, j in FIELDS.items()}
        parts = [
            pd.DataFrame(dict(sample=ids[at[f]], field=f, first=was[at[f], j], last=now[at[f], j]))
            for f, j in FIELDS.items()
        ]
        con.register("pointed", pd.concat(parts).astype(dict(sample=str)))
        offer_names(con, first)
        stood = con.execute(STOOD, dict(upto=first)).fetchnumpy()["seq"]
        offer_names(con, last)
        found = con.execute(DECIDED, dict(upto=last)).df().astype(dict(before=object, after=object))
    here = found["sample"].map(split).isin(("train", "val"))
    found = found[~found.seq.isin(stood) & here].reset_index(drop=True)
    review = (found.field != "split").groupby([found.batch, found["sample"]]).transform("any")
    found["is_review"] = review = review.astype(bool)
    count = (review & ~found.duplicated(["batch", "sample"])).cumsum()
    return found.assign(number=np.where(review, count - 1, count.clip(upper=count.max() - 1)))


def group_reviews(found: pd.DataFrame) -> pd.DataFrame:
    """Group decisions into reviews, a row each.

    A decision about label and keep carries its seconds twice, and counts once.
    """
    rows = found[found.is_review].groupby("number", sort=True)
    return rows.agg(
        batch=("batch", "first"),
        sample=("sample", "first"),
        who=("who", "first"),
        seconds=("seconds", "max"),
    )


def valid_seconds(seconds: pd.Series) -> np.ndarray:
    """The seconds (n,) of each review as floats.

    NaN where none were stored, or none that can be.
    """
    seconds = np.asarray(seconds, float)
    return np.where(np.isfinite(seconds) & (seconds >= 0), seconds, np.nan)


def revert_changes(frame: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Take changes back in a copy of a state.

    The samples of `changes` have what they had before.
    """
    frame = frame.copy()
    for field, rows in changes.groupby("field"):
        column = frame[field].to_numpy(object, copy=True)
        before = rows.before.where(rows.before.notna(), None).to_numpy(object)
        at = frame.index.get_indexer(rows["sample"])
        column[at] = before == "true" if field == "keep" else before
        frame[field] = column.astype(bool) if field == "keep" else column
    return frame
