"""Where the images of Label Studio's tasks lie."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from assay.curation.errors import shorten
from assay.curation.media.addresses import is_address
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import Place, list_files

LOCAL = "/data/local-files/"
# Label Studio puts this before the name of what is uploaded
UPLOADED = re.compile(r"[0-9a-f]{8}-")


class TaskImages:
    """The images below a folder; it is walked when a path is not simply there."""

    def __init__(self, root: Path, given: bool, exported: bool) -> None:
        """given: whether the importer said where; exported: whether Assay wrote the tasks."""
        self.root, self.given, self.exported = root, given, exported

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for file in list_files(str(self.root)):
            if file.lower().endswith(SUFFIXES):
                found.setdefault(file.rsplit("/", 1)[-1], []).append(file)
        return found

    def locate(self, text: str | None) -> Place:
        """Locate the image that a task names.

        Below the folder, where exactly one file fits: by its path, else by the end of it, else by
        its name, also without what an upload puts before it. An address stays one where no folder
        was given.
        """
        if text is None:
            return Place(None, "", "has no image")
        if is_address(text) and not self.given:
            return Place(text, text, "")
        if text.startswith("data:"):
            return Place(text[:60], "", "holds its image in the text: save it as a file")
        path = read_path(text)
        whole = os.path.join("/", path)
        if self.exported and text.startswith(LOCAL) and os.path.isfile(whole):
            return Place(text, whole, "")
        for way in list_ways(path):
            found = self.find(way)
            if len(found) == 1:
                return Place(found[0], str(self.root / found[0]), "")
            if found:
                two = f"{found[0]} or {found[1]}"
                return Place(text, "", f"names {shorten(text, 300)}, which could be {two}")
        more = "" if self.given else ": --images FOLDER says where the images are"
        return Place(text, "", f"names {shorten(text, 300)}, which is not below {self.root}{more}")

    def find(self, path: str) -> list[str]:
        """Find the files that end most as a path does."""
        place = os.path.normpath(self.root / path)
        if place.startswith(f"{str(self.root).rstrip('/')}/") and os.path.isfile(place):
            return [os.path.relpath(place, self.root)]
        parts = path.split("/")
        named = self.by_name.get(parts[-1], [])
        for n in range(len(parts), 0, -1):
            end = "/".join(parts[-n:])
            fits = [file for file in named if f"/{file}".endswith(f"/{end}")]
            if fits:
                return fits
        return []


def read_path(text: str) -> str:
    """Read the path in an address of any store."""
    if text.startswith(LOCAL):
        query = parse_qs(urlsplit(text).query).get("d", [""])[0]
        return query.lstrip("/")
    if is_address(text):
        return unquote(urlsplit(text).path).lstrip("/")
    return unquote(text.partition("?")[0] if text.startswith("/data/") else text).lstrip("/")


def list_ways(path: str) -> Iterator[str]:
    """List how the file may be called."""
    yield path
    folder, name = os.path.split(path)
    if UPLOADED.match(name):
        yield UPLOADED.sub("", name, count=1)
