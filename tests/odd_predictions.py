"""Files of predictions of odd shapes, drawn by a seed, each with what a comparison must say of it.

A case is labels, two files, and either the number of samples that are judged and right for each, or that it must be refused.
"""

import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

NAMES = (
    ["cat", "dog", "eel"],
    ["0", "1", "2"],
    ["Zürich", "a b", "x,y;z"],
    ["yes", "no"],
    ["c'1", 'c"2', "c|3"],
)


@dataclass
class Case:
    """Files that were written, and the truth about them."""

    labels: object
    first: object
    second: object
    n: int = 0
    right: tuple = (0, 0)
    refused: bool = False  # it must be
    partial: bool = False  # a class is in no label: it may be refused as well
    what: list = field(default_factory=list)
    options: dict = field(default_factory=dict)


def draw_case(seed, folder):
    """Write one case into a folder."""
    rng = np.random.default_rng([20261201, seed])
    classes = NAMES[rng.integers(len(NAMES))]
    n = int(rng.choice([1, 2, 7, 40, 150]))
    ids = draw_ids(rng, n)
    truth = rng.choice(classes, n)
    labels = pd.DataFrame({rng.choice(["path", "id", "image", "file_name"]): ids})
    labels[rng.choice(["label", "true_label", "target", "y_true"])] = truth
    case = Case(write(rng, labels, folder / "labels"), None, None)
    said, kept = [], np.ones(n, bool)
    for name in ("first", "second"):
        answers = np.where(rng.random(n) < 0.7, truth, rng.choice(classes, n))
        source, there, refused, what = draw_file(rng, name, ids, answers, truth, classes, folder)
        setattr(case, name, source)
        case.what.append(what)
        case.refused |= refused
        said.append(answers)
        kept &= there
    case.n, case.right = int(kept.sum()), tuple(int((a == truth)[kept].sum()) for a in said)
    case.refused |= case.n == 0
    case.partial = len(set(truth)) < len(classes)
    return case


def draw_ids(rng, n):
    """Ids of one kind: paths in folders, numbers with zeros before, words."""
    kind = rng.integers(3)
    order = rng.permutation(n)
    if kind == 0:
        return np.array([f"set{i % 3}/img {i}.png" for i in order], object)
    return np.array([f"{i:05d}" if kind == 1 else f"sample-{i}" for i in order], object)


def draw_file(rng, name, ids, answers, truth, classes, folder):
    """Write one model's answers: (path, which samples it predicts (n,), whether it must be refused, what it is)."""
    n, there = len(ids), np.ones(len(ids), bool)
    frame = pd.DataFrame({"id": ids})
    shape = rng.choice(["labels", "columns", "prefixed", "list"], p=[0.55, 0.15, 0.15, 0.15])
    if len(classes) == 2 and shape == "list" and n == 1:
        shape = "labels"
    if shape == "labels":
        frame[rng.choice(["label", "prediction", "pred", "y_pred"])] = answers
    else:
        probs = np.full((n, len(classes)), 0.1 / (len(classes) - 1))
        order = sorted(classes)
        probs[np.arange(n), [order.index(a) for a in answers]] = 0.9
        if shape == "list":
            frame["probs"] = [list(map(float, row)) for row in probs]
        else:
            prefix = "" if shape == "columns" else rng.choice(["prob_", "p_"])
            for j in rng.permutation(len(order)):
                frame[prefix + order[j]] = probs[:, j]
    flaw = rng.choice(FLAWS) if rng.random() < 0.5 else "order"
    frame, there, refused = spoil(rng, flaw, frame, there, shape, classes)
    if flaw == "basename" and any("/" in i for i in ids):
        frame["id"] = [i.rsplit("/", 1)[-1] for i in frame["id"]]
    source = write(rng, frame, folder / name, shape)
    return source, there, refused, f"{shape}, {flaw}, {source.suffix}"


FLAWS = ["lacks", "twice", "blank", "spelling", "unknown", "nan", "sums", "extra", "numbers", "empty", "backslash", "basename", "strangers", "garbage"]  # fmt: skip


def spoil(rng, flaw, frame, there, shape, classes):
    """Put one flaw into a file: (frame, which samples are predicted (n,), whether it must be refused)."""
    n, value = len(frame), frame.columns[-1]
    some = rng.random(n) < 0.3
    if flaw == "lacks":
        return frame[~some], there & ~some, bool(some.all())
    if flaw == "twice":
        return pd.concat([frame, frame[:1]]), there, True
    if flaw == "blank" and shape == "labels":
        return (
            frame.assign(**{value: frame[value].where(~some, None)}),
            there & ~some,
            bool(some.all()),
        )
    if flaw == "spelling" and shape == "labels":
        return frame.assign(**{value: frame[value].str.upper() + " "}), there, False
    if flaw == "unknown" and shape == "labels":
        return frame.assign(**{value: "qqq"}), there, True
    if flaw == "nan" and shape != "labels":
        frame = frame.copy()
        frame[value] = [[float("nan")] * len(classes)] * n if shape == "list" else np.nan
        return frame, there, True
    if flaw == "sums" and shape in ("columns", "prefixed"):
        return frame.assign(**{value: frame[value] + 3}), there, True
    if flaw == "extra":
        more = frame[:1].assign(id="nobody")
        return pd.concat([frame, more]), there, False
    if flaw == "numbers" and shape == "labels" and classes[0] != "0":
        return (
            frame.assign(**{value: [sorted(classes).index(a) for a in frame[value]]}),
            there,
            True,
        )
    if flaw == "empty":
        return frame[:0], there, True
    if flaw == "backslash":
        return frame.assign(id=frame["id"].str.replace("/", "\\")), there, False
    if flaw == "strangers":
        return frame.assign(id=[f"other-{i}" for i in range(n)]), there, True
    if flaw == "garbage":
        return frame[["id"]], there, True
    order = rng.permutation(n)
    return frame.iloc[order], there, False


def write(rng, frame, path, shape="labels"):
    """Write a frame in one of the ways in which people do."""
    kinds = ["csv", "semicolon", "bom", "tsv", "jsonl", "json", "parquet", "feather", "utf-16"]
    kind = rng.choice(["jsonl", "json", "parquet"] if shape == "list" else kinds)
    frame = frame.reset_index(drop=True)
    if kind in ("csv", "semicolon", "bom", "tsv", "utf-16"):
        path = path.with_suffix(".tsv" if kind == "tsv" else ".csv")
        separator = {"semicolon": ";", "tsv": "\t"}.get(kind, ",")
        encoding = {"bom": "utf-8-sig", "utf-16": "utf-16"}.get(kind, "utf-8")
        frame.to_csv(path, index=False, sep=separator, encoding=encoding)
    elif kind == "jsonl":
        path = path.with_suffix(".jsonl")
        path.write_text("\n".join(json.dumps(row) for row in frame.to_dict("records")), "utf-8")
    elif kind == "json":
        path = path.with_suffix(".json")
        path.write_text(json.dumps(frame.to_dict("records")), "utf-8")
    elif kind == "parquet":
        path = path.with_suffix(".parquet")
        frame.to_parquet(path)
    else:
        path = path.with_suffix(".feather")
        frame.to_feather(path)
    return path
