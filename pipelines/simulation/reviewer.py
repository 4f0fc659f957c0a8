"""A simulated reviewer who knows the truth.

It is for the demo, the benchmarks and the tests, where what a review finds can be counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from assay.curation import Bench

if TYPE_CHECKING:
    import pandas as pd


def true_decisions(
    samples: Iterable[str], truth: Mapping[str, str], seconds: float = 2.0
) -> pd.DataFrame:
    """Decide about samples as a reviewer who knows the truth.

    truth: Series or dict id -> label. Returns a frame sample, label, seconds. A label that is right already becomes a
    confirmation when it is applied.
    """
    import pandas as pd

    samples = list(samples)
    return pd.DataFrame(dict(sample=samples, label=[truth[s] for s in samples], seconds=seconds))


def fallible_decisions(
    rows: pd.DataFrame,
    truth: Mapping[str, str],
    error: float,
    accept: float,
    seed: int = 0,
    unsure: tuple[float, float] = (0.0, 0.0),
) -> pd.DataFrame:
    """Decide as a reviewer who errs, about `rows`.

    rows: frame sample, given_label, suggested_label. A wrong suggestion is accepted with probability `accept`; of all
    other answers a share `error` is wrong, any other class alike. By seed and sample id alone, so that in another order
    the same question gets the same answer. `unsure`: how often nothing is decided where the given label is wrong, and
    where it is right: people are unsure of wrong labels more often; the frame then has a verdict, and such a row no
    label. Seconds have a median of 2 for a look and 4 where a new label is given.
    """
    import pandas as pd

    classes = sorted(set(dict(truth).values()))
    out = true_decisions(rows["sample"], truth)
    labels, seconds, verdicts = [], [], []
    for sample, right, given, suggested in zip(
        out["sample"], out.label, rows.given_label, rows.suggested_label
    ):
        rng = np.random.default_rng(list(blake2b(f"{seed} {sample}".encode()).digest()))
        accepts, errs = rng.random() < accept, rng.random() < error
        pace = np.exp(rng.normal(0, 0.4))
        wrong = [c for c in classes if c != right]
        other = wrong[rng.integers(len(wrong))]
        labels.append(suggested if accepts and suggested in wrong else other if errs else right)
        verdicts.append("unsure" if rng.random() < unsure[given == right] else "")
        labels[-1] = given if verdicts[-1] else labels[-1]
        seconds.append(round(pace * (2 if labels[-1] == given else 4), 1))
    out = out.assign(label=labels, seconds=seconds)
    if not any(unsure):
        return out
    return out.assign(verdict=verdicts, label=out.label.mask(pd.Series(verdicts) != ""))


def apply_decisions(
    bench: Bench, rows: pd.DataFrame, decided: pd.DataFrame, who: str, why: str
) -> dict:
    """Apply decisions about the rows of a queue as one batch.

    Each is stored with what the queue had said of it. Returns the edit summary.
    """
    decided = decided.assign(
        suggested_label=rows.suggested_label,
        score=rows.score,
        rank=rows["rank"],
        reason=rows.reason,
        random=rows.random.map({True: "true", False: ""}),
    )
    return bench.edit(decided, who, why)


def review_queue(
    bench: Bench,
    truth: Mapping[str, str],
    n: int,
    random: float | None = None,
    who: str = "simulated expert",
    why: str = "review in queue order",
) -> tuple[pd.DataFrame, dict]:
    """Review n doubted labels in queue order, and random ones beside.

    All is one batch. Returns (queue frame, edit summary).
    """
    rows = bench.queue(n, random)
    return rows, apply_decisions(bench, rows, true_decisions(rows["sample"], truth), who, why)
