"""Make cards of gaps: pictures, an interval, a sentence, an act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from cachetools import LRUCache

from assay.curation.label_quality import live
from assay.curation.predictions import model_errors
from assay.curation.slicing import gaps
from assay.curation.slicing.gap_text import DOUBTED
from assay.curation.tasks.base import task_of

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.filtering.table import SampleTable
    from assay.curation.storage.interface import Bench

PICTURES = 4
OPEN = "keep and split in ('train', 'val', 'pool')"
FIXED = ("label", "cluster")  # names that need no quotes
FEW = 100  # samples that a link names one by one, where no condition says which they are
Act = Literal["review", "find", "pool"]


@dataclass(frozen=True)
class GapCard:
    """What a card shows of one gap."""

    name: str
    kind: str  # as people read it: under-represented
    region: str
    why: str  # one sentence with its figures
    rate: float | None  # of its val labels that are wrong; None without such labels
    low: float
    high: float
    rest: float | None  # the same elsewhere
    several: bool  # whether samples have several labels
    pictures: list[tuple[str, str, str]]  # sample, key, what stands under it
    members: int  # samples of train, val and pool
    condition: str  # that finds them in Browse
    whole: bool  # whether it finds all of them
    act: Act
    review: list[str]  # samples whose labels are to be looked at, the most doubted first
    pool: int  # samples in the pool of the bench


CARDS: LRUCache = LRUCache(512)


def make_card(bench: Bench, table: SampleTable, row: dict[str, Any]) -> GapCard:
    """Make the card of a row of find_gaps.

    It is made once for each state of the bench. table: the samples as they are.
    """
    key = str(bench.path), table.snapshot.stamps, row["gap"]
    if key not in CARDS:
        CARDS[key] = describe_gap(bench, table, row)
    return CARDS[key]


def describe_gap(bench: Bench, table: SampleTable, row: dict[str, Any]) -> GapCard:
    """Describe a gap as its card shows it."""
    state = bench.state()
    members = gaps.gap_members(bench, row["gap"])
    part = state.loc[members]
    judged = model_errors.find_model_errors(bench)
    wrong = model_errors.errors_within(bench, judged, members, row["of_class"])
    review = order_doubted(bench, row["kind"], part, wrong)
    pool = int(((state["split"] == "pool") & state.keep).sum())
    act: Act = "find" if pool else "pool"
    doubted = row["kind"] == "error" and row["flagged"] >= DOUBTED
    if review and (doubted or row["kind"] == "disagreement"):
        act = "review"
    task, of_class = task_of(bench), row["of_class"]
    if not isinstance(of_class, str):
        of_class = None  # a frame's empty cell is not a number
    condition, whole = find_condition(table, members, task.several, of_class)
    kind, _, region = row["gap"].partition(": ")
    return GapCard(
        name=row["gap"],
        kind=kind,
        region=region,
        why=row["why"],
        rate=row["rate"] if row["val"] else None,
        low=row["low"],
        high=row["high"],
        rest=row["rest"],
        several=row["unit"] == "label",
        pictures=choose_pictures(part, wrong, review if act == "review" else [], task.show),
        members=len(members),
        condition=condition,
        whole=whole,
        act=act,
        review=review,
        pool=pool,
    )


def order_doubted(bench: Bench, kind: str, part: pd.DataFrame, wrong: pd.DataFrame) -> list[str]:
    """List a gap's samples with labels to review, most doubted first.

    Of inconsistent labels those of train and val that the model doubts; else the val samples that
    it predicts otherwise. What is reviewed already is left out.
    """
    scores = live.label_scores(bench).reindex(part.index)
    if kind == "disagreement":
        mine = part["split"].isin(("train", "val")) & part.label.notna() & scores.flagged.eq(True)
    else:
        mine = part.index.isin(wrong.index)
    mine &= ~part.reviewed
    found = scores.score[np.asarray(mine, bool)]
    return list(found.sort_values(kind="stable").index)


def choose_pictures(
    part: pd.DataFrame, wrong: pd.DataFrame, review: list[str], show: Callable[[str], str]
) -> list[tuple[str, str, str]]:
    """Choose what a card shows: samples to review, wrong ones, others.

    In this order; the wrong ones are of val. show: writes a label as people read it.
    """
    order = {s: i for i, s in enumerate(("val", "train", "pool"))}
    rest = part.index[np.argsort(part["split"].map(order), kind="stable")]
    ids = list(dict.fromkeys([*review, *wrong.index, *rest]))[:PICTURES]
    out = []
    for sample in ids:
        label = part.label[sample]
        words = show(label) if isinstance(label, str) else "no label"
        if sample in wrong.index:
            words += f" → {show(wrong.said[sample])}"
        out.append((sample, str(part.key[sample]), words))
    return out


def find_condition(
    table: SampleTable, members: list[str], several: bool = False, of_class: str | None = None
) -> tuple[str, bool]:
    """Find a condition for some samples, and whether it finds them all.

    What they have in common, where just they have it in common; else their ids. several: whether samples have several
    labels; of_class: the class that these are about, which label or prediction name.
    """
    rows = table.snapshot.state.index.get_indexer(members)
    shared, fixed = [], ["cluster"] if several else ["label", "cluster"]
    if several and of_class is not None:
        name = quote(of_class)
        shared.append(f"(label = {name} or (split = 'val' and predicted('probe', {name})))")
    for name in (*fixed, *(c.name for c in table.snapshot.metadata)):
        values = set(table.rows(rows, [name])[name].tolist()) if name in table.columns else set()
        if len(values) == 1 and isinstance(value := values.pop(), str | bool | int | float):
            column = '"' + name.replace('"', '""') + '"' if name not in FIXED else name
            said = quote(value) if isinstance(value, str) else repr(value)
            shared.append(f"{column} = {said}")
    wanted = set(rows.tolist())
    for some in [*combinations(shared, 1), *combinations(shared, 2)]:
        where = " and ".join([*some, OPEN])
        if set(table.select(where).tolist()) == wanted:
            return where, True
    some = members[:FEW]
    return f"sample in ({', '.join(map(quote, some))})", len(some) == len(members)


def quote(text: str) -> str:
    """Write a text as a condition quotes it."""
    return "'" + text.replace("'", "''") + "'"
