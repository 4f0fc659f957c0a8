"""Where a bench's immutable arrays lie beside its own disk: in object storage, or nowhere.

A bench whose arrays lie in object storage has a store: what its folder `arrays` lacks is fetched by its name, so that
the folder is a cache. Only what never changes is there: shards, and what stages read and make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

# (file, where it was fetched to): whether it is what its name says
Check = Callable[[Path, Path], bool]


class ArrayStore(Protocol):
    """Object storage that holds a bench's arrays. All methods raise UserError where it cannot be reached."""

    address: str  # of the bench's own arrays

    def look(self, folder: Path) -> None:
        """List what it has of a folder of arrays, and of the folders in it."""

    def list_sizes(self, folder: Path) -> dict[str, int] | None:
        """Give the names and sizes that it had of a folder when it was looked at; None: it was not."""

    def keep(self, files: Iterable[Path]) -> int:
        """Put the files that it did not have when it was looked at, indexes last; returns how many."""

    def replace(self, file: Path) -> None:
        """Put a file whose content changes under its name."""

    def fetch(self, files: Iterable[Path], check: Check) -> None:
        """Fetch the files that are missing here, where it has them; DamagedFile where it has another."""

    def discard(self, files: Iterable[Path]) -> None:
        """Delete files there."""


_stores: dict[Path, ArrayStore] = {}  # by the folder of arrays


def connect_store(arrays: Path, store: ArrayStore | None) -> None:
    """Say where the arrays of a folder lie beside it, from now on in this process; None: nowhere."""
    if store is None:
        _stores.pop(arrays, None)
    else:
        _stores[arrays] = store


def find_store(path: Path) -> ArrayStore | None:
    """Find where a path of arrays lies beside this disk; None: nowhere."""
    if not _stores:
        return None
    return next((_stores[p] for p in (path, *path.parents) if p in _stores), None)


def keep_files(*files: Path) -> None:
    """Put files that were written where they lie beside this disk."""
    if store := find_store(files[0]):
        store.keep(files)


def fetch_file(file: Path, check: Check) -> None:
    """Fetch a file that is missing here, where it lies beside this disk."""
    if not file.exists() and (store := find_store(file)):
        store.fetch([file], check)
