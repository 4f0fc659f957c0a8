"""Rank gaps by how many validation errors they explain."""

from __future__ import annotations

import numpy as np
from numpy import flatnonzero as rows_of

from assay.curation.slicing import gap_text, regions
from assay.curation.slicing.gap_evidence import GapEvidence
from assay.curation.statistics import estimates

# share of a region's val and pool samples that gaps before it hold already, from which on it is
# no gap of its own
SAME = 0.5
# which name one region goes by: the last that fits
ORDER = ["isolated", "disagreement", "error", "thin", "rare", "absent"]
# missing from train | there and wrong more often | what a person may want to look at
MISSING, WRONG, LOOK = range(3)
KINDS = {
    MISSING: ("absent", "rare", "thin"),
    WRONG: ("error",),
    LOOK: ("disagreement", "isolated"),
}

Candidate = tuple[dict, np.ndarray]  # the row of a gap, and what lies in it (u,) bool


def rank_gaps(evidence: GapEvidence, candidates: list[Candidate]) -> list[Candidate]:
    """Rank the gaps among `candidates`: see gaps.find_gaps.

    Within a group the gap that explains most takes its val labels first, and the next explains
    what is left. Errors go to pairs first, for a class as a whole would hide where in it they
    are. A gap whose val labels and pool samples lie mostly in gaps before it is none of its own.
    """
    left, out = Remainder(evidence, candidates), []
    for group, kinds in KINDS.items():
        mine = [i for i, row in enumerate(left.rows) if row["kind"] in kinds]
        if group == LOOK:
            mine += left.late
        pairs = [i for i in mine if " x " in left.rows[i]["facets"]] if group == WRONG else []
        found = left.pick(pairs, group) + left.pick([i for i in mine if i not in pairs], group)
        out += sorted(found, key=lambda candidate: -candidate[0]["explains"])
    return out


class Remainder:
    """What no gap has taken yet, as gaps are picked one after another.

    Of the g candidates: size, their labels in val and samples of the pool; held, how many of these are taken; rows,
    their labels in val that are not taken.
    """

    def __init__(self, evidence: GapEvidence, candidates: list[Candidate]):
        self.evidence = evidence
        self.rows, self.masks = [row for row, _ in candidates], [mask for _, mask in candidates]
        self.k = int(evidence.label.max(initial=-1)) + 1
        self.plain = np.array([row["facets"] == "class" for row in self.rows], bool)
        self.asked = evidence.judged | evidence.pool
        self.taken = np.zeros(len(evidence.judged), bool)
        self.inside = [rows_of(mask & self.asked) for mask in self.masks]
        self.size = np.array([len(rows) for rows in self.inside], int)
        self.held = np.zeros(len(self.masks), int)
        self.open = [self.tally(rows) for rows in self.inside]
        self.late = []  # what is missing, and nothing that val shows is wrong for the want of it

    def tally(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Count the val labels that are not taken among `rows`: (classes, counts, wrong ones)."""
        mine = rows[self.evidence.judged[rows] & ~self.taken[rows]]
        of, place, n = np.unique(self.evidence.label[mine], return_inverse=True, return_counts=True)
        return of, n, np.bincount(place[self.evidence.wrong[mine]], minlength=len(of))

    def count_open(self, left: list[int]) -> regions.ClassCounts:
        """Count what candidates `left` have that is not taken."""
        of, n, wrong = (np.concatenate(each) for each in zip(*(self.open[i] for i in left)))
        sizes = [len(self.open[i][0]) for i in left]
        return regions.ClassCounts(np.repeat(np.arange(len(left)), sizes), of, n, wrong)

    def pick(self, left: list[int], group: int) -> list[Candidate]:
        """Pick the gaps among the candidates `left`.

        What explains most comes first.
        """
        found = []
        while left := [i for i in left if not self.size[i] or self.held[i] < SAME * self.size[i]]:
            inside, m = self.count_open(left), len(left)
            expected = regions.expected_errors(inside, self.count_all(), self.plain[left])
            counts, wrong = inside.total(inside.n, m), inside.total(inside.wrong, m)
            more = wrong - expected
            at = max(range(m), key=lambda j: self.precedence(left[j], more[j]))
            i = left.pop(at)
            row = self.rows[i]
            if group == MISSING and more[at] < 1 and row["against"] not in ("val", "classes"):
                self.late.append(i)
                continue
            n, errors = int(counts[at]), int(wrong[at])
            alone = self.evidence.alone(row["facets"])
            interval = estimates.wilson_interval(errors / alone, n / alone)
            low, high = (n * x - expected[at] for x in interval)
            if group != WRONG or low > 0:
                explains = dict(
                    explains=float(more[at]),
                    explains_low=float(low),
                    explains_high=float(high),
                    why=gap_text.describe_evidence(row),
                )
                found.append((row | explains, self.masks[i]))
                self.take(self.masks[i])
        return found

    def count_all(self) -> np.ndarray:
        """Count the val labels of each class that are not taken, and the wrong ones: (2, k)."""
        left = self.evidence.judged & ~self.taken
        label = self.evidence.label
        return np.array(
            [
                np.bincount(label[some], minlength=self.k)
                for some in (left, left & self.evidence.wrong)
            ]
        )

    def precedence(self, i: int, more: float) -> tuple:
        """Order candidates by errors explained, then kind, then p."""
        return round(more, 9), ORDER.index(self.rows[i]["kind"]), -self.rows[i]["p"]

    def take(self, mask: np.ndarray) -> None:
        """Take the samples of a gap away from all later ones.

        Its labels in val, and pool samples.
        """
        new = mask & self.asked & ~self.taken
        self.taken |= new
        for j, rows in enumerate(self.inside):
            if gone := int(new[rows].sum()):
                self.held[j] += gone
                self.open[j] = self.tally(rows)
