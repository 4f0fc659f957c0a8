"""The state that an expression over versions describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.statistics.sampling import random_stratum, shuffle_samples, shuffled_rows
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import PERSON_KINDS
from assay.curation.tasks.base import task_of
from assay.curation.tasks.multilabel import make_set, read_set
from assay.curation.text import format_count
from assay.curation.versioning.edits import EditValues
from assay.curation.versioning.expressions import Expression, parse_expression, root_version
from assay.curation.versioning.pointers import find_position, read_pointers, register_values

if TYPE_CHECKING:
    import pandas as pd


def read_counterfactual(bench: Bench, text: str) -> pd.DataFrame:
    """Read the state that an expression describes.

    See states.read_state. A draw without a seed has seed 0."""
    e = parse_expression(text)
    if not isinstance(e, Expression):
        return bench.state(e)  # a name between blanks
    frame = bench.state(str(e.base))
    if e.op == "drawn":
        return apply_random_review(bench, frame, e.base, e.what)
    train = frame.index[frame.keep & (frame.split == "train")]
    if e.op in ("half", "part"):
        n = len(train) // 2 if e.op == "half" else e.n
        if not 0 < n <= len(train):
            raise UserError(
                f"expected a part of the {format_count(len(train), 'train sample')} of {e.base}, found {n:,}",
                "ask for fewer, 1 or more",
            )
        frame.loc[shuffle_samples(train, "part", e.seed or 0)[n:], "keep"] = False
        return frame
    flagged = bench.flagged(str(e.base))  # frame sample -> label, suggestion
    flagged = flagged[frame["split"][flagged.index] == "train"]  # val, which judges, stays as it is
    if e.what == "random":
        draw = draw_random_sets if task_of(bench).several else draw_random_alike
        flagged = draw(frame, flagged, e.n, e.seed or 0)
    if e.op == "-":
        frame.loc[flagged.index, "keep"] = False
    else:
        frame.loc[flagged.index, "label"] = flagged.suggestion
    return frame


def draw_random_alike(
    frame: pd.DataFrame, flagged: pd.DataFrame, n: int, seed: int | str
) -> pd.DataFrame:
    """Draw n random kept train samples with the class mix of `flagged`.

    The suggestions of the flagged samples are dealt out to them at random."""
    train = frame[frame.keep & (frame.split == "train")]
    draw = draw_flagged(flagged, n, seed)
    samples = []
    for label, group in draw.groupby("label", sort=True):
        samples += shuffle_samples(train.index[train.label == label], "control", seed)[: len(group)]
    draw = draw.sort_values("label", kind="stable")
    draw.index = samples
    return draw


def draw_flagged(flagged: pd.DataFrame, n: int, seed: int | str) -> pd.DataFrame:
    """Draw n of the flagged labels, whose class mix a control has."""
    draw = (
        flagged.iloc[shuffled_rows(flagged.index, "class mix of a control", seed)[:n]].copy()
        if len(flagged)
        else flagged
    )
    if len(draw) < n:
        raise UserError(
            f"expected at most as many random samples as are flagged ({len(flagged)}), found {n}",
            "ask for fewer",
        )
    return draw


def draw_random_sets(frame: pd.DataFrame, flagged: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Draw n random kept train samples, for each flagged label set one alike.

    Alike is one that has the class that is to be removed, or lacks the one to be added; that is done to it."""
    labels = frame.label[frame.keep & (frame.split == "train") & frame.label.notna()]
    sets = {sample: set(read_set(label)) for sample, label in labels.items()}
    draw, free = draw_flagged(flagged, n, seed), shuffle_samples(labels.index, "control", seed)
    samples, suggestions = [], []
    for label, suggestion in zip(draw.label, draw.suggestion):
        was, then = set(read_set(label)), set(read_set(suggestion))
        turned = min(was ^ then, default=None)
        alike = (s for s in free if turned is None or (turned in sets[s]) == (turned in was))
        sample = next(alike, free[0])
        free.remove(sample)
        samples.append(sample)
        suggestions.append(make_set((sets[sample] | (then - was)) - (was - then)))
    return draw.assign(label=labels[samples].to_numpy(object), suggestion=suggestions).set_axis(
        samples
    )


def apply_random_review(
    bench: Bench, frame: pd.DataFrame, base: Expression | str, later: str
) -> pd.DataFrame:
    """Apply to `frame`, the state of `base`, what reviewing at random did.

    The decisions that people made between it and the version `later`, that stand there, and are about its random
    stratum."""
    first = root_version(str(base))
    since, upto = find_position(bench, first), find_position(bench, later)
    state = bench.state(later)
    if upto < since:
        raise UserError(
            f"expected a later version than {first}, found {later}",
            f"the other way round: drawn({later}, ...)",
        )
    samples = frame.index.intersection(random_stratum(state))
    with bench.connect() as con:
        register_values(con, "wanted", list(samples))
        points = read_pointers(con, upto, len(samples), wanted=True)
        values = EditValues(con, points, ("origin_kind",))
    new = (points > since) & values.test("origin_kind", points, PERSON_KINDS.__contains__)
    label, _, keep, split = new.T
    sure = label & (state.verdict[samples] != "unsure").to_numpy()
    said = dict(label=sure, verdict=label, who=label, keep=keep, split=split, reviewed=new.any(1))
    for column, rows in said.items():
        frame.loc[samples[rows], column] = state.loc[samples[rows], column]
    return frame
