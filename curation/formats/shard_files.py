"""Tar shards, and the samples in them by base name."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from assay.curation.errors import UserError
from assay.curation.formats.split_words import SPLITS
from assay.curation.media.containers.read_ahead import ReadAhead
from assay.curation.media.containers.tar import read_part
from assay.curation.media.containers.tar_index import index_tar, open_tar, read_first_members
from assay.curation.media.containers.tar_record import Member, TarRecord
from assay.curation.media.files import BadMedia
from assay.curation.media.images import SUFFIXES
from assay.curation.text import format_count

BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")
BASE = re.compile(r"((?:.*/)?[^.]+)\.([^/]+)", re.DOTALL)  # as webdataset has it: to the first dot
MOST_SHARDS = 100_000
MOST_TEXT = 1 << 20  # bytes of a label's or a JSON member
FEW = 64  # members that tell whether a tar is a shard
TEXTS = ("cls", "class", "label", "target", "txt", "text")  # endings of text that is read whole


@dataclass(slots=True)
class ShardSample:
    """The members of one sample."""

    key: str  # unique in the source
    path: str  # of its shard
    split: str | None
    members: dict[str, Member] = field(default_factory=dict)  # by ending, without the dot
    cells: dict[str, Any] = field(default_factory=dict)  # text by its ending, JSON by field


def expand_braces(path: str) -> list[str]:
    """Expand {000000..000009} and {a,b} in a path, as a shell does."""
    parts: list[list[str]] = []
    at = 0
    for match in BRACES.finditer(path):
        parts.append([path[at : match.start()]])
        at = match.end()
        if match[3] is not None:
            parts.append(match[3].split(","))
            continue
        first, last = int(match[1]), int(match[2])
        if not 0 <= last - first < MOST_SHARDS:
            raise UserError(
                f"expected up to {format_count(MOST_SHARDS, 'shard')} from the lower number on, found {match[0]}",
                "write {000000..000009}",
            )
        parts.append([f"{n:0{len(match[1])}}" for n in range(first, last + 1)])
    parts.append([path[at:]])
    return ["".join(found) for found in itertools.islice(itertools.product(*parts), MOST_SHARDS)]


def find_shards(path: Path) -> list[str]:
    """Find the tars that a path means.

    Itself, those of a folder, or of a name with braces.
    """
    if path.is_dir():
        entries = sorted(os.scandir(path), key=lambda e: e.name)
        below = [
            found.path
            for entry in entries
            if entry.is_dir() and not entry.name.startswith(".")
            for found in sorted(os.scandir(entry.path), key=lambda e: e.name)
        ]
        found = [*(entry.path for entry in entries if not entry.is_dir()), *below]
        return [f for f in found if f.lower().endswith(".tar") and os.path.isfile(f)]
    if path.suffix.lower() != ".tar":
        return []
    if path.is_file():
        return [str(path)]
    return expand_braces(str(path)) if BRACES.search(str(path)) else []


def is_shard(path: str) -> bool:
    """Whether a tar starts with an image and its label."""
    endings: dict[str, set[str]] = {}
    try:
        for member in read_first_members(path, FEW):
            if match := BASE.fullmatch(member.name):
                endings.setdefault(match[1], set()).add(match[2].lower())
                stem, last = os.path.splitext(member.name)
                endings.setdefault(stem, set()).add(last[1:].lower())
    except (OSError, BadMedia):
        return False
    return any(
        any(is_image(e) for e in found) and found & {*TEXTS, "json", "cls2", "index"}
        for found in endings.values()
    )


@lru_cache(maxsize=1_000)
def is_image(ending: str) -> bool:
    return f".{ending}".endswith(SUFFIXES)


def name_split(path: str, root: Path, split_map: dict[str, str]) -> str | None:
    """Find a split's name in a shard's folder or name: val/0.tar, imagenet-val-0003.tar."""
    shown = os.path.relpath(path, root) if root.is_dir() else os.path.basename(path)
    *folders, name = shown.split(os.sep)
    words = [*folders, *re.split(r"[-_.\d]+", name)]
    known = [word for word in words if word.lower() in SPLITS or word in split_map]
    return known[0] if known else None


def read_shards(
    path: Path, split_map: dict[str, str], left_out: list[tuple[str, str]]
) -> Iterator[ShardSample]:
    """Read the samples of every shard, without their images.

    What cannot be read of a sample is added to `left_out`. UserError where a shard is damaged, or
    holds what no shard does.
    """
    shards = find_shards(path)
    gone = [shard for shard in shards if not os.path.isfile(shard)]
    if gone:
        raise UserError(
            f"expected {format_count(len(shards), 'shard')}, found {len(gone):,} missing, first {gone[0]}",
            "check the numbers in the braces",
        )
    for shard in shards:
        split = name_split(shard, path, split_map)
        prefix = "" if path.is_file() else f"{shard_name(shard, path)}/"
        samples: dict[str, ShardSample] = {}
        members = index_shard(shard)
        dotted = find_dotted(member.name for member in members)
        for member in members:
            base, ending = split_name(member.name)
            if dotted:
                stem, last = os.path.splitext(member.name)
                base, ending = (stem, last[1:]) if stem in dotted else (base, ending)
            key = prefix + base
            if key not in samples:
                samples[key] = ShardSample(key, shard, split)
            samples[key].members[ending.lower()] = member
        with open_tar(shard) as file:
            for sample in samples.values():
                if wrong := read_cells(sample, file):
                    left_out.append((sample.key, wrong))
                else:
                    yield sample


def split_name(name: str) -> tuple[str, str]:
    """Split a member's name at its first dot, as webdataset does.

    The ending is "" where there is none.
    """
    folder, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    if stem and ending:
        return folder + slash + stem, ending
    match = BASE.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def find_dotted(names: Iterable[str]) -> set[str]:
    """Find the dotted stems that an image and its text share.

    Such a stem is img.001. webdataset would read up to the first dot, and find neither a label nor
    one image there.
    """
    endings: dict[str, set[str]] = {}
    for name in names:
        if name.find(".") == name.rfind("."):
            continue
        stem, last = os.path.splitext(name)
        if "." in os.path.basename(stem):
            endings.setdefault(stem, set()).add(last[1:].lower())
    texts = {*TEXTS, "json"}
    return {stem for stem, e in endings.items() if e & texts and any(map(is_image, e))}


def shard_name(shard: str, path: Path) -> str:
    """Name a shard as seen from its source."""
    return os.path.relpath(shard, path if path.is_dir() else path.parent)


def index_shard(shard: str) -> list[Member]:
    """List the files of a tar, in order.

    UserError where it is not sound.
    """
    try:
        return index_tar(shard).members
    except BadMedia as e:
        raise UserError(
            f"expected a sound tar of plain files, found {os.path.basename(shard)}: it {e}",
            "is the file complete? else unpack it where you trust it, and import the folder",
        ) from None


def read_cells(sample: ShardSample, file: ReadAhead | TarRecord) -> str | None:
    """Read the texts and JSON fields of a sample.

    Returns what is wrong with them.
    """
    for ending, member in sample.members.items():
        if ending not in TEXTS and ending != "json":
            continue
        if member.size > MOST_TEXT:
            return (
                f"has a .{ending} of {format_count(member.size, 'byte')}, more than {MOST_TEXT:,}"
            )
        blob = read_part(file, member.data, member.size)
        if isinstance(blob, BadMedia):
            return f"has a .{ending} that {blob}"
        try:
            text = blob.decode("utf-8-sig")
            if ending != "json":
                sample.cells[ending] = text.strip() or None
                continue
            fields = json.loads(text)
        except (ValueError, RecursionError) as e:
            return f"has a .{ending} that cannot be read ({str(e)[:100]})"
        if not isinstance(fields, dict):
            return "has a .json that is no object of fields"
        for name, value in fields.items():
            sample.cells.setdefault(name, value)
    return None
