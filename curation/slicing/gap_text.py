"""Write what a gap is called, shows and asks for."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from assay.curation.statistics.wording import format_share
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

DOUBTED = 0.3  # share of flagged val labels from which on the labels are to be looked at first
# the kinds as they are stored and in JSON, and as people read them
KIND_NAMES = dict(
    absent="absent",
    rare="rare",
    thin="under-represented",
    error="high error",
    disagreement="inconsistent labels",
    isolated="isolated",
)


def say_left_out(table: pd.DataFrame) -> str:
    """Say how many gaps were not ranked, and of which samples they are where not of all; else ""."""
    out, (drawn, n) = [], table.attrs.get("drawn", (0, 0))
    if more := table.attrs.get("left_out", 0):
        out.append(f"{format_count(more, 'more gap')}, less certain than these, left out")
    if drawn < n:
        out.append(f"of a fixed sample of {drawn:,} of {n:,}, as each label of each split")
    return "; ".join(out)


def say_unit(table: pd.DataFrame) -> str:
    """Say what errors count, where it is not samples; else ""."""
    if not len(table) or table.unit.iloc[0] == "sample":
        return ""
    return (
        "an error is a label that is wrong: a class that the given label or the prediction names, and not both;"
        " one less their rate is the share of labels right, all samples' labels taken together"
    )


def name_gap(kind: str, region: str) -> str:
    """Name a gap for people: 'under-represented: class cat'."""
    return f"{KIND_NAMES[kind]}: {region}"


def current_name(name: str) -> str:
    """Bring an older Assay's name of a gap up to date.

    It called a gap by its kind as stored: 'thin: class cat'.
    """
    kind, colon, region = name.partition(":")
    return f"{KIND_NAMES.get(kind, kind)}{colon}{region}"


def describe_evidence(row: dict) -> str:
    """Say what shows a gap, in a sentence."""
    errors = ""
    if row["val"]:
        rest = "" if row["rest"] is None else f", elsewhere {row['rest']:.0%} of {row['n_rest']:,}"
        rate = format_share(row["rate"], row["low"], row["high"], digits=0)
        errors = f"{say_errors(row)} ({rate}{rest})"
    return "; ".join(filter(None, [describe_kind(row), errors]))


def say_errors(row: dict) -> str:
    """Say how many labels a model gets wrong.

    With several labels a sample a label is a class that the given label or the prediction names.
    """
    if row["unit"] == "sample":
        return f"{row['errors']:,} of {format_count(row['val'], 'val label', 'is', 'are')} predicted otherwise"
    of, verb = format_count(row["val"], "val sample"), "is" if row["judged"] == 1 else "are"
    many = f"{format_count(row['judged'], 'label')} of {of}"
    return f"{row['errors']:,} of {many} {verb} wrong: given or predicted, and not both"


def describe_kind(row: dict) -> str:
    """Say what is odd about a gap's samples.

    "" where that is the errors alone.
    """
    train, against = f"{row['train']:,} in train", row["against"]
    if row["kind"] == "thin":
        span = f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"
        return f"{train}: {span} of its share of {against}"
    if row["kind"] in ("rare", "absent") and against == "classes":
        return f"{train}, the median class has {row['expected']:,.0f}"
    if row["kind"] in ("rare", "absent"):
        return (
            f"{train}, class and metadata, were they independent, would have {row['expected']:,.0f}"
        )
    if row["kind"] == "disagreement":
        often = f"{row['ratio']:.1f} times as often as overall"
        return f"{against} train and val samples are labelled otherwise than most of their neighbours, {often}"
    if row["kind"] == "isolated":
        return f"{against} are farther from train than 99 % of train is from itself"
    return ""


def quote_name(name: str) -> str:
    """Quote a gap's name for a shell: in double quotes where it has single ones and nothing is expanded."""
    return f'"{name}"' if "'" in name and not set(name) & set('"$`\\!') else shlex.quote(name)


def suggest_action(bench: Bench, row: dict) -> str:
    """Suggest an action for a gap, with its command."""
    b = f"-b {bench.given}"
    similar, queue = (
        f"assay similar --gap {quote_name(row['gap'])} --in pool {b}",
        f"assay queue {b}",
    )
    if row["kind"] in ("thin", "rare", "absent"):
        return f"find more of it and label them: {similar}"
    if row["kind"] == "error" and row["flagged"] >= DOUBTED:
        return f"{row['flagged']:.0%} of its val labels look wrong themselves: check them first, {queue}"
    if row["kind"] == "error":
        return f"it is in train: check its labels ({queue}), get more of it ({similar}), or change the model"
    if row["kind"] == "disagreement":
        return f"check its labels, or the rule by which they are given: {queue}"
    return f"look whether they belong here; if so, label and train on some: {similar}"
