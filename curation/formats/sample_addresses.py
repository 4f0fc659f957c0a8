"""Where samples at addresses lie, and what is said of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from assay.curation.errors import UserError
from assay.curation.formats.base import Source
from assay.curation.formats.mirrors import Mirror
from assay.curation.media import addresses
from assay.curation.media.base import media_type
from assay.curation.media.containers.base import match_uri
from assay.curation.media.containers.places import Placed, write_place
from assay.curation.media.containers.tar_index import index_tar
from assay.curation.media.containers.tar_record import is_record
from assay.curation.media.remote_shards import ShardRecord
from assay.curation.text import format_count

MOST_HOSTS = 5  # that a note names


def place_samples(source: Source, mirror: Mirror) -> Source:
    """Say where a fetched source and its samples really lie, and what was read of them.

    Of samples that are files, the uri of one in a shard says where in it it lies, and the column `read` what came of
    it as the shard came.
    """
    import pandas as pd

    of_files, frame = media_type(source.media).column is None, source.frame
    parts = [match_uri(uri) for uri in frame.uri]
    shards = [mirror.shards.get(part.path) if part else None for part in parts]
    uris, last, index = [], "", dict[str, tuple[int, int]]()
    for uri, part, shard in zip(frame.uri, parts, shards):
        if part and shard:
            if of_files and part.path != last:
                index, last = index_members(part.path), part.path
            uris.append(write_uri(part.member, shard, index if of_files else None))
        else:
            uris.append(move_uri(uri, mirror))
    counts = Counter(uri != was for uri, was, shard in zip(uris, frame.uri, shards) if not shard)
    frame, notes = frame.assign(uri=uris), [*source.notes]
    if of_files and any(shards):
        pairs = zip(parts, shards)
        read = [shard.images.get(part.member) if part and shard else None for part, shard in pairs]
        frame["read"] = pd.Series(read, frame.index, dtype=object)
        notes.append(describe_shards(mirror, len(shards) - shards.count(None)))
    if counts[True]:
        notes.append(describe_fetching(Counter({addresses.host_of(mirror.address): counts[True]})))
    unread, left_out = [*source.unread, *mirror.unread], [*source.left_out, *mirror.left_out]
    return replace(
        source, frame=frame, path=mirror.address, unread=unread, left_out=left_out, notes=notes
    )


def write_uri(member: str, shard: ShardRecord, index: dict[str, tuple[int, int]] | None) -> str:
    """Write the uri of a member of a shard, and where it lies; index None: nobody reads it there."""
    if index is not None:
        start, size = index.get(member) or (0, shard.place.size or 0)
        member = write_place(Placed(start, size, shard.place.stamp, member))
    return f"{shard.place.address}::{member}"


def move_uri(uri: str, mirror: Mirror) -> str:
    """Write what lies in a mirror as what lies at its address; others stay."""
    here = str(mirror.path)
    return mirror.address + uri[len(here) :] if uri.startswith(here) else uri


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
        " each was read once and is not kept; an original is read from its shard when it is asked for"
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
