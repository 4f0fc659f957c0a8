"""Put samples into random orders by ids alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# raise it when a draw with a seed changes what it takes: what is remembered of an expression is
# then found again
DRAW_VERSION = 2
# names the one random order of a bench; it depends on sample ids alone, so an import does not
# reshuffle it
SEED = 0
MOST_DRAWN = 1_000_000  # samples that tell of all: a share of them is known to .1 points


def shuffle_samples(
    samples: Iterable[str], purpose: str | int, seed: int | str | None = None
) -> list[str]:
    """Put samples into a random order that additions do not reshuffle.

    It depends on each one's id, the purpose and the seed alone. Every purpose has a name of its
    own, or what is drawn for one would be drawn for another: a control with the review's own seed
    once relabelled 39 of the first 50 samples that people had verified. The review's random stratum
    is called 0 and the audit 1, as in every bench so far: what was looked at there stays a random
    sample.
    """
    samples = list(samples)
    return [samples[i] for i in shuffled_rows(samples, purpose, seed)]


def shuffled_rows(
    samples: Sequence[str], purpose: str | int, seed: int | str | None = None
) -> np.ndarray:
    """Where the first, second, ... of that order is, (n,) int."""
    return np.argsort(draw_numbers(samples, purpose, seed), kind="stable")


def draw_numbers(
    samples: Sequence[str], purpose: str | int, seed: int | str | None = None
) -> np.ndarray:
    """Draw a number for each sample, (n,) uint64: the least comes first in that order."""
    key = (str(purpose) if seed is None else f"{purpose} {seed}").encode()
    drawn = b"".join([blake2b(s.encode(), digest_size=8, key=key).digest() for s in samples])
    return np.frombuffer(drawn, ">u8")


def draw_stratified(state: pd.DataFrame, most: int) -> np.ndarray:
    """Draw at most so many samples, of each label of each split the same share: their rows, sorted.

    Of each stratum at least one. It depends on ids alone, so additions change few. All rows where they are no more.
    """
    import pandas as pd

    n = len(state)
    if n <= most:
        return np.arange(n)
    label, split = (pd.factorize(state[name])[0] + 1 for name in ("label", "split"))
    stratum = pd.factorize(split * (int(label.max()) + 1) + label)[0]
    wanted = np.maximum(1, most * np.bincount(stratum) // n)
    return take_least(draw_numbers(state.index, "stratified"), stratum, wanted)


def take_least(numbers: np.ndarray, stratum: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Take of each stratum those with the least numbers: their rows, sorted.

    numbers, stratum (n,): of each sample; wanted (k,): how many of each stratum.
    """
    order, size = np.lexsort((numbers, stratum)), np.bincount(stratum, minlength=len(wanted))
    place = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    return np.sort(order[place < wanted[stratum[order]]])


def random_stratum(state: pd.DataFrame) -> pd.Index:
    """The random stratum of a review, ids.

    The longest fully reviewed beginning of the bench's random order, as review/progress.py has it,
    so that a row somebody skipped cannot bias it, nor what the queue had shown before. What a
    person is unsure of is in it, but does not count as a look.
    """
    order = random_order_rows(state)
    begun = state.reviewed.to_numpy()[order]
    return state.index[order[: len(begun) if begun.all() else begun.argmin()]]


def random_order(state: pd.DataFrame) -> pd.Index:
    """The frame of all rates in the bench's random order, ids.

    Every labelled train and val sample, kept or dropped by a person.
    """
    return state.index[random_order_rows(state)]


def random_order_rows(state: pd.DataFrame) -> np.ndarray:
    """Where in the state each sample of the random order is."""
    global _order
    known, drawn = _order
    # to draw a million takes a second, and samples change far more seldom than their labels
    if not state.index.is_(known):
        drawn = shuffled_rows(state.index.to_numpy(object), SEED)
        _order = state.index, drawn
    use = (
        state.split.isin(("train", "val"))
        & state.given_label.notna()
        & (state.keep | state.reviewed)
    )
    return drawn[use.to_numpy()[drawn]]


# the samples that were asked for last, and where the first, second, ... drawn of them is
_order: tuple = (None, None)
