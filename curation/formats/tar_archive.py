"""Tars of class folders, or of a table and its images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats.archive_names import Archive, patch_archive, read_archive
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.tar_rewrite import rewrite_tar
from assay.curation.media.containers.tar import read_part
from assay.curation.media.containers.tar_index import BLOCK, index_tar, is_header, open_tar
from assay.curation.media.containers.tar_record import is_record
from assay.curation.media.files import BadMedia

if TYPE_CHECKING:
    import pandas as pd


class TarFolder:
    """A tar of class folders, or of a table and its images; it is read in place."""

    name = "tar"
    suffixes = (".tar",)

    def matches(self, path: Path) -> Match:
        if path.is_file() and path.suffix.lower() == ".tar":
            if is_record(str(path)):
                return Match("maybe", "was read as a tar")
            with open(path, "rb") as file:
                if is_tar(file.read(BLOCK)):
                    return Match("maybe", "starts as a tar does")
        return Match("no", "expects a tar")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        return read_archive(open_archive(path), options)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        return patch_archive(open_archive(source), changes, options)


FORMAT = TarFolder()


def is_tar(head: bytes) -> bool:
    return len(head) == BLOCK and any(head) and is_header(head)


def open_archive(path: Path) -> Archive:
    """Index a tar that is read in place.

    UserError where it is damaged, or holds what is no plain file.
    """
    try:
        members = {member.name: member for member in index_tar(str(path)).members}
    except BadMedia as e:
        raise UserError(
            f"expected a sound tar of plain files, found {path.name}: it {e}",
            "is the file complete? else unpack it where you trust it, and import the folder",
        ) from None

    def read(name: str) -> bytes:
        with open_tar(str(path)) as file:
            blob = read_part(file, members[name].data, members[name].size)
        if isinstance(blob, BadMedia):
            raise UserError(f"expected a sound {name}, found that it {blob}", "pack it again")
        return blob

    sizes = {name: member.size for name, member in members.items()}
    return Archive(path, "tar", "tar", sizes, read, rewrite_tar)
