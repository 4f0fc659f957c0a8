"""What a format is: how a source is recognised, read and written.

A format is one file of this package, or of another distribution (see plugins.discover), with a
member FORMAT. It has a `name` and those of the abilities below that make sense for it: most read,
some write. Nothing else has to be touched when one is added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    BinaryIO,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    runtime_checkable,
)

from assay.curation.formats.split_shares import Shares
from assay.curation.plugins import discover
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

T = TypeVar("T")


class Match(NamedTuple):
    """Whether a path or some samples are of a format, and why."""

    answer: Literal["sure", "maybe", "no"]
    why: str  # what it found, or what it expects: people read it


@dataclass(frozen=True)
class ImportOptions:
    """What an importer says about a source."""

    # for the format that reads it
    columns: dict[str, str | None] = field(default_factory=dict)
    # image, text, label, split, id, group -> its column; "none": there is none; absent: guess it
    split_map: dict[str, str] = field(default_factory=dict)  # the source's name of a split -> ours
    images: str | Path | None = None  # the folder where a table's images lie
    skip_bad: bool = False  # leave out what cannot be used, instead of refusing all
    format: str | None = None  # the format that reads it; None: the one that matches
    class_level: int | None = (
        None  # which folder is the class: 1 is the topmost; None: ask, if in doubt
    )
    pictures_only: bool = False  # import the images without the labels beside them
    multilabel: bool = (
        False  # several labels a sample: a|b in a cell; of boxes the classes in each image
    )
    config: str | None = None  # of a data set that has several configurations
    sheet: str | None = None  # of a workbook: which one is read
    media: str | None = None  # image, text or row: what a table holds, where it could be several
    task: str | None = (
        None  # what its labels say, where a plug-in knows more than one or several classes
    )
    decimal: str | None = None  # "," or ".": the decimal mark of numbers in a table's text
    # for the import that compares it with the bench
    name: str | None = None  # of the source in the bench; None: as the source is called
    audited_test: bool = False  # the labels of the test split have been verified
    yes: bool = False  # many samples may be gone
    refreeze_test: bool = False  # the frozen test split may change
    # for the splits that are drawn
    shares: Shares | None = None  # as asked; None: the usual ones
    no_test: bool = False
    fetch: bool = False  # images at addresses that a handed-in table names may be fetched


@dataclass(frozen=True)
class Unread:
    """Files of a source, of one ending, that were not read."""

    ending: str  # ".txt", or "" for none
    count: int
    first: str  # the path of the first, in the source
    why: str = ""  # where there is more to say than that it is no image


@dataclass(frozen=True)
class Listing:
    """What a source lists, as its format reads it; no image has been opened.

    A sample is a dict of key, uri, label (or None), split (the source's name of it, or None) and
    meta (a dict); of group, where one is named; of id and content_hash, where Assay exported it;
    of votes, where several people gave a label: a list of dicts of label, who and ts (ISO 8601, or
    None), the label's own among them.
    """

    format: str
    kind: str  # what was read, in words: "split folders", "csv manifest"
    name: str  # what the source is called
    batches: Iterable[list[dict]]  # of samples; one list, where a format knows all at once
    left_out: list[tuple[str, str]]  # (key, reason) of bad rows; complete after the last batch
    notes: list[str] = field(default_factory=list)  # what was guessed, or not read: worth printing
    # what became what: {"label": "the folder of each image", "metadata": "2 columns: age, site"}
    roles: dict[str, str] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)  # in the order that the source declares
    parents: dict[str, str] = field(default_factory=dict)  # class -> what it is a kind of
    media: str = "image"  # the media type of all samples; a text or row may be in a sample's `text`
    columns: dict[str, str] = field(default_factory=dict)  # of rows: {column: kind}, in order
    task: str = "classification"  # what the labels say: see curation/tasks


@dataclass(frozen=True)
class Source:
    """A source that was read: its samples, and what was said about them on the way."""

    # key, uri, label, split (ours, or None: to be drawn), meta, ...: see Listing
    frame: pd.DataFrame
    left_out: list[tuple[str, str]]
    kind: str
    name: str
    notes: list[str]
    format: str = ""  # the name of the format that read it, if one did
    roles: dict[str, str] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    path: str = ""  # where it lies, if it lies somewhere
    parents: dict[str, str] = field(default_factory=dict)  # class -> what it is a kind of
    media: str = "image"  # the media type of all samples
    columns: dict[str, str] = field(default_factory=dict)  # of rows: {column: kind}, in order
    task: str = "classification"  # what the labels say: see curation/tasks


class Format(Protocol):
    name: str  # what --format takes, and what Source.format says


@runtime_checkable
class ReadableFormat(Format, Protocol):
    suffixes: tuple[str, ...]  # of its files; () where its sources are folders

    def matches(self, path: Path) -> Match: ...  # reads a header at most

    def read(self, path: Path, options: ImportOptions) -> Listing: ...


@runtime_checkable
class ArchiveFormat(Format, Protocol):
    """One that is unpacked first, and then read as what it holds."""

    suffixes: tuple[str, ...]

    def matches(self, path: Path) -> Match: ...

    def unpack(self, file: BinaryIO, name: str, folder: Path, skip_bad: bool) -> Path:
        """Unpack into a new `folder`; returns the path in it to import."""


@dataclass(frozen=True)
class Export:
    """A version on its way out."""

    samples: pd.DataFrame  # its kept samples: a state with a column sample_id
    # in the order that is declared, those that no sample has too; else those of samples, by name
    classes: list[str]
    copy: bool = False  # take the images along; else they stay, and are named or linked
    bench: Bench | None = None  # for what is known of samples beside their state
    version: str = "HEAD"
    name: str = "data"  # of the bench's folder, for titles
    side: int | None = None  # of the squares that a DecodedFormat makes; None: as the images are
    several: bool = False  # whether a label is a set of classes, as the JSON text of a list


@runtime_checkable
class WritableFormat(Format, Protocol):
    def write(self, folder: Path, export: Export) -> list[str] | None:
        """Write the samples of a version into an empty folder.

        Returns what there is to say about it, a line each.
        """


@dataclass(frozen=True)
class Patch:
    """What must be done to a source's files so that they say what a version says.

    Paths are relative to the source's folder, or "" where the source is one file. Files that it
    does not name stay as they are, to the byte.
    """

    # path -> what writes its new contents to the path that it is given
    rewritten: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)  # old path -> new path
    removed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what could not be said in this format


def note_lost_splits(changes: pd.DataFrame, where: str) -> list[str]:
    """Say how many changed splits a format has no place for, if any."""
    n = int(changes.split.notna().sum())
    return [f"{format_count(n, 'changed split', 'is', 'are')} not said in {where}"] if n else []


@runtime_checkable
class DecodedFormat(WritableFormat, Protocol):
    """One that holds pixels, of the size that an export may ask for; Assay does not read it again."""

    read_by: str  # what reads it


@runtime_checkable
class PatchableFormat(Format, Protocol):
    """One in which a source can be written again, with nothing changed but what people changed."""

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Plan how a source takes over changes; nothing is written yet.

        changes: one row a changed sample, by key: uri, given_label, label (None: it has none any
        more), split (ours; None: unchanged), removed (bool). options: those of the import.
        UserError where the source does not say `given_label` there any more.
        """


@runtime_checkable
class CorrectionsFormat(PatchableFormat, Protocol):
    """One that can write changes alone, as a small file of its own kind."""

    def write_corrections(
        self, source: Path, changes: pd.DataFrame, options: ImportOptions, out: Path
    ) -> None:
        """Write changes to a new file `out`."""


def list_formats(ability: type = object) -> list:
    """List the formats with an ability, such as WritableFormat."""
    modules = discover("assay.curation.formats")
    members = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return [member for member in members if isinstance(member, ability)]


def choose_best(members: Sequence[T], matches: Iterable[Match]) -> T | None:
    """Choose the first sure match, else the first maybe, else None."""
    answers = [match.answer for match in matches]
    for answer in ("sure", "maybe"):
        if answer in answers:
            return members[answers.index(answer)]
    return None
