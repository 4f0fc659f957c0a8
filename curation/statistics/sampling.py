"""Random orders that depend on sample ids alone."""

from hashlib import blake2b

import numpy as np

DRAWS = 2  # raise it when a draw with a seed changes what it takes: what is remembered of an expression is then found again


def by_draw(samples, purpose, seed=None):
    """Samples in a random order that depends on each one's id, the purpose and the seed alone: adding samples does not reshuffle the others.

    Every purpose has a name of its own, or what is drawn for one would be drawn for another: a control with the review's own seed once relabelled 39
    of the first 50 samples that people had verified. The review's random stratum is called 0 and the audit 1, as in every bench so far: what was
    looked at there stays a random sample."""
    samples = list(samples)
    return [samples[i] for i in draws(samples, purpose, seed)]


def draws(samples, purpose, seed=None):
    """Where in `samples` the first, second, ... of that order is, (n,) int."""
    key = (str(purpose) if seed is None else f"{purpose} {seed}").encode()
    drawn = b"".join([blake2b(s.encode(), digest_size=8, key=key).digest() for s in samples])
    return np.argsort(np.frombuffer(drawn, ">u8"), kind="stable")


def stratum(state):
    """The random stratum of a review, ids: the longest fully reviewed beginning of the bench's random order, as queue.progress has it, so that
    a row somebody skipped cannot bias it, nor what the queue had shown before. What a person is unsure of is in it, but is no look."""
    order = places(state)
    begun = state.reviewed.to_numpy()[order]
    return state.index[order[: len(begun) if begun.all() else begun.argmin()]]


SEED = 0  # names the one random order of a bench (see versions.by_draw); it depends on sample ids alone, so an import does not reshuffle it


def random_order(state):
    """Every labelled train and val sample, kept or dropped by a person, in the bench's random order: the frame of all rates. An index of ids."""
    return state.index[places(state)]


def places(state):
    """Where in the state each sample of the random order is."""
    global _order
    of, drawn = _order
    if not state.index.is_(
        of
    ):  # to draw a million takes a second, and samples change far more seldom than their labels
        drawn = draws(state.index.tolist(), SEED)
        _order = state.index, drawn
    use = (
        state.split.isin(("train", "val"))
        & state.given_label.notna()
        & (state.keep | state.reviewed)
    )
    return drawn[use.to_numpy()[drawn]]


_order = (
    None,
    None,
)  # the samples that were asked for last, and the places of the first, second, ... drawn of them
