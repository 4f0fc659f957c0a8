"""Find what random reviews would have gained, beside what the reviews did."""

from __future__ import annotations

from assay.curation.review import label_noise, progress
from assay.curation.statistics.estimates import wilson_interval
from assay.curation.storage.interface import Bench
from assay.curation.versioning import expressions
from assay.pipelines.evaluation.comparison import Comparison
from assay.pipelines.evaluation.weights import data_weights, make_effect
from assay.pipelines.experiments.cells import AUTOMATIC, find_control


def find_random_control(c: Comparison, primary: dict | None) -> tuple[dict | None, str | None]:
    """Find the random control of the main effect.

    Or why there is none. Real where a version is one; for a review that nobody did at random, what
    the random stratum says that as many random reviews would have found; else absent.
    """
    if primary is None:
        return None, "nothing to compare with chance"
    if name := find_control(c.bench, c.plan):
        return measure_control(c, name, primary), None
    found = estimate_from_random_stratum(c.bench, primary["against"], primary["version"])
    n = found["looks"] + found["unsure"] if found else 0
    if n >= label_noise.ENOUGH:
        return found | dict(kind="control", estimated=True), None
    few = "nobody reviewed at random"
    if found:
        few = f"{n:,} of the {label_noise.ENOUGH} random reviews that an estimate takes"
    return None, f"no random control: {few}, and the plan names no control version"


def measure_control(c: Comparison, name: str, primary: dict) -> dict:
    """Measure the effect of a control version.

    And of the main effect beyond it.
    """
    archs, measure = c.plan["architectures"], c.evaluator.measure
    version, first = primary["version"], primary["against"]
    automatic = AUTOMATIC.match(version) and not c.plan.get("control")
    review = None
    if name in set(c.bench.commits().name):
        review = progress.summarize_reviews(c.bench, c.bench.state(name))
    return (
        make_effect("control", name, first)
        | measure(data_weights(archs, name, first))
        | dict(beyond=measure(data_weights(archs, version, name)))
        | dict(seed="of the cell" if automatic else None, review=review, estimated=False)
    )


def estimate_from_random_stratum(bench: Bench, first: str, last: str) -> dict | None:
    """Estimate what as many random reviews would have found.

    From the random stratum. Of the reviews between two versions: dict looks, hits, unsure, reviews,
    found, would_find (estimate, low, high; all unsure ones right at the low end and wrong at the
    high one). None where there is no such stratum.
    """
    if expressions.is_expression(first) or expressions.is_expression(last):
        return None
    was, now = (progress.summarize_reviews(bench, bench.state(v)) for v in (first, last))
    keys = ("looks", "hits", "unsure_looks", "reviewed", "wrong")
    looks, hits, unsure, n, found = (now[k] - was[k] for k in keys)
    if looks < 1 or n < 1:
        return None
    low = wilson_interval(hits, looks + unsure)[0]
    high = wilson_interval(hits + unsure, looks + unsure)[1]
    would_find = [n * share for share in (hits / looks, low, high)]
    counts = dict(looks=looks, hits=hits, unsure=unsure)
    return counts | dict(reviews=n, found=found, would_find=would_find)
