"""The points, colours and legend of the map, as the browser draws them."""

import json

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import projection
from assay.curation.splits import LOCKED

WAYS = {
    "label": "label",
    "issue": "issue",
    "split": "split",
    "correct": "right or wrong on validation",
    "cluster": "cluster",
}
COLOURS = "#2a78d6 #e4572e #1a8f5a #f0a202 #8d5fd3 #17a2b8 #d6336c #7a6c5d #5c7cfa #94b447 #c2562d #0b7285 #b197fc #e8590c #2b8a3e #868e96".split()
GREY = "#b8bcc4"


def kept(bench):
    state = bench.state()
    return state[state.keep]


def places(bench, state):
    """Places (n, 2) in 0..1 of the rows of `state`."""
    xy, _ = projection.positions(bench, state)
    whole = projection.standing(bench)["xy"]
    low = whole.min(0)
    return ((xy - low) / np.maximum((whole.max(0) - low).max(), 1e-9)).astype("f4")


def groups(bench, by):
    """(names, which (n,) uint8) of the kept samples: what each is coloured by; the last name is of those that have none."""
    state = kept(bench)
    said = np.array(
        ["" if x is None else str(x) for x in state["split" if by == "split" else "label"]], object
    )
    locked = state["split"].isin(LOCKED).to_numpy()
    if by == "issue":
        found = bench.issues().drop_duplicates("sample").set_index("sample").kind
        said = np.array(
            [
                "" if x is None else x
                for x in found.reindex(state.index).astype(object).where(lambda s: s.notna(), None)
            ],
            object,
        )
    elif by == "correct":
        from assay.curation.predictions import model_errors

        said = (
            model_errors.found(bench)
            .wrong.map({True: "wrong", False: "right"})
            .reindex(state.index)
            .fillna("")
            .to_numpy(object)
        )
    elif by == "cluster":
        from assay.curation.slicing.clusters import clusters

        own = {s: name for name, ids in clusters(bench, state).items() for s in ids}
        said, locked = np.array([own.get(s, "") for s in state.index], object), False
    if by != "split":
        said = np.where(locked, "", said)
    names, which = np.unique(said, return_inverse=True)
    order = [n for n in names if n][:254]
    at = {n: i for i, n in enumerate(order)}
    return [*order, "other"], np.array([at.get(n, len(order)) for n in names], "u1")[which]


def points(bench, by):
    """What the map's component reads, points and legend in one answer; in random order, so that no class is drawn over all others."""
    if by not in WAYS:
        raise UserError(
            f"expected one of {', '.join(WAYS)}, found {by[:40]!r}", "choose one of them"
        )
    state = kept(bench)
    xy, (names, which) = places(bench, state), groups(bench, by)
    assert len(xy) == len(which)
    order = np.random.default_rng(0).permutation(len(xy))
    palette = [rgba(colour(i, name)) for i, name in enumerate(names)]
    return packed(xy[order], which[order], dict(palette=palette) | legend(names, by))


def packed(xy, which, told):
    """n and the length of `told` as uint32, `told` (JSON, filled up with blanks to a multiple of four), n pairs of float32, n bytes."""
    told = json.dumps(told).encode()
    told += b" " * (-len(told) % 4)
    return np.array([len(xy), len(told)], "<u4").tobytes() + told + xy.tobytes() + which.tobytes()


def colour(i, name):
    return GREY if name == "other" else COLOURS[i % len(COLOURS)]


def rgba(hex):
    return [*bytes.fromhex(hex[1:]), 255]


def legend(names, by, most=16):
    """What the colours mean: dict legend (pairs colour, name), more (how many names have no room)."""
    rest = {
        "label": "pool, test, guard: no label is shown",
        "issue": "no issue",
        "correct": "not judged on validation",
    }.get(by, "other")
    named = [(colour(i, n), rest if n == "other" else n[:40]) for i, n in enumerate(names)]
    return dict(
        legend=named if len(named) <= most else [*named[: most - 1], named[-1]],
        more=max(0, len(named) - most),
    )
