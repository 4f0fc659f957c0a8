"""Choose the memberships of label sets that are flagged: those that are worth a look.

As many as find the most: where flags are right and errors are flagged, both at once, as far as the chances to be wrong
tell. Of samples with a rare class no more than twice the share is flagged, among the clean, that there is of all.
"""

from __future__ import annotations

import numpy as np

from assay.curation.label_quality.flagging import FAIR, RARE
from assay.curation.tasks.member_noise import MemberNoise, fit_member_noise

NEVER = 2.0  # a cut that no chance reaches
COLUMNS = (
    6  # of cuts: MemberNoise's four, and the chances from which on absence and presence are flagged
)


def flag_members(y: np.ndarray, probs: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Flag what label sets say of each class: bool (m, k).

    y (m, k): members, 0 or 1; probs (m, k), out of sample; cuts (k, 6): see fit_member_cuts.
    """
    wrong = 1 - MemberNoise.from_array(cuts).trust(y, probs)
    return wrong >= np.where(y == 1, cuts[:, 5], cuts[:, 4])


def fit_member_cuts(y: np.ndarray, probs: np.ndarray, few: np.ndarray | None = None) -> np.ndarray:
    """Learn how often members are wrong, and choose from which chance on they are flagged: (k, 6).

    y (m, k): members, 0 or 1; probs (m, k), out of sample; few (k,): classes that are never flagged. Cuts stay while
    labels are edited, so that a decision changes another label's flag by its own chance alone.
    """
    noise = fit_member_noise(y, probs)
    wrong = 1 - noise.trust(y, probs)
    judged = np.ones(y.shape[1], bool) if few is None else ~np.asarray(few, bool)
    least = find_best_cut(wrong[:, judged])
    cuts = np.full((y.shape[1], 2), NEVER)
    cuts[judged] = protect_rare(np.asarray(y)[:, judged], wrong[:, judged], least)
    return np.column_stack([noise.to_array(), cuts])


def find_best_cut(wrong: np.ndarray) -> float:
    """Find the chance to be wrong from which on flags find the most.

    The expected harmonic mean of precision and recall of those above it is the highest. wrong: any shape.
    """
    chances = np.sort(wrong.ravel())[::-1]
    if not len(chances) or not chances[0]:
        return NEVER
    found = 2 * np.cumsum(chances) / (np.arange(1, len(chances) + 1) + chances.sum())
    return float(chances[found.argmax()])


def protect_rare(y: np.ndarray, wrong: np.ndarray, least: float) -> np.ndarray:
    """Raise the cut of what is rare until it is flagged fairly: (k, 2), of absence and presence.

    Fair is, of the clean samples, at most twice the share that there is of all. y, wrong (m, k).
    """
    m, k = y.shape
    sides = [(y == side) for side in (0, 1)]
    usual = sides[1].sum() / max(k, 1)  # samples that have a class
    cuts = np.full((k, 2), least)
    for _ in range(10):  # what is taken away lowers the average
        before, flagged = cuts.copy(), wrong >= np.where(sides[1], cuts[:, 1], cuts[:, 0])
        clean = np.prod(1 - wrong, axis=1)
        fair = FAIR * clean[flagged.any(1)].sum() / max(clean.sum(), 1e-12)
        for side, rows in enumerate(sides):
            many = rows.sum(0)
            for j in np.flatnonzero((many < RARE * usual) & (flagged & rows).any(0)):
                cuts[j, side] = raise_cut(wrong[rows[:, j], j], cuts[j, side], fair)
        if np.array_equal(before, cuts):
            break
    return cuts


def raise_cut(wrong: np.ndarray, cut: float, fair: float) -> float:
    """Raise a cut until at most a share `fair` of the clean is above it; wrong (r,): chances."""
    order = np.sort(wrong)[::-1]
    burden = np.cumsum(1 - order) / max((1 - order).sum(), 1e-12)
    kept = order[(order >= cut) & (burden <= fair)]
    return float(kept[-1]) if len(kept) else NEVER
