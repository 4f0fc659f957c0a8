"""Change a few places of a text file, and no other byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from assay.curation.errors import UserError

MOST = 1 << 30  # bytes of a text that is read whole


@dataclass(frozen=True)
class Text:
    """A text file as it is: its line ends and its mark are in `text`."""

    path: Path
    text: str
    encoding: str

    def edit(self, edits: Iterable[tuple[int, int, str]]) -> Callable[[Path], None]:
        """Make what writes the text with spans replaced: (start, end, new text)."""
        pieces, at = [], 0
        for start, end, new in sorted(edits):
            assert start >= at, "edits may not overlap"
            pieces += [self.text[at:start], new]
            at = end
        blob = "".join([*pieces, self.text[at:]]).encode(self.encoding)

        def write(target: Path) -> None:
            target.write_bytes(blob)

        return write


def read_whole(path: Path) -> Text:
    """Read a text file so that every byte can be written again.

    UserError where it is no text in UTF-8 or UTF-16.
    """
    if path.stat().st_size > MOST:
        raise UserError(f"expected a text of at most 1 GB, found {path.name}", "cut it")
    blob = path.read_bytes()
    for encoding in ("utf-8", "utf-16-le" if blob[:2] == b"\xff\xfe" else "utf-16-be"):
        if encoding != "utf-8" and blob[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            break
        try:
            text = blob.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return Text(path, text, encoding)
    raise UserError(
        f"expected UTF-8 text in {path.name}, found other bytes",
        "in an editor: Save as, UTF-8; or, with the encoding that it has, "
        f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8.txt",
    )
