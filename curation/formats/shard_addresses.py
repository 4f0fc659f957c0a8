"""Shards at addresses: which they are, and their records in a mirror."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.mirrors import TEXTS, Mirror, link_file, link_here, make_place
from assay.curation.formats.shard_files import BRACES, expand_braces
from assay.curation.formats.shard_files import TEXTS as CELLS
from assay.curation.formats.shard_labels import NAMES
from assay.curation.formats.table_files import TABLES
from assay.curation.media.containers.tar_record import mark_record
from assay.curation.media.remote_shards import BadShard, ShardPlace, ShardReader
from assay.curation.text import format_count

# of files in a tar that a format may open
IN_TAR = (*TEXTS, *TABLES, ".data", *(f".{ending}" for ending in CELLS))


def find_braces(mirror: Mirror) -> list[ShardPlace]:
    """Find the shards that an address with braces means, and fetch lists of names beside them.

    [] where it has none. UserError where one is missing.
    """
    from assay.curation.media.remote import list_beside

    if not BRACES.search(mirror.address) or not mirror.address.lower().endswith(".tar"):
        return []
    folder = mirror.address.rpartition("/")[0]
    places = [address.removeprefix(f"{folder}/") for address in expand_braces(mirror.address)]
    if any("/" in name for name in places):  # braces in the name of a folder
        raise UserError(
            f"expected braces in the name of a file, found {mirror.address}",
            f"import the folder: {folder[: folder.find('{')].rpartition('/')[0]}",
        )
    known = list_beside(folder)
    there = set(places if known is None else known)
    if gone := [name for name in places if name not in there]:
        raise UserError(
            f"expected {format_count(len(places), 'shard')}, found {len(gone):,} missing, first {folder}/{gone[0]}",
            "check the numbers in the braces",
        )
    for name in NAMES:
        mirror.path.with_name(name).unlink(missing_ok=True)
        if known and name in known:
            link_file(f"{folder}/{name}", mirror.path.with_name(name))
    return [make_place(name, f"{folder}/{name}") for name in places]


def read_shards(
    mirror: Mirror,
    reader: ShardReader,
    places: list[ShardPlace],
    names: dict[str, Path],
    skip_bad: bool,
    check: Callable[[Mirror], object] | None,
) -> None:
    """Read shards, and let each have its name here."""
    for found in reader.read(places):
        if isinstance(found, BadShard):
            if found.reason.everywhere or not skip_bad:
                raise refuse_shard(found, len(mirror.shards), len(places))
            mirror.left_out.append((found.place.name, str(found.reason)))
            continue
        local = names[found.place.address]
        local.parent.mkdir(parents=True, exist_ok=True)
        link_here(found.file, local)
        if local.suffix.lower() == ".tar":
            mark_record(str(local))
        mirror.shards[str(local)] = found
        if check and len(mirror.shards) == 1 and len(places) > 1:
            check(replace(mirror, path=local, address=found.place.address))
        if reader.decoder and reader.decoder.progress:
            reader.decoder.progress(len(mirror.shards), len(places))


def refuse_shard(found: BadShard, read: int, count: int) -> UserError:
    """Say which shard cannot be read, and what to do."""
    hint = "import again once it can be read"
    if not found.reason.everywhere:
        hint = "mend it, and import again"
        hint += ", or import the others with --skip-bad" if count > 1 else ""
    if read:
        hint += f"; {format_count(read, 'shard', 'was read, and is', 'were read, and are')} not fetched again"
    of = format_count(count, "shard") if count > 1 else "a shard"
    return UserError(
        f"expected to read {of}, found that {found.place.address} {found.reason}", hint
    )
