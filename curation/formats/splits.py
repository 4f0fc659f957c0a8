"""Draw splits without shared images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


LIKELIEST = ("test", "val", "guard", "train")  # where the copy of a placed image goes, first first


def make_splits(
    frame: pd.DataFrame,
    content_hash: list[str | None],
    seed: int = 0,
    val: float = 0.1,
    test: float = 0.2,
) -> list[str]:
    """Draw the split of every row that has none.

    Drawn by class, from the seed and the keys alone. frame: key, label, split; group, if there is
    one. val, test: shares of the rows that have a label and no split in pool.
    Copies (equal content_hash) and members of a group stay together. Test is drawn if no row has
    it; val too, out of train if need be. Train keeps a sample of every class. Returns the split of each row.
    """
    keys, labels = list(frame["key"]), list(frame["label"])
    # pandas makes NaN of None, which is true
    given = [split if isinstance(split, str) and split else None for split in frame["split"]]
    splits = [
        split or (None if isinstance(label, str) else "pool")
        for label, split in zip(labels, given, strict=True)
    ]
    placed = [i for i, split in enumerate(splits) if split != "pool" and isinstance(labels[i], str)]
    families = group_families(placed, content_hash, frame.get("group", content_hash))
    named = set(splits)
    for family in families:  # a copy of a placed image goes where that one is
        theirs = {splits[i] for i in family}
        there = next((split for split in LIKELIEST if split in theirs), None)
        for i in family:
            splits[i] = splits[i] or there
    left_in_train = Counter(
        label for label, split in zip(labels, splits, strict=True) if split in (None, "train")
    )
    order_families(families, keys, labels, seed)
    rest = 1.0  # share of the rows that is not drawn yet
    for split, share, out_of in (("test", test, {None}), ("val", val, {None, "train"})):
        if split not in named and share:
            free = [family for family in families if {splits[i] for i in family} <= out_of]
            rate, rest = share / rest, rest - share
            take_share(free, labels, splits, left_in_train, split, rate)
    return [split or "train" for split in splits]


def take_share(
    families: list[list[int]],
    labels: list[str],
    splits: list[str | None],
    left_in_train: Counter,
    split: str,
    rate: float,
) -> None:
    """Move whole families into a split, a `rate` of their rows.

    In place. families: in the order of order_families, so that each class, and the whole, get their share.
    left_in_train: samples of each class that train has; the last one stays.
    """
    rate = max(rate, 1 / max(1, sum(map(len, families))))
    seen = taken = 0
    for family in families:
        alone = len(family) == 1  # as most are, and a Counter takes ten times as long
        classes = {labels[family[0]]: 1} if alone else Counter(labels[i] for i in family)
        if all(left_in_train[c] > n for c, n in classes.items()):
            seen += len(family)
            # taken when due
            if 2 * (rate * seen - taken) >= len(family):
                taken += len(family)
                left_in_train.subtract(classes)
                for i in family:
                    splits[i] = split


def order_families(
    families: list[list[int]], keys: list[str], labels: list[str], seed: int
) -> None:
    """Sort families by their most frequent class, then by lot, in place."""

    def draw(family: list[int]) -> bytes:
        return blake2b(f"{seed} {min(keys[i] for i in family)}".encode()).digest()

    def most_frequent(family: list[int]) -> str:
        if len(family) == 1:
            return labels[family[0]]
        return Counter(sorted(labels[i] for i in family)).most_common(1)[0][0]

    families.sort(key=draw)
    families.sort(key=most_frequent)  # sorts are stable


def group_families(rows: list[int], *traits: Iterable[str | None]) -> list[list[int]]:
    """Group rows that share the value of a trait.

    They share it directly or through others.

    traits: each (n,), by row; what is no text is shared with nobody.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first: dict = {}
    links = [
        (i, first.setdefault((t, values[i]), i))
        for t, values in enumerate(map(list, traits))
        for i in rows
        if isinstance(values[i], str)
    ]
    n = max(rows, default=0) + 1
    graph = coo_array((np.ones(len(links)), np.array(links, int).reshape(-1, 2).T), (n, n))
    component = connected_components(graph, directed=False)[1]
    families: dict = {}
    for i in rows:
        families.setdefault(component[i], []).append(i)
    return list(families.values())
