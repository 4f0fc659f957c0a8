"""Choose the memberships of label sets that are flagged: those that are worth a look.

As many as find the most: where flags are right and errors are flagged, both at once, as far as the chances to be wrong
tell. Of samples with a rare class no more than twice the share is flagged, among the clean, that there is of all.
"""

from __future__ import annotations

import numpy as np

from assay.curation.label_quality.flagging import RARE
from assay.curation.tasks.member_noise import MemberNoise, fit_member_noise
from assay.curation.tasks.multilabel import contradict

FAIR = 1.75  # times the share of all: twice is asked, and chances are estimates
NEVER = 2.0  # a cut that no chance reaches
COLUMNS = (
    6  # of cuts: MemberNoise's four, and the chances from which on absence and presence are flagged
)


def flag_members(y: np.ndarray, probs: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Flag what label sets say of each class: bool (m, k).

    y (m, k): members, 0 or 1; probs (m, k), out of sample; cuts (k, 6): see fit_member_cuts. Never one that the model
    finds likelier than not.
    """
    wrong = 1 - MemberNoise.from_array(cuts).trust(y, probs)
    return (wrong >= np.where(y == 1, cuts[:, 5], cuts[:, 4])) & contradict(y, probs)


def fit_member_cuts(y: np.ndarray, probs: np.ndarray, few: np.ndarray | None = None) -> np.ndarray:
    """Learn how often members are wrong, and choose from which chance on they are flagged: (k, 6).

    y (m, k): members, 0 or 1; probs (m, k), out of sample; few (k,): classes that are never flagged. Cuts stay while
    labels are edited, so that a decision changes another label's flag by its own chance alone.
    """
    noise = fit_member_noise(y, probs)
    wrong = np.where(contradict(y, probs), 1 - noise.trust(y, probs), 0)
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

    Fair is, of the clean samples with it, at most twice the share that is flagged of all. y, wrong (m, k).
    """
    sides = [(y == side) for side in (0, 1)]
    usual = sides[1].sum() / max(y.shape[1], 1)  # samples that have a class
    cuts, clean = np.full((y.shape[1], 2), least), np.prod(1 - wrong, axis=1)
    for _ in range(10):  # what is taken away lowers the average
        before, flagged = cuts.copy(), wrong >= np.where(sides[1], cuts[:, 1], cuts[:, 0])
        many = flagged.sum(1)
        fair = FAIR * clean[many > 0].sum() / max(clean.sum(), 1e-12)
        for side, has in enumerate(sides):
            rare = has.sum(0) < RARE * usual
            for j in np.flatnonzero(rare & (flagged & has).any(0)):
                rows = has[:, j]
                by_others = (many - flagged[:, j])[rows] > 0
                cuts[j, side] = raise_cut(
                    wrong[rows, j], clean[rows], by_others, cuts[j, side], fair
                )
        if np.array_equal(before, cuts):
            break
    return cuts


def raise_cut(
    wrong: np.ndarray, clean: np.ndarray, by_others: np.ndarray, cut: float, fair: float
) -> float:
    """Raise a cut until at most a share `fair` of clean samples is flagged.

    Of r samples: wrong (r,), the chance that is cut; clean (r,), that all of the label is right; by_others (r,),
    whether another class flags it anyway.
    """
    order = np.argsort(-wrong)
    burden = clean[by_others].sum() + np.cumsum((clean * ~by_others)[order])
    kept = wrong[order][(wrong[order] >= cut) & (burden <= fair * clean.sum())]
    return float(kept[-1]) if len(kept) else NEVER
