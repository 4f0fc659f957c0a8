"""Write a page whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.system import permissions


def write_page(page: bytes, path: str | Path) -> Path:
    """Write the bytes of a page.

    Nobody ever meets half a page. Returns the absolute path. Raises UserError where it cannot be written.
    """
    path = Path(path).absolute()
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        permissions.touch_file(half).write_bytes(page)
        os.replace(half, path)
    except OSError as e:
        with suppress(OSError):
            half.unlink()
        raise UserError(
            f"expected to write {path}, found: {e.strerror}",
            "make the folder, or choose another file",
        ) from None
    return path
