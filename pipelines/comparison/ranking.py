"""Rank several models, and say how sure the order is."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from assay.curation.statistics import contrasts, multiple_testing
from assay.curation.statistics.estimates import Estimate
from assay.pipelines.evaluation.test_set import interval_to_dict


def rank_models(Y: dict[str, np.ndarray], weight: float | None = None) -> dict:
    """Rank models by accuracy, all pairs tested together by Holm.

    Y: name -> (S, m), how right each training is; weight: of an audit's pseudo-values. Returns {models: [name,
    accuracy, rank, least, most], pairs: [better, worse, estimate, low, high, p_holm, shown], shown, pairs_tested}.
    A rank lies from `least` to `most`, all of them together in 95 % of such comparisons: one above each model that is
    shown to be better, one below each that is shown to be worse. [Al Mohamad et al. 2022]
    """
    order = sorted(Y, key=lambda name: -Y[name].mean())
    pairs = list(combinations(order, 2))
    cells = [Y[name] for name in order]
    # with those of weight 0, whose trainings tell how much seeds differ
    found = [
        contrasts.contrast(cells, [(name == a) - (name == b) for name in order], group_size=weight)
        for a, b in pairs
    ]
    wide = multiple_testing.holm_intervals(found)
    adjusted = multiple_testing.adjust_holm([e.p for e in found])
    rows = [
        dict(better=a, worse=b) | interval_to_dict(e) | dict(p_holm=float(p), shown=is_apart(e))
        for (a, b), e, p in zip(pairs, wide, adjusted)
    ]
    shown = [row for row in rows if row["shown"]]
    models = [
        dict(
            name=name,
            accuracy=float(Y[name].mean()),
            rank=i + 1,
            least=1 + sum(row["worse"] == name for row in shown),
            most=len(order) - sum(row["better"] == name for row in shown),
        )
        for i, name in enumerate(order)
    ]
    return dict(models=models, pairs=rows, shown=len(shown), pairs_tested=len(rows))


def is_apart(e: Estimate) -> bool:
    """Whether an interval excludes zero, on enough samples."""
    return e.n >= 6 and (e.low > 0 or e.high < 0)


def accept_also(
    predicted: np.ndarray, right: np.ndarray, rows: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Mark also what is acceptable as right: (S, m).

    predicted (S, m) codes, right (S, m) by the labels; rows (a,) and codes (a,): what else is right of which sample.
    """
    out = right.copy()
    for s in range(len(out)):
        hit = rows[predicted[s, rows] == codes]
        out[s, hit] = 1
    return out


def describe_order(ranking: dict, name: str = "") -> str:
    """Say the order in a line: '1 c (1 to 2), 2 a (1 to 2), 3 b'."""
    words = [
        f"{m['rank']} {m['name']} {m['accuracy']:.1%}"
        + ("" if m["least"] == m["most"] else f" (rank {m['least']} to {m['most']})")
        for m in ranking["models"]
    ]
    sure = f"{ranking['shown']} of {ranking['pairs_tested']} pairs are shown to differ"
    return f"{name}{', '.join(words)}; {sure}"
