"""How often each labeller errs, class by class, and which of two errs less."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import UserError
from assay.curation.review.labeller_votes import Votes, read_votes
from assay.curation.statistics import sampling
from assay.curation.statistics.errors_left import estimate_wrong
from assay.curation.statistics.estimates import wilson_interval
from assay.curation.statistics.sequential import live_gain
from assay.curation.statistics.wording import FEWEST, format_interval, format_rate
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

HOW = "people other than the labeller decide samples drawn at random: assay audit -n 200 --split val, or assay queue"


class LabellerTables(NamedTuple):
    """How often each labeller errs, and what it takes for what: two frames."""

    labellers: pd.DataFrame
    confusion: pd.DataFrame


def measure_labellers(bench: Bench, votes: Votes | None = None) -> LabellerTables:
    """Measure every labeller by what other people decided about samples drawn at random.

    labellers: a row each of labeller, kind, votes, coverage (share of the samples that are not locked), measured
    (looks somebody was sure of), wrong, unsure, error, low, high (a share; holds at all looks together, and spans all
    unsure looks right and all wrong; NaN under 30 looks), least, most (the share itself at these two ends), by_audit,
    by_random, earlier (looks that people had decided before it voted: if it learnt from them, they flatter it),
    confidence (mean of what it said of itself).
    confusion: a row for each labeller, truth and said that came: n, of (looks with this truth), share, low, high
    (Wilson's, as of now; NaN under 30).
    """
    import pandas as pd

    votes = votes or read_votes(bench)
    frame = set(sampling.random_order(votes.state))
    rows, confusions = [], []
    for name in votes.names():
        looks = judge_labeller(votes, name)
        theirs = votes.of(name)
        population = len(frame.intersection(theirs.index))
        about = dict(labeller=name, kind=theirs.kind.iloc[0], votes=len(theirs))
        about["coverage"] = len(theirs) / max(1, len(votes.state))
        rows.append(about | summarize_looks(looks, population))
        confusions.append(tabulate_confusion(looks).assign(labeller=name))
    table = pd.DataFrame(rows, columns=LABELLERS)
    confusion = pd.concat(confusions) if confusions else pd.DataFrame()
    return LabellerTables(table, confusion.reindex(columns=CONFUSION).reset_index(drop=True))


LABELLERS = (
    "labeller kind votes coverage measured wrong unsure error low high least most by_audit by_random "
    "earlier confidence"
).split()
CONFUSION = "labeller truth said n of share low high".split()


def judge_labeller(votes: Votes, name: str) -> pd.DataFrame:
    """Set what a labeller says beside what others found: a row a sample of both.

    Frame said, label (the truth), unsure, wrong, by_audit, earlier, confidence.
    """
    truth, theirs = votes.find_truth({name}), votes.of(name)
    # no label is the truth of a labeller that was made of the votes which tell it
    if theirs.kind.iloc[0] == "consensus":
        truth = truth[truth.upto > theirs.upto.reindex(truth.index).fillna(0)]
    columns = theirs[["label", "upto", "confidence"]].rename(
        columns=dict(label="said", upto="said_at")
    )
    looks = truth.join(columns, how="inner")
    return looks.assign(
        wrong=(looks.said != looks.label) & ~looks.unsure, earlier=looks.upto < looks.said_at
    )


def summarize_looks(looks: pd.DataFrame, population: int) -> dict:
    """Estimate from looks at random how often a labeller errs: see measure_labellers."""
    unsure = int(looks.unsure.sum())
    sure, wrong = len(looks) - unsure, int(looks.wrong.sum())
    # a vote on a sample of the pool is no part of what is drawn from
    count = estimate_wrong(wrong, sure, max(population, len(looks)), unsure)
    share = count and count.scale(1 / max(population, len(looks)))
    numbers = ("error", "low", "high", "least", "most")
    ends = (
        (share.estimate, share.low, share.high, share.least, share.most) if share else (None,) * 5
    )
    return dict(
        measured=sure,
        wrong=wrong,
        unsure=unsure,
        by_audit=int(looks.by_audit.sum()),
        by_random=int((~looks.by_audit).sum()),
        earlier=int(looks.earlier.sum()),
        confidence=looks.confidence.mean() if looks.confidence.notna().any() else None,
        **dict(zip(numbers, ends)),
    )


def tabulate_confusion(looks: pd.DataFrame) -> pd.DataFrame:
    """Count what was said of each true class, with intervals: see measure_labellers."""
    sure = looks[~looks.unsure]
    cells = sure.groupby(["label", "said"]).size().rename("n").reset_index()
    cells = cells.rename(columns=dict(label="truth"))
    cells["of"] = cells.groupby("truth").n.transform("sum")
    bounds = [
        (k / n, *wilson_interval(k, n)) if n >= FEWEST else (None,) * 3
        for k, n in zip(cells.n, cells.of)
    ]
    # NaN, not None, where all are too few
    cells[["share", "low", "high"]] = np.array(bounds, float).reshape(-1, 3)
    return cells.sort_values(["truth", "n"], ascending=[True, False])


def compare_labellers(bench: Bench, a: str, b: str, votes: Votes | None = None) -> dict:
    """Compare two labellers on what both saw, and a third person knows.

    Returns {a, b, both (samples that both labelled), n (of these, known), a_alone (right where b is wrong), b_alone,
    both_right, both_wrong, unsure (nobody is sure, and they differ), estimate, low, high (of a's accuracy minus b's, at
    all looks together, spanning both ends of the unsure; None under 30), verdict, notes}.
    """
    if a == b:
        raise UserError(f"expected two labellers, found {a} twice", "name another")
    votes = votes or read_votes(bench)
    one, two = (votes.of(name).label for name in (a, b))
    said = one.to_frame("a").join(two.rename("b"), how="inner")
    looks = votes.find_truth({a, b}).join(said, how="inner")
    sure, unsure = looks[~looks.unsure], looks[looks.unsure]
    right_a, right_b = sure.a == sure.label, sure.b == sure.label
    out = dict(
        a=a,
        b=b,
        both=len(said),
        n=len(sure),
        a_alone=int((right_a & ~right_b).sum()),
        b_alone=int((right_b & ~right_a).sum()),
        both_right=int((right_a & right_b).sum()),
        both_wrong=int((~right_a & ~right_b).sum()),
        unsure=int((unsure.a != unsure.b).sum()),
        by_audit=int(looks.by_audit.sum()),
    )
    out |= bound_difference(out["a_alone"], out["b_alone"], out["unsure"], len(sure), len(looks))
    earlier = {
        name: int((looks.upto < votes.of(name).upto.reindex(looks.index)).sum())
        for name in (a, b)
        if votes.of(name).kind.iloc[0] == "labeller"
    }
    return out | dict(verdict=describe_difference(out), notes=describe_earlier(earlier, len(looks)))


def bound_difference(a_alone: int, b_alone: int, unsure: int, sure: int, looks: int) -> dict:
    """Bound the difference of two accuracies by what one alone got right.

    By a confidence sequence (see live_gain); its ends give every unsure sample to the one or the other. None under 30.
    """
    if sure < FEWEST:
        return dict(estimate=None, low=None, high=None)
    return dict(
        estimate=(a_alone - b_alone) / sure,
        low=live_gain(a_alone, b_alone + unsure, looks).low,
        high=live_gain(a_alone + unsure, b_alone, looks).high,
    )


def describe_difference(found: dict) -> str:
    """Say which of two labellers errs less."""
    a, b, n = found["a"], found["b"], found["n"]
    if found["low"] is None:
        known = format_count(n, "sample") if n else "no sample"
        return f"too few to tell: {known} that both labelled {'is' if n == 1 else 'are'} known, and it takes {FEWEST}"
    if found["low"] > 0:
        return f"{a} is the better annotator: {format_interval(found)} of what both labelled"
    if found["high"] < 0:
        return f"{b} is the better annotator: {a} {format_interval(found)} of what both labelled"
    return f"no evidence either way: {a} against {b} {format_interval(found)} of what both labelled"


def describe_earlier(earlier: dict[str, int], looks: int) -> list[str]:
    """Warn of looks from which a labeller may have learnt."""
    return [
        f"{n:,} of {format_count(looks, 'look')} were decided before {name} voted: if it learnt from them, they "
        "flatter it"
        for name, n in earlier.items()
        if n
    ]


def describe_error(row: dict) -> str:
    """Say how often a labeller errs, with its interval."""
    if row["error"] is None or row["error"] != row["error"]:
        return format_rate(row["wrong"], row["measured"])
    doubt = f", {row['unsure']:,} more unsure" if row["unsure"] else ""
    ends = (row["least"], row["most"])
    middle = f"{row['error']:.1%}" if not row["unsure"] else "{:.1%} to {:.1%}".format(*ends)
    interval = f"[{row['low']:.1%}, {row['high']:.1%}]"
    return f"{middle} {interval} wrong, by {row['wrong']:,} of {row['measured']:,}{doubt}"
