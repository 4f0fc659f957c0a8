"""What text may enter the log, and how it looks where text can bite: terminals, spreadsheets, CSV lines, folder names."""

import re
import unicodedata

from assay.curation.errors import UserError

NAME, TEXT = (
    300,
    5_000,
)  # characters that a label, tag, person or source may have; that a reason or a key may have
SURROGATE = re.compile("[\ud800-\udfff]")
CONTROL = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)  # marks of direction too
FORMULA = re.compile(
    r"'*(?![+-]?[\d.]+\Z)[=+\-@\t\r]"
)  # what a spreadsheet would run; -1 is a number


def flaw(text, most=NAME):
    """What keeps `text` out of the log, in words, or None. All other text comes back exactly as it went in."""
    if len(text) > most:
        return f"has {len(text):,} characters, more than {most:,}"
    if "\0" in text:
        return "holds a NUL character"
    if SURROGATE.search(text):
        return "holds half a surrogate pair, so it is not Unicode"


def check(text, what, most=NAME):
    """`text`; UserError where it may not be in the log."""
    if wrong := flaw(text, most):
        raise UserError(
            f"expected {what} in plain text, found one that {wrong}: {text[:40]!r}",
            "shorten or mend it",
        )
    return text


def alike(names):
    """Lists of two or more of `names` that differ in nothing but capitals, blanks, or how Unicode writes the same letters."""
    groups = {}
    for name in sorted(set(names)):
        groups.setdefault(
            " ".join(unicodedata.normalize("NFKC", name).casefold().split()), []
        ).append(name)
    return [group for group in groups.values() if len(group) > 1]


def printable(text):
    """`text` as a terminal may show it: an escape sequence in a label must not move the cursor, nor a mark turn the line around."""
    return CONTROL.sub(lambda m: m[0].encode("unicode_escape").decode(), text)


def width(text):
    """How many columns of a terminal a text takes, of which a Chinese character takes two."""
    from rich.cells import cell_len

    return cell_len(printable(text))


def pad(text, columns):
    return text + " " * (columns - width(text))


def defused(frame):
    """A frame whose cells no spreadsheet takes for a formula: these begin with an apostrophe, which `fused` takes away again."""
    return frame.map(lambda v: f"'{v}" if isinstance(v, str) and FORMULA.match(v) else v)


def fused(cell):
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def write_csv(frame, path):
    """A frame as CSV with the line ends of RFC 4180: with any others Python leaves a carriage return in a label unquoted."""
    try:
        frame.to_csv(path, index=False, lineterminator="\r\n")
    except OSError as e:
        raise UserError(
            f"expected to write {path}, found: {e.strerror or e}",
            "make the folder, or choose another file",
        ) from None


def safe(name):
    """A file's or folder's name for any text: what leads away, hides or is no letter is written as %xx; `urllib.parse.unquote` reads it."""
    out = "".join(
        c
        if c.isprintable() and c not in '/\\:*?"<>|%'
        else "".join(f"%{b:02x}" for b in c.encode())
        for c in name
    )
    return re.sub(r"^([. ]|_(?=_MACOSX))|[. ]$", lambda m: f"%{ord(m[0]):02x}", out) or "%"
