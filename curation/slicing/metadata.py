"""The columns that came with the samples, as slices can use them."""

import json

import numpy as np

VALUES = 20  # different values up to which each one is a slice; more numbers than that make quartiles, more words make none
REPEATS = 0.5  # share of the errors in guessing a label that a key takes away, from which on it only says the label again
SIDE = "image's longer side"


def metadata(frame):
    """{key: {slice name: sample ids}} of what came with the samples of `frame`, and of the size of their images: one slice for each value where
    there are at most 20, quartiles where there are more and all are numbers. A key that says the same of all, or lists, makes none."""
    import pandas as pd

    code, texts = pd.factorize(frame.meta.to_numpy(object))  # many samples say the same
    said = (
        pd.DataFrame([{}, *(json.loads(meta or "{}") for meta in texts)])
        .take(code + 1)
        .set_axis(frame.index)
    )
    said[SIDE] = frame[["width", "height"]].max(axis=1)
    cut = {key: values_of(key, said[key].dropna()) for key in sorted(said.columns, key=str)}
    return {key: slices for key, slices in cut.items() if slices}


def telling(frame):
    """As `metadata`, without the keys that only repeat the label: to know their value takes away half of the errors in guessing the labels of
    train. (Goodman and Kruskal's lambda, 1954)"""
    import pandas as pd

    label, out = frame.label[frame.split == "train"].dropna(), {}
    for key, values in metadata(frame).items():
        known = pd.concat(
            [
                label.reindex(pd.Index(ids).intersection(label.index)).value_counts()
                for ids in values.values()
            ],
            axis=1,
        ).fillna(0)
        n, most, within = known.to_numpy().sum(), known.sum(axis=1).max(), known.max().sum()
        if not n or n == most or (within - most) / (n - most) <= REPEATS:
            out[key] = values
    return out


def values_of(key, column):
    """{slice name: sample ids} of one key: column, a Series of its values without gaps by sample id."""
    import pandas as pd

    if column.map(lambda v: isinstance(v, list | dict)).any():
        return {}
    texts = column.map(spelled)
    if texts.nunique() > VALUES:
        numbers = pd.to_numeric(column, errors="coerce")  # a CSV's numbers are text
        if numbers.isna().any() or column.map(lambda v: isinstance(v, bool)).any():
            return {}
        ends = np.unique(np.quantile(numbers, (0.25, 0.5, 0.75)))
        low, high = [f"{spelled(e)} < " for e in ends], [f" ≤ {spelled(e)}" for e in ends]
        names = [
            f"{key}{high[0]}",
            *(f"{a}{key}{b}" for a, b in zip(low, high[1:])),
            f"{key} > {spelled(ends[-1])}",
        ]
        texts = pd.Series(np.array(names, object)[np.searchsorted(ends, numbers)], column.index)
    else:
        names = [f"{key} = {text}" for text in sorted(set(texts))]
        texts = f"{key} = " + texts
    groups = texts.groupby(texts).groups
    return {name: list(groups[name]) for name in names if name in groups} if len(groups) > 1 else {}


def spelled(value):
    return (
        json.dumps(value)
        if isinstance(value, bool)
        else value
        if isinstance(value, str)
        else f"{value:.12g}"
    )
