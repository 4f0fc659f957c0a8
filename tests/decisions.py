"""Decide about a few samples, as people do."""

import shutil

import pandas as pd

from tests.helpers import open_copy


def decide(bench, who, *rows, **more):
    return bench.edit(pd.DataFrame(rows), who, **more)


def train(bench, n=8):
    return list(bench.state().query("split == 'train'").index[:n])


def other(label, step=1):
    return str((int(label) + step) % 10)


def copy_of(bench, name="copy"):
    shutil.copytree(bench.path, bench.path.with_name(name))
    return open_copy(bench.path.with_name(name))


def by_hand(one, two):
    """A diff by two loops over two states."""
    out = {k: set() for k in ("relabelled", "added", "removed", "moved", "tagged")}
    for s in [*one.index, *(s for s in two.index if s not in one.index)]:
        x, y = (f.loc[s] if s in f.index and f.keep[s] else None for f in (one, two))
        if x is None or y is None:
            out["added" if x is None else "removed"] |= {s} if (x is None) != (y is None) else set()
            continue
        for kind, column in (("relabelled", "label"), ("moved", "split"), ("tagged", "tags")):
            out[kind] |= {s} if x[column] != y[column] else set()
    return out
