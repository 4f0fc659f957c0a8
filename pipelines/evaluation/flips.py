"""Find test samples turned right or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 24  # pictures of flipped samples each way


def find_flips(
    truth: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    classes: np.ndarray,
    ids: list[str],
    most: int = SHOWN,
) -> dict:
    """Find test samples that a change turned right or wrong.

    Those that more than half of the runs got wrong before and right after. On balance (gained), or
    the other way round (lost). truth (m,); before (R, m) and after (Q, m): the predictions of all
    runs of all architectures, as numbers into `classes`.

    Returns dict of lists of dict(sample, label, was and now (what most runs predict),
    right_before, right_after and change (shares of runs)), most changed first, at most `most`
    each; n_gained and n_lost count all.
    """
    R, Q = len(before), len(after)
    right = [(runs == truth).sum(0) for runs in (before, after)]
    moved = right[1] * R - right[0] * Q  # whole numbers: half the runs is not more than half
    out = {}
    for way, sign in (("gained", 1), ("lost", -1)):
        rows = np.flatnonzero(2 * sign * moved > R * Q)
        rows = rows[np.argsort(-sign * moved[rows], kind="stable")]
        out[way] = [
            dict(
                sample=ids[i],
                label=str(classes[truth[i]]),
                was=str(classes[np.bincount(before[:, i]).argmax()]),
                now=str(classes[np.bincount(after[:, i]).argmax()]),
                right_before=float(right[0][i] / R),
                right_after=float(right[1][i] / Q),
                change=float(moved[i] / (R * Q)),
            )
            for i in rows[:most]
        ]
        out[f"n_{way}"] = len(rows)
    return out


def make_flip_frames(bench: Bench, found: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make frames of the gained and the lost samples, for contact sheets.

    found: as slice_effects.find_slice_effects. Columns uri, key, was (prediction before), now
    (after), text.
    """
    state, flips = bench.state(), found["flips"] or {}
    return make_frame(state, flips.get("gained", [])), make_frame(state, flips.get("lost", []))


def make_frame(state: pd.DataFrame, flips: list[dict]) -> pd.DataFrame:
    """Make a frame of flipped samples: see make_flip_frames."""
    import pandas as pd

    columns = ["sample", "label", "was", "now", "right_before", "right_after"]
    frame = pd.DataFrame(flips, columns=columns)
    shares = zip(frame.label, frame.right_before, frame.right_after)
    frame["text"] = [
        f"labelled {label}; right in {a:.0%} of runs before, {b:.0%} after"
        for label, a, b in shares
    ]
    there = state.reindex(frame["sample"])
    frame = frame.assign(uri=there.uri.to_numpy(), key=there.key.to_numpy())
    return frame[["uri", "key", "was", "now", "text"]]
