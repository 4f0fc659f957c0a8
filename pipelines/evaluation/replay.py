"""What people's decisions bought, review after review and batch by batch: the log replayed with the probe and judged on validation.

Judged on the validation labels that stand in the later version throughout, so choosing by it costs no look at the test set, and correcting a
validation label is no gain. All of it is one fit and then updates (see curation.probe). Gains and intervals are fractions: 0.013 is 1.3 points."""

from copy import copy
from dataclasses import replace

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph, scan_settings
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality import scoring
from assay.curation.statistics import estimates as stats
from assay.curation.statistics import multiple_testing
from assay.curation.storage.arrays import Shards
from assay.curation.times import iso_time
from assay.curation.versioning import expressions, versions
from assay.curation.versioning.edits import SECONDS
from assay.curation.versioning.live_edits import ALIVE
from assay.curation.versioning.votes import PERSON

FIELDS = dict(
    label=0, keep=2, split=3
)  # what decides whether a sample trains, and as what; columns of versions.pointers
SCOPE = "this probe on these training samples, judged on these validation labels; seeds and other architectures are not in the interval"
HERE = ALIVE.format(
    only=f"and field in {tuple(FIELDS)} and sample in (select sample from edits where {PERSON})"
)
STOOD = f"with {HERE} select seq from alive where {PERSON}"
# the decisions on the stacks at $upto; `made`: the one that brought the value that stands (not a later one that merely confirmed it), and with
# it what stood before: at the first version or, of a sample imported since, as it was imported
DECIDED = f"""with {HERE},
born as (
    select sample, field, min(seq) as seq from edits
    where origin like 'import-%' and sample in (select sample from pointed where first = 0) group by all),
stands as (
    select p.sample, p.field, e.value, e.origin, b.value as before from pointed p join edits e on e.seq = p.last
    left join born i on i.sample = p.sample and i.field = p.field and p.first = 0
    left join edits b on b.seq = if(p.first = 0, i.seq, p.first)),
stack as (select a.sample, a.field, a.batch, a.seq, a.value = s.value as same, s.origin from alive a join stands s using (sample, field)),
parted as (select sample, field, coalesce(max(seq) filter (not same), 0) as since from stack group by all),
maker as (
    select sample, field, coalesce(min(seq) filter (same and seq > since and {PERSON}), min(seq) filter (batch = origin)) as seq
    from stack join parted using (sample, field) group by all)
select a.sample, a.field, a.batch, a.who, a.why, a.ts, a.seq, {SECONDS} as seconds, coalesce(a.seq = m.seq, false) as made,
    s.value ->> '$' as after, s.before ->> '$' as before
from alive a left join maker m using (sample, field) left join stands s using (sample, field) where {PERSON} order by a.ts, a.seq"""


def span(bench, first, last):
    """The two log positions, later than each other; UserError where a version is an expression or they are in another order."""
    for version in (first, last):
        if expressions.is_expression(version):
            raise UserError(
                f"expected two positions in the log, found {version}, which nobody reviewed",
                "compare two commits for costs of review",
            )
    a, b = (versions.position(bench, v) for v in (first, last))
    if a >= b:
        raise UserError(
            f"expected reviews between {first} and {last}, found {last} no later than {first}",
            "name the earlier version first",
        )
    return a, b


def decisions(bench, first, last):
    """People's decisions on train and val samples that stand at the log position `last` and did not at `first`, in the order in which they were
    made: a frame with a row for each label, keep and split that one speaks of: sample, field, batch, who, why, ts, seq, seconds, made, before,
    after (text), looked (a decision about label or keep is a review, a mere move to another split is not) and number: how many reviews
    came before (a move counts with the next)."""
    import pandas as pd

    split = bench.state(last)["split"]
    with bench.connect() as con:
        ids = con.sql("select id from samples order by rowid").fetchnumpy()["id"]
        was, now = (versions.pointers(con, upto, len(ids)) for upto in (first, last))
        at = {field: np.flatnonzero(was[:, j] != now[:, j]) for field, j in FIELDS.items()}
        parts = [
            pd.DataFrame(dict(sample=ids[at[f]], field=f, first=was[at[f], j], last=now[at[f], j]))
            for f, j in FIELDS.items()
        ]
        con.register("pointed", pd.concat(parts).astype(dict(sample=str)))
        stood = con.execute(STOOD, dict(upto=first)).fetchnumpy()["seq"]
        found = con.execute(DECIDED, dict(upto=last)).df().astype(dict(before=object, after=object))
    found = found[
        ~found.seq.isin(stood) & found["sample"].map(split).isin(("train", "val"))
    ].reset_index(drop=True)
    found["looked"] = (
        (found.field != "split")
        .groupby([found.batch, found["sample"]])
        .transform("any")
        .astype(bool)
    )
    count = (found.looked & ~found.duplicated(["batch", "sample"])).cumsum()
    return found.assign(number=np.where(found.looked, count - 1, count.clip(upper=count.max() - 1)))


def reviews_of(found):
    """One row for each review of a frame of decisions; a decision about label and keep carries its seconds twice, and counts once."""
    rows = found[found.looked].groupby("number", sort=True)
    return rows.agg(
        batch=("batch", "first"),
        sample=("sample", "first"),
        who=("who", "first"),
        seconds=("seconds", "max"),
    )


def timed(seconds):
    """Seconds (n,) of each review as floats: NaN where none were stored, or none that can be."""
    seconds = np.asarray(seconds, float)
    return np.where(np.isfinite(seconds) & (seconds >= 0), seconds, np.nan)


def taken_back(frame, changes):
    """A state `frame` in which the samples of `changes` have what they had before."""
    frame = frame.copy()
    for field, rows in changes.groupby("field"):
        column, before = (
            frame[field].to_numpy(object, copy=True),
            rows.before.where(rows.before.notna(), None).to_numpy(object),
        )
        column[frame.index.get_indexer(rows["sample"])] = (
            before == "true" if field == "keep" else before
        )
        frame[field] = column.astype(bool) if field == "keep" else column
    return frame


class Replay:
    """The people's decisions between two versions, ready to be applied again one after another: all else is as it is at `last`, so that imports,
    hold-outs and moves by others are in every point. UserError where there is nothing to replay, or nothing to judge it by."""

    def __init__(self, bench, first, last):
        a, b = span(bench, first, last)
        was, self.part = bench.state(a), scoring.judged(bench.state(b))
        self.found = found = decisions(bench, a, b)
        if not found.looked.any():
            raise UserError(
                f"expected reviews between {first} and {last}, found none that stand",
                "review, commit, and compare again",
            )
        self.reviews = reviews_of(found)
        self.changes = found[found.made & (found.before.fillna("") != found.after.fillna(""))]
        start = taken_back(self.part, self.changes)
        self.classes = sorted(
            {c for frame in (start, self.part) for c in scoring.targets(frame)[0]}
        )
        y, y_last = (scoring.targets(frame, self.classes)[1] for frame in (start, self.part))
        val = (self.part.keep & (self.part["split"] == "val") & self.part.label.notna()).to_numpy()
        rows = np.flatnonzero(val & (y < 0))  # what trained at some point is no validation sample
        if not len(rows) or len(set(y[y >= 0])) < 2:
            raise UserError(
                f"expected labelled validation samples and two classes to train on, found {len(rows)} and {len(set(y[y >= 0]))}",
                "import a val split, or label more",
            )
        graph, at = neighbor_graph.nodes(bench, self.part)
        X = Shards(bench.arrays / "embeddings" / scan_settings.settings(bench)["folder"]).rows(
            self.part.content_hash
        )
        self.touched = np.flatnonzero(self.part.index.isin(self.changes["sample"]))
        self.y_last, self.X_val = y_last[self.touched], X[rows]
        self.start = Ridge(
            probes.fit(X, y, graph["groups"][at], len(self.classes)),
            X[self.touched],
            y[self.touched],
        )
        index = {c: i for i, c in enumerate(self.classes)}
        self.truth = np.array([index.get(c, -1) for c in self.part.label.iloc[rows]])
        self.ruler = dict(
            n=len(rows), corrected=differing(labelled(was, "val"), labelled(self.part, "val"))
        )
        self.other = differing(labelled(was, "train"), labelled(start, "train"))

    def without(self, changes):
        """Class indices (t,) of the samples that any change touches, with `changes` taken back."""
        return scoring.targets(taken_back(self.part.iloc[self.touched], changes), self.classes)[1]

    def judge(self, ridge):
        """(0/1 (m,): right by the validation labels, log-probability (m,) of these labels, NaN for a class that the probe does not know)."""
        p = ridge.predict(self.X_val)
        said = np.log(np.maximum(p[np.arange(len(p)), self.truth], 1e-12))
        return (p.argmax(1) == self.truth).astype(float), np.where(self.truth >= 0, said, np.nan)


class Ridge:
    """A fitted probe whose training rows X (t, d), labelled y (t,), may be relabelled, leave or come back. Probe.update does the same and keeps every
    row's leverage too, which nobody asks for here: with hundreds of drops at each point that was most of the time."""

    def __init__(self, probe, X, y):
        self.probe, self.X, self.y = probe, X, y
        self.A, self.XtY = np.linalg.inv(probe.inverse), probe.XtY.copy()

    def to(self, y):
        """The same with the class indices y (t,), -1 for rows that are out; standardisation, lambda and calibration stay as fitted."""
        out, k = copy(self), self.probe.k
        changed = np.flatnonzero(y != self.y)
        for part in probes.blocks(len(changed)):
            rows = changed[part]
            Z, sign = self.probe.standard(self.X[rows]), 1.0 * (y[rows] >= 0) - (self.y[rows] >= 0)
            moved = Z[sign != 0]
            out.A = out.A + (moved * sign[sign != 0, None]).T @ moved
            out.XtY = out.XtY + Z.T @ (probes.onehot(y[rows], k) - probes.onehot(self.y[rows], k))
        out.y = y
        return out

    def predict(self, X):
        """Probabilities (m, k) of samples that were not fitted."""
        from scipy.linalg import cho_factor, cho_solve
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # see probe.eigh
            W = cho_solve(cho_factor(self.A), self.XtY)
        return self.probe.probabilities(self.probe.project(X, W))


def labelled(state, split):
    """The labels (Series) of the kept, labelled samples of a split."""
    return state.label[state.keep & (state["split"] == split) & state.label.notna()]


def differing(a, b):
    """How many samples have another label in one Series than in the other, or are in one alone."""
    ids = a.index.union(b.index)
    one, two = (s.reindex(ids).astype(object) for s in (a, b))
    return int(((one != two) & ~(one.isna() & two.isna())).sum())


def paired(now, before):
    """The difference of two (class indices of what trained, 0/1 (m,) what was right) as an Estimate. Where the same trained, it is one model,
    whose difference is 0 on any sample. The probe has no seed: there is no spread over seeds to know."""
    e = replace(stats.contrast([now[1][None], before[1][None]], stats.PAIR), seeds_known=True)
    return replace(e, v_items=0.0) if np.array_equal(now[0], before[0]) else e


def numbers(e):
    return dict(estimate=e.estimate, low=e.low, high=e.high)


def curve(replay, steps=12):
    """Gain against reviews done: dict points (dicts reviews, minutes or None, changed: training samples that the reviews so far change, estimate,
    low, high: against no review), last_third (dict reviews [from, to], estimate, low, high, verdict), n validation samples, ruler_corrected
    (validation labels that differ between the versions: never gain), other (training labels that differ for other reasons than these reviews,
    and do so at every point), scope."""
    n, seconds = len(replay.reviews), timed(replay.reviews.seconds)
    known = np.isfinite(seconds)
    minutes = (
        np.r_[0, np.where(known, seconds, np.median(seconds[known])).cumsum() / 60]
        if known.any()
        else None
    )
    third = round(2 * n / 3)
    ridge, said, points = replay.start, {}, []
    for k in sorted({third, *(round(x) for x in np.linspace(0, n, steps + 1))}):
        ridge = ridge.to(replay.without(replay.changes[replay.changes.number >= k]))
        said[k] = ridge.y, replay.judge(ridge)[0]
        e = paired(said[k], said[0])
        took = None if minutes is None else float(minutes[k])
        points.append(
            dict(reviews=k, minutes=took, changed=int((ridge.y != replay.start.y).sum()))
            | numbers(e)
        )
    e = paired(said[n], said[third])
    paid = (
        "still gained"
        if e.low > 0
        else "lost"
        if e.high < 0
        else "no evidence that it still gained"
    )
    if e.low == e.high:
        paid = "changed nothing"
    return dict(
        points=points,
        last_third=dict(reviews=[third, n], verdict=paid) | numbers(e),
        n=replay.ruler["n"],
        ruler_corrected=replay.ruler["corrected"],
        other=replay.other,
        scope=SCOPE,
    )


def batches(replay, most=20):
    """What each batch bought: the probe at the later version with it minus without it (its samples have what they had in the first version), of the
    `most` batches that change the most. Dict batches (oldest first: dicts batch, who, why, ts, edits, reviews, changed: training samples, estimate, low,
    high, p_holm, logloss, logloss_low, logloss_high, verdict: by accuracy, after Holm's correction for all that changed anything), left_out
    (how many batches are not shown), n, scope. `logloss` is the change of validation log-loss, low is good. It shows what is too small to turn
    an answer; but where many validation labels are wrong, it also punishes a probe for growing surer of what is right."""
    whole, found, changes = replay.start.to(replay.y_last), replay.found, replay.changes
    right, logp = replay.judge(whole)
    moved = replay.part.index[replay.touched[replay.start.y != replay.y_last]]
    order = found.batch.drop_duplicates()
    size = changes[changes["sample"].isin(moved)].batch.value_counts().reindex(order, fill_value=0)
    chosen = set(size.sort_values(ascending=False, kind="stable").index[:most])
    out, estimates = [], []
    for batch in (b for b in order if b in chosen):
        rows, y = found[found.batch == batch], replay.without(changes[changes.batch == batch])
        changed = int((y != replay.y_last).sum())
        other_right, other_logp = replay.judge(whole.to(y)) if changed else (right, logp)
        e = paired((whole.y, right), (y, other_right))
        loss = (other_logp - logp)[np.isfinite(logp)]
        half = stats.normal(0.975) * loss.std(ddof=1) / np.sqrt(len(loss)) if len(loss) > 1 else 0.0
        loss = float(loss.mean()) if len(loss) else 0.0
        first = rows.iloc[0]
        about = dict(
            batch=batch, who=first.who, why=first.why, ts=iso_time(first.ts), edits=len(rows)
        )
        about |= dict(reviews=int(rows.number[rows.looked].nunique()), changed=changed) | numbers(e)
        out.append(
            about
            | dict(
                p_holm=None,
                logloss=loss,
                logloss_low=loss - half,
                logloss_high=loss + half,
                verdict="changed nothing",
            )
        )
        estimates.append(e)
    tested = [
        i for i, b in enumerate(out) if b["changed"]
    ]  # that the others did nothing is known, not tested
    family = [estimates[i] for i in tested]
    adjusted = multiple_testing.holm([e.p for e in family]) if family else []
    for i, p, wide in zip(
        tested, adjusted, multiple_testing.holm_intervals(family) if family else []
    ):
        out[i] |= dict(p_holm=float(p), verdict=stats.verdict(wide))
    return dict(batches=out, left_out=len(order) - len(chosen), n=replay.ruler["n"], scope=SCOPE)
