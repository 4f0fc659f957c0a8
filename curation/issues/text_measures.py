"""Measure what tells odd texts from the others: by shards, each different text once.

The first pass measures every text and counts what they share; the second compares each with what most have.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

from assay.curation.storage.shards import Rows, Shards
from assay.curation.storage.stages import Arrays, gather_rows, map_rows, stage

READ = 2_000  # characters that tell a script and a language
TAG = re.compile(
    r"</?[a-z][a-z0-9]*(?:\s[^<>]{0,200})?/?>|&(?:[a-z]{2,8}|#\d{2,5}|#x[0-9a-f]{2,5});", re.I
)
EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,24}\b", re.I)
PHONE = re.compile(
    r"(?<![\w.,/-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)|\d{2,4})[ .-]\d{3,4}[ .-]?\d{3,4}(?![\w,-]|\.\d)"
)
SAID = re.compile(r"[^\W_]")
WORD = re.compile(r"[^\W\d_]+")
EDGE = 4  # words of an opening or an ending
COMMON = 100  # words that most texts have some of
MISREAD = -1  # of `lost`: no character is lost, but letters are as another encoding shows them


@dataclass(frozen=True)
class TextMeasures:
    """Measures of n different texts."""

    text: StoredTexts
    weight: np.ndarray  # (n,) samples that say it
    numbers: Arrays  # (n,) each: see measure_texts, compare_texts
    usual: str  # the script of most; "" where none has a letter

    def __getitem__(self, name: str) -> np.ndarray:
        return self.numbers[name]


class StoredTexts:
    """Texts as they are stored, read on demand; their vectors are bytes."""

    def __init__(self, shards: Shards, hashes: np.ndarray) -> None:
        self.rows = shards.rows(hashes)
        self.width = shards.index["width"][shards.find(hashes)]

    def __getitem__(self, i: int) -> str:
        some = np.array([i])
        return next(read_texts(self.rows.take(some), self.width[some]))


def read_texts(X: Rows, width: np.ndarray) -> Iterator[str]:
    """Read texts, whose bytes begin at rows of X (n,) and are `width` (n,) many."""
    buffers: dict[int, memoryview] = {}
    for shard, start, size in zip(X.shard.tolist(), X.row.tolist(), width.tolist()):
        if shard not in buffers:
            buffers[shard] = memoryview(X.arrays[shard])
        yield str(buffers[shard][start : start + size], "utf-8")


def measure_all(text: StoredTexts, weight: np.ndarray, stages: Any = None) -> TextMeasures:
    """Measure texts. weight (n,): samples that say each. stages: how they are cut into shards."""
    X, by_row = text.rows, dict(width=text.width)
    X.sharding = stages and stages.cut(X)
    numbers: Arrays = {}
    scripts: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for rows, made in map_rows(X, measure_texts, by_row | dict(weight=weight)):
        for names, counted in (("scripts", scripts), ("words", words)):
            found = split_words(made.pop(names))
            counted.update(dict(zip(found, made.pop(f"{names}_n").tolist())))
        for name, array in made.items():
            numbers.setdefault(name, np.empty(len(weight), array.dtype))[rows] = array
    usual, common = take_most(scripts, 1), take_most(words, COMMON)
    shared = dict(usual=join_words(usual), common=join_words(common))
    compared = gather_rows(X, compare_texts, by_row, **shared)
    return TextMeasures(text, weight, numbers | compared, "".join(usual))


def take_most(counted: Counter[str], n: int) -> list[str]:
    """Take what is counted most, of equals the first by name."""
    return sorted(counted, key=lambda name: (-counted[name], name))[:n]


def join_words(words: list[str]) -> np.ndarray:
    return np.frombuffer("\n".join(words).encode(), "u1")


def split_words(joined: np.ndarray) -> list[str]:
    return joined.tobytes().decode().split("\n") if len(joined) else []


@stage(1)
def measure_texts(X: Rows, width: np.ndarray, weight: np.ndarray) -> Arrays:
    """Measure texts (n,), and count their words and scripts in all.

    By text: characters; said, whether there is a letter or a digit; tags; lost, characters lost in decoding, or
    MISREAD; mails and phones; begin and end, digests of its first and last words, 0 where it has few.
    """
    from ftfy.badness import is_bad

    rows: list[tuple] = []
    scripts: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for text, n in zip(read_texts(X, width), weight.tolist()):
        begun = text[:READ]
        for word in set(WORD.findall(begun.casefold())):
            words[word] += n
        if main := count_scripts(begun).most_common(1):
            scripts[main[0][0]] += n
        lost = 0
        if not text.isascii():
            lost = text.count("\ufffd") or (MISREAD if is_bad(begun) else 0)
        mails = len(EMAIL.findall(text)) if "@" in text else 0
        tags = len(TAG.findall(text)) if "<" in text or "&" in text else 0
        phones = len(PHONE.findall(text))
        cut = text.split()
        edges = (cut[:EDGE], cut[-EDGE:]) if len(cut) > EDGE else ()
        begin, end = (digest_edge(edge) for edge in edges) if edges else (0, 0)
        said = SAID.search(text) is not None
        rows.append((len(text), said, tags, lost, mails, phones, begin, end))
    names = "characters said tags lost mails phones begin end".split()
    types = ("i4", "?", "i4", "i4", "i4", "i4", "u8", "u8")
    columns = zip(*rows) if rows else ((),) * len(names)
    out = {name: np.array(column, kind) for name, kind, column in zip(names, types, columns)}
    for name, counted in (("scripts", scripts), ("words", words)):
        found = sorted(counted)
        out[name] = join_words(found)
        out[f"{name}_n"] = np.array([counted[word] for word in found], "i8")
    return out


def digest_edge(words: list[str]) -> int:
    """Give a number for an opening or an ending."""
    return int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest(), "little")


@stage(1)
def compare_texts(X: Rows, width: np.ndarray, usual: np.ndarray, common: np.ndarray) -> Arrays:
    """Compare texts (n,) with what most have.

    By text: letters of the first characters, `native` ones of these, which are of the usual script; words, and
    `known` ones of these, which are common.
    """
    script, rows = "".join(split_words(usual)), []
    frequent = frozenset(split_words(common))
    for text in read_texts(X, width):
        text = text[:READ]
        counts = count_scripts(text)
        words = WORD.findall(text.casefold())
        known = sum(map(frequent.__contains__, words))
        rows.append((counts.total(), counts[script], len(words), known))
    made = np.array(rows, "i4").reshape(-1, 4)
    return dict(zip(("letters", "native", "words", "known"), made.T))


def count_scripts(text: str) -> Counter[str]:
    """Count the letters of each script."""
    if text.isascii():
        return Counter(LATIN=sum(map(str.isalpha, text)))
    return Counter(script_of(letter) for letter in text if letter.isalpha())


@lru_cache(65_536)
def script_of(letter: str) -> str:
    """Name a letter's script: the first word of its Unicode name; one for Chinese and Japanese."""
    word = unicodedata.name(letter, "").split(" ")[0].split("-")[0]
    return "CJK" if word in ("HIRAGANA", "KATAKANA", "FULLWIDTH", "HALFWIDTH") else word
