"""WebDataset: tar shards in which a base name is a sample."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch
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
    is_shard,
    shard_name,
)
from assay.curation.formats.shard_images import find_images
from assay.curation.formats.shard_labels import (
    ShardLabels,
    as_label,
    choose_labels,
    exported_labels,
)
from assay.curation.formats.tar_rewrite import rewrite_tar
from assay.curation.media.containers.tar_index import index_tar
from assay.curation.tasks.base import find_task, list_members
from assay.curation.text import find_flaw, format_count

if TYPE_CHECKING:
    import pandas as pd

EXPORTED = ("sample_id", "content_hash")  # fields of the JSON that an export of ours has
IDS = ("__key__", "__url__")  # what webdataset calls a sample


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
        group = options.columns.get("group")
        known = {*labels.cells, *IDS}  # no news about a sample
        rows = []
        for sample, member in samples:
            label, wrong = read_label(sample, labels)
            if wrong:
                left_out.append((sample.key, wrong))
                continue
            meta = {k: v for k, v in sample.cells.items() if k not in known}
            row: dict[str, Any] = dict(
                key=sample.key, uri=f"{sample.path}::{member}", label=label, split=sample.split
            )
            if group:
                row["group"] = as_label(sample.cells.get(group))
            if exported and all(name in meta for name in EXPORTED):
                row |= dict(id=meta["sample_id"], content_hash=meta["content_hash"])
                meta = meta.get("meta", {})
            row["meta"] = meta
            rows.append(row)
        count = len(find_shards(path))
        keys = (sample.key for sample, _ in samples if "." in sample.key)
        dotted = [key for key in keys if "." in os.path.basename(key)]
        if dotted:
            notes.append(
                f"{len(dotted):,} names have further dots, first {dotted[0]}: they were read up to the"
                " last one, where webdataset stops at the first"
            )
        notes += describe_gaps(path, samples)
        if not path.exists():
            notes.append("a name with braces cannot be written again: import the folder for that")
        return Listing(
            self.name,
            "WebDataset shard" if count == 1 else f"{format_count(count, 'WebDataset shard')}",
            path.name,
            [rows],
            left_out,
            notes,
            describe_roles(
                rows, labels, options.columns.get("split") or "the shard's name or folder"
            ),
            unread,
            list_classes(labels),
            task="multilabel" if labels.several else "classification",
        )

    def write(self, folder: Path, export: Export) -> None:
        """Write shards with a .cls and a .json for each image."""
        write_shards(folder, export)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the labels' members alone.

        Shards without a change stay as they are.
        """
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
                name, blob = change_cell(sample, cell, value, labels)
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
            notes.append(
                f"{format_count(moved, 'sample')} changed their split: they stay in their shards"
            )
        return Patch(rewritten, notes=notes)


FORMAT = WebDataset()


def folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def choose_sample_labels(
    path: Path, samples: list[tuple[ShardSample, str]], options: ImportOptions, notes: list[str]
) -> ShardLabels:
    if options.pictures_only:
        return ShardLabels([], None)
    asked = options.columns.get("label")
    first = samples[0][0].cells
    if not asked and path.is_dir() and (path / "assay.json").is_file() and "sample_id" in first:
        return exported_labels([sample for sample, _ in samples], path)
    found = [sample for sample, _ in samples]
    return choose_labels(found, asked, folder_of(path), notes, options.multilabel)


def read_label(sample: ShardSample, labels: ShardLabels) -> tuple[str | None, str | None]:
    """Read a sample's label; returns (label, what is wrong with it)."""
    try:
        label = labels.read(sample)
    except (ValueError, IndexError) as e:
        return None, f"has labels that cannot be read: {e}"
    wrong = find_flaw(label or "")
    return label, wrong and f"has a label that {wrong}"


def describe_roles(rows: list[dict], labels: ShardLabels, said_split: str) -> dict[str, str]:
    """Say what became label, split and metadata."""
    task = find_task("multilabel" if labels.several else "classification")
    names = list_members(task, (row["label"] for row in rows))
    said = " and ".join(f".{c}" if c == "cls" else c for c in labels.cells)
    named = f", named by {labels.names_file.name}" if labels.names_file else ""
    roles = {"label": f"{said}{named} ({format_count(len(names), 'class')})" if names else "none"}
    if missing := sum(row["label"] is None for row in rows):
        roles["unlabelled"] = f"{format_count(missing, 'sample')}"
    splits = Counter(row["split"] for row in rows)
    if any(splits):
        counts = ", ".join(f"{split or 'none'} {n:,}" for split, n in splits.items())
        roles["split"] = f"{said_split} ({counts})"
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
    """Say which shards have no end mark."""
    shards = dict.fromkeys(sample.path for sample, _ in samples)
    open_ended = [shard for shard in shards if not index_tar(shard).complete]
    return [
        f"{shard_name(shard, path)} has no end mark: was its writer stopped?"
        for shard in open_ended[:3]
    ]
