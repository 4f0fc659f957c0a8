"""Find a bench's images again after a move."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from assay.curation.errors import UserError, require_file
from assay.curation.media.addresses import is_address
from assay.curation.media.base import media_of
from assay.curation.media.containers.base import split_uri
from assay.curation.media.locations import index_by_hash
from assay.curation.storage.interface import Bench, Progress
from assay.curation.text import format_count


def is_in_place(uri: str) -> bool:
    """Whether an image's file is there, or the container around it.

    An address is taken for being in its place: nobody asks the network."""
    if is_address(uri):
        return True
    inside = split_uri(uri)
    return os.path.isfile(inside.path if inside else uri)


def current_uri(bench: Bench, sample: str, uri: str) -> str:
    """Find where the image of a sample lies now.

    At `uri`, as a state read earlier has it, or wherever it was found since."""
    if is_in_place(uri):
        return uri
    return bench.rows("select uri from samples where id = ?", [sample])[0][0]


class MovedImages(NamedTuple):
    """How many images lie where the bench says no longer."""

    count: int
    asked: int  # of so many kept samples
    first: str  # the path of the first that is gone, or ""


def count_moved_images(bench: Bench, most: int = 200) -> MovedImages:
    """Count moved images among up to `most` kept samples, evenly drawn; texts and rows lie in the bench."""
    if media_of(bench).column:
        return MovedImages(0, 0, "")
    state = bench.state()
    kept = state.keep.to_numpy().nonzero()[0]
    asked = state.uri.iloc[kept[:: max(1, -(-len(kept) // most))]]
    lost = [sample for sample, uri in asked.items() if not is_in_place(uri)]
    # where they were found since: one question for all, since every page asks it
    known = "select uri from samples where id in (select unnest(?)) order by rowid"
    lost = [uri for (uri,) in bench.rows(known, [lost]) if not is_in_place(uri)] if lost else []
    return MovedImages(len(lost), len(asked), lost[0] if lost else "")


def relocate_images(
    bench: Bench, folder: str | Path, progress: Progress | None = None
) -> dict[str, int | str | None]:
    """Find moved images under `folder` by their bytes.

    They are read there from now on, whatever they are called there. No edit: where an image lies is no fact
    about it. Returns gone, found, left, and first, the key of the first that was not found. UserError where
    nothing has moved, or nothing is found."""
    import pandas as pd

    folder = os.path.abspath(os.path.expanduser(folder))
    require_file(folder, "the folder where the images are now", "check the path")
    samples = bench.query("select id, key, uri, content_hash from samples order by rowid")
    lost = samples[[not is_in_place(uri) for uri in samples.uri]]
    if not len(lost):
        raise UserError(
            f"expected images that have moved, found all {len(samples):,} where they were",
            "there is nothing to do",
        )
    at = index_by_hash(folder, progress)
    found = pd.DataFrame(dict(id=lost.id, uri=lost.content_hash.map(at))).dropna()
    if not len(found):
        raise UserError(
            f"expected some of {format_count(len(lost), 'image')} under {folder}, "
            f"found none by their bytes: {len(at):,} others are there",
            "were they changed, or made smaller? then they are other images: import them as a new source",
        )
    with bench.transaction() as con:
        con.register("places", found)
        con.execute("update samples set uri = places.uri from places where samples.id = places.id")
    bench.states.clear()  # they tell the old places
    left = lost[~lost.id.isin(found.id)]
    first = left.key.iloc[0] if len(left) else None
    return dict(gone=len(lost), found=len(found), left=len(left), first=first)
