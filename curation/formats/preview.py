"""Say how a source would be read, without importing it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from assay.curation.formats.archive_names import find_unpacker
from assay.curation.formats.base import ImportOptions, Source
from assay.curation.formats.read import read_source
from assay.curation.formats.remote_source import fetch_archive
from assay.curation.system.scratch import scratch_folder
from assay.curation.tasks.base import find_task


def preview_source(path: str | Path, options: ImportOptions | None = None) -> dict:
    """Read what a source lists, and return how it was read.

    No image is opened, and nothing is written. Returns {source, format, kind, samples, unlabelled,
    classes {name: count} in the source's order, splits {name: count; "to be drawn": count}, roles,
    unread, left_out [[key, reason]], notes}. Raises what read_source raises.
    """
    there = fetch_archive(os.path.expanduser(path))
    archive = find_unpacker(there, options.format if options else None)
    if archive is None:
        return describe_source(read_source(path, options))
    # a folder of its own: another zip may be called the same
    with tempfile.TemporaryDirectory(dir=scratch_folder(), prefix="preview-") as place:
        with open(there, "rb") as file:
            skip_bad = (options or ImportOptions()).skip_bad
            found = archive.unpack(file, there.name, Path(place, "unpacked", there.stem), skip_bad)
        return describe_source(read_source(found, options))


def describe_source(source: Source) -> dict:
    """Describe a source as preview_source returns it."""
    frame = source.frame
    task = find_task(source.task)
    counts = frame.label.dropna().map(task.members).explode().value_counts()
    order = [name for name in source.classes if name in counts]
    order += sorted(set(counts.index) - set(order))
    splits = frame["split"].fillna("to be drawn").value_counts()
    return dict(
        source=source.name,
        format=source.format,
        kind=source.kind,
        samples=len(frame),
        unlabelled=int(frame.label.isna().sum()),
        classes={name: int(counts[name]) for name in order},
        splits={split: int(n) for split, n in splits.items()},
        roles=source.roles,
        unread=[asdict(unread) for unread in source.unread],
        left_out=[list(row) for row in source.left_out],
        notes=source.notes,
    )
