"""Plan which split each sample goes to: pure, of arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.split_shares import Shares
from assay.curation.formats.splits import group_families
from assay.curation.splits import LOCKED
from assay.curation.text import format_count
from assay.pipelines.indexing.split_strata import share_groups, share_singles

LIKELIEST = ("val", "train")  # where those go that belong to what stays, first first


@dataclass(frozen=True)
class Rows:
    """What a split is drawn of: arrays (n,) of the rows in play."""

    ids: list[str]
    labels: list[str | None]
    splits: list[str]  # as they are
    drawn: np.ndarray  # bool: the others stay
    traits: list[Iterable[str | None]]  # who shares a value of one stays in one split
    times: np.ndarray | None = None  # float, NaN for none: the newest go to test


@dataclass
class SplitPlan:
    """Where each row goes, and what was out of the ordinary on the way."""

    splits: list[str]
    families: list[list[int]]  # rows that stay together, by their numbers
    bound: int = 0  # drawn rows that belong to a locked one: they go to pool
    late: Counter = field(default_factory=Counter)  # by class: kept in train though they are new
    cut: dict[str, float] = field(default_factory=dict)  # split -> its oldest time


def plan_splits(rows: Rows, shares: Shares, seed: int = 0) -> SplitPlan:
    """Draw the split of the drawn rows.

    Families, those who share a trait, stay whole. Train keeps a sample of every class. Without times by class
    and by lot; with times the newest families go to test, then to val: a family is as new as its newest sample.
    UserError where a split that was asked for would be empty.
    """
    n = len(rows.ids)
    splits: list[str | None] = [
        None if drawn else split for drawn, split in zip(rows.drawn, rows.splits, strict=True)
    ]
    families = group_families(list(range(n)), *rows.traits)
    plan = SplitPlan([], families)
    free = []
    for family in families:
        stays = {splits[i] for i in family} - {None}
        asked = [i for i in family if splits[i] is None]
        if not stays or not asked:
            free += [asked] * bool(asked)
            continue
        there = (
            "pool" if stays & set(LOCKED) else next(s for s in (*LIKELIEST, *stays) if s in stays)
        )
        plan.bound += len(asked) * (there == "pool")
        for i in asked:
            splits[i] = there
    left = Counter(
        label for label, split in zip(rows.labels, splits, strict=True) if split in (None, "train")
    )
    if rows.times is None:
        draw_by_class(rows, free, splits, left, shares, seed, plan.bound)
    else:
        draw_by_time(rows, free, splits, left, shares, seed, plan)
    plan.splits = [split or "train" for split in splits]
    return plan


def draw_by_class(
    rows: Rows,
    families: list[list[int]],
    splits: list[str | None],
    left: Counter,
    shares: Shares,
    seed: int,
    bound: int,
) -> None:
    """Draw test and val by class and by lot, in place.

    Groups first, then who is alone.
    """
    names = ("train", "val", "test")
    parts = np.array([1 - shares.val - shares.test, shares.val, shares.test])
    classes = sorted({rows.labels[i] for family in families for i in family})
    index = {name: c for c, name in enumerate(classes)}
    y = np.array([index.get(label, -1) for label in rows.labels])
    remaining = np.array([left[name] for name in classes])
    families = sorted(families, key=lambda family: draw_lot(seed, [rows.ids[i] for i in family]))
    groups = [family for family in families if len(family) > 1]
    have = np.zeros((3, len(classes)))
    for family, split in zip(groups, share_groups(groups, y, parts, remaining)):
        np.add.at(have[split], y[family], 1)
        for i in family:
            splits[i] = names[split]
    single = np.array([family[0] for family in families if len(family) == 1], int)
    totals = have.sum(0) + np.bincount(y[single], minlength=len(classes))
    for i, split in zip(single, share_singles(y[single], have, totals, parts, remaining)):
        splits[i] = names[split]
    for split, share in (("test", shares.test), ("val", shares.val)):
        if share and not any(splits[family[0]] == split for family in families):
            fill_split(split, families, rows, splits, y, remaining, bound)


def fill_split(
    split: str,
    families: list[list[int]],
    rows: Rows,
    splits: list[str | None],
    y: np.ndarray,
    left: np.ndarray,
    bound: int,
) -> None:
    """Move the smallest family into a split that would be empty.

    In place, and out of train. UserError where train would lose a class, or half of the samples.
    """
    n = sum(map(len, families))
    for family in sorted(families, key=len):
        counts = np.bincount(y[family], minlength=len(left))
        spared = (left > counts)[counts > 0].all() and 2 * len(family) <= n
        if spared and splits[family[0]] == "train":
            left -= counts
            for i in family:
                splits[i] = split
            return
    raise refuse_empty(split, families, rows, bound)


def draw_by_time(
    rows: Rows,
    families: list[list[int]],
    splits: list[str | None],
    left: Counter,
    shares: Shares,
    seed: int,
    plan: SplitPlan,
) -> None:
    """Draw the newest families for test, the next for val, in place.

    Those without a time stay in train, as do those without which train would lose a class.
    """
    times = [max((t for t in rows.times[f] if t == t), default=-np.inf) for f in families]
    lots = [draw_lot(seed, [rows.ids[i] for i in f]) for f in families]
    order = sorted(range(len(families)), key=lambda f: (-times[f], lots[f]))
    order = [f for f in order if times[f] > -np.inf]
    n = sum(map(len, families))
    for split, share in (("test", shares.test), ("val", shares.val)):
        taken, target = 0, max(1.0, share * n) if share else 0.0
        while order and target:
            family = families[order[0]]
            if 2 * (target - taken) < len(family):
                break
            time = times[order.pop(0)]
            classes = Counter(rows.labels[i] for i in family)
            if not all(left[c] > k for c, k in classes.items()):
                plan.late.update(classes)
                continue
            taken, plan.cut[split] = taken + len(family), time
            left.subtract(classes)
            for i in family:
                splits[i] = split
        if target and not taken:
            raise refuse_empty(split, families, rows, plan.bound)


def draw_lot(seed: int, ids: Sequence[str]) -> bytes:
    """Draw a family's place among its equals."""
    return blake2b(f"{seed} {min(ids)}".encode()).digest()


def refuse_empty(split: str, families: list[list[int]], rows: Rows, bound: int) -> UserError:
    """Say why a split that was asked for would be empty."""
    n, largest = sum(map(len, families)), max(map(len, families), default=0)
    if not n:
        return UserError(
            f"expected samples to draw {split} of, found that all belong to what stays where it is",
            "draw from more: leave out --source, --pool or --group-column",
        )
    timed = rows.times is None or np.isfinite(rows.times[rows.drawn]).any()
    found = f"{format_count(len(families), 'group')} of {format_count(n, 'sample')}, the largest of {largest:,}"
    if bound:
        found += f", beside {format_count(bound, 'sample')} that belong to what is in test or guard"
    return UserError(
        f"expected groups small enough for the {split} split, and a sample of every class for train beside them, "
        f"found {found}" + ("" if timed else ", none with a time"),
        "ask for another share, or leave out --group-column or --time-column",
    )
