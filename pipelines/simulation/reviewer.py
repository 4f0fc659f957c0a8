"""A reviewer who knows the truth: for the demo, the benchmarks and the tests, where what a review finds can be counted."""

from hashlib import blake2b

import numpy as np


def decisions(samples, truth, seconds=2.0):
    """What a reviewer who knows `truth` (Series or dict id -> label) decides about `samples`: a frame sample, label, seconds. A label that
    is right already becomes a confirmation when it is applied."""
    import pandas as pd

    samples = list(samples)
    return pd.DataFrame(dict(sample=samples, label=[truth[s] for s in samples], seconds=seconds))


def fallible(rows, truth, error, accept, seed=0, unsure=(0.0, 0.0)):
    """The same of a reviewer who errs, about `rows` (frame sample, given_label, suggested_label): a wrong suggestion is accepted with
    probability `accept`; of all other answers a share `error` is wrong, any other class alike. By seed and sample id alone, so that in
    another order the same question gets the same answer. `unsure`: how often nothing is decided where the given label is wrong, and where it is right:
    people are unsure of wrong labels more often; the frame then has a verdict, and such a row no label.
    Seconds have a median of 2 for a look and 4 where a new label is given."""
    import pandas as pd

    classes = sorted(set(dict(truth).values()))
    out = decisions(rows["sample"], truth)
    labels, seconds, verdicts = [], [], []
    for sample, right, given, suggested in zip(
        out["sample"], out.label, rows.given_label, rows.suggested_label
    ):
        rng = np.random.default_rng(list(blake2b(f"{seed} {sample}".encode()).digest()))
        accepts, errs, pace = (
            rng.random() < accept,
            rng.random() < error,
            np.exp(rng.normal(0, 0.4)),
        )
        wrong = [c for c in classes if c != right]
        other = wrong[rng.integers(len(wrong))]
        labels.append(suggested if accepts and suggested in wrong else other if errs else right)
        verdicts.append("unsure" if rng.random() < unsure[given == right] else "")
        labels[-1] = given if verdicts[-1] else labels[-1]
        seconds.append(round(pace * (2 if labels[-1] == given else 4), 1))
    out = out.assign(label=labels, seconds=seconds)
    return (
        out.assign(verdict=verdicts, label=out.label.mask(pd.Series(verdicts) != ""))
        if any(unsure)
        else out
    )


def answer(bench, rows, asked, who, why):
    """Apply what was decided about the rows of a queue, each with what the queue had said of it, as one batch. Returns the edit summary."""
    asked = asked.assign(
        suggested_label=rows.suggested_label,
        score=rows.score,
        rank=rows["rank"],
        reason=rows.reason,
        random=rows.random.map({True: "true", False: ""}),
    )
    return bench.edit(asked, who, why)


def review(bench, truth, n, random=0.05, who="simulated expert", why="review in queue order"):
    """Review n suspects in queue order and the random stratum beside them, as one batch. Returns (queue frame, edit summary)."""
    rows = bench.queue(n, random)
    return rows, answer(bench, rows, decisions(rows["sample"], truth), who, why)
