"""Sources at addresses: a table, an archive, a bucket's folder, or shards.

A format reads files. So a file is fetched and, of a folder, what is no image; each image is an empty
file there that has its name alone. A tar or Parquet file is read once as it comes, and its record lies
there in its stead. The samples are then told where they really lie.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import Question, UserError
from assay.curation.formats.base import (
    ArchiveFormat,
    ImportOptions,
    ReadableFormat,
    Source,
    Unread,
    list_formats,
)
from assay.curation.formats.shard_files import BRACES, expand_braces
from assay.curation.formats.shard_files import TEXTS as CELLS
from assay.curation.formats.shard_labels import NAMES
from assay.curation.formats.table_files import TABLES
from assay.curation.media import addresses
from assay.curation.media.base import media_type
from assay.curation.media.containers.base import list_containers, match_uri
from assay.curation.media.containers.places import Placed, write_place
from assay.curation.media.containers.tar_index import index_tar
from assay.curation.media.containers.tar_record import is_record, mark_record
from assay.curation.media.files import BadMedia
from assay.curation.media.remote_shards import SUFFIXES as SHARDS
from assay.curation.media.remote_shards import BadShard, ShardPlace, ShardReader, ShardRecord
from assay.curation.media.stream_decoding import StreamDecoder
from assay.curation.system.scratch import scratch_folder
from assay.curation.text import format_count

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

TEXTS = (".json", ".jsonl", ".ndjson", ".txt", ".names", ".yaml", ".yml", ".xml", ".gz", ".tgz")
# of files in a tar that a format may open
IN_TAR = (*TEXTS, *TABLES, ".data", *(f".{ending}" for ending in CELLS))
MOST_FILES = 2_000_000  # that are listed of a folder
MOST_HOSTS = 5  # that a note names


@dataclass(frozen=True)
class Mirror:
    """What was fetched of a source, as a format reads it."""

    path: Path
    address: str
    shards: dict[str, ShardRecord] = field(default_factory=dict)  # by their paths here
    unread: list[Unread] = field(default_factory=list)  # what can have no name here
    left_out: list[tuple[str, str]] = field(default_factory=list)  # shards that could not be read


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
    of = f"{format_count(count, 'shard')}" if count > 1 else "a shard"
    hint = "mend it, and import again"
    if count > 1 and not found.reason.everywhere:
        hint += ", or import the others with --skip-bad"
    if read:
        hint += f"; {format_count(read, 'shard', 'was read, and is', 'were read, and are')} not fetched again"
    return UserError(
        f"expected to read {of}, found that {found.place.address} {found.reason}", hint
    )


def place_samples(source: Source, mirror: Mirror) -> Source:
    """Say where a fetched source and its samples really lie, and what was read of them."""
    import pandas as pd

    here, of_files = str(mirror.path), media_type(source.media).column is None
    uris, read, whole, last = list(source.frame.uri), [], 0, ""
    for n, uri in enumerate(uris):
        inside = match_uri(uri)
        shard = mirror.shards.get(inside.path) if inside else None
        if inside and shard:
            address, stamp, member = shard.place.address, shard.place.stamp, inside.member
            if of_files and inside.path != last:
                index, last = index_members(inside.path), inside.path
            if of_files:
                lies = index.get(member) or (0, shard.place.size or 0)
                member = write_place(Placed(*lies, stamp, member))
            uris[n] = f"{address}::{member}"
        elif uri.startswith(here):
            uris[n] = mirror.address + uri[len(here) :]
            whole += 1
        read.append(shard.images.get(inside.member) if inside and shard else None)
    frame, notes = source.frame.assign(uri=uris), [*source.notes]
    if mirror.shards and of_files:
        frame["read"] = pd.Series(read, frame.index, dtype=object)
        notes.append(describe_shards(mirror, len(frame) - whole))
    if whole:
        notes.append(describe_fetching(Counter({addresses.host_of(mirror.address): whole})))
    unread, left_out = [*source.unread, *mirror.unread], [*source.left_out, *mirror.left_out]
    return replace(
        source, frame=frame, path=mirror.address, unread=unread, left_out=left_out, notes=notes
    )


def index_members(path: str) -> dict[str, tuple[int, int]]:
    """Index where the members of a tar lie: (first byte, bytes); {} for what is no tar."""
    if not is_record(path):
        return {}
    return {member.name: (member.data, member.size) for member in index_tar(path).members}


def describe_shards(mirror: Mirror, images: int) -> str:
    """Say where the images of shards are."""
    shards, host = len(mirror.shards), addresses.host_of(mirror.address)
    return (
        f"{format_count(images, 'image', 'lies', 'lie')} in {format_count(shards, 'shard')} at {host}:"
        " a shard is read once, from its start to its end, and not kept; an original is read from its"
        " shard when it is asked for"
    )


def settle_addresses(samples: list[dict], left_out: list, notes: list[str]) -> list[dict]:
    """Take secrets off the addresses of samples, and name hosts.

    Raises UserError where one cannot be read at all.
    """
    if not any(addresses.is_address(sample["uri"]) for sample in samples):
        return samples
    kept, seen = [], set()
    tops: Counter[str] = Counter()  # scheme://host of each: a million addresses have few
    for sample in samples:
        if addresses.is_address(sample["uri"]):
            named_so = sample["key"] == sample["uri"]
            try:
                uri = sample["uri"] = addresses.clean_address(sample["uri"])
            except UserError as e:
                left_out.append(("a row", e.problem))
                continue
            if named_so:
                sample["key"] = uri
                if uri in seen:
                    left_out.append((uri, "is named twice, but for its signature"))
                    continue
                seen.add(uri)
            tops["/".join(uri.split("/", 3)[:3])] += 1
        kept.append(sample)
    hosts: Counter[str] = Counter()
    for top, n in tops.items():
        addresses.check_scheme(top)
        hosts[addresses.host_of(top)] += n
    notes.append(describe_fetching(hosts))
    return kept


def describe_fetching(hosts: Counter[str]) -> str:
    return (
        f"{format_count(hosts.total(), 'image', 'lies', 'lie')} at addresses ({describe_hosts(hosts)}): "
        "each is fetched once, and kept in your cache"
    )


def describe_hosts(hosts: Counter[str]) -> str:
    some = ", ".join(f"{host} {n:,}" for host, n in hosts.most_common(MOST_HOSTS))
    more = len(hosts) - MOST_HOSTS
    return f"{some} and {more:,} other hosts" if more > 0 else some


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


def link_file(address: str, local: Path) -> None:
    """Fetch a file, and let it have its own name at `local`."""
    from assay.curation.media.remote import fetch_file

    try:
        fetched = fetch_file(address, fresh=True)
    except BadMedia as e:
        raise UserError(f"expected a file at {address}, found that it {e}", "check it") from None
    link_here(fetched, local)


def link_here(file: Path, local: Path) -> None:
    """Let a file of the cache have a name of its own here."""
    local.unlink(missing_ok=True)
    try:
        os.link(file, local)
    except OSError:  # the cache is on another disk
        local.symlink_to(file)


def find_braces(mirror: Mirror) -> list[ShardPlace]:
    """Find the shards that an address with braces means, and fetch lists of names beside them.

    [] where it has none. UserError where one is missing.
    """
    if not BRACES.search(mirror.address) or not mirror.address.lower().endswith(".tar"):
        return []
    folder = mirror.address.rpartition("/")[0]
    places = [address.removeprefix(f"{folder}/") for address in expand_braces(mirror.address)]
    from assay.curation.media.remote import list_beside

    known = list_beside(folder)
    if any("/" in name for name in places):  # braces in the name of a folder
        raise UserError(
            f"expected braces in the name of a file, found {mirror.address}",
            f"import the folder: {folder[: folder.find('{')].rpartition('/')[0]}",
        )
    if known is not None and (gone := [name for name in places if name not in set(known)]):
        raise UserError(
            f"expected {format_count(len(places), 'shard')}, found {len(gone):,} missing, first {folder}/{gone[0]}",
            "check the numbers in the braces",
        )
    for name in NAMES:
        mirror.path.with_name(name).unlink(missing_ok=True)
        if known and name in known:
            link_file(f"{folder}/{name}", mirror.path.with_name(name))
    return [make_place(name, f"{folder}/{name}") for name in places]


def make_place(name: str, address: str) -> ShardPlace:
    from assay.curation.media.remote import take_told
    from assay.curation.media.remote_stream import clean_stamp

    size, stamp = take_told(address)
    return ShardPlace(name, address, size, clean_stamp(stamp))


def mirror_folder(mirror: Mirror) -> list[ShardPlace]:
    """Make a folder of the same names, but for its shards; images are empty there.

    Returns the shards.
    """
    import shutil

    from assay.curation.media.remote import fetch_files, list_folder

    root, local = mirror.address, mirror.path
    shutil.rmtree(local, ignore_errors=True)
    local.mkdir()
    wanted, bad, shards = [], [], []
    for n, name in enumerate(list_folder(root)):
        if n == MOST_FILES:
            raise UserError(
                f"expected at most {format_count(MOST_FILES, 'file')} below {root}, found more",
                "import a folder in it, or a table of its images",
            )
        if not make_empty(local, name):
            bad.append(name)
        elif name.lower().endswith(SHARDS):
            (local / name).unlink()
            shards.append(make_place(name, f"{root}/{name}"))
        elif name.lower().endswith(readable_endings()):
            wanted.append(name)
    for indices, found in fetch_files([f"{root}/{name}" for name in wanted], fresh=True):
        name = wanted[indices[0]]
        if isinstance(found, BadMedia):
            raise UserError(f"expected to read {root}/{name}, found that it {found}", "check it")
        link_here(found.file, local / name)
    mirror.unread.extend(describe_names(bad, "has a name that no file can have here"))
    return shards


def make_empty(root: Path, name: str) -> bool:
    """Make an empty file; False where none can be called so."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        return False
    try:
        place = root.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    except (OSError, ValueError):  # too long, or a folder has the name of a file
        return False
    return place.is_file()


def describe_names(names: list[str], why: str) -> Iterator[Unread]:
    if names:
        yield Unread(os.path.splitext(names[0])[1].lower(), len(names), names[0], why)


def readable_endings() -> tuple[str, ...]:
    """List the endings of files that a format may open."""
    members: list[Any] = [*list_formats(ReadableFormat), *list_containers()]
    return (*TEXTS, *sorted({suffix for member in members for suffix in member.suffixes}))


def safe_part(name: str) -> str:
    """Make a name that a file can have."""
    plain = name.replace("/", "-").replace("\0", "")[-120:]
    return plain if plain not in ("", ".", "..") else "source"
