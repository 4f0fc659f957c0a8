"""The map's points, colours and legend, for browsers.

All are of the table of samples that Browse has: a row's number means the same sample in both.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import NotScanned, UserError
from assay.curation.features import image_map
from assay.curation.filtering.facets import BARS, encode, few_numbers, tidy
from assay.curation.tasks.multilabel import read_set

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.app.server.browse_view import BrowseView
    from assay.curation.features.image_map import ImageMap
    from assay.curation.filtering.columns import Column

# codes of samples that have no colour of a value's own
NONE, LOCKED, OTHER = 65_535, 65_534, 65_533
MOST = 1_000  # values with a colour; the others share one
NO_COLOUR = ("sample", "key", "path")  # different for each sample
METHODS = ("umap", "components")
NOT = "\0not"  # of a colour by one class of sets: those without it


@dataclass(frozen=True)
class Colours:
    """What the points are coloured by: values, or bars of numbers."""

    codes: np.ndarray  # (n,) uint16: places in `values` or bars, or NONE, LOCKED, OTHER
    values: list[Any] = field(default_factory=list)  # most frequent first
    edges: list[float] = field(default_factory=list)  # of bars: one more than there are


def choose_map(view: BrowseView, method: str) -> ImageMap:
    """Read the map by a method, or as drawn last."""
    if method and method not in METHODS:
        raise UserError(
            f"expected one of {', '.join(METHODS)}, found {method[:40]!r}", "choose one of them"
        )
    components = method == "components"
    bench = view.bench
    found = image_map.load_components(bench) if components else image_map.load_map(bench)
    if found is None:
        raise NotScanned(
            "expected a map of the images, found none", f"run: assay scan -b {bench.given}"
        )
    return found


def pack_places(view: BrowseView, method: str = "") -> bytes:
    """Pack the place of every row of the table.

    float32 pairs in 0..1; NaN for none. The header says what the rows mean (`table`), how it was
    drawn, and how many have no place.
    """
    drawn = choose_map(view, method)
    with view.lock:
        table = view.refresh()
        stamp, state = view.stamp, table.snapshot.state
    xy = scale_places(image_map.locate_samples(drawn, state), drawn.xy)
    left = int(np.isnan(xy[:, 0]).sum())
    header = dict(table=stamp, all=len(xy), method=drawn.method, left=left, key=drawn.key)
    return pack_answer(header, xy)


def scale_places(xy: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Scale places (n, 2) into 0..1, by their whole map (m, 2)."""
    if not len(whole):
        return xy
    low = whole.min(0)
    return ((xy - low) / np.maximum((whole.max(0) - low).max(), 1e-9)).astype("<f4")


def pack_colours(view: BrowseView, by: str) -> bytes:
    """Pack the colour of every row of the table, as uint16.

    The header says what each means. Nothing is said of test and guard samples where the column is
    hidden for them.
    """
    with view.lock:
        snapshot, stamp = view.refresh().snapshot, view.stamp
    by, one = split_colour(snapshot.columns, by)
    column = snapshot.column(by)
    if by in NO_COLOUR:
        raise UserError(
            f"expected a column that several samples share, found {by}", "choose another"
        )
    array = snapshot.array(by)
    colours = colour_members(array, one) if one else colour_column(column, array)
    if column.hidden_for_test:
        colours.codes[snapshot.locked] = LOCKED
    header = dict(
        by=by,
        one=one,
        sets=column.sets,
        kind=column.kind,
        says=column.says,
        table=stamp,
        seq=snapshot.stamps[0],
        values=colours.values,
        edges=colours.edges,
        notes=snapshot.describe_gaps([by]),
    )
    return pack_answer(header, colours.codes)


def colour_column(column: Column, array: pa.Array) -> Colours:
    """Give each different value a colour code.

    Numbers share the bars of their facet.
    """
    if column.kind == "number":
        numbers = array.to_numpy(zero_copy_only=False)
        if column.bars and few_numbers(numbers) is None:
            return colour_bars(numbers)
        values, codes = np.unique(numbers, return_inverse=True)  # NaN comes last
        if len(values) and np.isnan(values[-1]):
            codes, values = np.where(codes == len(values) - 1, -1, codes), values[:-1]
        return rank_values(codes, [tidy(v) for v in values])
    if column.kind == "bool":
        return rank_values(array.cast("int8").fill_null(-1).to_numpy(), [False, True])
    if column.kind == "list":
        return colour_lists(array)
    texts = encode(array)
    return rank_values(texts.indices.fill_null(-1).to_numpy(), texts.dictionary.to_pylist())


def split_colour(columns: Collection[str], by: str) -> tuple[str, str]:
    """Split what to colour by: a column, or label:cat, a column of sets and one class of them."""
    name, _, one = by.partition(":")
    return (name, one) if one and by not in columns and name in columns else (by, "")


def colour_members(array: pa.Array, one: str) -> Colours:
    """Colour label sets by whether they have one class: it, or none of it."""
    texts = encode(array)
    has = [one in read_set(text) for text in texts.dictionary.to_pylist()]
    of = np.array([*(0 if h else 1 for h in has), NONE], "<u2")  # code -1 indexes the last
    return Colours(of[texts.indices.fill_null(-1).to_numpy()], [one, NOT])


def colour_lists(array: pa.Array) -> Colours:
    """Give each list the code of its first value."""
    offsets, inside = array.offsets.to_numpy(), encode(array.values)
    first = inside.indices.fill_null(-1).to_numpy()
    some = np.diff(offsets) > 0
    codes = np.full(len(array), -1)
    codes[some] = first[offsets[:-1][some]]
    return rank_values(codes, inside.dictionary.to_pylist())


def colour_bars(numbers: np.ndarray) -> Colours:
    """Give each number the code of its bar in the facet."""
    known = np.isfinite(numbers)
    low, high = float(numbers[known].min()), float(numbers[known].max())
    codes = np.full(len(numbers), NONE, "<u2")
    bar = (numbers[known] - low) * (BARS / (high - low))
    codes[known] = bar.astype("i8").clip(max=BARS - 1)
    edges = [low + (high - low) * i / BARS for i in range(BARS)] + [high]
    return Colours(codes, edges=edges)


def rank_values(codes: np.ndarray, names: list) -> Colours:
    """Put the most frequent values first; equal ones by name.

    codes (n,): places in `names`, -1 for none.
    """
    count = np.bincount(codes[codes >= 0], minlength=len(names))
    there = np.flatnonzero(count)
    order = sorted(there.tolist(), key=lambda i: (-count[i], str(names[i])))[:MOST]
    rank = np.full(len(names) + 1, OTHER, "<u2")
    rank[-1] = NONE  # code -1 indexes the last
    rank[order] = np.arange(len(order))
    return Colours(rank[codes], [names[i] for i in order])


def pack_answer(header: dict, numbers: np.ndarray) -> bytes:
    """Pack a header and an array.

    The length of the header as uint32, the header (JSON, filled up with blanks to a multiple of four), the array.
    """
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 4)
    return np.array([len(told)], "<u4").tobytes() + told + numbers.tobytes()
