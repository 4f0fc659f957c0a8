"""Tar: an image in a member, read where it lies."""

from __future__ import annotations

from collections.abc import Iterator

from assay.curation.media.containers.base import Wanted
from assay.curation.media.containers.read_ahead import ReadAhead
from assay.curation.media.containers.tar_index import index_tar
from assay.curation.media.containers.tar_record import TarRecord
from assay.curation.media.files import MAX_BYTES, BadMedia


class Tar:
    """Members of a tar that is not compressed."""

    name = "tar"
    suffixes = (".tar",)

    def list_members(self, path: str) -> list[str]:
        try:
            return [member.name for member in index_tar(path).members]
        except (OSError, BadMedia):
            return []

    def read_members(
        self, path: str, wanted: list[Wanted]
    ) -> Iterator[tuple[int, bytes | BadMedia]]:
        try:
            asked: dict[str, list[int]] = {}
            for member, i in wanted:
                asked.setdefault(member, []).append(i)
            found = [m for m in index_tar(path).members if m.name in asked]
            opened = open(path, "rb", buffering=0)
        except (OSError, BadMedia) as e:
            reason = f"{path} {e}" if isinstance(e, BadMedia) else f"{path} cannot be read"
            yield from ((i, BadMedia(reason)) for _, i in wanted)
            return
        with opened:
            file = ReadAhead(opened.fileno())
            for member in found:
                blob = read_part(file, member.data, member.size)
                yield from ((i, blob) for i in asked.pop(member.name))
        for missing, numbers in asked.items():
            yield from ((i, BadMedia(f"{path} has no member {missing[:200]}")) for i in numbers)


CONTAINER = Tar()


def read_part(file: ReadAhead | TarRecord, start: int, size: int) -> bytes | BadMedia:
    """Read some bytes of a file."""
    if size > MAX_BYTES:
        return BadMedia(f"is larger than {MAX_BYTES >> 20} MB")
    try:
        blob = file.read(size, start)
    except OSError as e:
        return BadMedia(f"cannot be read ({e.strerror})")
    return blob if len(blob) == size else BadMedia("is cut short")
