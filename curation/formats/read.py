"""Read any source: its format and its samples."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from assay.curation.errors import (
    AmbiguousSource,
    MissingFile,
    Question,
    Reading,
    UnknownName,
    UserError,
)
from assay.curation.formats.base import (
    ArchiveFormat,
    ImportOptions,
    Listing,
    ReadableFormat,
    Source,
    choose_best,
    list_formats,
)
from assay.curation.formats.class_words import note_blank_words
from assay.curation.formats.in_place import find_unfinished
from assay.curation.formats.mirrors import Mirror
from assay.curation.formats.remote_source import fetch_source
from assay.curation.formats.sample_addresses import place_samples, settle_addresses
from assay.curation.formats.split_words import map_splits
from assay.curation.media.addresses import clean_address, is_address, name_of, scheme_of
from assay.curation.media.stream_decoding import StreamDecoder
from assay.curation.system.collector import pause_collector
from assay.curation.tasks.base import Task, find_task, list_members
from assay.curation.text import format_count

# formats that have one class an image, or refuse objects; and the one that makes labels of objects
HAS_OBJECTS, TAGS = ("annotations", "coco-classes", "cvat"), "image-tags"


def read_source(
    path: str | Path,
    options: ImportOptions | None = None,
    decoder: Callable[[str], StreamDecoder] | None = None,
) -> Source:
    """Read what a folder or manifest lists; no image is opened.

    decoder: given the name of a source, makes what decodes the images of shards at addresses while these are read.

    -> Source: `frame` has key, uri, label (or None), split (or None: to be drawn) and meta; group
    if one is named; id and content_hash if Assay exported it. Any other row without a label is in
    pool, whatever it says. `left_out` [(key, reason)] are bad rows, `kind` says what was read and
    `format` by which format, `notes` are worth printing.
    Raises UserError for what makes the whole source unusable.
    """
    options = options or ImportOptions()
    if is_address(str(path)):
        return read_address(str(path), options, decoder)
    path = Path(os.path.abspath(Path(path).expanduser()))
    if backup := find_unfinished(path):
        raise UserError(
            f"expected {path.name} to be whole, found that a mending in place was interrupted ({backup.name})",
            "assay export --in-place with the same bench finishes it",
        )
    try:
        with pause_collector():
            reader = find_format(path, options.format, options.multilabel)
            return make_source(reader.read(path, options), options, path)
    except OSError as e:
        raise UserError(
            f"cannot read {e.filename} ({e.strerror})", "is it still there, and may you read it?"
        ) from e


def read_address(
    address: str, options: ImportOptions, decoder: Callable[[str], StreamDecoder] | None
) -> Source:
    """Read a source at an address: see read_source."""
    if scheme_of(address) == "file":
        return read_source(url2pathname(urlsplit(address).path), options)
    name = options.name or name_of(clean_address(address))

    def check(mirror: Mirror) -> None:
        """Ask what the first shard shows to be in doubt, before the others are fetched."""
        try:
            read_mirror(mirror, options)
        except AmbiguousSource:
            raise
        except UserError:  # the others may have what is missing
            pass

    mirror = fetch_source(address, options, decoder and decoder(name), check)
    return place_samples(read_mirror(mirror, options), mirror)


def read_mirror(mirror: Mirror, options: ImportOptions) -> Source:
    """Read what was fetched of a source; its errors name the address."""
    try:
        return read_source(mirror.path, options)
    except UserError as e:
        e.reword(lambda text: text.replace(str(mirror.path), mirror.address))
        raise


def choose_task(listing: Listing, options: ImportOptions, labelled: bool) -> Task:
    """Choose what labels say: as asked, where these can say it; else as the format has it."""
    found = find_task(listing.task)
    asked = find_task(options.task) if options.task else found
    if labelled and asked.several != found.several:
        raise UserError(
            f"expected {asked.noun} in {listing.name}, as --task {asked.name} says, found {found.noun}",
            "leave --task out" + ("; --multilabel reads a|b as two" if asked.several else ""),
        )
    return asked


def make_source(listing: Listing, options: ImportOptions, path: Path | None = None) -> Source:
    """Make a source of what a format listed: see read_source."""
    samples = [sample for batch in listing.batches for sample in batch]
    notes = list(listing.notes)
    if not samples:
        raise refuse_all(listing)
    samples = settle_addresses(samples, listing.left_out, notes)
    map_splits(samples, options.split_map, notes)
    refuse_own_splits(samples, options, listing.name)
    exported = "id" in samples[0]
    if options.pictures_only:
        for sample in samples:
            sample["label"] = None
    labels = {sample["label"] for sample in samples} - {None}
    task = choose_task(listing, options, bool(labels))
    classes = set(list_members(task, labels))
    if len(classes) == 1 and not exported and not task.several:
        lost = listing.left_out
        without = ""
        if lost:
            left_out = format_count(len(lost), "row", "is", "are")
            without = f" ({left_out} left out, first {lost[0][0]}: {lost[0][1]})"
        raise UserError(
            f"expected at least two classes in {listing.name}, found one: {classes.pop()}{without}",
            "are the class folders one level deeper? import that folder; "
            "--label-column names another column; --pictures-only imports the images without labels",
        )
    if not exported:
        notes += note_blank_words(
            name for sample in samples if sample["label"] for name in task.members(sample["label"])
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
        listing.roles,
        listing.unread,
        [] if options.pictures_only else listing.classes,
        str(path or ""),
        {} if options.pictures_only else listing.parents,
        listing.media,
        listing.columns,
        "classification" if options.pictures_only else task.name,
    )


def refuse_own_splits(samples: list[dict], options: ImportOptions, name: str) -> None:
    """Refuse to draw splits of a source that names its own."""
    counts = Counter(sample["split"] for sample in samples if sample["split"] not in (None, "pool"))
    found = ", ".join(f"{n:,} in {split}" for split, n in counts.items())
    if options.shares and counts:
        raise Question(
            f"expected a source without splits for --split, found {found} in {name}",
            "leave --split out to keep them; of a table --split-column none does not read them; "
            "assay split draws them anew once it is imported",
        )
    if options.no_test and counts["test"]:
        raise Question(
            f"expected no test split for --no-test, found {found} in {name}",
            "leave --no-test out, or say what they are: --split-map test=val",
        )


def find_format(path: Path, asked: str | None = None, multilabel: bool = False) -> ReadableFormat:
    """Find the format of a source, or the one called `asked`.

    multilabel: several labels a sample are asked for, which an image's objects may be.

    UserError says what each format expects; AmbiguousSource names the formats where several are
    sure that it is theirs.
    """
    formats = list_formats(ReadableFormat)
    if asked:
        return find_asked(formats, asked)
    matches = [f.matches(path) for f in formats]
    sure = [(f, m) for f, m in zip(formats, matches) if m.answer == "sure"]
    if len(sure) > 1:
        raise AmbiguousSource(
            f"expected {path.name} to be of one format, found signs of {len(sure)}",
            [Reading(match.why, f"--format {f.name}") for f, match in sure],
        )
    if found := choose_best(formats, matches):
        return find_asked(formats, TAGS) if multilabel and found.name in HAS_OBJECTS else found
    if not path.exists():
        problem = f"expected a folder or a file to import, found nothing at {path}"
        raise MissingFile(problem, "check the path", path)
    readable = [*formats, *list_formats(ArchiveFormat)]
    suffixes = sorted({suffix for f in readable for suffix in f.suffixes})
    expected = f"expected a folder or a file that ends in {' '.join(suffixes)}"
    # of a file only the formats with its ending tell anything
    near = [path.is_dir() or path.name.lower().endswith(tuple(f.suffixes)) for f in formats]
    whys = [f"{f.name} {m.why}" for f, m, is_near in zip(formats, matches, near) if is_near]
    hint = "; ".join(whys) or "assay docs opens the reference of formats, which lists what is read"
    raise UserError(f"{expected}, found another kind of file at {path}", hint)


def find_asked(formats: list[ReadableFormat], asked: str) -> ReadableFormat:
    """Find the format that is called `asked`."""
    by_name = {f.name: f for f in formats}
    if asked not in by_name:
        names = ", ".join(by_name)
        raise UnknownName(
            f"expected --format to be one of {names}, found {asked}",
            "leave it out, and Assay looks which it is",
            asked,
            by_name,
        )
    return by_name[asked]


def refuse_all(listing: Listing) -> UserError:
    key, reason = listing.left_out[0]
    return UserError(
        f"{listing.name}: none of its {format_count(len(listing.left_out), 'row')} can be used; {key} {reason}",
        "paths are relative to the manifest's folder; --image-column says which column holds them; "
        "--images FOLDER says where the images are",
    )
