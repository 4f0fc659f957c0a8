"""Choose the labels that are flagged: those that are worth a look.

A model contradicts a label where the label is wrong, or where the model is weak. How many are wrong at least, cleanlab
counts by its confident joint. It misses much of human noise, and more the more noise there is: the count is
supplemented, and so many of the contradicted labels are flagged, the least trusted first. Where it counts next to
nothing (the annotator errs as the model does) nothing tells the wrong from the right, and all of them are flagged.

No rare class may have more than twice the share of its clean labels flagged that there is on average: models call rare
classes wrong. Chosen on simulated annotators; measured beside cleanlab's filters: docs/lab-notebook.
"""

from __future__ import annotations

import numpy as np

from assay.curation.label_quality.noise_matrix import find_noise
from assay.curation.storage.top_probs import TopProbs
from assay.curation.tasks.multilabel import class_shares, trust_members

SUPPLEMENT = 0.5  # of the share counted among the contradicted labels: by so much more are wrong
# share counted, up to which all are flagged, and from which on the count holds
BLIND, SEEING = 0.2, 0.35
RARE = 0.7  # times the average size: a class below is rare
FAIR = 2.0  # times the average share of clean labels, that a rare class may have flagged


def flag_labels(y: np.ndarray, probs: np.ndarray | TopProbs, cuts: np.ndarray) -> np.ndarray:
    """Flag labels that are trusted less than their class's cut.

    Bool (m,). y (m,): class indices; cuts (k,); probs (m, k), out of sample. Never one that the model finds likeliest.
    """
    return (_trust(y, probs) < cuts[y]) & (probs.argmax(1) != y)


def fit_cuts(y: np.ndarray, probs: np.ndarray | TopProbs) -> np.ndarray:
    """Choose each class's cut (k,): from 0, no label is flagged, to 1.

    y (m,): class indices of the labels; probs (m, k): out of sample, rows sum to 1. Cuts stay while labels are edited,
    so that a decision changes another label's flag by its score alone.
    """
    contradicted = probs.argmax(1) != y
    if not contradicted.any():
        return np.ones(probs.shape[1])
    wanted = contradicted.sum() * share_to_flag(count_confident(y, probs) / contradicted.sum())
    trust, clean = _trust(y, probs), 1 - find_noise(y, probs)
    sizes = np.bincount(y, clean, probs.shape[1])
    rows = np.lexsort((trust, y))  # of each class the least trusted first
    rows = rows[contradicted[rows]]
    of, trust = y[rows], trust[rows]
    return _place_cuts(of, trust, _flag_fairly(of, trust, clean[rows], sizes, wanted), len(sizes))


def flag_members(y: np.ndarray, probs: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Flag what label sets say of each class: bool (m, k).

    y (m, k): members, 0 or 1; probs (m, k), out of sample; cuts (k, 3): see fit_member_cuts. Never what is likelier
    than not.
    """
    below = np.where(y == 1, probs, 1 - probs) < np.where(y == 1, cuts[:, 1], cuts[:, 0])
    return below & (trust_members(y, probs, cuts[:, 2]) < 0.5)


def fit_member_cuts(y: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Choose the cuts of each class's absence and presence, and give its share: (k, 3).

    Every class is a question of its own with two answers, so that what is rare is protected as in fit_cuts: as a rule
    its presence.
    """
    two = (np.stack([1 - p, p], 1) for p in probs.T)
    cuts = np.array([fit_cuts(column, p) for column, p in zip(y.T, two)]).reshape(-1, 2)
    return np.column_stack([cuts, class_shares(y)])


def share_to_flag(counted: float) -> float:
    """Give the share of the contradicted labels to flag, of the share that is counted as wrong."""
    share = min(1.0, counted * (1 + SUPPLEMENT * counted))
    sure = np.clip((counted - BLIND) / (SEEING - BLIND), 0, 1)
    return float(1 - sure + sure * share)


def count_confident(y: np.ndarray, probs: np.ndarray | TopProbs) -> int:
    """Count the wrong labels by cleanlab's confident joint."""
    from cleanlab.count import num_label_issues

    if isinstance(probs, TopProbs):
        return count_confident_top(y, probs)
    seen = np.unique(y)  # cleanlab wants labels 0..k-1 that occur
    if len(seen) < 2:
        return 0
    p = probs[:, seen] + 1e-12
    p /= p.sum(1, keepdims=True)
    return int(num_label_issues(np.searchsorted(seen, y), p, estimation_method="off_diagonal"))


def count_confident_top(y: np.ndarray, probs: TopProbs) -> int:
    """Count as cleanlab does, by the likeliest classes of each sample.

    A label is counted where another class is as likely as it is for its own labels in the mean.
    (Northcutt et al., Confident learning, JAIR 70, 2021.)
    """
    sizes = np.bincount(y, minlength=probs.k)
    means = np.bincount(y, _trust(y, probs), probs.k) / np.maximum(sizes, 1)
    means = np.where(sizes > 0, means, 2) - 1e-6
    confident, best = probs.p >= means[probs.at], probs.argmax(1)
    first = probs.at[np.arange(len(y)), confident.argmax(1)]
    guess = np.where(confident.sum(1) > 1, best, first)
    return int((confident.any(1) & (guess != y) & (best != y)).sum())


def _trust(y: np.ndarray, probs: np.ndarray | TopProbs) -> np.ndarray:
    """Give each label's own probability (m,)."""
    return probs[np.arange(len(y)), y]


def _flag_fairly(
    of: np.ndarray, trust: np.ndarray, clean: np.ndarray, sizes: np.ndarray, wanted: float
) -> np.ndarray:
    """Flag `wanted` labels, the least trusted, but of no rare class too many: bool (m,).

    of, trust, clean (m,): class, trust and chance to be right of the contradicted labels, in the order of the first
    two. sizes (k,): clean labels of each class. What a rare class may not have, others make up for.
    """
    upto = np.r_[0, np.cumsum(clean)]
    sizes, many = np.maximum(sizes, 1e-12), np.count_nonzero(sizes)
    burden = (upto[1:] - upto[np.searchsorted(of, of)]) / sizes[of]  # share of the clean, so far
    burden[sizes[of] >= RARE * sizes.sum() / many] = 0

    def flag(most: float) -> np.ndarray:
        flagged = trust <= most
        for _ in range(10):  # what is taken away lowers the average
            average = clean[flagged].sum() / sizes.sum()
            fair = flagged & (burden <= FAIR * average)
            if fair.sum() == flagged.sum():
                break
            flagged = fair
        return flagged

    order = np.sort(trust)
    low, high = min(max(round(wanted) - 1, 0), len(order) - 1), len(order) - 1
    while low < high:
        middle = (low + high) // 2
        if flag(order[middle]).sum() < wanted:
            low = middle + 1
        else:
            high = middle
    return flag(order[high])


def _place_cuts(of: np.ndarray, trust: np.ndarray, flagged: np.ndarray, k: int) -> np.ndarray:
    """Put each class's cut (k,) midway between its last flagged label and the next.

    In the midst, as the same model fitted again differs by rounding.
    """
    first, last = np.searchsorted(of, np.arange(k + 1)), len(trust) - 1
    many = np.bincount(of[flagged], minlength=k)
    upper = trust[np.minimum(first[:-1] + many, last)]
    lower = trust[np.clip(first[:-1] + many - 1, 0, last)]
    cuts = np.where(many == np.diff(first), 1.0, (lower + upper) / 2)
    return np.where((many == 0) & (np.diff(first) > 0), 0.0, cuts)
