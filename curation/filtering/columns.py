"""The columns by which samples are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "text", "bool", "list"]


@dataclass(frozen=True)
class Column:
    """A column of the table of samples."""

    name: str
    kind: Kind
    says: str  # one plain sentence
    hidden_for_test: bool = False  # null for every sample of test and guard
    source: str = "state"  # which part of the bench it is read from, see column_arrays
    bars: bool = False  # a facet of it is a histogram, unless it has few values
    sets: bool = False  # its texts are sets of classes, and = asks for a member


def _own(name: str, kind: Kind, says: str, **more) -> Column:
    return Column(name, kind, says, **more)


OWN = (
    _own("sample", "text", "the id, which never changes"),
    _own("key", "text", "the path, id or row number in its source"),
    _own("path", "text", "where its file lies"),
    _own("source", "text", "the source that it was imported from"),
    _own("split", "text", "train, val, test, pool or guard"),
    _own("locked", "bool", "whether it is of test or guard, whose labels nobody sees here"),
    _own("keep", "bool", "whether it is kept; false where it was dropped or held out"),
    _own("tags", "list", "its tags"),
    _own("width", "number", "of the image, in pixels", bars=True),
    _own("height", "number", "of the image, in pixels", bars=True),
    _own("label", "text", "the label that stands now", hidden_for_test=True),
    _own("given_label", "text", "the label that it was imported with", hidden_for_test=True),
    _own("reviewed", "bool", "whether a person has decided about it", hidden_for_test=True),
    _own(
        "decision",
        "text",
        "what was decided: confirmed, relabelled, unsure, dropped or restored",
        hidden_for_test=True,
    ),
    _own(
        "reviewers",
        "list",
        "who has decided about it",
        hidden_for_test=True,
        source="reviewers",
    ),
    _own(
        "suggestion",
        "text",
        "the class that the model finds likeliest, without having seen its label",
        hidden_for_test=True,
        source="scores",
    ),
    _own(
        "score",
        "number",
        "out-of-sample probability of its label, 0 to 1; low is bad",
        hidden_for_test=True,
        source="scores",
        bars=True,
    ),
    _own(
        "confidence",
        "number",
        "out-of-sample probability of the suggestion, 0 to 1",
        hidden_for_test=True,
        source="scores",
        bars=True,
    ),
    _own(
        "flagged",
        "bool",
        "whether its label looks wrong and nobody has decided about it",
        hidden_for_test=True,
        source="scores",
    ),
    _own(
        "issues",
        "list",
        "the kinds of its open issues; has('near_duplicate') asks for one",
        hidden_for_test=True,
        source="issues",
    ),
    _own("cluster", "text", "the fine cluster that holds its image", source="clusters"),
    _own(
        "duplicate_group",
        "number",
        "samples with the same number are exact or near duplicates of each other",
        source="duplicates",
    ),
)
SETS = ("label", "given_label", "suggestion")  # of a bench with several labels a sample
SAYS_OF_PROPERTY = dict(
    brightness="mean brightness, 0 to 1",
    brightness_perc_5="brightness of its darkest pixels (5th percentile), 0 to 1",
    brightness_perc_99="brightness of its brightest pixels (99th percentile), 0 to 1",
    entropy="how much its pixels differ, in bits",
    blurriness="variance of its edges; low is blurred",
    blurriness_grayscale_std="spread of its grey values",
    color="1 where its channels differ, 0 where it is grey",
)
PREDICTED = "predicted('"  # so begins the name of what a model predicts
SIMILARITY = Column(
    "similarity",
    "number",
    "likeness to the pictures that were asked for, 1 as alike as they are to each other; to words, the cosine",
    source="similarity",
    bars=True,
)


def predicted_column(model: str) -> Column:
    """Make the column of the classes that a model predicts.

    It is a list, since seeds may differ. It is asked for by `predicted('MODEL', 'CLASS')` alone,
    and no list of columns has it.
    """
    name = "{}{}')".format(PREDICTED, model.replace("'", "''"))
    return Column(name, "list", "what a model predicts", hidden_for_test=True, source=name)


def read_model(source: str) -> str | None:
    """Read which model a source of predictions is of.

    None where the source is another.
    """
    if not source.startswith(PREDICTED):
        return None
    return source.removeprefix(PREDICTED).removesuffix("')").replace("''", "'")
