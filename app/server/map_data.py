"""The map's points, colours and legend, for browsers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import image_map
from assay.curation.splits import LOCKED

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

WAYS = {
    "label": "label",
    "issue": "issue",
    "split": "split",
    "correct": "right or wrong on validation",
    "cluster": "cluster",
}
COLOURS = (
    "#2a78d6 #e4572e #1a8f5a #f0a202 #8d5fd3 #17a2b8 #d6336c #7a6c5d "
    "#5c7cfa #94b447 #c2562d #0b7285 #b197fc #e8590c #2b8a3e #868e96"
).split()
GREY = "#b8bcc4"
REST = {
    "label": "pool, test, guard: no label is shown",
    "issue": "no issue",
    "correct": "not judged on validation",
}
MOST_GROUPS = 254  # a point has one byte for its group, and one group is the others'


def kept_state(bench: Bench) -> pd.DataFrame:
    """The state of the samples that are kept."""
    state = bench.state()
    return state[state.keep]


def map_coordinates(bench: Bench, state: pd.DataFrame) -> np.ndarray:
    """Place the rows of `state` on the map: (n, 2) in 0..1."""
    xy, _ = image_map.read_positions(bench, state)
    whole = image_map.load_map(bench).xy
    low = whole.min(0)
    return ((xy - low) / np.maximum((whole.max(0) - low).max(), 1e-9)).astype("f4")


def samples_inside(bench: Bench, lasso: list) -> tuple[pd.DataFrame, int]:
    """Find the kept samples within a polygon of the map.

    lasso: its corners, pairs x, y.
    Returns (their state without test and guard, which nobody edits; how many of those there are).
    """
    from matplotlib.path import Path

    state = kept_state(bench)
    state = state[Path(np.array(lasso, float)).contains_points(map_coordinates(bench, state))]
    locked = state["split"].isin(LOCKED)
    return state[~locked], int(locked.sum())


def group_samples(bench: Bench, by: str) -> tuple[list[str], np.ndarray]:
    """Group the kept samples by what they are coloured by.

    Returns (names of groups, the last for those that have none; group (n,) uint8 of each sample).
    No label or prediction of a locked sample is shown.
    """
    state = kept_state(bench)
    values = group_values(bench, state, by)
    if by not in ("split", "cluster"):
        values[state["split"].isin(LOCKED).to_numpy()] = ""
    names, which = np.unique(values, return_inverse=True)
    order = [n for n in names if n][:MOST_GROUPS]
    at = {n: i for i, n in enumerate(order)}
    return [*order, "other"], np.array([at.get(n, len(order)) for n in names], "u1")[which]


def group_values(bench: Bench, state: pd.DataFrame, by: str) -> np.ndarray:
    """Find what each sample is coloured by.

    Returns (n,) of str, "" for nothing.
    """
    if by == "issue":
        found = bench.issues().drop_duplicates("sample").set_index("sample").kind
    elif by == "correct":
        from assay.curation.predictions import model_errors

        found = model_errors.find_model_errors(bench).wrong.map({True: "wrong", False: "right"})
    elif by == "cluster":
        from assay.curation.slicing.cluster_names import samples_by_cluster

        groups = samples_by_cluster(bench, state, "coarse")
        own = {sample: name for name, samples in groups.items() for sample in samples}
        return np.array([own.get(sample, "") for sample in state.index], object)
    else:
        found = state[by]
    found = found.reindex(state.index).astype(object)
    return found.where(found.notna(), "").map(str).to_numpy(object).copy()


def pack_points(bench: Bench, by: str) -> bytes:
    """Pack what the map's component reads: points and legend in one answer.

    The points are in random order, so that no class is drawn over all others.
    """
    if by not in WAYS:
        raise UserError(
            f"expected one of {', '.join(WAYS)}, found {by[:40]!r}", "choose one of them"
        )
    xy, (names, which) = map_coordinates(bench, kept_state(bench)), group_samples(bench, by)
    assert len(xy) == len(which)
    order = np.random.default_rng(0).permutation(len(xy))
    palette = [hex_to_rgba(pick_colour(i, name)) for i, name in enumerate(names)]
    return pack_bytes(xy[order], which[order], dict(palette=palette) | make_legend(names, by))


def pack_bytes(xy: np.ndarray, which: np.ndarray, legend: dict) -> bytes:
    """Pack points (n, 2) float32, their groups (n,) uint8, and a legend.

    n and the length of the legend as uint32, the legend (JSON, filled up with blanks to a multiple
    of four), the points, the groups.
    """
    told = json.dumps(legend).encode()
    told += b" " * (-len(told) % 4)
    return np.array([len(xy), len(told)], "<u4").tobytes() + told + xy.tobytes() + which.tobytes()


def pick_colour(i: int, name: str) -> str:
    """Pick the colour of the i-th group."""
    return GREY if name == "other" else COLOURS[i % len(COLOURS)]


def hex_to_rgba(colour: str) -> list[int]:
    """Turn '#2a78d6' into four numbers of 0 to 255."""
    return [*bytes.fromhex(colour[1:]), 255]


def make_legend(names: list[str], by: str, most: int = 16) -> dict:
    """Say what the colours mean.

    Returns dict legend (pairs colour, name), more (how many names have no room).
    """
    rest = REST.get(by, "other")
    named = [(pick_colour(i, n), rest if n == "other" else n[:40]) for i, n in enumerate(names)]
    shown = named if len(named) <= most else [*named[: most - 1], named[-1]]
    return dict(legend=shown, more=max(0, len(named) - most))
