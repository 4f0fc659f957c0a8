"""Write a folder whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.system.scratch import atomic_folder


@contextmanager
def fill_new_folder(folder: Path, hint: str = "choose another with -o") -> Iterator[Path]:
    """Yield a folder to fill that becomes `folder` if all goes well.

    Else nothing of it stays.

    UserError where `folder` holds files already, or, with `hint`, where it cannot be written: a
    full disk, a name that is too long, no permission.
    """
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"expected a new or empty folder, found files in {folder}", "choose another with -o"
        )
    try:
        with atomic_folder(folder) as partial:
            yield partial
    except OSError as e:
        raise UserError(
            f"expected to write {folder}, found: {e.strerror} ({e.filename})", hint
        ) from None
