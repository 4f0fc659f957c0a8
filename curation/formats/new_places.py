"""Follow images that move while their source is mended in place."""

from __future__ import annotations

import json
import os
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Patch, ReadableFormat
from assay.curation.formats.in_place import list_backups
from assay.curation.formats.moves import none_of
from assay.curation.media.base import media_of
from assay.curation.media.containers.base import find_container, split_uri
from assay.curation.media.files import BadMedia, content_hash
from assay.curation.media.originals import iter_bytes
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

# an image in these is found by the number of its row, and a row that goes renumbers all below it
OF_ROWS = ("parquet", "arrow", "npz", "npy", "idx", "mat", "hdf5", "cifar")


class Listed(NamedTuple):
    """A sample as its source lists it."""

    key: str
    uri: str
    label: str | None
    id: str | None  # where Assay exported the source
    text: str | None = None  # of a table of texts, which no uri leads to


class Touched(NamedTuple):
    """The files that a mending wrote, moved or took away."""

    source: Path
    patch: Patch
    backup: Path

    def moved_uris(self) -> dict[str, str]:
        return {f"{self.source}/{a}": f"{self.source}/{b}" for a, b in self.patch.moved.items()}

    def kept_copies(self) -> dict[str, str]:
        """Map each rewritten or removed file to its copy's path.

        The copy lies in the backup.
        """
        source, files = self.source, [*self.patch.rewritten, *self.patch.removed]
        return {
            str(source / file) if file else str(source): str(self.backup / (file or source.name))
            for file in files
        }


def list_places(reader: ReadableFormat, path: Path, options: ImportOptions) -> list[Listed]:
    """List where a source's samples lie, in its own order.

    No image is opened.
    """
    rows = (row for batch in reader.read(path, options).batches for row in batch)
    return [
        Listed(row["key"], row["uri"], row["label"], row.get("id"), row.get("text")) for row in rows
    ]


def drop_said(changes: pd.DataFrame, places: list[Listed]) -> pd.DataFrame:
    """Drop the changes that a source says already.

    A source that was mended before has some of them. A sample that was removed may have left its
    key to another.
    """
    by_key, by_id = {row.key: row for row in places}, {row.id: row for row in places if row.id}
    given, keep = [], []
    for sample, change in zip(changes.index, changes.itertuples()):
        row = by_id.get(sample) if by_id else by_key.get(change.key)
        there = row is not None and (not change.removed or row.uri == change.uri or row.id)
        said = there and not change.removed and row.label == (none_of(change.label))
        given.append(change.label if said else change.given_label)
        same = none_of(given[-1]) == none_of(change.label) and not none_of(change.split)
        keep.append(bool(there) if change.removed else not same)
    if not len(changes):
        return changes
    # of a list of str and None pandas makes NaN, which no format looks for
    left = changes.assign(given_label=given)[keep].astype(object)
    return left.where(left.notna(), None).assign(removed=left.removed.astype(bool))


def follow_images(
    bench: Bench,
    name: str,
    changes: pd.DataFrame,
    before: list[Listed],
    after: list[Listed],
    touched: Touched,
) -> list[str]:
    """Write into the bench where a mended source's images now lie.

    It is one transaction. Removed images lie in the backup. Returns what there is to say about it.
    """
    import pandas as pd

    samples = bench.state().sort_values("keep", kind="stable").rename_axis("id").reset_index()
    copies, moved = touched.kept_copies(), touched.moved_uris()
    files = [file_of(uri) for uri in samples.uri]
    mine = samples[[f in copies or f in moved for f in files]]
    if not len(mine) or before == after and not touched.patch.moved:
        return []
    hashes = dict(zip(mine.uri, mine.content_hash))
    label_of = {row.uri: row.label for row in before} | dict(zip(changes.uri, changes.label))
    removed = set(changes.uri[changes.removed.astype(bool)])
    found = find_certain(before, after, moved, copies, set(changes.uri))
    old = sorted(
        (row.uri for row in before if row.uri in hashes and row.uri not in found),
        key=lambda uri: uri in removed,
    )
    new = {row.uri: row for row in after}
    taken = set(found.values())
    free = [row for row in after if row.uri not in taken and file_of(row.uri) in copies]
    found |= match_bytes([(uri, hashes[uri], label_of[uri]) for uri in old], free)
    texts = {row.uri: row.text for row in after}
    lost = [uri for uri in hashes if uri not in found]
    same = {uri for uri, hash in zip(lost, hash_places(lost, texts)) if hash == hashes[uri]}
    found |= {uri: uri if uri in same else keep_copy(uri, copies) for uri in lost}
    places = [
        dict(id=row.id, uri=found[row.uri], source=row.source, was=row.key)
        | dict(key=new_key(row, new.get(found[row.uri]), name))
        for row in mine.itertuples()
    ]
    frame = pd.DataFrame(places)[[found[uri] != uri for uri in mine.uri]]
    write_places(bench, frame, name)
    gone = sum(uri.startswith(f"{touched.backup}/") for uri in found.values())
    return (
        [
            f"{format_count(gone, media_of(bench).name)} that went lie in {touched.backup} from now on"
        ]
        if gone
        else []
    )


def file_of(uri: str) -> str:
    """The file that holds an image."""
    inside = split_uri(uri)
    return inside.path if inside else uri


def find_certain(
    before: list[Listed],
    after: list[Listed],
    moved: dict[str, str],
    copies: dict[str, str],
    changed: set[str],
) -> dict[str, str]:
    """Find the images whose new place is certain without their bytes.

    Returns {old uri: new uri}.
    """
    now = {row.uri for row in after}
    numbered = {f for f in copies if (c := find_container(f)) and c.name in OF_ROWS}
    certain = dict(moved)
    for uri in (row.uri for row in before if row.uri not in moved):
        file = file_of(uri)
        if uri in now and (file not in copies or file not in numbered and uri not in changed):
            certain[uri] = uri
    return certain


def match_bytes(old: Iterable[tuple[str, str, str | None]], free: list[Listed]) -> dict[str, str]:
    """Match images (uri, hash, label) to free places of equal bytes.

    Copies keep their order, first those of equal labels: rows that stay do not change places.
    """
    there: dict[tuple, deque[str]] = defaultdict(deque)
    texts = {row.uri: row.text for row in free}
    for row, hash in zip(free, hash_places([row.uri for row in free], texts)):
        there[hash, row.label].append(row.uri)
        there[hash, ...].append(row.uri)
    found: dict[str, str] = {}
    taken: set[str] = set()
    old = list(old)
    for by_label in (True, False):
        for uri, hash, label in old:
            places = there[hash, none_of(label) if by_label else ...]
            while uri not in found and places:
                if (place := places.popleft()) not in taken:
                    found[uri] = place
                    taken.add(place)
    return found


def hash_places(uris: list[str], texts: Mapping[str, str | None]) -> list[str | None]:
    """Hash what lies at uris, None for what cannot be read; texts: those that a table's rows hold."""
    hashes: list[str | None] = [None] * len(uris)
    of_files = [i for i, uri in enumerate(uris) if texts.get(uri) is None]
    for i, uri in enumerate(uris):
        if (text := texts.get(uri)) is not None:
            hashes[i] = content_hash(text.encode())
    for i, blob in iter_bytes([uris[i] for i in of_files]):
        hashes[of_files[i]] = None if isinstance(blob, BadMedia) else content_hash(blob)
    return hashes


def keep_copy(uri: str, copies: dict[str, str]) -> str:
    """Find where the backup holds an image.

    Its old place, if the backup has no copy of its file.
    """
    file = file_of(uri)
    return copies[file] + uri.removeprefix(file) if file in copies else uri


def find_in_backups(source: Path, samples: pd.DataFrame) -> dict[str, str]:
    """Find the images of removed samples in a mended source's backups.

    They are images whose bytes are not where the bench says: a mending was killed before it wrote
    down the new place. samples: by id, with uri and content_hash. Returns {sample: its uri in the
    newest backup that has it}.
    """
    backups = list(list_backups(source))
    if not backups or not len(samples):
        return {}
    hashes = samples.content_hash.to_dict()
    uris = samples.uri.to_dict()
    found: dict[str, str] = {}
    for backup in (None, *reversed(backups)):
        left = [sample for sample in uris if sample not in found]
        places = [uris[s] if backup is None else place_in(backup, source, uris[s]) for s in left]
        same = [hash == hashes[s] for s, hash in zip(left, hash_places(places, {}))]
        found |= {s: place for s, place, is_same in zip(left, places, same) if is_same}
    return {sample: uri for sample, uri in found.items() if uri != uris[sample]}


def place_in(backup: Path, source: Path, uri: str) -> str:
    """Find where a backup would keep the image of a source's uri."""
    file = file_of(uri)
    inside = os.path.relpath(file, source)
    kept = backup / (source.name if inside == "." else inside)
    return f"{kept}{uri.removeprefix(file)}"


def new_key(sample: object, row: Listed | None, name: str) -> str:
    """Find the key of a sample at its new place.

    One of another source keeps its own.
    """
    own = sample.source == name and row is not None and row.id is None
    return row.key if own else sample.key


def write_places(bench: Bench, places: pd.DataFrame, name: str) -> None:
    """Write the new places and keys of images into the bench.

    places: id, uri, key and was. Keys are edits, as those that an import finds.
    """
    if not len(places):
        return
    edits = places.rename(columns=dict(id="sample")).assign(
        field="place",
        value=[
            json.dumps(dict(key=row.key, uri=row.uri, was=row.was)) for row in places.itertuples()
        ],
        why=f"{name} was mended in place",
    )
    with bench.transaction() as con:
        con.register("places", places)
        con.execute("update samples set uri = places.uri from places where samples.id = places.id")
        bench.append(con, edits[["sample", "field", "value", "why"]], new_batch("mend"), "assay")
    bench.states.clear()  # cached states have the old places


def refuse_handed_in(bench: Bench, name: str, path: Path) -> None:
    """Refuse to mend a source that was handed in.

    Its owner has another copy of it.
    """
    from assay.curation.formats.uploads import uploads_folder

    if uploads_folder(bench).resolve() in Path(os.path.realpath(path)).parents:
        raise UserError(
            f"expected sources of your own to mend in place, found {name}: it was handed in,"
            " and lies in the bench alone",
            "--format source -o FOLDER writes it again with what changed",
        )
