"""How well something that should not matter, such as brightness, size or where an image came from, tells its label."""

import json

import numpy as np

BINS = 20
FOLDS = 5
VALUES = 50  # different words up to which a key of the metadata is looked at


def told_by(values, y, classes, seed=0):
    """How well a property tells the label: (balanced accuracy out of fold, its 95 % interval, p against chance). values (n,) numbers, cut into
    20 equal parts, or codes of at most 50 words; y (n,) class indices. In each fold the class is said under which the value's part is likeliest."""
    from scipy.special import ndtr

    values, y = np.asarray(values), np.asarray(y)
    names = np.unique(values)
    ends = (
        names[1:]
        if len(names) <= VALUES
        else np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    )
    part = np.searchsorted(ends, values, "right")
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(y))
    counts = np.zeros((FOLDS, len(ends) + 1, classes))
    np.add.at(counts, (fold, part, y), 1)
    others = (
        counts.sum(0) - counts + 1 / classes
    )  # what is never seen is said of no class more than of another
    said = (others / others.sum(1, keepdims=True)).argmax(2)[fold, part]
    size = np.bincount(y, minlength=classes)
    right = np.bincount(y, said == y, minlength=classes)[size > 0] / size[size > 0]
    k, chance = len(right), 1 / max(len(right), 1)
    accuracy, spread = right.mean(), np.sqrt((right * (1 - right) / size[size > 0]).sum()) / k
    null = np.sqrt((chance * (1 - chance) / size[size > 0]).sum()) / k
    return (
        float(accuracy),
        (float(accuracy - 1.96 * spread), float(accuracy + 1.96 * spread)),
        float(ndtr((chance - accuracy) / null)),
    )


def score(accuracy, classes):
    """1 at chance, 0 where the label is told without fail: cleanlab's room for improvement."""
    return float(np.clip((1 - accuracy) / (1 - 1 / classes), 0, 1))


def metadata(state):
    """{key: (n,) numbers, or codes of at most 50 words} of what came with the samples of `state`; where it is not said, a code of its own."""
    import pandas as pd

    said = pd.DataFrame([json.loads(meta or "{}") for meta in state.meta], state.index).assign(
        source=state.source
    )
    out = {}
    for key in sorted(said.columns, key=str):
        column = said[key]
        if column.map(lambda v: isinstance(v, list | dict)).any():
            continue
        numbers = pd.to_numeric(column, errors="coerce")  # a CSV's numbers are text
        codes, names = pd.factorize(column.astype(str), sort=True)
        if 1 < len(names) <= VALUES:
            out[str(key)] = codes
        elif len(names) > VALUES and numbers.notna().all():
            out[str(key)] = numbers.to_numpy("f8")
    return out


def find(properties, y, classes):
    """Rows (score, p, why) of every property {name: (n,)} against the labels y (n,)."""
    out = []
    for name, values in properties.items():
        if len(np.unique(values)) > 1:
            accuracy, (low, high), p = told_by(values, y, classes)
            chance = 1 / len(np.unique(y))
            said = f"balanced accuracy {accuracy:.1%} [{low:.1%}, {high:.1%}] out of fold, chance {chance:.1%}, n = {len(y):,}"
            out.append(
                (score(accuracy, len(np.unique(y))), p, f"{name} alone tells the label: {said}")
            )
    return out
