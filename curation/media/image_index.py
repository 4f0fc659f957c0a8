"""Find images below a folder by inexact names."""

from __future__ import annotations

import ntpath
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from assay.curation.media.images import SUFFIXES

MOST_FILES = 2_000_000  # looked at below a folder
FOREIGN = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")  # how a path begins that is not relative


class Found(NamedTuple):
    """Images that may be meant by a text, relative to the folder."""

    files: list[str]
    how: str  # in which way the text is another than the path


class ImageIndex:
    """The images below a folder; their paths are listed when first asked."""

    def __init__(self, paths: Iterable[str], texts: Iterable[str | None]) -> None:
        """Keep the relative `paths` of files, and all `texts` that will be asked."""
        self.paths, self.texts = paths, texts

    @cached_property
    def files(self) -> dict[str, list[list[str]]]:
        """Map each folded name to the parts of its paths."""
        found: dict[str, list[list[str]]] = {}
        for file in islice(self.paths, MOST_FILES):
            if file.lower().endswith(SUFFIXES):
                parts = file.split("/")
                name = fold(parts[-1])
                for known in (name, os.path.splitext(name)[0]):
                    found.setdefault(known, []).append(parts)
        return found

    @cached_property
    def names(self) -> Counter[str]:
        return Counter(fold(split_path(text)[-1]) for text in self.texts if text)

    def find(self, text: str) -> Found:
        """Find the images that fit a text.

        One fits where its path ends as the text does, or the text as its path does, but for
        capitals, Unicode form, backslashes and a missing ending; and under an absolute path also
        where only its name does, if no other image or row has that.
        """
        parts = split_path(text)
        named = self.files.get(fold(parts[-1]), []) if parts else []
        fits = [(count_same(parts, path), path) for path in named]
        fits = [(n, path) for n, path in fits if n == len(parts) or n == len(path)]
        best = max((n for n, _ in fits), default=0)
        files = [path for n, path in fits if n == best]
        exact = [path for path in files if path[-len(parts) :] == parts[-len(path) :]]
        files = exact or files
        if not files and len(named) == 1 and FOREIGN.match(text):
            files = named if self.names[fold(parts[-1])] == 1 else []
        return Found(["/".join(path) for path in files], describe_way(text, parts, files))


def fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def split_path(text: str) -> list[str]:
    """Split a path of any machine into its parts."""
    plain = ntpath.splitdrive(text.strip())[1].replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in ("", ".", "..")]
    return parts or [""]


def count_same(parts: list[str], path: list[str]) -> int:
    """Count the equal parts of two paths, from the last."""
    n = 1  # the names are
    while n < min(len(parts), len(path)) and fold(parts[-1 - n]) == fold(path[-1 - n]):
        n += 1
    return n


def describe_way(text: str, parts: list[str], files: list[list[str]]) -> str:
    """Say how a text differs from the path that it fits."""
    if not files:
        return ""
    path = files[0]
    if text != text.strip():
        return "blanks around names"
    if "\\" in text:
        return "Windows paths"
    if FOREIGN.match(text):
        return "absolute paths of another folder"
    if fold(parts[-1]) != fold(path[-1]):
        return "names without an ending"
    if parts[-len(path) :] == path[-len(parts) :]:
        return "paths that begin at another folder"
    if [unicodedata.normalize("NFC", p) for p in parts[-len(path) :]] == [
        unicodedata.normalize("NFC", p) for p in path[-len(parts) :]
    ]:
        return "names in another Unicode form"
    return "names in other capitals"
