"""A table in memory: its cells and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.curation.errors import UserError
from assay.curation.text import format_count

MOST_COLUMNS = 10_000  # a table of more is none that people made


class Places:
    """Where each row is, in words, such as "line 7"; made when asked for."""

    def __init__(self, word: str, numbers: Sequence[int]) -> None:
        self.word, self.numbers = word, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, i: int) -> str:
        return f"{self.word} {self.numbers[i]}"


@dataclass(frozen=True)
class Shard:
    """One of the files over which a table is spread."""

    name: str  # its path in the folder of the table
    start: int  # the number of its first row in the table
    rows: int


@dataclass(frozen=True)
class Table:
    """The cells of a table, but for columns of bytes."""

    columns: dict[str, list[Any]]
    places: Places
    left_out: list[tuple[str, str]] = field(default_factory=list)  # (place, reason) of bad rows
    byte_columns: list[str] = field(default_factory=list)  # names of columns that hold images
    image_column: str | None = None  # the likely one of these
    # column -> the values that its type declares, in order
    categories: dict[str, list[str]] = field(default_factory=dict)
    # column -> {name: number}, where the file has numbers and lists their names
    codes: dict[str, dict[str, int]] = field(default_factory=dict)
    class_list: str | None = None  # the member of a JSON file that lists the names of its classes
    shards: list[Shard] = field(default_factory=list)  # none: the table is one file
    notes: list[str] = field(default_factory=list)
    nameless: int = 0  # columns without a name, which are not read


def check_width(n: int, name: str) -> None:
    """Refuse a table of so many columns that they are a mistake."""
    if n > MOST_COLUMNS:
        raise UserError(
            f"expected a table of at most {format_count(MOST_COLUMNS, 'column')}, found {n:,} in {name}",
            "keep the columns of image, label and split",
        )
