"""Read what a labeller answers to a batch of samples."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from assay.curation.errors import UnknownClass, UserError
from assay.curation.text import format_count

HINT = (
    "it takes a list of samples, and returns a label for each (None: abstains), or (labels, probabilities): (n,) of "
    "its own label, or (n, k) of the classes in the order of their names"
)
Labeller = Callable[[list], Any]
Answer = tuple[str | None, float | None]  # a label, None where it abstains; how sure it is


def read_answers(
    answer: Any, ids: Sequence[str], classes: Collection[str], name: str
) -> list[Answer]:
    """Read the answer to one batch as (label, probability) of each sample.

    answer: labels, or (labels, probabilities). ids: of the batch. UserError names the sample of a label that no class
    has, of NaN, and of a probability that is none; and a wrong length.
    """
    if answer is None:
        return [(None, None)] * len(ids)
    labels, probs = answer, None
    # a tuple of two labels, of a batch of two, is labels
    if isinstance(answer, tuple) and len(answer) == 2 and is_list(answer[0]):
        labels, probs = answer
    if not is_list(labels):
        raise UserError(
            f"expected a list of labels from {name}, found {type(labels).__name__}", HINT
        )
    labels = list(labels)
    if len(labels) != len(ids):
        raise UserError(
            f"expected {format_count(len(ids), 'label')} from {name}, one a sample, found {len(labels)}, "
            f"in the batch from sample {ids[0]}",
            HINT,
        )
    said = [read_label(label, s, classes, name) for label, s in zip(labels, ids)]
    if probs is None:
        return [(label, None) for label in said]
    sure = read_probs(probs, said, ids, sorted(classes), name)
    return list(zip(said, sure))


def is_list(value: Any) -> bool:
    """Tell whether a value holds several."""
    return isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0


def read_label(label: Any, sample: str, classes: Collection[str], name: str) -> str | None:
    """Read one label: text, or a number that names a class; None abstains."""
    if label is None:
        return None
    if isinstance(label, float | np.floating) and float(label).is_integer():
        label = int(label)
    if isinstance(label, float | np.floating | bool | np.bool_) or is_list(label):
        raise UserError(
            f"expected one label or None from {name}, found {label!r:.80} of sample {sample}",
            "return None where it abstains",
        )
    if str(label) not in classes:
        raise UnknownClass(
            f"expected a class of this bench from {name}, found {str(label)!r:.80} of sample {sample}",
            "a class that is new on purpose: assay classes add NAME",
            str(label),
            classes,
        )
    return str(label)


def read_probs(
    probs: Any, labels: list[str | None], ids: Sequence[str], classes: list[str], name: str
) -> list[float | None]:
    """Read the probability of each label (n,), of itself or out of all classes (n, k)."""
    try:
        values = np.asarray(probs, "f8")  # None is NaN
    except (TypeError, ValueError):
        raise UserError(
            f"expected probabilities as numbers from {name}, found others", HINT
        ) from None
    if values.shape not in ((len(ids),), (len(ids), len(classes))):
        shape = " x ".join(map(str, values.shape)) or "one number"
        raise UserError(
            f"expected probabilities ({len(ids)},) or ({len(ids)}, {len(classes)}) from {name}, found {shape}, in the "
            f"batch from sample {ids[0]}",
            HINT,
        )
    if values.ndim == 2:
        at = [0 if label is None else classes.index(label) for label in labels]
        values = values[np.arange(len(ids)), at]
    for sample, label, value in zip(ids, labels, values):
        if label is not None and not 0 <= value <= 1:
            raise UserError(
                f"expected probabilities from 0 to 1 from {name}, found {value:g} of sample {sample}",
                "mend it; nothing was stored",
            )
    return [None if label is None else float(v) for label, v in zip(labels, values)]
