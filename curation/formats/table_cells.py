"""A table in memory: its cells and where they are."""

from __future__ import annotations

from collections import Counter
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
        raise refuse_width(f"{n:,}", name)


def refuse_width(found: str, name: str) -> UserError:
    """Say that a table has too many columns."""
    return UserError(
        f"expected a table of at most {format_count(MOST_COLUMNS, 'column')}, found {found} in {name}",
        "keep those that you need, the label among them",
    )


def name_columns(cells: Sequence[Any], file: str, skip_bad: bool = False) -> list[str]:
    """Read the columns' names of a header; "" for one that is not read.

    UserError where two have the same name; with skip_bad only the first of them is read.
    """
    header = ["" if cell is None else str(cell).strip() for cell in cells]
    check_width(len(header), file)
    twice = [name for name, n in Counter(header).items() if n > 1 and name]
    if twice and not skip_bad:
        raise UserError(
            f"{file} has two columns named {twice[0]}",
            "rename one of them; --skip-bad reads the first alone",
        )
    return [name if header.index(name) == i else "" for i, name in enumerate(header)]


def describe_repeated(cells: Sequence[Any], header: Sequence[str]) -> list[str]:
    """Say which columns of a header are not read, as an earlier one has their name."""
    again = [
        f"{str(cell).strip()} (column {i + 1})"
        for i, (cell, name) in enumerate(zip(cells, header))
        if not name and cell is not None and str(cell).strip()
    ]
    return [f"not read, for an earlier column has their name: {', '.join(again)}"] if again else []


REPEATED = "says the columns' names again"  # why a row is left out


def repeats_header(row: Sequence[Any], names: Sequence[Any]) -> bool:
    """Whether a row is the header again, as files that were put together have it."""
    said = ["" if cell is None else str(cell).strip() for cell in row]
    return any(said) and said == ["" if name is None else str(name).strip() for name in names]
