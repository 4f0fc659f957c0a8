"""MATLAB: an image in an array of a .mat file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from assay.curation.media.containers.stacks import Stack, Stacked, find_shape
from assay.curation.media.files import BadMedia

MOST_BYTES = 8 << 30  # of a file: SciPy loads an array whole
HEADER = 128


def check_mat(path: str) -> None:
    """Raise BadMedia where a file is no .mat file that SciPy reads."""
    with open(path, "rb") as file:
        head = file.read(HEADER)
    if head.startswith(b"\x89HDF") or head.startswith(b"MATLAB 7.3"):
        raise BadMedia("is of MATLAB's version 7.3: save it with -v7 in MATLAB")
    if not head.startswith(b"MATLAB 5.0"):
        raise BadMedia("is no .mat file of version 5")
    if os.path.getsize(path) > MOST_BYTES:
        raise BadMedia(f"is larger than {MOST_BYTES >> 30} GB, and would be loaded whole")


def list_arrays(path: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """List the arrays of a file.

    Returns {name: (shape, MATLAB's type)}; raises BadMedia.
    """
    from scipy.io import whosmat

    check_mat(path)
    try:
        return {name: (shape, kind) for name, shape, kind in whosmat(path)}
    except Exception as e:  # whatever a damaged file makes SciPy raise
        raise BadMedia(f"is damaged ({type(e).__name__})") from None


def load_array(path: str, name: str) -> Any:
    about = os.stat(path)
    return _load(path, name, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=1)
def _load(path: str, name: str, changed: int, size: int) -> Any:
    from scipy.io import loadmat

    try:
        return loadmat(path, variable_names=[name])[name]
    except Exception as e:
        raise BadMedia(f"is damaged ({type(e).__name__})") from None


class MatFile:
    """Arrays (h, w, c, n) or (h, w, n) of uint8."""

    def list_stacks(self, path: str) -> dict[str, Stack]:
        return {
            name: Stack(shape[-1], shape[:-1])
            for name, (shape, kind) in list_arrays(path).items()
            if kind == "uint8" and len(shape) in (3, 4) and find_shape((1, *shape[:-1]))
        }

    def read_rows(self, path: str, name: str, rows: list[int]) -> Iterator[bytes]:
        images = load_array(path, name)
        for row in rows:
            yield images[..., row].tobytes()


CONTAINER = Stacked("mat", (".mat",), MatFile())
