"""What a check finds, and what is no damage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

NOTES = (
    "leftover",
    "not verifiable",
    "unscanned",
    "numbers",
    "open",
    "unknown",
)  # worth saying, but nothing is wrong
RESTORE = "go back to the last good backup: assay restore"


def make_finding(
    kind: str,
    what: str,
    n: int = 1,
    repair: str | None = None,
    hint: str | None = None,
    files: Iterable[Path] = (),
) -> dict:
    """Make a finding, as --json prints it.

    `repair` says what --repair does about it. Where nothing derived mends it that is None, and `hint` says what a
    person can do. `files`: those that --repair deletes or sets aside.
    """
    return dict(kind=kind, what=what, n=n, repair=repair, hint=hint, files=[str(f) for f in files])
