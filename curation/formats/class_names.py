"""Names of classes in a file beside lists: classes.txt, synset_words.txt, ..."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.text_spans import read_whole
from assay.curation.text import format_count

# the likeliest first
FILES = (
    *("classes.txt", "class_names.txt", "classnames.txt", "class_list.txt", "names.txt"),
    *("synset_words.txt", "loc_synset_mapping.txt", "categories.txt", "label_names.txt"),
    *("label_map.txt", "labels.txt", "words.txt", "synsets.txt", "wnids.txt", "classes.names"),
)
NAMES = re.compile(r"(categories|classes|labels|class_names)[\w-]*\.(txt|names)$", re.IGNORECASE)
LINE = re.compile(r"(\S+)[\s,:]+(\S.*)")


@dataclass(frozen=True)
class ClassNames:
    """What the marks in a list mean; `names` are in the source's order."""

    of_mark: dict[str, str] = field(default_factory=dict)
    file: str = ""
    note: str = ""
    fresh: dict[str, str] = field(default_factory=dict)  # name -> mark, of classes to be added

    def name(self, mark: str) -> str:
        return self.of_mark.get(mark, mark)

    def mark(self, name: str) -> str | None:
        """Find what a list writes for a class; None where it has no mark."""
        if not self.of_mark:
            return name
        return next((m for m, n in self.of_mark.items() if n == name), None)

    def add(self, name: str) -> str | None:
        """Choose a mark for a class that has none yet: the number after the last.

        Where marks are names it is the name; None where nobody can tell. `fresh` knows them from then on.
        """
        if name in self.fresh:
            return self.fresh[name]
        marks = list(self.of_mark)
        if not self.file or len(name.splitlines()) != 1 or name != name.strip():
            return None
        if all(mark == called for mark, called in self.of_mark.items()):
            mark = name
        elif all(mark.isdecimal() for mark in marks):
            last = max(marks, key=int)
            mark = str(int(last) + 1 + len(self.fresh)).zfill(len(last) if last[0] == "0" else 0)
        else:
            return None
        self.fresh[name] = mark
        return mark

    def write(self, root: Path, target: Path) -> None:
        """Write the file of names again with the fresh ones at its end."""
        text = read_whole(root / self.file)
        body = text.text.rstrip()
        end = "\r\n" if "\r\n" in text.text else "\n"
        more = "".join(f"{end}{line}" for line in self.make_lines(body.splitlines()[-1]))
        text.edit([(len(body), len(body), more)])(target)

    def make_lines(self, last: str) -> list[str]:
        """Make the lines of the fresh names as the last one is made."""
        mark, name = list(self.of_mark.items())[-1]
        parts = re.split(f"({re.escape(name)}|{re.escape(mark)})", last, maxsplit=2)
        made = []
        for fresh, new in self.fresh.items():
            said = {mark: new, name: fresh}
            made.append("".join(said.get(part, part) for part in parts))
        return made

    def list_lines(self, root: Path) -> list[str]:
        """List the lines of the file of names as `write` leaves them."""
        lines = [
            line.strip().lstrip("\ufeff") for line in read_whole(root / self.file).text.splitlines()
        ]
        lines = [line for line in lines if line]
        return [*lines, *self.make_lines(lines[-1])]

    def describe_fresh(self) -> list[str]:
        """Say which names were added."""
        if not self.fresh:
            return []
        were = "was" if len(self.fresh) == 1 else "were"
        return [
            f"{', '.join(self.fresh)} {were} added at the end of {self.file}; the others keep their numbers"
        ]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(self.of_mark.values()))


def find_class_names(
    root: Path, folders: Iterable[str], marks: set[str], not_these: Iterable[str]
) -> ClassNames:
    """Find the file that names the marks of lists, in one of `folders`.

    not_these: files that are lists of images. Without any, a mark is its own name.
    """
    note = ""
    for folder in dict.fromkeys(folders):
        for name in list_candidates(root / folder):
            file = os.path.normpath(os.path.join(folder, name))
            if file in not_these:
                continue
            try:
                lines = [line.strip() for line in read_whole(root / file).text.splitlines()]
            except (UserError, OSError):
                continue
            found, why = match_marks([line.lstrip("\ufeff") for line in lines if line], marks)
            if found:
                return ClassNames(found, file)
            note = note or (why and f"{file} {why}: the labels stay as they are written")
    return ClassNames(note=note)


def list_candidates(folder: Path) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    likely = [n for wanted in FILES for n in names if n.lower() == wanted]
    return [*likely, *(n for n in names if n not in likely and NAMES.match(n))]


def match_marks(lines: list[str], marks: set[str]) -> tuple[dict[str, str], str]:
    """Match marks with the lines of a file: ({mark: name}, why not)."""
    if not lines or not marks or len(lines) > 100_000:
        return {}, ""
    pairs = [(m[1], m[2]) for line in lines if (m := LINE.fullmatch(line))]
    for swapped in (False, True):
        if len(pairs) == len(lines):
            known = {b.strip(): a for a, b in pairs} if swapped else dict(pairs)
            if marks <= set(known) and len(set(known.values())) == len(known):
                return known, ""
    if marks <= set(lines):  # names themselves: their order is the source's
        return {line: line for line in lines}, ""
    if not all(mark.isdecimal() for mark in marks):
        return {}, ""
    names = [name for _, name in pairs] if len(pairs) == len(lines) else lines
    if len(set(names)) < len(lines):
        names = lines
    numbers = {int(mark) for mark in marks}
    if len(set(names)) < len(names) or max(numbers) > len(names):
        return {}, ""
    if 0 in numbers and max(numbers) < len(names):
        return {str(i): name for i, name in enumerate(names)}, ""
    if 0 not in numbers and max(numbers) == len(names):
        return {str(i): name for i, name in enumerate(names, 1)}, ""
    return (
        {},
        f"names {format_count(len(names), 'class')}, and does not tell whether it counts from 0 or from 1",
    )
