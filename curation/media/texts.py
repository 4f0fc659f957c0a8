"""The media type of texts: stored as UTF-8, as they came."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.media import files
from assay.curation.media.base import Decoded, DecodedSource, Similarities
from assay.curation.media.conversion import UNDECIDED, Conversion
from assay.curation.media.files import BadMedia, content_hash
from assay.curation.media.originals import iter_bytes
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.shards import Shards
from assay.curation.text import SURROGATE, format_count

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".txt",)
MAX_TEXT = 1_000_000  # bytes: what is longer is a book, and no example of a class
MANY = 65_536  # texts in a shard, at most
PIECE = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]|\w+"
)  # words; Han and Kana one by one
WIDE = 28  # characters of a line on a card
SHARP = 512  # side of a card from which on a font is sharp
NEAR_DUPLICATE = 0.7  # of all shingles of two texts, so many are in both
BOMS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


class TextMedia:
    """Texts: stored as their UTF-8 bytes, compared by their shingles."""

    name, folder, column = "text", "texts", "text"
    in_cell, has_words, sizes = True, True, ("characters", "lines")
    embedders = ("wordllama", "tfidf")

    def decode(
        self,
        raw: bytes,
        side: int | None = None,
        conversion: Conversion = UNDECIDED,
        stored: bool = False,
    ) -> Decoded:
        """Decode a text file: UTF-8, or UTF-16 with its mark.

        The size is (characters, lines); the array is the UTF-8 bytes."""
        mark = next((mark for mark in BOMS if raw.startswith(mark)), b"")
        try:
            text = raw[len(mark) :].decode(BOMS.get(mark, "utf-8"))
        except UnicodeDecodeError as e:
            line = raw[: e.start].count(b"\n") + 1
            raise BadMedia(
                f"is no UTF-8: it has the byte 0x{raw[len(mark) + e.start]:02x} on line {line}"
                " (iconv -f WINDOWS-1252 -t UTF-8 rewrites a file)"
            ) from None
        text = self.normalise(text)
        return Decoded(measure_text(text), None if stored else as_array(encode_text(text)))

    def normalise(self, text: str) -> str:
        """Give what is stored of a text; raises BadMedia where it is none of this medium."""
        return text

    def preview(self, raw: bytes, side: int, traits: Shards | None = None) -> bytes:
        """Draw the beginning of a text as a JPEG, for what shows pictures alone."""
        return draw_card(bytes(self.decode(raw).array).decode(), side)

    def read(self, shards: Shards, hashes: Iterable[str], side: int | None = None) -> Texts:
        """Read texts lazily."""
        return Texts(shards, hashes)

    def store(
        self, bench: Bench, source: str, frame: pd.DataFrame, progress: Progress | None = None
    ) -> DecodedSource:
        """Store the texts of a source's rows: of the column `text`, else of files."""
        return store_texts(frame, Shards(bench.arrays / self.folder), self.normalise, progress)

    def similarity(
        self, shards: Shards, hashes: np.ndarray, pairs: np.ndarray, neighbours: np.ndarray
    ) -> Similarities:
        """Compare pairs of texts by the shingles that both have (Jaccard)."""
        needed, pairs = np.unique(pairs, return_inverse=True)
        texts = Texts(shards, hashes).take(needed)[:]
        shingles = lru_cache(4096)(lambda i: cut_shingles(texts[i]))
        alike = np.zeros(len(pairs))
        for n in np.lexsort(pairs.T[::-1]):  # the first of a pair is cut once
            a, b = (shingles(int(i)) for i in pairs[n])
            both = len(a & b)
            alike[n] = both / (len(a) + len(b) - both)
        return Similarities(alike, NEAR_DUPLICATE)


MEDIA_TYPE = TextMedia()


class Texts:
    """A read-only list of n texts, read on demand.

    `texts[i]` is a str, `texts[rows]` a list of them; `take` stays lazy."""

    def __init__(self, shards: Shards, hashes: Iterable[str]):
        at = shards.find_all(hashes)
        if (at < 0).any():
            raise UserError(
                f"expected every text, found {(at < 0).sum():,} of {len(at):,} missing in {shards.folder}",
                "import their source again",
            )
        self.arrays, self.buffers = shards.arrays, {}  # {shard: its bytes}
        self.shard, self.index = shards.shard[at], shards.index[at]

    def __len__(self) -> int:
        return len(self.shard)

    def take(self, keep: np.ndarray) -> Texts:
        """Choose some texts, by rows or a mask."""
        part = copy(self)
        part.shard, part.index = self.shard[keep], self.index[keep]
        return part

    def __getitem__(self, keep: Any) -> Any:
        if np.ndim(keep) == 0 and not isinstance(keep, slice):
            return next(iter(self.take(np.array([keep]))))
        return list(self.take(keep))

    def __iter__(self) -> Iterator[str]:
        starts, sizes = self.index["row"].tolist(), self.index["width"].tolist()
        for shard, start, size in zip(self.shard.tolist(), starts, sizes):
            if shard not in self.buffers:
                self.buffers[shard] = memoryview(self.arrays[shard])
            yield str(self.buffers[shard][start : start + size], "utf-8")


def store_texts(
    frame: pd.DataFrame,
    shards: Shards,
    normalise: Callable[[str], str],
    progress: Progress | None = None,
) -> DecodedSource:
    """Store the texts that are new; equal ones are stored once. normalise: see TextMedia."""
    hashes: list[str | None] = [None] * len(frame)
    sizes: list[tuple[int, int] | None] = [None] * len(frame)
    bad: list[tuple[int, str]] = []
    new: dict[str, bytes] = {}
    seen: set[str] = set()
    held = 0
    for done, (i, text) in enumerate(iter_texts(frame), 1):
        try:
            if isinstance(text, BadMedia):
                raise text
            text = normalise(text) if text and isinstance(text, str) else text
            blob = encode_text(text)
        except BadMedia as e:
            bad.append((i, str(e)))
            continue
        h = hashes[i] = content_hash(blob)
        sizes[i] = measure_text(text)
        if h not in seen:
            seen.add(h)
            new[h] = blob
            held += len(blob)
        if len(new) >= MANY or held >= files.CHUNK:
            append_texts(shards, new)
            new, held = {}, 0
        if progress and done % 10_000 == 0:
            progress(done, len(frame))
    append_texts(shards, new)
    if progress:
        progress(len(frame), len(frame))
    return DecodedSource(hashes, sizes, [(frame["key"].iloc[i], why) for i, why in sorted(bad)])


def iter_texts(frame: pd.DataFrame) -> Iterator[tuple[int, str | BadMedia]]:
    """Give the text of each row, with its number."""
    if "text" in frame:
        yield from enumerate(frame["text"])
        return
    for i, raw in iter_bytes(frame["uri"], fresh=True):
        try:
            if isinstance(raw, BadMedia):
                raise raw
            yield i, bytes(MEDIA_TYPE.decode(raw).array).decode()
        except BadMedia as e:
            yield i, e


def append_texts(shards: Shards, texts: dict[str, bytes]) -> None:
    """Append texts, by their hashes, as one shard."""
    known = shards.find(np.array(list(texts), "S32")) >= 0
    new = {h: blob for (h, blob), there in zip(texts.items(), known) if not there}
    if not new:
        return
    sizes = np.array([len(blob) for blob in new.values()])
    # height 0 says that the width counts bytes
    starts = np.cumsum(sizes) - sizes
    shards.append(list(new), as_array(b"".join(new.values())), 0, sizes, starts)


def encode_text(text: Any) -> bytes:
    """Encode a text as UTF-8; BadMedia for what is none."""
    if not isinstance(text, str):
        raise BadMedia("has no text" if text is None or text != text else "holds no text")
    if not text:
        raise BadMedia("is empty: it has no text")
    if "\0" in text:
        line = text.partition("\0")[0].count("\n") + 1
        raise BadMedia(f"holds a NUL character on line {line}")
    if half := SURROGATE.search(text):
        raise BadMedia(
            f"holds half a surrogate pair at character {half.start() + 1:,}, so it is not Unicode"
        )
    blob = text.encode()
    if len(blob) > MAX_TEXT:
        raise BadMedia(
            f"has {format_count(len(blob), 'byte')}, more than {MAX_TEXT:,}: cut it into the parts that have a label"
        )
    return blob


def measure_text(text: str) -> tuple[int, int]:
    """Count the characters and lines of a text."""
    return len(text), text.count("\n") + 1


def as_array(blob: bytes) -> np.ndarray:
    return np.frombuffer(blob, "u1")


def cut_shingles(text: str) -> frozenset:
    """Cut a text into pairs of neighbouring words, whatever its capitals and blanks."""
    words = PIECE.findall(text.casefold())
    return frozenset(zip(words, words[1:])) or frozenset(words or [text])


def draw_card(text: str, side: int) -> bytes:
    """Draw the beginning of a text, (side, side) at most, as a JPEG."""
    return draw_lines(textwrap.wrap(text[:2_000], WIDE), side)


def draw_lines(lines: Sequence[str], side: int) -> bytes:
    """Draw the first of some lines, (side, side) at most, as a JPEG."""
    from PIL import Image, ImageDraw, ImageFont

    # drawn large and made small: a small font has its letters on whole pixels, and runs them together
    times = max(1, SHARP // side)
    size = times * max(8, side // 16)
    card = Image.new("RGB", (times * side, times * side), "white")
    font = ImageFont.load_default(size)
    ImageDraw.Draw(card).text((size, size), "\n".join(lines[:12]), "black", font)
    out = io.BytesIO()
    card.resize((side, side), Image.Resampling.BOX).save(out, "JPEG", quality=90)
    return out.getvalue()
