"""Check text for the log, and show it where text can bite.

Text bites in terminals, spreadsheets, CSV lines and folder names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

MAX_NAME = 300  # characters of a label, tag, person or source
MAX_TEXT = 5_000  # characters of a reason or a key
SURROGATE = re.compile("[\ud800-\udfff]")
# marks of direction too
CONTROL = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# what a spreadsheet would run; -1 is a number
FORMULA = re.compile(r"'*(?![+-]?[\d.]+\Z)[=+\-@\t\r]")


def format_count(n: int, noun: str, verb: str = "", verbs: str = "") -> str:
    """Write a number with its noun: '1 label', '2,000 labels'.

    verb, verbs: what follows one, and what follows several, as in '1 label is' and '2 labels are'.
    """
    ending = "es" if noun.endswith(("s", "ch")) else "s"
    words = noun if n == 1 else f"{noun}{ending}"
    return f"{n:,} {words} {verb if n == 1 else verbs}".rstrip()


def find_flaw(text: str, most: int = MAX_NAME) -> str | None:
    """Say what keeps a text out of the log, or None.

    All other text comes back exactly as it went in.
    """
    if len(text) > most:
        return f"has {format_count(len(text), 'character')}, more than {most:,}"
    if "\0" in text:
        return "holds a NUL character"
    if SURROGATE.search(text):
        return "holds half a surrogate pair, so it is not Unicode"
    return None


def check_person(name: str) -> str:
    """Return the name of who decides; UserError for what names nobody."""
    if name == "YOU":
        raise UserError(
            "expected the name of who decides, found YOU, which stands for it",
            "put your own name in its place, as in: --who ann",
        )
    return check_text(name, "the name of who decides")


def check_text(text: str, what: str, most: int = MAX_NAME) -> str:
    """Return the text; UserError where it may not be in the log."""
    if wrong := find_flaw(text, most):
        raise UserError(
            f"expected {what} in plain text, found one that {wrong}: {text[:40]!r}",
            "shorten or mend it",
        )
    return text


def find_alike(names: Iterable[str]) -> list[list[str]]:
    """Group the names that a person would take for one another.

    They differ in nothing but capitals, blanks, accents, characters without a width, or how Unicode
    writes the same letters. Each group has two or more.
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        groups.setdefault(plain_name(name) or name, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def plain_name(name: str) -> str:
    """Write a name without capitals, needless blanks, accents and invisible characters.

    Marks are accents in Latin and Greek letters alone: elsewhere they make another letter.
    """
    out, base = [], ""
    for c in unicodedata.normalize("NFKD", name):
        if unicodedata.combining(c):
            if not base or not unicodedata.name(base, "").startswith(("LATIN", "GREEK")):
                out.append(c)
        elif unicodedata.category(c) != "Cf":
            out.append(c)
            base = c
    folded = unicodedata.normalize("NFKC", "".join(out)).casefold()
    return " ".join(folded.split())


def escape_controls(text: str) -> str:
    """Write control characters as escapes, for a terminal.

    An escape sequence in a label must not move the cursor, nor a mark turn the line around.
    """
    return CONTROL.sub(lambda m: m[0].encode("unicode_escape").decode(), text)


def text_width(text: str) -> int:
    """Count the columns that a text takes in a terminal.

    A Chinese character takes two.
    """
    from rich.cells import cell_len

    return cell_len(escape_controls(text))


def pad_text(text: str, columns: int) -> str:
    """Fill a text with blanks to a width."""
    return text + " " * (columns - text_width(text))


def defuse_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before cells that a spreadsheet would run.

    `restore_formula` takes it away again.
    """
    return frame.map(lambda v: f"'{v}" if isinstance(v, str) and FORMULA.match(v) else v)


def restore_formula(cell: str) -> str:
    """Take away the apostrophe that `defuse_formulas` put before a cell."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV with the line ends of RFC 4180.

    With any others Python leaves a carriage return in a label unquoted.
    """
    try:
        frame.to_csv(path, index=False, lineterminator="\r\n")
    except OSError as e:
        raise UserError(
            f"expected to write {path}, found: {e.strerror or e}",
            "make the folder, or choose another file",
        ) from None


def safe_name(name: str) -> str:
    """Make a file's or folder's name of any text.

    What leads away, hides or is no letter is written as %xx; `urllib.parse.unquote` reads it.
    """
    out = "".join(
        c
        if c.isprintable() and c not in '/\\:*?"<>|%'
        else "".join(f"%{b:02x}" for b in c.encode())
        for c in name
    )
    return re.sub(r"^([. ]|_(?=_MACOSX))|[. ]$", lambda m: f"%{ord(m[0]):02x}", out) or "%"
