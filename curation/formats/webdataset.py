"""WebDataset: tar shards in which the files of one base name are a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch, Unread
from assay.curation.formats.shard_changes import (
    add_names,
    change_again,
    change_cell,
    changed_since,
    encode_label,
)
from assay.curation.formats.shard_export import write_shards
from assay.curation.formats.shard_files import (
    ShardSample,
    find_shards,
    is_image,
    is_shard,
    read_shards,
    shard_name,
)
from assay.curation.formats.shard_labels import NAMES, ShardLabels, choose_labels, exported_labels
from assay.curation.formats.tar_rewrite import rewrite_tar
from assay.curation.media.containers.tar_index import index_tar
from assay.curation.media.images import SUFFIXES
from assay.curation.text import find_flaw

if TYPE_CHECKING:
    import pandas as pd

EXPORTED = ("sample_id", "content_hash")  # fields of the JSON that an export of ours has
IDS = ("__key__", "__url__")  # no news about a sample


class WebDataset:
    """Tar shards (WebDataset), read in place: a.jpg, a.cls and a.json are one sample."""

    name = "webdataset"
    suffixes = (".tar",)

    def matches(self, path: Path) -> Match:
        shards = find_shards(path)
        if shards and is_shard(shards[0]):
            return Match(
                "sure", f"has an image and its label by one name in {Path(shards[0]).name}"
            )
        return Match("no", "expects tar shards with files such as a.jpg and a.cls")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the samples of all shards; an image's uri is SHARD::MEMBER."""
        left_out: list[tuple[str, str]] = []
        notes: list[str] = []
        samples, unread = find_images(path, options, left_out)
        labels = choose_sample_labels(path, samples, options, notes)
        exported = (folder_of(path) / "assay.json").is_file() and path.is_dir()
        rows = []
        for sample, member in samples:
            label, wrong = read_label(sample, labels)
            if wrong:
                left_out.append((sample.key, wrong))
                continue
            meta = {k: v for k, v in sample.cells.items() if k not in (*labels.cells, *IDS)}
            row = dict(
                key=sample.key, uri=f"{sample.path}::{member}", label=label, split=sample.split
            )
            if exported and all(name in meta for name in EXPORTED):
                row |= dict(id=meta["sample_id"], content_hash=meta["content_hash"])
                meta = meta.get("meta", {})
            rows.append(row | dict(meta=meta))
        count = len(find_shards(path))
        notes += describe_gaps(path, samples)
        return Listing(
            self.name,
            "WebDataset shard" if count == 1 else f"{count:,} WebDataset shards",
            path.name,
            [rows],
            left_out,
            notes,
            describe_roles(rows, labels),
            unread,
            list_classes(labels),
        )

    def write(self, folder: Path, export: Export) -> None:
        """Write SPLIT-000000.tar, ..., with a .cls number and a .json for each image."""
        write_shards(folder, export)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the labels' members alone; shards without a change stay as they are."""
        found, _ = find_images(source, options, [])
        labels = choose_sample_labels(source, found, options, [])
        by_key = {sample.key: (sample, image) for sample, image in found}
        contents: dict[str, dict[str, bytes | None]] = {}
        added: dict[str, dict[str, list[tuple[str, bytes]]]] = {}
        fresh: list[str] = []  # classes that the list of names gets
        for row in changes.itertuples():
            sample, image = by_key.get(row.key, (None, ""))
            if sample is None or read_label(sample, labels)[0] != row.given_label:
                raise changed_since(row.key, row.given_label)
            members = contents.setdefault(sample.path, {})
            if row.removed:
                members |= {member.name: None for member in sample.members.values()}
                continue
            if row.label == row.given_label:
                continue
            for cell in labels.cells or ["cls"]:
                value = encode_label(labels, cell, row.label, fresh, source)
                name, blob = change_cell(sample, cell, value)
                if name in {member.name for member in sample.members.values()}:
                    members[name] = change_again(members.get(name), blob, cell, value)
                elif blob is not None:
                    after = added.setdefault(sample.path, {}).setdefault(image, [])
                    after.append((name, blob))
        rewritten: dict[str, Callable[[Path], None]] = {
            "" if source.is_file() else shard_name(shard, source): partial(
                rewrite_tar, shard, contents=members, added=added.get(shard)
            )
            for shard, members in contents.items()
            if members or shard in added
        }
        if fresh:
            assert labels.names_file
            rewritten[labels.names_file.name] = partial(add_names, labels.names_file, fresh)
        notes = []
        if moved := int((changes["split"].notna() & ~changes.removed).sum()):
            notes.append(f"{moved:,} samples changed their split: they stay in their shards")
        return Patch(rewritten, notes=notes)


FORMAT = WebDataset()


def folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def find_images(
    path: Path, options: ImportOptions, left_out: list[tuple[str, str]]
) -> tuple[list[tuple[ShardSample, str]], list[Unread]]:
    """Find the image of every sample.

    Returns [(sample, the image's member)] and what was not read. AmbiguousSource where samples
    have several images.
    """
    samples = list(read_shards(path, options.split_map, left_out))
    asked = options.columns.get("image")
    counts = Counter(e for s in samples for e in s.members if is_image(e))
    if any(sum(map(is_image, sample.members)) > 1 for sample in samples) and not asked:
        if len(counts) > 20:
            raise UserError(
                f"expected one image a sample, found {len(counts):,}: names are read up to their first"
                f" dot, such as {samples[0].members[next(iter(samples[0].members))].name}",
                "write them without further dots, or import with --format tar",
            )
        raise AmbiguousSource(
            "expected one image a sample, found several",
            [Reading(f"{n:,} images", f"--image-column {e}") for e, n in counts.most_common(9)],
        )
    if asked and asked not in counts:
        raise UserError(
            f"expected images that end in .{asked}, found {', '.join(counts) or 'none'}",
            "--image-column takes one of these",
        )
    found, unread = [], []
    for sample in samples:
        image = next((e for e in sample.members if (e == asked if asked else is_image(e))), None)
        if image:
            found.append((sample, sample.members[image].name))
        rest = set(sample.members) - {image, *(["json"] if image else ())}
        rest -= {e for e in rest if image and e in sample.cells}
        unread += [(ending, sample.members[ending].name, bool(image)) for ending in rest]
    if not found and left_out:
        key, wrong = left_out[0]
        raise UserError(
            f"{path.name}: none of its {len(left_out):,} samples can be used; {key} {wrong}",
            "mend the shards, or write them again",
        )
    if not found:
        seen = Counter(ending for sample in samples for ending in sample.members).most_common(5)
        endings = ", ".join(f"{n:,} .{ending}" for ending, n in seen)
        raise UserError(
            f"expected images in {path.name}, found {endings or 'none'}",
            f"Assay reads {' '.join(SUFFIXES)}",
        )
    shards = set(find_shards(path))
    beside = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else []
    unread += [
        (f.suffix.removeprefix(".").lower(), str(f.relative_to(path)), True)
        for f in sorted(beside)
        if str(f) not in shards and f.name not in (*NAMES, "assay.json")
    ]
    return found, count_unread(unread)


def count_unread(unread: list[tuple[str, str, bool]]) -> list[Unread]:
    """Count what was not read: (ending, name, whether its sample has an image)."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for ending, name, image in unread:
        groups.setdefault((ending and f".{ending}", image), []).append(name)
    return [
        Unread(ending, len(names), names[0], "" if image else "no image has this name")
        for (ending, image), names in sorted(groups.items())
    ]


def choose_sample_labels(
    path: Path, samples: list[tuple[ShardSample, str]], options: ImportOptions, notes: list[str]
) -> ShardLabels:
    if options.pictures_only:
        return ShardLabels([], None)
    asked = options.columns.get("label")
    first = samples[0][0].cells
    if not asked and path.is_dir() and (path / "assay.json").is_file() and "sample_id" in first:
        return exported_labels([sample for sample, _ in samples], path)
    return choose_labels([sample for sample, _ in samples], asked, folder_of(path), notes)


def read_label(sample: ShardSample, labels: ShardLabels) -> tuple[str | None, str | None]:
    """Read a sample's label; returns (label, what is wrong with it)."""
    label = labels.read(sample)
    wrong = find_flaw(label or "")
    return label, wrong and f"has a label that {wrong}"


def describe_roles(rows: list[dict], labels: ShardLabels) -> dict[str, str]:
    """Say what became label, split and metadata."""
    names = {row["label"] for row in rows} - {None}
    said = " and ".join(f".{c}" if c == "cls" else c for c in labels.cells)
    named = f", named by {labels.names_file.name}" if labels.names_file else ""
    roles = {"label": f"{said}{named} ({len(names):,} classes)" if names else "none"}
    if missing := sum(row["label"] is None for row in rows):
        roles["unlabelled"] = f"{missing:,} samples"
    splits = Counter(row["split"] for row in rows)
    if any(splits):
        counts = ", ".join(f"{split or 'none'} {n:,}" for split, n in splits.items())
        roles["split"] = f"the shard's name or folder ({counts})"
    fields = list(dict.fromkeys(name for row in rows for name in row["meta"]))
    if fields:
        roles["metadata"] = f"{len(fields):,} fields: {', '.join(fields[:10])}"
    return roles


def list_classes(labels: ShardLabels) -> list[str]:
    """List the classes by number, where there are numbers."""
    if labels.names:
        return labels.names
    for cell in labels.cells:
        numbers = {label: str(value) for label, value in labels.raw[cell].items()}
        if cell != labels.shown and all(number.isdigit() for number in numbers.values()):
            return sorted(numbers, key=lambda label: int(numbers[label]))
    return []


def describe_gaps(path: Path, samples: list[tuple[ShardSample, str]]) -> list[str]:
    """Say which shards have no end, as those of a writer that was stopped."""
    shards = dict.fromkeys(sample.path for sample, _ in samples)
    open_ended = [shard for shard in shards if not index_tar(shard).complete]
    return [
        f"{shard_name(shard, path)} has no end mark: was its writer stopped?"
        for shard in open_ended[:3]
    ]
