"""Read a source's rows, and decode and store what they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from assay.curation.errors import UserError, shorten
from assay.curation.formats.base import ImportOptions, Source
from assay.curation.media.base import media_type
from assay.curation.storage.interface import Bench, Progress
from assay.curation.text import format_count
from assay.pipelines.indexing.recognition import object_column

if TYPE_CHECKING:
    import pandas as pd


class UsableRows(NamedTuple):
    """The rows of a source whose images or texts could be decoded."""

    frame: pd.DataFrame  # with content_hash and size
    left_out: list[tuple[str, str]]  # (key, reason) of the others
    notes: list[str]  # on how they were read


def decode_rows(
    bench: Bench, source: Source, name: str, options: ImportOptions, progress: Progress | None
) -> UsableRows:
    """Decode and store the images or texts of a source.

    Raises UserError for bad rows, unless they are to be skipped.
    """
    frame = clean_rows(source)
    media = media_type(source.media)
    stored = media.store(bench, name, frame, progress)
    hashes, sizes = stored.hashes, stored.sizes
    bad = [*source.left_out, *stored.bad, *drop_changed_images(frame, hashes)]
    left_out = [(key, shorten(reason)) for key, reason in bad]
    if left_out and not options.skip_bad:
        raise refuse_bad_rows(source, frame, left_out, options)
    good = [h is not None for h in hashes]
    frame = (
        frame[good]
        .assign(content_hash=[h for h in hashes if h], size=[s for s, g in zip(sizes, good) if g])
        .reset_index(drop=True)
    )
    if not len(frame):
        raise UserError(
            f"expected at least one usable {media.name} in {source.name}, found none of {len(good):,}",
            "mend the files",
        )
    return UsableRows(frame.drop(columns=["text", "read"], errors="ignore"), left_out, stored.notes)


def clean_rows(source: Source) -> pd.DataFrame:
    """Return the rows of a source, None where a cell is empty.

    Whoever made the frame.
    None, NaN, NA and blanks are empty. A row with neither label nor split is in pool.
    """
    import pandas as pd

    frame, exported = source.frame.copy(), "id" in source.frame
    # an export of ours, or a folder's name: there a blank may be a label
    exact = exported or source.kind.endswith("folders")

    def is_empty(cell):
        if cell is None or cell is pd.NA or cell != cell:
            return True
        return not (str(cell) if exact else str(cell).strip())

    for column in ("label", "split"):
        cells = [None if is_empty(cell) else cell for cell in frame[column]]
        frame[column] = object_column(cells, frame.index)
    if not exported:  # an export may say that a sample of train has no label
        frame.loc[frame.label.isna(), "split"] = "pool"
    return frame


def drop_changed_images(frame: pd.DataFrame, hashes: list[str | None]) -> list[tuple[str, str]]:
    """Drop the hash of images that changed since Assay exported them.

    Returns [(key, reason)].
    """
    exported = frame.get("content_hash", hashes)
    changed = [i for i, (was, h) in enumerate(zip(exported, hashes)) if h and was and was != h]
    for i in changed:
        hashes[i] = None
    return [
        (frame.key.iloc[i], f"has other bytes at {frame.uri.iloc[i]} than were exported")
        for i in changed
    ]


def refuse_bad_rows(
    source: Source, frame: pd.DataFrame, left_out: list[tuple[str, str]], options: ImportOptions
) -> UserError:
    """Say which rows cannot be used, and what to do."""
    shown = "\n  ".join(
        f"{shorten(' '.join(key.split()), 200)}: {reason}" for key, reason in left_out[:10]
    )
    more = f"\n  ... and {len(left_out) - 10:,} more" if len(left_out) > 10 else ""
    hint = "mend them, or import the others with --skip-bad"
    if "id" in frame and not options.images:
        hint += "; --images FOLDER says where the images are now"
    return UserError(
        f"expected {format_count(len(frame) + len(source.left_out), 'usable row')} in {source.name},"
        f" found {len(left_out):,} that are not:\n  {shown}{more}",
        hint,
    )
