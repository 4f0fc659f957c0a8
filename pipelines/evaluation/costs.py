"""Measure what a comparison cost, and what an hour gained.

An hour of review, or of compute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import refuse_task
from assay.curation.versioning.decision_cells import SECONDS
from assay.curation.versioning.votes import PERSON
from assay.pipelines.evaluation.decisions import (
    group_reviews,
    load_decisions,
    resolve_span,
    valid_seconds,
)
from assay.pipelines.evaluation.replay import Replay
from assay.pipelines.evaluation.review_gains import gain_by_batch, gain_curve

if TYPE_CHECKING:
    import pandas as pd

LEAST = 60  # seconds below which points an hour would be a number about nothing
# raise it by hand when gain_curve or gain_by_batch change what they mean: what was kept is then
# measured again
MEANS = 2
KEPT = 8  # replays that are kept
MADE = f"""select batch, sample, any_value(who) as who, max({SECONDS}) as seconds from edits
where seq > $first and seq <= $last and {PERSON} and field in ('label', 'keep')
group by batch, sample"""


def measure_costs(
    bench: Bench,
    plan: dict,
    wanted: list[dict],
    primary: dict | None,
    architectures: list[dict],
    seconds: Mapping[str, float],
) -> dict:
    """Measure the costs of a comparison.

    plan: its versions; wanted, seconds: as measure_compute_cost takes them; primary: the data
    effect (dict estimate, low, high and where known version, against) or None; architectures: the
    architecture effects (dicts version, against, estimate, low, high).

    Returns dict first, last, review (see measure_review_cost; None for an expression), compute
    (measure_compute_cost), rates, curve, batches (each None with a `reason`).
    """
    effect = primary or {}
    first = effect.get("against", plan["versions"][0])
    last = effect.get("version", plan["versions"][-1])
    try:
        review = measure_review_cost(bench, first, last)
    except UserError:
        review = None
    compute = measure_compute_cost(wanted, seconds)
    try:
        curve, batches, reason = *replay_or_load(bench, first, last), None
    except UserError as e:
        curve, batches, reason = None, None, e.problem
    return dict(
        first=first,
        last=last,
        review=review,
        compute=compute,
        rates=hourly_rates(primary, review, architectures, compute),
        curve=curve,
        batches=batches,
        reason=reason,
    )


# ---- minutes of review


def summarize_effort(reviews: pd.DataFrame) -> dict:
    """Summarise what reviews (batch, sample, who, seconds) took.

    Returns dict decisions, samples, timed (reviews that carry seconds), seconds (their sum),
    minutes (of all; None with a reason where none is timed), estimated (None, or what the reviews
    without seconds were taken for), who.
    """
    seconds, n = valid_seconds(reviews.seconds), len(reviews)
    known = seconds[np.isfinite(seconds)]
    out = dict(decisions=n, samples=int(reviews["sample"].nunique()), timed=len(known))
    out |= dict(seconds=float(known.sum()), minutes=None, estimated=None, reason=None)
    out |= dict(who=sorted(set(reviews.who)))
    if not len(known):
        return out | dict(reason="no decision carries seconds" if n else "nobody reviewed anything")
    # the median: a break with the page left open is no review
    each, rest = float(np.median(known)), n - len(known)
    if rest:
        out["estimated"] = dict(decisions=rest, seconds_each=each, seconds=rest * each)
    return out | dict(minutes=(out["seconds"] + rest * each) / 60)


def measure_review_cost(bench: Bench, first: str, last: str) -> dict:
    """Measure what people's reviews between two versions took.

    Of train and val samples: as summarize_effort for the decisions that stand at `last`, and the
    same as `made` for all that were made between the two, since work that was undone was paid for
    too; `test_audits`: the same for the test split, which is no part of the data fix. UserError
    where the two are no earlier and later position in the log.
    """
    a, b = resolve_span(bench, first, last)
    made = bench.query(MADE, dict(first=a, last=b))
    split = made["sample"].map(bench.state(b)["split"])
    return summarize_effort(group_reviews(load_decisions(bench, a, b))) | dict(
        made=summarize_effort(made[split.isin(("train", "val"))]),
        test_audits=summarize_effort(made[split == "test"]),
    )


def replay_or_load(bench: Bench, first: str, last: str) -> tuple[dict, dict]:
    """Replay the reviews between two versions: gain_curve and gain_by_batch.

    They follow from the log up to `last` and the embeddings alone, and take a fit, so the last
    few are kept in arrays/costs.npz: derived, and made again where it is lost. UserError where
    there is nothing to replay.
    """
    refuse_task(bench, "the gain of each review", "its sum is the effect of the versions")
    a, b = resolve_span(bench, first, last)
    # the chain: another log has another
    link = bench.rows("select uid, prev_hash from edits where seq = ?", [b])[0]
    key = json.dumps([MEANS, a, b, *link, scan_settings.read_settings(bench)["folder"]])
    kept = {}
    with suppress(UserError, KeyError, ValueError):  # damaged: `assay check` says so
        kept = json.loads(str((load_arrays(bench.arrays / "costs.npz") or {})["measured"]))
    if key not in kept:
        replay = Replay(bench, first, last)
        kept[key] = [gain_curve(replay), gain_by_batch(replay)]
        kept = dict(list(kept.items())[-KEPT:])
        with suppress(OSError):  # a bench that can only be read is measured again each time
            save_arrays(bench.arrays / "costs.npz", measured=np.array(json.dumps(kept)))
    curve, batches = kept[key]
    return curve, batches


# ---- seconds of compute


def measure_compute_cost(wanted: list[dict], seconds: Mapping[str, float]) -> dict:
    """Measure what training took.

    wanted: cells (dicts version, arch, seed, key); seconds: key -> seconds (a run without is not
    counted). Two rows of the matrix that share a run share its cost, so totals may be less than their
    sum. Returns dict matrix (dicts version, arch, runs, seconds, per_run), architectures ({arch:
    dict runs, seconds, per_run}), runs, seconds.
    """
    known = {key: float(s) for key, s in dict(seconds).items() if s is not None and np.isfinite(s)}
    by_cell, by_arch = {}, {}
    for c in wanted:
        by_cell.setdefault((c["version"], c["arch"]), []).append(c)
        by_arch.setdefault(c["arch"], []).append(c)
    total = sum_seconds(wanted, known)
    return dict(
        matrix=[
            dict(version=v, arch=a) | sum_seconds(own, known) for (v, a), own in by_cell.items()
        ],
        architectures={arch: sum_seconds(own, known) for arch, own in by_arch.items()},
        runs=total["runs"],
        seconds=total["seconds"],
    )


def sum_seconds(cells: list[dict], seconds: dict[str, float]) -> dict:
    """Sum the seconds of the runs of cells: dict runs, seconds, per_run."""
    keys = sorted({c["key"] for c in cells} & set(seconds))
    took = sum(seconds[key] for key in keys)
    return dict(runs=len(keys), seconds=took, per_run=took / len(keys) if keys else None)


# ---- what an hour gained


def divide_by_hours(effect: dict, hours: float) -> dict:
    """Divide an effect (dict estimate, low, high) by `hours` > 0."""
    out = {name: effect[name] / hours for name in ("estimate", "low", "high")}
    return out | dict(hours=hours, includes_zero=bool(effect["low"] <= 0 <= effect["high"]))


def hourly_rates(
    gain: dict | None, review: dict | None, architectures: list[dict], compute: dict
) -> dict:
    """Say what an hour bought, fractions an hour.

    review: the data effect over the hours of review that stand, None with a review_reason;
    architectures: for each effect (dict version: the architecture, against, estimate, low, high)
    its rate over the hours that one run of it takes. The hours are taken as exact: the intervals
    are those of the effects. Under LEAST seconds there is no rate, but a reason.
    """
    minutes, why, rate = review and review["minutes"], None, None
    if not gain:
        why = "no data effect to divide"
    elif not minutes:
        why = "no minutes of review are known"
    elif 60 * minutes < LEAST:
        why = "too short to be a rate"
    else:
        rate = divide_by_hours(gain, minutes / 60)
    out = dict(review=rate, review_reason=why, architectures=[])
    for e in architectures:
        took = (compute["architectures"].get(e["version"]) or {}).get("per_run")
        if took and took >= LEAST:
            rate = divide_by_hours(e, took / 3600)
        else:
            why = "too short to be a rate" if took else "no seconds of its runs are known"
            rate = dict(estimate=None, hours=took and took / 3600, reason=why)
        out["architectures"].append(dict(arch=e["version"], against=e["against"]) | rate)
    return out
