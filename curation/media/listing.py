"""List the files of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator


def list_files(folder: str, prefix: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """List the relative paths of all files, sorted.

    Links are followed (exported class folders are links), but not in a circle."""
    here = os.path.realpath(folder)
    for entry in sorted(os.scandir(folder), key=lambda e: e.name) if here not in above else ():
        if entry.is_dir() and not entry.name.startswith((".", "__MACOSX")):
            yield from list_files(entry.path, f"{prefix}{entry.name}/", (*above, here))
        elif not entry.is_dir() and not entry.name.startswith("."):
            yield prefix + entry.name
