"""Progress that says which step of a scan is on."""

from __future__ import annotations

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
