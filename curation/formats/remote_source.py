"""Sources at addresses: a table, an archive, a bucket's folder, or shards.

A format reads files. So a file is fetched and, of a folder, what is no image; each image is an empty
file there that has its name alone. A tar or Parquet file is read once as it comes, and its record lies
there in its stead. The samples are then told where they really lie.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import Question, UserError
from assay.curation.formats.base import ArchiveFormat, ImportOptions, Source, list_formats
from assay.curation.formats.mirrors import (
    Mirror,
    link_file,
    make_place,
    mirror_folder,
    safe_part,
)
from assay.curation.formats.sample_addresses import describe_hosts
from assay.curation.formats.shard_addresses import IN_TAR, find_braces, read_shards
from assay.curation.formats.shard_files import BRACES
from assay.curation.media import addresses
from assay.curation.media.remote_shards import SUFFIXES as SHARDS
from assay.curation.media.remote_shards import ShardReader
from assay.curation.media.stream_decoding import StreamDecoder
from assay.curation.system.scratch import scratch_folder

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


def fetch_source(
    given: str,
    options: ImportOptions,
    decoder: StreamDecoder | None = None,
    check: Callable[[Mirror], object] | None = None,
) -> Mirror:
    """Fetch what a format must read of a source.

    decoder: decodes the images of shards as these come. check: looks at what the first shard shows, before the others
    are fetched. Raises UserError.
    """
    address, place = open_place(given)
    mirror = Mirror(place / safe_part(addresses.name_of(address)), address.rstrip("/"))
    braces = find_braces(mirror)
    if braces:
        places = braces
        names = {shard.address: mirror.path.with_name(shard.name) for shard in places}
    elif is_folder(address):
        places = mirror_folder(mirror)
        names = {shard.address: mirror.path / shard.name for shard in places}
    else:
        addresses.set_base(place, address.rpartition("/")[0])
        if not address.lower().endswith(SHARDS):
            link_file(address, mirror.path)
            return mirror
        places = [make_place(mirror.path.name, address)]
        names = {address: mirror.path}
    if places:
        reader = ShardReader(IN_TAR, options.columns.get("image"), decoder)
        read_shards(mirror, reader, places, names, options.skip_bad and not braces, check)
    return mirror


def fetch_whole(given: str) -> Path:
    """Fetch a source that is one file, or the empty folder's name of one that is none."""
    address, place = open_place(given)
    local = place / safe_part(addresses.name_of(address))
    if BRACES.search(address) or is_folder(address):
        local.mkdir(exist_ok=True)
    else:
        link_file(address, local)
        addresses.set_base(place, address.rpartition("/")[0])
    return local


def open_place(given: str) -> tuple[str, Path]:
    """Make a folder for what is fetched of a source; returns its address and that."""
    address = addresses.clean_address(given)
    addresses.check_scheme(address)
    place = scratch_folder() / "addresses" / sha256(address.encode()).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    return address, place


def fetch_archive(source: str | os.PathLike) -> Path:
    """Fetch an archive at an address; else give the path."""
    endings = tuple(suffix for f in list_formats(ArchiveFormat) for suffix in f.suffixes)
    if not addresses.is_address(str(source)) or addresses.scheme_of(str(source)) == "file":
        return Path(source)
    address = addresses.clean_address(str(source))
    return fetch_whole(str(source)) if address.lower().endswith(endings) else Path(address)


def ask_before_fetching(bench: Bench, source: Source) -> None:
    """Raise Question where a table that was handed in names addresses.

    Whoever wrote it is not whoever has this machine, its network and its credentials.
    """
    root = os.path.abspath(bench.path / "uploads")
    if not source.path.startswith(f"{root}/"):
        return
    hosts = Counter(addresses.host_of(uri) for uri in source.frame.uri if addresses.is_address(uri))
    if hosts:
        raise Question(
            f"expected images in {source.name}, found addresses of {hosts.total():,} "
            f"({describe_hosts(hosts)})",
            "--fetch if this machine shall fetch them, with the credentials that it has",
        )


# ---- fetch


def is_folder(address: str) -> bool:
    """Whether an address is of a folder that can be listed."""
    from assay.curation.media.remote import ask_info

    if addresses.scheme_of(address) not in addresses.WEB:
        return ask_info(address).get("type") == "directory"
    if address.endswith("/"):
        raise UserError(
            f"expected the address of a file, found {address}, a folder that cannot be listed",
            "name a table, Parquet, zip or tar there, or download the folder",
        )
    return False
