"""Draw train, val and test splits that share no image."""

from collections import Counter
from hashlib import blake2b

import numpy as np


def make_splits(frame, content_hash, seed=0, val=0.1, test=0.2):
    """The split of every row, as a list: the source's own, and what is missing drawn by class, from the seed and the keys alone.

    Copies (equal content_hash) and members of a group stay together. Test is drawn if no row has it; val too, out of train if
    need be. Train keeps a sample of every class."""
    keys, labels = list(frame["key"]), list(frame["label"])
    given = [
        split if isinstance(split, str) and split else None for split in frame["split"]
    ]  # pandas makes NaN of None, which is true
    splits = [
        split or (None if isinstance(label, str) else "pool")
        for label, split in zip(labels, given, strict=True)
    ]
    placed = [i for i, split in enumerate(splits) if split != "pool" and isinstance(labels[i], str)]
    families = _families(placed, content_hash, frame.get("group", content_hash))
    named, rest = set(splits), 1
    for family in families:  # a copy of a placed image goes where that one is
        there = next(
            (
                split
                for split in ("test", "val", "guard", "train")
                if any(splits[i] == split for i in family)
            ),
            None,
        )
        for i in family:
            splits[i] = splits[i] or there
    left = Counter(
        label for label, split in zip(labels, splits, strict=True) if split in (None, "train")
    )  # what train keeps
    families.sort(
        key=lambda family: blake2b(f"{seed} {min(keys[i] for i in family)}".encode()).digest()
    )  # by lot
    families.sort(
        key=lambda family: Counter(sorted(labels[i] for i in family)).most_common(1)[0][0]
    )  # and by class
    for split, share, out_of in (("test", test, {None}), ("val", val, {None, "train"})):
        if split not in named and share:
            free = [family for family in families if {splits[i] for i in family} <= out_of]
            rate, rest = max(share / rest, 1 / max(1, sum(map(len, free)))), rest - share
            seen = taken = 0
            for family in free:
                classes = Counter(labels[i] for i in family)
                if all(left[c] > n for c, n in classes.items()):
                    seen += len(family)
                    if 2 * (rate * seen - taken) >= len(
                        family
                    ):  # taken when due: classes and whole get their share
                        taken += len(family)
                        left.subtract(classes)
                        for i in family:
                            splits[i] = split
    return [split or "train" for split in splits]


def _families(rows, *traits):
    """`rows` in lists: those that share the value of a trait, directly or through others, are together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, families = {}, {}
    links = [
        (i, first.setdefault((t, v[i]), i))
        for t, v in enumerate(map(list, traits))
        for i in rows
        if isinstance(v[i], str)
    ]
    shape = (max(rows, default=0) + 1,) * 2
    graph = coo_array((np.ones(len(links)), np.array(links, int).reshape(-1, 2).T), shape)
    which = connected_components(graph, directed=False)[1]
    for i in rows:
        families.setdefault(which[i], []).append(i)
    return list(families.values())
