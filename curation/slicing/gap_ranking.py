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

Candidate = tuple[dict, np.ndarray]  # the row of a gap, and what lies in it (n,) bool


def rank_gaps(evidence: GapEvidence, candidates: list[Candidate]) -> list[Candidate]:
    """Rank the gaps among `candidates`: see gaps.find_gaps.

    Within a group the gap that explains most takes its val samples first, and the next explains
    what is left. Errors go to pairs first, for a class as a whole would hide where in it they
    are. A gap whose val and pool samples lie mostly in gaps before it is none of its own.
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

    Arrays over the g candidates: size, their val and pool samples; held, how many of these are
    taken; open (g, 2, k), their val samples of each class that are not taken, and the wrong ones
    among them.
    """

    def __init__(self, evidence: GapEvidence, candidates: list[Candidate]):
        self.evidence = evidence
        self.rows, self.masks = [row for row, _ in candidates], [mask for _, mask in candidates]
        self.k = int(evidence.label.max(initial=-1)) + 1
        self.plain = np.array([row["facets"] == "class" for row in self.rows], bool)
        self.asked, self.taken = evidence.val | evidence.pool, np.zeros(len(evidence.val), bool)
        self.size = np.array([(mask & self.asked).sum() for mask in self.masks], int)
        self.held = np.zeros(len(self.masks), int)
        self.open = np.array([self.tally(rows_of(mask)) for mask in self.masks])
        self.of_all = self.tally(rows_of(evidence.val))
        self.late = []  # what is missing, and nothing that val shows is wrong for the want of it

    def tally(self, rows: np.ndarray) -> np.ndarray:
        """Count the val samples of each class among `rows`.

        And the wrong ones among them: (2, k).
        """
        mine = rows[self.evidence.val[rows]]
        wrong = mine[self.evidence.wrong[mine]]
        label = self.evidence.label
        return np.array([np.bincount(label[some], minlength=self.k) for some in (mine, wrong)])

    def pick(self, left: list[int], group: int) -> list[Candidate]:
        """Pick the gaps among the candidates `left`.

        What explains most comes first.
        """
        found = []
        while left := [i for i in left if not self.size[i] or self.held[i] < SAME * self.size[i]]:
            expected = regions.expected_errors(self.open[left], self.of_all, self.plain[left])
            more = self.open[left, 1].sum(1) - expected
            at = max(range(len(left)), key=lambda j: self.precedence(left[j], more[j]))
            i = left.pop(at)
            row = self.rows[i]
            if group == MISSING and more[at] < 1 and row["against"] not in ("val", "classes"):
                self.late.append(i)
                continue
            n, errors = self.open[i].sum(1)
            low, high = (n * x - expected[at] for x in estimates.wilson_interval(errors, n))
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

    def precedence(self, i: int, more: float) -> tuple:
        """Order candidates by errors explained, then kind, then p."""
        return round(more, 9), ORDER.index(self.rows[i]["kind"]), -self.rows[i]["p"]

    def take(self, mask: np.ndarray) -> None:
        """Take the samples of a gap away from all later ones.

        Its val and pool samples.
        """
        new = rows_of(mask & self.asked & ~self.taken)
        self.taken[new] = True
        self.of_all = self.of_all - self.tally(new)
        for j, other in enumerate(self.masks):
            inside = new[other[new]]
            self.held[j] += len(inside)
            self.open[j] -= self.tally(inside)
