"""What a comparison cost: minutes of review from the log, seconds of compute from the runs, and what an hour of each gained."""

import json
from contextlib import suppress

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.storage.arrays import load, save
from assay.curation.versioning.edits import SECONDS
from assay.curation.versioning.votes import PERSON
from assay.pipelines.evaluation.replay import (
    Replay,
    batches,
    curve,
    decisions,
    reviews_of,
    span,
    timed,
)

LEAST = 60  # seconds below which points an hour would be a number about nothing
MEANS = 1  # raise it by hand when curve or batches change what they mean: what was kept is then measured again
MADE = f"""select batch, sample, any_value(who) as who, max({SECONDS}) as seconds from edits
where seq > $first and seq <= $last and {PERSON} and field in ('label', 'keep') group by batch, sample"""


def spent(reviews):
    """What a frame of reviews (batch, sample, who, seconds) took: dict decisions, samples, timed (reviews that carry seconds), seconds (their sum),
    minutes (of all; None with a reason where none is timed), estimated (None, or what the reviews without seconds were taken for), who."""
    seconds, n = timed(reviews.seconds), len(reviews)
    known = seconds[np.isfinite(seconds)]
    out = dict(
        decisions=n,
        samples=int(reviews["sample"].nunique()),
        timed=len(known),
        seconds=float(known.sum()),
    )
    out |= dict(minutes=None, estimated=None, reason=None, who=sorted(set(reviews.who)))
    if not len(known):
        return out | dict(reason="no decision carries seconds" if n else "nobody reviewed anything")
    each, rest = (
        float(np.median(known)),
        n - len(known),
    )  # the median: a break with the page left open is no review
    if rest:
        out["estimated"] = dict(decisions=rest, seconds_each=each, seconds=rest * each)
    return out | dict(minutes=(out["seconds"] + rest * each) / 60)


def review_cost(bench, first, last):
    """What people's reviews of train and val samples between two versions took: as `spent` for the decisions that stand at `last`, and the same as
    `made` for all that were made between the two, since work that was undone was paid for too; `test_audits`: the same for the test split,
    which is no part of the data fix. UserError where the two are no earlier and later position in the log."""
    a, b = span(bench, first, last)
    made = bench.query(MADE, dict(first=a, last=b))
    where = made["sample"].map(bench.state(b)["split"])
    return spent(reviews_of(decisions(bench, a, b))) | dict(
        made=spent(made[where.isin(("train", "val"))]), test_audits=spent(made[where == "test"])
    )


def compute_cost(wanted, seconds):
    """What training took: `wanted` cells (dicts version, arch, seed, key), `seconds` key -> seconds (dict or Series; a run without is not
    counted). Two cells that share a run share its cost, so totals may be less than the sum of cells. Returns dict cells (dicts version, arch, runs,
    seconds, per_run), architectures ({arch: dict runs, seconds, per_run}), runs, seconds."""
    seconds = {k: float(s) for k, s in dict(seconds).items() if s is not None and np.isfinite(s)}

    def total(some):
        keys = {c["key"] for c in some} & set(seconds)
        took = sum(seconds[k] for k in sorted(keys))
        return dict(runs=len(keys), seconds=took, per_run=took / len(keys) if keys else None)

    pairs, archs = (
        dict.fromkeys(f(c) for c in wanted)
        for f in (lambda c: (c["version"], c["arch"]), lambda c: c["arch"])
    )
    cells = [
        dict(version=v, arch=a) | total([c for c in wanted if (c["version"], c["arch"]) == (v, a)])
        for v, a in pairs
    ]
    by_arch = {a: total([c for c in wanted if c["arch"] == a]) for a in archs}
    return dict(cells=cells, architectures=by_arch) | {
        k: v for k, v in total(wanted).items() if k != "per_run"
    }


def per_hour(effect, hours):
    """An effect (dict estimate, low, high) for each of `hours` > 0."""
    out = {k: effect[k] / hours for k in ("estimate", "low", "high")}
    return out | dict(hours=hours, includes_zero=bool(effect["low"] <= 0 <= effect["high"]))


def rates(gain, review, architectures, compute):
    """What an hour bought, fractions an hour: dict review (the data effect over the hours of review that stand; None with a review_reason) and
    architectures: for each effect (dict version: the architecture, against, estimate, low, high) its rate over the hours that one run of it
    takes. The hours are taken as exact: the intervals are those of the effects. Under LEAST seconds there is no rate, but a reason."""
    minutes = review and review["minutes"]
    why = (
        "no data effect to divide"
        if not gain
        else None
        if minutes
        else "no minutes of review are known"
    )
    why = "too short to be a rate" if not why and 60 * minutes < LEAST else why
    out = dict(
        review=None if why else per_hour(gain, minutes / 60), review_reason=why, architectures=[]
    )
    for e in architectures:
        took = (compute["architectures"].get(e["version"]) or {}).get("per_run")
        rate = dict(
            estimate=None,
            hours=took and took / 3600,
            reason="too short to be a rate" if took else "no seconds of its runs are known",
        )
        rate = per_hour(e, took / 3600) if took and took >= LEAST else rate
        out["architectures"].append(dict(arch=e["version"], against=e["against"]) | rate)
    return out


def measured(bench, first, last):
    """(curve, batches, None), or (None, None, why not). They follow from the log up to `last` and the embeddings alone, and take a fit, so the
    last few are kept in arrays/costs.npz: derived, and made again where it is lost."""
    try:
        a, b = span(bench, first, last)
        link = bench.rows("select uid, prev_hash from edits where seq = ?", [b])[
            0
        ]  # the chain: another log has another
        key = json.dumps([MEANS, a, b, *link, scan_settings.settings(bench)["folder"]])
        kept = {}
        with suppress(UserError, KeyError, ValueError):  # damaged: `assay check` says so
            kept = json.loads(str((load(bench.arrays / "costs.npz") or {})["measured"]))
        if key not in kept:
            replay = Replay(bench, first, last)
            kept = dict([*kept.items(), (key, [curve(replay), batches(replay)])][-8:])
            with suppress(OSError):  # a bench that can only be read is measured again each time
                save(bench.arrays / "costs.npz", measured=np.array(json.dumps(kept)))
        return *kept[key], None
    except UserError as e:
        return None, None, e.problem


def costs(bench, plan, wanted, primary, architectures, seconds):
    """The costs of a comparison on one page: dict review (see review_cost; None for an expression), compute (compute_cost), rates, curve, batches
    (each None with a `reason`). `plan`: its versions; `wanted`, `seconds`: as compute_cost takes them; `primary`: the data effect (dict estimate, low,
    high and where known version, against) or None; `architectures`: the architecture effects (dicts version, against, estimate, low, high)."""
    ends = (
        (primary or {}).get("against", plan["versions"][0]),
        (primary or {}).get("version", plan["versions"][-1]),
    )
    try:
        review = review_cost(bench, *ends)
    except UserError:
        review = None
    compute = compute_cost(wanted, seconds)
    found, paid, why = measured(bench, *ends)
    rate = rates(primary, review, architectures, compute)
    return dict(
        first=ends[0],
        last=ends[1],
        review=review,
        compute=compute,
        rates=rate,
        curve=found,
        batches=paid,
        reason=why,
    )
