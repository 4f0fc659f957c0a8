"""Which column of a table holds texts, and whether images were meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading
from assay.curation.formats.table_cells import Table
from assay.curation.formats.table_labels import NAMED as LABELS
from assay.curation.formats.table_labels import plain_name
from assay.curation.formats.table_splits import choose_column
from assay.curation.media.locations import Place

# as people call it, without _ and capitals; of several the first holds the texts, which is said
NAMED = (
    "text sentence review reviewtext content body message tweet comment post document question query utterance"
    " abstract description article news story complaint feedback headline title summary string sentence1 premise"
    " textdata rawtext fulltext textcontent"
).split()
LOOKED_AT = 200  # cells
ROW_COLUMNS = (
    4  # beside a column of sentences that is not called so, from which on rows may be meant
)
WORDS = 3  # blanks in a cell of most rows, from which on a column is one of texts


def choose_text_column(
    columns: dict[str, list], asked: str | None, file: str, notes: list[str]
) -> str | None:
    """Choose the column of texts: named so, or the only one of long strings.

    columns: the cells of those that may be it. AmbiguousSource where several could be.
    """
    if asked:
        return asked
    named = [c for c in columns if plain_name(c) in NAMED and holds_words(columns[c], 0)]
    if named:
        first = min(named, key=lambda c: NAMED.index(plain_name(c)))
        if len(named) > 1:
            others = ", ".join(c for c in named if c != first)
            notes.append(
                f"the texts are in {first}, {others} is metadata (--text-column names another)"
            )
        return first
    long = [c for c in columns if holds_words(columns[c], WORDS) and differ(columns[c])]
    if len(long) > 1:
        raise AmbiguousSource(
            f"expected one column of texts in {file}, found {len(long)}: {', '.join(long)}",
            [
                Reading(f"such as {next(list_texts(columns[c]))[:80]}", f"--text-column {c}")
                for c in long
            ],
        )
    return long[0] if long else None


def differ(values: list) -> bool:
    """Whether most strings are different: few that come again and again are categories."""
    texts = list(list_texts(values))
    return 2 * len(set(texts)) > len(texts)


def holds_words(values: list, blanks: int) -> bool:
    """Whether most cells are strings with so many blanks, and no numbers alone."""
    texts = list(list_texts(values))
    words = sum(text.count(" ") >= blanks for text in texts)
    numbers = all(re.fullmatch(r"[\d\s.,eE+-]*", text) for text in texts)
    return bool(texts) and 2 * words > len(texts) and not numbers


def list_texts(values: list) -> Iterator[str]:
    """Give the first cells of a column, if they are strings."""
    found = [v for v in values[: LOOKED_AT * 10] if v is not None][:LOOKED_AT]
    if all(isinstance(v, str) for v in found):
        yield from found


def refuse_both(table: Table, image: str, text: str, file: str) -> AmbiguousSource:
    """Ask whether a table is one of images or of texts."""
    return AmbiguousSource(
        f"expected a table of images or of texts in {file}, found columns for both",
        [
            Reading(
                f"{what} in {column}, such as {next(list_texts(table.columns[column]), '')[:80]}",
                f"--{role}-column {column}",
            )
            for what, role, column in (("texts", "text", text), ("images", "image", image))
        ],
    )


def refuse_texts_or_rows(table: Table, text: str, taken: set, file: str) -> None:
    """Ask whether a table is one of texts or of rows, where its texts are one column of many."""
    others = [name for name in table.columns if name not in taken]
    if plain_name(text) in NAMED or len(others) < ROW_COLUMNS:
        return
    raise AmbiguousSource(
        f"expected texts or rows in {file}, found a column of sentences beside {len(others)} others",
        [
            Reading(
                f"each row is a sample, described by {', '.join(others[:5])} ...", "--media row"
            ),
            Reading(
                f"texts in {text}, such as {next(list_texts(table.columns[text]), '')[:80]}",
                f"--text-column {text}",
            ),
        ],
    )


def place_texts(path: str, table: Table) -> Iterator[Place]:
    """Say where the text of each row lies: the table and the row."""
    if table.shards:
        return (
            Place(f"{shard.name}::{i}", f"{path}/{shard.name}::{i}", "")
            for shard in table.shards
            for i in range(shard.rows)
        )
    return (Place(str(i), f"{path}::{i}", "") for i in range(len(table.places)))


def choose_media(
    table: Table,
    asked: dict[str, str | None],
    choose_image: Callable[[], str | None],
    is_of_images: Callable[[str], bool],
    file: str,
    notes: list[str],
) -> tuple[str, str | None]:
    """Choose what the rows are, ("image" or "text"), and the column that holds it.

    choose_image: finds the column of images, if there is one. is_of_images: whether a column is
    surely one. AmbiguousSource for a table that could be both.
    """
    named: dict[str, Any] = {role: asked.get(role) for role in ("image", "text")}
    if named["text"] and named["text"] != "none":
        return "text", choose_column(table, "text", named["text"])
    image = choose_image()
    if named["image"] or named["text"] or (image and is_of_images(image)):
        return "image", image
    taken = {image, *filter(None, asked.values())}
    free = {
        name: values
        for name, values in table.columns.items()
        if name not in taken and plain_name(name) not in LABELS
    }
    text = choose_text_column(free, None, file, notes)
    if image and text:
        raise refuse_both(table, image, text, file)
    return ("image", image) if image or not text else ("text", text)
