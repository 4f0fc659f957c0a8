"""Find the images that a list names: by path, by name, or by name without an ending."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from functools import cached_property

from assay.curation.errors import shorten
from assay.curation.media.images import SUFFIXES


class ImageIndex:
    """The images below a folder, found by what lists call them."""

    def __init__(self, files: Iterable[str]) -> None:
        self.files = [f for f in files if f.lower().endswith(SUFFIXES)]
        self.known = set(self.files)

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """Every image by its name, and by that without the ending."""
        found: dict[str, list[str]] = {}
        for file in self.files:
            name = os.path.basename(file)
            for tail in {plain_name(name), plain_name(os.path.splitext(name)[0])}:
                found.setdefault(tail, []).append(file)
        return found

    def find(self, name: str, *bases: str) -> tuple[str | None, str]:
        """Find the one image that a list means; returns (file, "") or (None, what is wrong).

        bases: folders to which its paths may be relative, the likeliest first.
        """
        name = name.strip().replace("\\", "/")
        for base in bases:
            path = os.path.normpath(os.path.join(base, name))
            for tail in (path, *(f"{path}{s}" for s in (".jpg", ".png", ".jpeg"))):
                if tail in self.known:
                    return tail, ""
        parts = [p for p in name.split("/") if p not in ("", ".", "..")]
        named = self.by_name.get(plain_name(parts[-1]), []) if parts else []
        # a path of another machine: the longest end of it that fits
        for at in range(len(parts) if named else 0):
            found = [f for f in named if ends_with(f, parts[at:])]
            if len(found) == 1:
                return found[0], ""
            if found:
                return None, f"fits {len(found):,} images, such as {', '.join(found[:2])}"
        return None, f"names {shorten(name, 300)}, which is not there"


def plain_name(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def ends_with(file: str, parts: list[str]) -> bool:
    """Whether a path ends in these parts, with or without its ending."""
    tail = plain_name("/".join(parts))
    return any(f"/{plain_name(f)}".endswith(f"/{tail}") for f in (file, os.path.splitext(file)[0]))
