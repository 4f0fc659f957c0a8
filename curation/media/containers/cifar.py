"""CIFAR's binary version: records of labels and three planes."""

from __future__ import annotations

import os
from collections.abc import Iterator

from assay.curation.media.containers.stacks import Stack, Stacked, read_rows_of
from assay.curation.media.files import BadMedia
from assay.curation.text import format_count

PIXELS = 3 * 32 * 32


def count_labels(path: str) -> int:
    """Count the label bytes of each record: 1 (CIFAR-10) or 2 (CIFAR-100).

    Raises BadMedia where the file's size fits neither.
    """
    size = os.path.getsize(path)
    fits = [n for n in (1, 2) if size and size % (PIXELS + n) == 0]
    if not fits:
        raise BadMedia(f"has {format_count(size, 'byte')}, which is no number of CIFAR's records")
    if len(fits) == 1:
        return fits[0]
    # both fit: the coarse label of CIFAR-100 is below 20, its file is called train or test
    return 2 if os.path.basename(path) in ("train.bin", "test.bin") else 1


class CifarFile:
    """One stack of records."""

    def list_stacks(self, path: str) -> dict[str, Stack]:
        labels = count_labels(path)
        count = os.path.getsize(path) // (PIXELS + labels)
        return {"": Stack(count, (3, 32, 32), 0, labels)}

    def read_rows(self, path: str, name: str, rows: list[int]) -> Iterator[bytes]:
        yield from read_rows_of(lambda: open(path, "rb"), self.list_stacks(path)[name], rows)


CONTAINER = Stacked("cifar", (".bin",), CifarFile())
