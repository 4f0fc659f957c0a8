"""Progress that says which step of a scan is on."""

from __future__ import annotations

import time

from assay.curation.storage.interface import Progress


def name_steps(progress: Progress | None, name: str) -> Progress | None:
    """Give steps (done, total) the name of what is done."""
    if progress is None:
        return None
    return lambda done, total: progress(done / max(1, total), f"{name}: {done:,} of {total:,}")


def begin_step(progress: Progress | None, name: str) -> None:
    """Say that a step begins whose length nobody knows."""
    if progress:
        progress(0, name)


def describe_left(began: float, done: int, total: int) -> str:
    """Say how long the rest takes, at the pace since `began` (time.monotonic)."""
    seconds = (time.monotonic() - began) / max(1, done) * (total - done)
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"
