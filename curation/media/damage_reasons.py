"""What can be wrong with images that still decode."""

from __future__ import annotations

from typing import NamedTuple

FILLED, ENDED, SCANS, SUMS = 1, 2, 3, 4
REASONS = {
    FILLED: "have zeros in place of data",
    ENDED: "end before their last row",
    SCANS: "lack the last scans of a progressive JPEG",
    SUMS: "fail the checksums in their file",
}
WHY = {
    FILLED: "about {:.0%} of its data are zeros: a copy that broke off?",
    ENDED: "its data end early: the last {:.0%} of it are an even grey",
    SCANS: "a progressive JPEG without its last scans: about {:.0%} of its detail is missing",
    SUMS: "about {:.0%} of its data fail the checksums in their file",
}


class Damage(NamedTuple):
    """How much of an image is missing, and which of REASONS says why."""

    missing: float
    reason: int


WHOLE = Damage(0, 0)
