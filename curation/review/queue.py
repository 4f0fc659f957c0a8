"""The review queue: what to look at next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.issues.disagreements import disagreement_issues
from assay.curation.issues.opinions import find_doubted_samples
from assay.curation.label_quality import live, scoring
from assay.curation.media.base import read_texts
from assay.curation.media.rows import read_column_kinds
from assay.curation.statistics import sampling
from assay.curation.statistics.sampling import random_order, random_order_rows
from assay.curation.storage.interface import Bench
from assay.curation.versioning.decision_cells import ROW

if TYPE_CHECKING:
    import pandas as pd

# the share of all reviews that is drawn at random: until ENOUGH labels were, for an estimate takes so
# many, and from then on
FIRST_SHARE, LATER_SHARE, ENOUGH = 0.15, 0.05, 30
COLUMNS = "rank sample source_id path given_label suggested_label score reason random".split()


def build_queue(
    bench: Bench,
    n: int = 200,
    random: float | None = None,
    version: str = "HEAD",
    again: float = 0.0,
    who: str = "",
    opinion: str | None = None,
) -> pd.DataFrame:
    """List what to review next: disagreements, the n worst labels, random ones.

    First what people contradict each other about, then the n worst labels that nobody has reviewed.
    Among them are samples drawn uniformly (`random` True; some may be among the worst): 15 % of all
    reviews until 30 were drawn so, which 200 reviews reach however they are queued, then 5 %; or
    random * n of them. And again * n that others have reviewed and `who` has not, with the label they
    came with, so that two people's judgements can be compared.
    opinion: only labels that this second opinion doubts, in the order of our own scores, beside the random ones.
    Frame rank (None where only drawn), sample, source_id, path, given_label, suggested_label, score,
    reason, random. Its attrs["made_of"] counts the rows: disagreements, suspicious, random, again; attrs["flagged"]
    the flagged ones.
    """
    check_numbers(n, random, again)
    state, disagreements = bench.state(version), disagreement_issues(bench, version)
    scores = None
    if is_scanned(bench) or disagreements.empty and opinion is None:
        scores = live.label_scores(bench, version)
    if opinion is not None:
        return queue_opinion(bench, state, scores, disagreements, n, random, opinion)
    second: list[str] = []
    if again:
        others = find_reviewed_by_others(bench, who, state).intersection(random_order(state))
        second = sampling.shuffle_samples(others, "again")[: round(n * again)]
    return order_queue(bench, state, scores, disagreements, n, random, second)


def check_numbers(n: int, random: float | None, again: float = 0.0) -> None:
    """Refuse numbers that no queue has."""
    if n < 1 or not 0 <= (random or 0) <= 1 or not 0 <= again <= 1:
        raise UserError(
            "expected n of at least 1, random and again from 0 to 1, "
            f"found {n}, {random} and {again}",
            "for example: -n 200 --random 0.05",
        )


def add_cells(bench: Bench, rows: pd.DataFrame, upto: int) -> pd.DataFrame:
    """Add empty cells to fill in, when it was written, and texts or a row's columns to decide about.

    upto: the position in the log. Images have neither; the columns of rows are called row.NAME.
    """
    import pandas as pd

    shown = bench.state(columns=["content_hash"], samples=rows["sample"])
    hashes = shown.content_hash.reindex(rows["sample"])
    if (texts := read_texts(bench, hashes)) is not None:
        rows, at = rows.copy(), rows.columns.get_loc("path") + 1
        columns = dict(text=texts)
        if kinds := read_column_kinds(bench):
            cells = [json.loads(text) for text in texts]
            columns = {f"{ROW}{name}": [row.get(name) for row in cells] for name in kinds}
        for i, (name, values) in enumerate(columns.items()):
            rows.insert(at + i, name, pd.Series(values, rows.index, dtype=object))
    return rows.assign(label="", verdict="", keep="", why="", upto=upto)


def queue_opinion(
    bench: Bench,
    state: pd.DataFrame,
    scores: pd.DataFrame | None,
    disagreements: pd.DataFrame,
    n: int,
    random: float | None,
    opinion: str,
) -> pd.DataFrame:
    """Order what a second opinion doubts: the worst by our scores first.

    What we cannot score comes last, in its order. Its word stands beside our reason, under its name.
    """
    import pandas as pd

    doubted = find_doubted_samples(bench, state, opinion)
    if scores is None:
        scores = pd.DataFrame(columns=["label", "reviewed", "score", "suggestion", "confidence"])
    rows = scores.reindex(list(doubted))
    rows["reviewed"] = state.reviewed[rows.index].to_numpy(bool)
    queue = order_queue(bench, state, rows, disagreements[:0], n, random)
    said = queue["sample"].map(doubted)
    unscored = queue.score.isna() & said.notna()
    queue["reason"] = [
        reason if theirs != theirs else theirs if alone else f"{reason}; {theirs}"
        for reason, theirs, alone in zip(queue.reason, said, unscored)
    ]
    return queue


def order_queue(
    bench: Bench,
    state: pd.DataFrame,
    scores: pd.DataFrame | None,
    disagreements: pd.DataFrame,
    n: int,
    random: float | None = None,
    again: Sequence[str] = (),
    draws: Draws | None = None,
) -> pd.DataFrame:
    """Order the queue of a state: see build_queue.

    scores: what the model makes of the labels, None where nothing is scanned. disagreements: what people
    contradict each other about. random: as in build_queue. again: samples that others reviewed. draws: where state
    and scores are of some samples alone, what was drawn of all.
    """
    import pandas as pd

    disagreements = disagreements.drop_duplicates("sample")
    drawn: list[str] = [] if draws is None else draws.waiting
    if draws is None and scores is not None and len(scores):
        at = random_order_rows(state)
        drawn = list(state.index[at[~state.reviewed.to_numpy()[at]][: count_draws(n, random)]])
    if scores is None:
        scores = pd.DataFrame(columns=["label", "score", "suggestion", "confidence", "reviewed"])
    left = np.flatnonzero(~scores.reviewed.to_numpy(bool))
    by_score = np.argsort(scores.score.to_numpy("f8")[left], kind="stable")  # NaN comes last
    first = list(disagreements["sample"])
    worst = [*first, *scores.index[left[by_score[:n]]]]
    rank = {s: i + 1 for i, s in enumerate(worst)}
    if random is None:
        reviews = count_reviews(state) if draws is None else draws.reviews
        order, drawn = spread_by_need(worst, drawn, *reviews)
    else:
        order = spread_evenly(worst, [s for s in drawn if s not in rank])
    shown = set(order)
    order = spread_evenly(order, [s for s in again if s not in shown])
    taken, rows = state.loc[order], scores.reindex(order)
    rows = rows.where(~rows.reviewed.eq(True))  # what was decided is not doubted
    flagged = int(rows.flagged.eq(True).sum()) if "flagged" in rows else 0
    seen_by_others = np.isin(order, list(again))
    rows["label"] = taken.label.where(~seen_by_others, taken.given_label)
    why: dict[str, str] = {}
    judged = rows.score.notna() & ~seen_by_others
    if judged.any():
        why = dict(zip(rows.index[judged], scoring.explain_labels(bench, state, rows[judged])))
    why |= dict.fromkeys(again, "somebody else has looked at it: what do you say?")
    why |= dict(zip(first, disagreements.why))
    suggestion, score = rows.suggestion.astype(object), rows.score.astype(float)
    suggestion[first] = disagreements.suggestion.to_numpy(object)
    score[first] = disagreements.score.to_numpy(float)
    rows = pd.DataFrame(
        dict(
            sample=order,
            rank=pd.array([rank.get(s) for s in order], "Int64"),
            source_id=taken.key.to_numpy(),
            path=taken.uri.to_numpy(),
            given_label=rows.label.to_numpy(),
            suggested_label=suggestion.to_numpy(),
            score=score.to_numpy(),
            reason=[why.get(s, "too few of its class to judge") for s in order],
            random=np.isin(order, drawn),
        )
    )
    rows = rows[COLUMNS]
    drawn, contradicted = rows.random, np.isin(order, first)
    rows.attrs["flagged"] = flagged
    rows.attrs["made_of"] = dict(
        disagreements=int((~drawn & contradicted).sum()),
        suspicious=int((~drawn & rows["rank"].notna() & ~contradicted).sum()),
        random=int(drawn.sum()),
        again=int((~drawn & seen_by_others).sum()),
    )
    return rows


class Draws(NamedTuple):
    """What of a bench's random order is to be reviewed next, and how much was."""

    waiting: list[str]  # the first samples that nobody has reviewed
    reviews: tuple[int, int]  # as count_reviews


def count_draws(n: int, random: float | None) -> int:
    """Count the samples that a queue of n may take of the random order."""
    return n if random is None else round(n * random)


def count_reviews(state: pd.DataFrame) -> tuple[int, int]:
    """Count the reviews so far: (all, sure ones at random)."""
    stratum = sampling.random_stratum(state)
    reviewed = int((state.reviewed & state.given_label.notna()).sum())
    return reviewed, int((state.verdict.loc[stratum] != "unsure").sum())


def spread_by_need(
    worst: list[str], drawn: list[str], reviewed: int, at_random: int
) -> tuple[list[str], list[str]]:
    """Spread drawn samples among the worst, by their share of all reviews.

    The share is counted from the first review on, so that queues may be made and left as often as one likes: what
    is missing is made up for, by every other row. drawn: in their order. reviewed, at_random: as
    count_reviews has them. Returns (the order, what of `drawn` is in it).
    """
    share = FIRST_SHARE if at_random < ENOUGH else LATER_SHARE
    # how many draws are due; who has looked at more of them than that need not wait for long
    due = max(share * reviewed - at_random, -1) if at_random < ENOUGH else share * reviewed % 1
    order: dict[str, None] = {}
    taken = 0
    for sample in worst:
        if sample in order:
            continue
        due += share
        while due >= 0.5 and taken < len(drawn):
            draw, new = drawn[taken], drawn[taken] not in order
            taken, at_random, due = taken + 1, at_random + 1, due - 1
            share = FIRST_SHARE if at_random < ENOUGH else LATER_SHARE
            if new:
                order[draw], due = None, due + share
                break
        order[sample] = None
    return list(order), drawn[:taken]


def spread_evenly(worst: list[str], extra: list[str]) -> list[str]:
    """Spread samples evenly among the worst ones; what is left comes last."""
    order, extra = [], list(extra)
    for i, sample in enumerate(worst, 1):
        order.append(sample)
        if extra and i % max(1, round(len(worst) / len(extra))) == 0:
            order.append(extra.pop(0))
    return list(dict.fromkeys(order + extra))


def find_reviewed_by_others(bench: Bench, who: str, state: pd.DataFrame) -> set[str]:
    """Find samples that somebody else has decided about, and `who` has not."""
    rows = bench.rows(
        "select sample, bool_or(who = ?) from edits where kind = 'edit' group by sample",
        [who],
    )
    return {s for s, mine in rows if not mine and s in state.index and state.reviewed[s]}
