"""The samples of a large bench that are judged anew after every decision.

The probe is that of all samples, exactly: see sampled_probe. What it says is asked of the labels that the queue is made
of, of what people decided, and of val: of all its labels, or of a fixed sample, drawn class by class by a hash of the
ids, so that growth changes few. Of all other samples stands what the last scan said.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import NotScanned
from assay.curation.features.scan_settings import read_settings
from assay.curation.issues.disagreements import list_contested
from assay.curation.label_quality.live import LiveProbe, ScoredState
from assay.curation.label_quality.partitioned_scores import (
    PartitionedScores,
    find_edited_rows,
    is_free,
)
from assay.curation.label_quality.sampled_probe import add_copies, find_sorted, load_sampled_probe
from assay.curation.label_quality.scoring import without_locked
from assay.curation.splits import LOCKED
from assay.curation.statistics.sampling import draw_numbers, random_order_rows, take_least
from assay.curation.storage.arrays import file_stamp
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import DENSE
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.versioning.partitioned_states import PartitionedState
from assay.curation.versioning.sample_draws import find_random_rows
from assay.curation.versioning.state_building import open_state
from assay.curation.versioning.state_rows import read_fixed

if TYPE_CHECKING:
    import pandas as pd

# samples that are judged anew; of a larger bench no more, but for what people review
MOST = 1_000_000
DOUBTED = 0.1  # the share of them that the last scan doubts most
VAL = 0.8  # the share of val; the rest is for what people edit
AHEAD = 1_600  # samples of the random order that are at hand
PURPOSE = "live effect"  # names the draw of val
FIXED = ("key", "content_hash")
SAID = ("label", "given_label", "keep", "split", "verdict", "reviewed")


def is_sampled(bench: Bench) -> bool:
    """Whether only some of a bench's samples are judged anew after a decision.

    Not of several labels a sample, and not where parts of the state cannot be written beside it.
    """
    many = bench.rows("select count(*) from samples")[0][0] > MOST
    return many and os.access(bench.path, os.W_OK) and not task_of(bench).several


class ValSample(NamedTuple):
    """Which val labels the effect is measured on, and what each stands for."""

    labels: pd.Series  # (m,) of kept val samples at hand when they were scanned, by id
    weights: np.ndarray  # (m,) so many val labels each stands for; 0: it does not count
    total: int  # val labels


@dataclass
class Excerpt:
    """The samples that are judged anew, at one position of the log."""

    scores: PartitionedScores  # of the last scan
    now: PartitionedState
    rows: np.ndarray  # (n,) of the state, ascending
    frame: pd.DataFrame  # (n,) as Bench.state, but for columns that nobody asks for
    live: LiveProbe
    named: np.ndarray  # (n,) bool: at hand whatever was drawn of val
    drawn: np.ndarray  # (n,) bool: the fixed sample of val
    val: ValSample
    population: int  # samples of the random order
    waiting: int  # of these at hand, for the next reviews at random
    flagged_elsewhere: int  # by the scan, among the samples that are not at hand

    def describe(self) -> str:
        """Say what the live figures rest on."""
        judged, total = len(self.frame), self.now.total
        counted, val = int(np.count_nonzero(self.val.weights)), self.val.total
        of_val = "all" if counted == val else f"a fixed sample of {counted:,}"
        return (
            f"judged anew: {judged:,} of {format_count(total, 'sample')}, with {of_val} of {val:,} val labels; "
            "of the others stands what the last scan said"
        )


class LiveExcerpt:
    """The excerpt of a bench, kept up to date."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.stamp: tuple = ()
        self.held: Excerpt | None = None

    def refresh(self) -> Excerpt:
        """Bring the excerpt to the end of the log."""
        now = open_state(self.bench)
        files = ("probe.npz", "opinion.npz", "graph.npz")
        stamp = tuple(file_stamp(self.bench.arrays / name) for name in files)
        if self.held is None or stamp != self.stamp or not update(self.bench, self.held, now):
            self.held = None  # before another is read
            self.held, self.stamp = read_excerpt(self.bench, now), stamp
        return self.held


def score_excerpt(excerpt: Excerpt) -> ScoredState:
    """Score the labels at hand as they are now; UserError where only a scan can tell."""
    scored = excerpt.live.score(excerpt.now.upto, excerpt.frame)
    if scored is None:
        raise scan_is_due(excerpt.live.bench, "a class came, or got another name")
    return scored[0]


def scan_is_due(bench: Bench, why: str) -> NotScanned:
    return NotScanned(
        f"expected a scan of samples and classes as they are, found that {why} since",
        f"run: assay scan -b {bench.given}",
    )


# ---- which samples


def read_excerpt(bench: Bench, now: PartitionedState) -> Excerpt:
    """Read the samples that are judged anew, and the probe for them."""
    scores = PartitionedScores.load(bench)
    then = scores.state
    edited = find_edited_rows(then, now)
    check_scanned(bench, scores, now, edited)
    most = min(MOST, DENSE // len(scores.classes))
    random = find_random_rows(now, AHEAD)
    reviewed = now.find(lambda part: part.flags["reviewed"], ["reviewed"])
    contested = now.locate(list_contested(bench))
    worst = scores.find_worst(now, max(1, round(DOUBTED * most)))
    named = [worst, random.waiting, reviewed, contested[contested >= 0], edited]
    rows = np.unique(np.concatenate(named))
    val, drawn = draw_val(then, max(1, round(VAL * most)))
    split = now.take(rows, ["split"])["split"]
    # who is fitted, or may soon be, brings its copies
    fitted = rows[(split != "val") | np.isin(rows, edited)]
    ranks = scores.ranks(fitted)
    copies = find_rows(scores, add_copies(bench, ranks[ranks >= 0]))
    every = np.unique(np.concatenate([rows, drawn, copies]))
    frame = now.frame(every, [*FIXED, *SAID])
    ranks = scores.ranks(every)
    free = ranks >= 0
    stored = load_sampled_probe(
        bench, scores, ranks[free], frame.content_hash.to_numpy("S32")[free]
    )
    if stored is None:
        raise scan_is_due(
            bench, f"a scan began and has not ended ({read_settings(bench)['embedder']})"
        )
    live = LiveProbe(bench, stored, without_locked(frame), few=True)
    at_hand, by_draw = np.isin(every, rows), np.isin(every, drawn)
    before = then.take(every, ("label", "keep", "split"))
    weighed = weigh_val(before, frame.index.to_numpy(object), at_hand, by_draw, val)
    return Excerpt(
        scores, now, every, frame, live, at_hand, by_draw, weighed,
        random.population, len(random.waiting), count_flagged_elsewhere(scores, ranks[free]),
    )  # fmt: skip


def check_scanned(
    bench: Bench, scores: PartitionedScores, now: PartitionedState, edited: np.ndarray
) -> None:
    """Refuse samples that came since a scan, or went into test or guard, or out of there."""
    before = scores.ranks(edited) >= 0
    after = ~np.isin(now.take(edited, ["split"])["split"], LOCKED)
    if len(now) != len(scores.state) or (before != after).any():
        raise scan_is_due(bench, "samples came, left or moved to another split")


def draw_val(state: PartitionedState, most: int) -> tuple[dict[str, int], np.ndarray]:
    """Draw the fixed sample of val: ({class: kept labels}, rows (m,), ascending).

    All of it, or of each class the same share, rounded up: those with the least numbers.
    """
    val: dict[str, int] = {}
    for (split, label, keep, _), n in state.counts.items():
        if split == "val" and keep and label is not None:
            val[label] = val.get(label, 0) + n
    total = sum(val.values())
    asked = ("split", "label", "keep")
    rows = state.find(lambda p: p.isin("split", ("val",)) & p.has("label") & p.flags["keep"], asked)
    if total <= most:
        return val, rows
    names = sorted(val)
    code = np.searchsorted(names, state.take(rows, ["label"])["label"].astype(str))
    with state.bench.connect() as con:
        ids = read_fixed(con, rows, 0, [])["sample"].to_pylist()
    wanted = np.ceil(np.bincount(code, minlength=len(names)) * (most / total))
    return val, rows[take_least(draw_numbers(ids, PURPOSE), code, wanted)]


def find_rows(scores: PartitionedScores, ranks: np.ndarray) -> np.ndarray:
    """Find the rows (m,) of ranks among the samples that a scan judges, ascending."""
    state, out = scores.state, [np.empty(0, "i8")]
    number = np.searchsorted(scores.starts, ranks, side="right") - 1
    for one in np.unique(number).tolist():
        free = np.flatnonzero(is_free(state.load(one, ("split", "known"))))
        out.append(one * state.each + free[ranks[number == one] - scores.starts[one]])
    return np.concatenate(out)


def count_flagged_elsewhere(scores: PartitionedScores, ranks: np.ndarray) -> int:
    """Count the labels that the scan flagged, but for those at some ranks (m,)."""
    at, there = find_sorted(scores.arrays["rows"], ranks)
    flagged = scores.arrays["flagged"]
    return int(np.sum(flagged)) - int(flagged[at[there]].sum())


# ---- after a decision


def update(bench: Bench, held: Excerpt, now: PartitionedState) -> bool:
    """Bring an excerpt to a later state; False where other samples have to be at hand."""
    if now.upto == held.now.upto:
        return True
    edited = find_edited_rows(held.now, now)
    at, there = find_sorted(held.rows, edited)
    if not there.all() or now.total != held.now.total:
        return False
    said = now.take(edited, SAID)
    frame = held.frame.copy(deep=False)
    if (frame["split"].to_numpy(object)[at] != said["split"]).any():
        return False
    import pandas as pd

    for name, values in said.items():
        column = frame[name].to_numpy(copy=True)
        column[at] = values
        frame[name] = pd.Series(column, frame.index, frame[name].dtype)
    held.now, held.frame = now, frame
    held.named[at] = True  # whose copies are at hand, or who is of val and fitted to nothing
    order = random_order_rows(frame)
    left = np.count_nonzero(~frame.reviewed.to_numpy(bool)[order] & held.named[order])
    return left > AHEAD // 2 or held.waiting < AHEAD


# ---- what val stands for


def weigh_val(
    then: dict[str, np.ndarray], ids: np.ndarray, named: np.ndarray, drawn: np.ndarray, val: dict
) -> ValSample:
    """Say which val labels an effect is measured on, and what each stands for.

    then: label, keep and split of the samples at hand (n,) when they were scanned. named, drawn (n,) bool: see
    Excerpt. val: {class: labels}. What is at hand whatever was drawn stands for itself; what was drawn, for all others
    of its class. So the estimate is unbiased, whoever edits what. (Horvitz and Thompson, JASA 47, 1952.)
    """
    import pandas as pd

    has = np.array([label is not None for label in then["label"]], bool)
    counted = (then["split"] == "val") & then["keep"] & has
    labels = pd.Series(then["label"][counted], pd.Index(ids[counted]), dtype=object)
    code, names = pd.factorize(labels)
    named, drawn = named[counted], drawn[counted] & ~named[counted]
    n = np.array([val[name] for name in names], float)
    alone, others = (np.bincount(code[some], minlength=len(names)) for some in (named, drawn))
    # where all that was drawn of a class is at hand anyway, that stands for the others
    itself = np.where(others > 0, 1, n / np.maximum(alone, 1))
    weights = np.where(named, itself[code], ((n - alone) / np.maximum(others, 1))[code] * drawn)
    return ValSample(labels, weights, sum(val.values()))
