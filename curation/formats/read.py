"""Read any source: its format and its samples."""

from __future__ import annotations

import os
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.base import (
    ArchiveFormat,
    ImportOptions,
    Listing,
    ReadableFormat,
    Source,
    choose_best,
    list_formats,
)
from assay.curation.formats.splits import map_splits


def read_source(path: str | Path, options: ImportOptions | None = None) -> Source:
    """Read what a folder or manifest lists; no image is opened.

    -> Source: `frame` has key, uri, label (or None), split (or None: to be drawn) and meta; group
    if one is named; id and content_hash if Assay exported it. Any other row without a label is in
    pool, whatever it says. `left_out` [(key, reason)] are bad rows, `kind` says what was read and
    `format` by which format, `notes` are worth printing.
    Raises UserError for what makes the whole source unusable.
    """
    path = Path(os.path.abspath(Path(path).expanduser()))
    options = options or ImportOptions()
    try:
        return make_source(find_format(path).read(path, options), options)
    except OSError as e:
        raise UserError(
            f"cannot read {e.filename} ({e.strerror})", "is it still there, and may you read it?"
        ) from e


def make_source(listing: Listing, options: ImportOptions) -> Source:
    """Make a source of what a format listed: see read_source."""
    samples = [sample for batch in listing.batches for sample in batch]
    notes = list(listing.notes)
    if not samples:
        raise refuse_all(listing)
    map_splits(samples, options.split_map, notes)
    exported = "id" in samples[0]
    if options.images and not exported:
        raise UserError(
            f"expected a manifest that Assay exported for --images, found {listing.name}",
            "import it without --images",
        )
    classes = {sample["label"] for sample in samples} - {None}
    if len(classes) == 1 and not exported:
        raise UserError(
            f"expected at least two classes in {listing.name}, found one: {classes.pop()}",
            "are the class folders one level deeper? import that folder; "
            "--label-column names another column",
        )
    import pandas as pd

    frame = pd.DataFrame(samples, dtype=object)
    return Source(
        frame,
        listing.left_out,
        listing.kind,
        listing.name,
        notes,
        listing.format,
        listing.classes,
    )


def find_format(path: Path) -> ReadableFormat:
    """Find the format of what lies at `path`.

    UserError says what each format expects.
    """
    formats = list_formats(ReadableFormat)
    matches = [f.matches(path) for f in formats]
    if found := choose_best(formats, matches):
        return found
    readable = [*formats, *list_formats(ArchiveFormat)]
    suffixes = sorted({suffix for f in readable for suffix in f.suffixes})
    expected = f"expected a folder or a file that ends in {' '.join(suffixes)}"
    if not path.exists():
        raise UserError(f"{expected}, found nothing at {path}", "check the path")
    whys = "; ".join(f"{f.name} {match.why}" for f, match in zip(formats, matches))
    raise UserError(f"{expected}, found another kind of file at {path}", f"{whys}: check the path")


def refuse_all(listing: Listing) -> UserError:
    key, reason = listing.left_out[0]
    return UserError(
        f"{listing.name}: none of its {len(listing.left_out):,} rows can be used; {key} {reason}",
        "paths are relative to the manifest's folder; --image-column says which column holds them; "
        "--images FOLDER where an export's images are",
    )
