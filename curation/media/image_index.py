"""Find images below a folder by inexact names."""

from __future__ import annotations

import ntpath
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple
from urllib.parse import unquote

from assay.curation.errors import UserError, shorten
from assay.curation.media.images import SUFFIXES
from assay.curation.text import format_count

MOST_FILES = 300_000  # looked at below a folder: a search of all of a disk ends soon
FOREIGN = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")  # how a path begins that is not relative


class Found(NamedTuple):
    """Images that may be meant by a text, relative to the folder."""

    files: list[str]
    how: str  # in which way the text is another than the path


class ImageIndex:
    """The images below a folder; their paths are listed when first asked."""

    def __init__(
        self,
        paths: Iterable[str],
        texts: Iterable[str | None] | None = None,
        most: int | None = None,
    ) -> None:
        """Keep the relative `paths` of files, of which `most` are looked at.

        texts: all that will be asked; None: what one image alone could be, it is.
        """
        self.paths, self.texts, self.most = paths, texts, most
        self.cut = False  # whether there are more files than were looked at

    @cached_property
    def images(self) -> list[str]:
        """The images among the paths, as far as they could be listed."""
        found = []
        try:
            for n, file in enumerate(self.paths):
                if n == self.most:
                    self.cut = True
                    break
                if file.lower().endswith(SUFFIXES):
                    found.append(file)
        except (OSError, UserError):  # a folder that may not be read, or one without an end
            if self.most is None:
                raise
            self.cut = True
        return found

    @cached_property
    def known(self) -> set[str]:
        return set(self.images)

    @cached_property
    def files(self) -> dict[str, list[list[str]]]:
        """Map each folded name to the parts of its paths."""
        found: dict[str, list[list[str]]] = {}
        for file in self.images:
            parts = file.split("/")
            name = fold(parts[-1])
            for known in (name, os.path.splitext(name)[0]):
                found.setdefault(known, []).append(parts)
        return found

    @cached_property
    def names(self) -> Counter[str]:
        return Counter(fold(split_path(text)[-1]) for text in self.texts or () if text)

    def find(self, text: str) -> Found:
        """Find the images that fit a text, as written or unquoted.

        Only where none fits as written are %20 and the like decoded.
        """
        found = self.find_as_written(text)
        if found.files or unquote(text) == text:
            return found
        files = self.find_as_written(unquote(text)).files
        return Found(files, "names with %20 and the like" if files else "")

    def find_as_written(self, text: str) -> Found:
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
            alone = self.texts is None or self.names[fold(parts[-1])] == 1
            files = named if alone else []
        return Found(["/".join(path) for path in files], describe_way(text, parts, files))

    def find_one(self, name: str, *bases: str) -> tuple[str | None, str]:
        """Find the one image that a list means.

        Returns (file, "") or (None, what is wrong). bases: folders to which its paths may be
        relative, the likeliest first.
        """
        plain = name.strip().replace("\\", "/")
        for base in bases:
            path = os.path.normpath(os.path.join(base, plain))
            for file in (path, *(f"{path}{s}" for s in (".jpg", ".png", ".jpeg"))):
                if file in self.known:
                    return file, ""
        files = self.find(name).files if plain else []
        if len(files) == 1:
            return files[0], ""
        if files:
            return None, f"fits {format_count(len(files), 'image')}, such as {', '.join(files[:2])}"
        return None, f"names {shorten(name, 300)}, which is not there"


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
