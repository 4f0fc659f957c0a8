"""Judge whether an accuracy falls below a required one.

A gate's question, over few samples; and the fall that it would catch.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from numpy.typing import ArrayLike

from assay.curation.statistics.contrasts import cell_accuracy


def judge_requirement(
    Y: ArrayLike, required: float, confidence: float = 0.95, others: Sequence[ArrayLike] = ()
) -> dict:
    """Judge whether the accuracy of a recipe is below `required`.

    The accuracy that these m samples stand for. {"estimate", "lower", "upper": one-sided bounds at `confidence`,
    "verdict": "below" | "at least" | "no evidence either way", "n": m, "seeds": S, "required", "seeds_known": whether
    it speaks of the recipe, "would_catch": `detectable_accuracy(m, required)`}

    Y       # (S, m), seeds of one recipe
    others  # as in `cell_accuracy`
    """
    e = cell_accuracy(Y, others=others)
    low, high = e.bounds(confidence)
    verdict = "no evidence either way"
    if high < required:
        verdict = "below"
    elif low >= required:
        verdict = "at least"
    return dict(
        estimate=e.estimate,
        lower=low,
        upper=high,
        verdict=verdict,
        n=e.n,
        seeds=e.seeds[0],
        required=required,
        seeds_known=e.seeds_known,
        would_catch=detectable_accuracy(e.n, required, confidence=confidence),
    )


def requirement_p_value(Y: ArrayLike, required: float, others: Sequence[ArrayLike] = ()) -> float:
    """The smallest alpha at which `judge_requirement` says below.

    Y, others as there.
    """
    e = cell_accuracy(Y, others=others)
    low, high = -12.0, math.log10(0.5)  # log10 alpha; the upper bound falls as alpha grows
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if e.upper(1 - 10**middle) < required else (middle, high)
    return 10**high if high < math.log10(0.5) else 1.0


def chance_to_detect(n: int, required: float, true: float, confidence: float = 0.95) -> float:
    """Chance that `judge_requirement` says below, at a true accuracy.

    n samples, answered once: exact, by the binomial distribution. Three or more seeds catch as much
    or more (their answers to a sample agree too well to add much); two, whose spread is hardly
    known, up to 25 points less where it is large.
    """
    from scipy.special import bdtr

    fewest = fewest_passing(n, required, confidence)
    return float(bdtr(fewest - 1, n, true)) if fewest else 0.0


def detectable_accuracy(
    n: int, required: float, power: float = 0.8, confidence: float = 0.95
) -> float | None:
    """The accuracy to which n samples must fall to be judged below.

    With `power`; None where no fall is large enough.
    """
    from scipy.special import bdtri

    fewest = fewest_passing(n, required, confidence)
    return float(bdtri(fewest - 1, n, power)) if fewest else None


def fewest_passing(n: int, required: float, confidence: float) -> int:
    """The fewest right answers out of n that pass.

    They are not shown to be below `required`.
    """
    from scipy.special import bdtr

    return bisect_left(range(n), True, key=lambda right: bdtr(right, n, required) > 1 - confidence)
