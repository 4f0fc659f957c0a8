"""HDF5: an image in a row of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from assay.curation.media.containers.stacks import Stack, Stacked, find_shape
from assay.curation.media.files import BadMedia

MOST_ROWS = 1024  # that are held at once
SIGNATURE = b"\x89HDF\r\n\x1a\n"


@contextmanager
def open_hdf5(path: str) -> Iterator[Any]:
    """Open a file to read.

    Raises BadMedia where it is none, or h5py is missing.
    """
    with open(path, "rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            raise BadMedia("is no HDF5 file")
    try:
        import h5py
    except ImportError:
        raise BadMedia("is HDF5, which needs: pip install h5py") from None
    with h5py.File(path, "r") as opened:
        yield opened


def list_datasets(path: str) -> dict[str, tuple[tuple[int, ...], Any]]:
    """List the datasets of a file: name -> (shape, dtype).

    Links to other files are not followed, nor data kept in them.
    """
    found = {}

    def visit(name: str, node: Any) -> None:
        if hasattr(node, "dtype") and not node.external and not node.is_virtual:
            found[name] = (tuple(node.shape or ()), node.dtype)

    with open_hdf5(path) as file:
        file.visititems(visit)
    return found


class Hdf5File:
    """Datasets of uint8 images."""

    def list_stacks(self, path: str) -> dict[str, Stack]:
        return {
            name: Stack(shape[0], one)
            for name, (shape, dtype) in list_datasets(path).items()
            if dtype == "uint8" and len(shape) in (3, 4) and (one := find_shape(shape))
        }

    def read_rows(self, path: str, name: str, rows: list[int]) -> Iterator[bytes]:
        with open_hdf5(path) as file:
            dataset = file[name]
            step = max(1, min(dataset.chunks[0] if dataset.chunks else 256, MOST_ROWS))
            start, block = -1, None
            for row in rows:
                if block is None or row // step != start:  # a chunk is unpacked once
                    start = row // step
                    block = dataset[start * step : (start + 1) * step]
                yield block[row - start * step].tobytes()


CONTAINER = Stacked("hdf5", (".h5", ".hdf5"), Hdf5File())
