"""What a format is: how a source is recognised, read and written.

A format is one file of this package, or of another distribution (see plugins.discover), with a
member FORMAT. It has a `name` and those of the abilities below that make sense for it: most read,
some write. Nothing else has to be touched when one is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

from assay.curation.plugins import discover

if TYPE_CHECKING:
    import pandas as pd

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
    # image, label, split, id, group -> its column; "none": there is none; absent: guess it
    split_map: dict[str, str] = field(default_factory=dict)  # the source's name of a split -> ours
    images: str | Path | None = None  # where the images of an exported manifest lie now
    skip_bad: bool = False  # leave out what cannot be used, instead of refusing all
    # for the import that compares it with the bench
    name: str | None = None  # of the source in the bench; None: as the source is called
    audited_test: bool = False  # the labels of the test split have been verified
    yes: bool = False  # many samples may be gone
    refreeze_test: bool = False  # the frozen test split may change


@dataclass(frozen=True)
class Listing:
    """What a source lists, as its format reads it; no image has been opened.

    A sample is a dict of key, uri, label (or None), split (the source's name of it, or None) and
    meta (a dict); of group, where one is named; of id and content_hash, where Assay exported it.
    """

    format: str
    kind: str  # what was read, in words: "split folders", "csv manifest"
    name: str  # what the source is called
    batches: Iterable[list[dict]]  # of samples; one list, where a format knows all at once
    left_out: list[tuple[str, str]]  # (key, reason) of bad rows; complete after the last batch
    notes: list[str] = field(default_factory=list)  # what was guessed, or not read: worth printing
    classes: list[str] = field(default_factory=list)  # in its order, where it has a list of them


class Source(NamedTuple):
    """A source that was read: its samples, and what was said about them on the way."""

    frame: (
        pd.DataFrame
    )  # key, uri, label, split (ours, or None: to be drawn), meta, ...: see Listing
    left_out: list[tuple[str, str]]
    kind: str
    name: str
    notes: list[str]
    format: str = ""  # the name of the format that read it, if one did
    classes: Sequence[str] = ()  # its class list, in order, where it has one


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


@runtime_checkable
class WritableFormat(Format, Protocol):
    def write(self, folder: Path, samples: pd.DataFrame, copy: bool) -> None:
        """Write samples (a state with a column sample_id) into an empty folder.

        `copy`: take the images along; else they stay where they are, and are named or linked.
        """


@runtime_checkable
class PatchableFormat(Format, Protocol):
    """One in whose layout a source can be written again, with only its labels changed."""

    def fits(self, samples: pd.DataFrame) -> Match: ...  # whether a source had this format

    def patch(self, folder: Path, source: str, samples: pd.DataFrame, copy: bool) -> None:
        """Write the samples of a source below `folder`, under its name."""


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
