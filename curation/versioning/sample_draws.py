"""The numbers that put a large bench's samples into its random order, kept by part.

A number depends on the sample's id alone, so it is drawn once: ten million take ten seconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.curation.statistics.sampling import SEED, draw_numbers
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.versioning.partitioned_states import PartitionedState
from assay.curation.versioning.state_parts import StatePart
from assay.curation.versioning.state_rows import read_fixed

FOLDER = "draws"
ASKED = ("split", "given_label", "keep", "reviewed", "known")


class RandomRows(NamedTuple):
    """Where the random order of all rates begins: see sampling.random_order."""

    waiting: np.ndarray  # (m,) rows of the first that nobody has reviewed, in order
    stratum: np.ndarray  # (k,) rows of the fully reviewed beginning, in order
    population: int  # samples in the order


def find_random_rows(state: PartitionedState, most: int) -> RandomRows:
    """Find the first rows of the random order: at most so many that wait for a review."""
    waiting, reviewed, population = np.empty((2, 0), "u8"), [np.empty((2, 0), "u8")], 0
    for number, (first, part) in enumerate(state.scan(ASKED)):
        used = np.flatnonzero(is_rated(part))
        drawn = np.stack([load_draws(state, number)[used], used.astype("u8") + np.uint64(first)])
        done = part.flags["reviewed"][used]
        population += len(used)
        waiting = take_least(np.concatenate([waiting, drawn[:, ~done]], 1), max(1, most))
        before = drawn[0] < waiting[0, 0] if waiting.size else True
        reviewed.append(drawn[:, done & before])
    found = take_least(np.concatenate(reviewed, 1), population)
    if waiting.size:
        found = found[:, found[0] < waiting[0, 0]]
    return RandomRows(waiting[1, :most].astype("i8"), found[1].astype("i8"), population)


def is_rated(part: StatePart) -> np.ndarray:
    """Mark the samples (n,) of the random order: see sampling.random_order_rows."""
    used = part.isin("split", ("train", "val")) & part.has("given_label") & part.flags["known"]
    return used & (part.flags["keep"] | part.flags["reviewed"])


def take_least(drawn: np.ndarray, most: int) -> np.ndarray:
    """Take the columns (2, m) with the least numbers, in order."""
    return drawn[:, np.argsort(drawn[0], kind="stable")[:most]]


def load_draws(state: PartitionedState, number: int) -> np.ndarray:
    """Load the numbers (n,) uint64 of a part's samples; drawn where they are not kept."""
    first = number * state.each
    rows = np.arange(first, min(first + state.each, state.total))
    with state.bench.connect() as con:
        ends = read_fixed(con, rows[[0, -1]], 0, [])["sample"].to_pylist()
    # rows keep their samples, but where a restored bench went on otherwise
    name = f"{first:011d}-{len(rows)}-{ends[0][:32]}-{ends[1][:32]}.npz"
    file = state.bench.arrays / "states" / FOLDER / name
    kept = load_arrays(file)
    if kept is None:
        with state.bench.connect() as con:
            ids = read_fixed(con, rows, 0, [])["sample"].to_pylist()
        kept = dict(draw=draw_numbers(ids, SEED).astype("u8"))
        save_arrays(file, **kept)
    return kept["draw"]
