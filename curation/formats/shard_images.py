"""The image of each sample of a shard."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from assay.curation.errors import AmbiguousSource, Reading, UnknownColumn, UserError
from assay.curation.formats.base import ImportOptions, Unread
from assay.curation.formats.shard_files import ShardSample, find_shards, is_image, read_shards
from assay.curation.formats.shard_labels import NAMES, as_label
from assay.curation.media.images import SUFFIXES
from assay.curation.text import format_count


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
            [
                Reading(f"{format_count(n, 'image')}", f"--image-column {e}")
                for e, n in counts.most_common(9)
            ],
        )
    if asked and asked not in counts:
        raise UnknownColumn(
            f"expected images that end in .{asked}, found {', '.join(counts) or 'none'}",
            "--image-column takes one of these",
            asked,
            counts,
        )
    found, unread = [], []
    use_columns(samples, options)
    for sample in samples:
        image = next((e for e in sample.members if (e == asked if asked else is_image(e))), None)
        if image:
            found.append((sample, sample.members[image].name))
        if image and all(e == image or e == "json" or e in sample.cells for e in sample.members):
            continue
        rest = set(sample.members) - {image, *(["json"] if image else ())}
        rest -= {e for e in rest if image and e in sample.cells}
        unread += [(ending, sample.members[ending].name, bool(image)) for ending in rest]
    if not found and left_out:
        key, wrong = left_out[0]
        raise UserError(
            f"{path.name}: none of its {format_count(len(left_out), 'sample')} can be used; {key} {wrong}",
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


def use_columns(samples: list[ShardSample], options: ImportOptions) -> None:
    """Take splits and keys from the fields that the importer names."""
    cells = {name for sample in samples for name in sample.cells}
    for role in ("split", "id", "group"):
        column = options.columns.get(role)
        if column and column != "none" and column not in cells:
            raise UnknownColumn(
                f"expected an ending or a JSON field {column}, found {', '.join(sorted(cells))}",
                f"--{role}-column takes one of these",
                column,
                cells,
            )
    split, key = options.columns.get("split"), options.columns.get("id")
    seen: set[str] = set()
    for sample in samples:
        if split:
            sample.split = as_label(sample.cells.get(split))
        if key and key != "none":
            text = as_label(sample.cells.get(key))
            if text is None or text in seen:
                raise UserError(
                    f"expected an id of its own for each sample in {key}, found"
                    f" {text or 'none'} at {sample.key}",
                    "leave --id-column out: then the names of the members are the keys",
                )
            seen.add(text)
            sample.key = text


def count_unread(unread: list[tuple[str, str, bool]]) -> list[Unread]:
    """Count what was not read.

    unread: (ending, name, whether its sample has an image).
    """
    groups: dict[tuple[str, bool], list[str]] = {}
    for ending, name, image in unread:
        groups.setdefault((ending and f".{ending}", image), []).append(name)
    return [
        Unread(ending, len(names), names[0], "" if image else "no image has this name")
        for (ending, image), names in sorted(groups.items())
    ]
