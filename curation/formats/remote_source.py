"""Sources at addresses: a table, an archive, or a bucket's folder.

A format reads files. So a file is fetched and, of a folder, what is no image; each image is an empty
file there that has its name alone. The samples are then told where they really lie.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import Question, UserError
from assay.curation.formats.base import ArchiveFormat, ReadableFormat, Source, Unread, list_formats
from assay.curation.media import addresses
from assay.curation.media.containers.base import list_containers
from assay.curation.media.files import BadMedia
from assay.curation.system.scratch import scratch_folder
from assay.curation.text import format_count

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

TEXTS = (".json", ".jsonl", ".ndjson", ".txt", ".names", ".yaml", ".yml", ".xml", ".gz", ".tgz")
MOST_FILES = 2_000_000  # that are listed of a folder
MOST_HOSTS = 5  # that a note names


def fetch_source(given: str) -> Path:
    """Fetch what a format must read of a source.

    Returns where that lies here. Raises UserError.
    """
    address = addresses.clean_address(given)
    addresses.check_scheme(address)
    place = scratch_folder() / "addresses" / sha256(address.encode()).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    local = place / safe_part(addresses.name_of(address))
    if is_folder(address):
        mirror_folder(address, local)
    else:
        link_file(address, local)
        addresses.set_base(place, address.rpartition("/")[0])
    return local


def fetch_archive(source: str | os.PathLike) -> Path:
    """Fetch an archive at an address; else give the path."""
    endings = tuple(suffix for f in list_formats(ArchiveFormat) for suffix in f.suffixes)
    if not addresses.is_address(str(source)) or addresses.scheme_of(str(source)) == "file":
        return Path(source)
    address = addresses.clean_address(str(source))
    return fetch_source(str(source)) if address.lower().endswith(endings) else Path(address)


def place_samples(source: Source, local: Path, given: str) -> Source:
    """Say where a fetched source and its samples really lie."""
    address = addresses.clean_address(given).rstrip("/")
    here = str(local)

    def place(uri: str) -> str:
        return address + uri[len(here) :] if uri.startswith(here) else uri

    frame = source.frame.assign(uri=[place(uri) for uri in source.frame.uri])
    unread = [*source.unread, *_left_out.get(here, [])]
    notes = [*source.notes]
    if moved := int((frame.uri != source.frame.uri).sum()):
        notes.append(describe_fetching(Counter({addresses.host_of(address): moved})))
    return replace(source, frame=frame, path=address, unread=unread, notes=notes)


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
    local.unlink(missing_ok=True)
    try:
        os.link(fetched, local)
    except OSError:  # the cache is on another disk
        local.symlink_to(fetched)


def mirror_folder(address: str, local: Path) -> None:
    """Make a folder of the same names; images are empty there."""
    import shutil

    from assay.curation.media.remote import fetch_files, list_folder

    shutil.rmtree(local, ignore_errors=True)
    local.mkdir()
    root = address.rstrip("/")
    wanted, bad = [], []
    for n, name in enumerate(list_folder(root)):
        if n == MOST_FILES:
            raise UserError(
                f"expected at most {format_count(MOST_FILES, 'file')} below {root}, found more",
                "import a folder in it, or a table of its images",
            )
        if not make_empty(local, name):
            bad.append(name)
        elif name.lower().endswith(readable_endings()):
            wanted.append(name)
    for indices, found in fetch_files([f"{root}/{name}" for name in wanted], fresh=True):
        name = wanted[indices[0]]
        if isinstance(found, BadMedia):
            raise UserError(f"expected to read {root}/{name}, found that it {found}", "check it")
        (local / name).unlink()
        try:
            os.link(found.file, local / name)
        except OSError:
            (local / name).symlink_to(found.file)
    why = "has a name that no file can have here"
    _left_out[str(local)] = list(describe_names(bad, why))


_left_out: dict[str, list[Unread]] = {}  # mirrored folder -> what could not be mirrored


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
