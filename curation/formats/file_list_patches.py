"""Change the lines of file lists, and the names of their classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from assay.curation.errors import UserError
from assay.curation.formats.class_names import ClassNames
from assay.curation.formats.list_lines import Line
from assay.curation.formats.moves import free_place
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.text_spans import Text
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES


@dataclass
class Sheet:
    """One list."""

    name: str
    text: Text
    split: str | None  # the word in its name
    lines: list[Line]


@dataclass
class Lists:
    """All lists of a source, and what their labels mean."""

    root: Path
    files: list[str]
    index: ImageIndex
    sheets: list[Sheet] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    column: int | None = None  # of the words behind the image; None: its folder is the class
    names: ClassNames = field(default_factory=ClassNames)

    def read_mark(self, line: Line) -> str | None:
        if self.column is None:
            parts = line.key.split("/")[:-1]
            return parts[-1] if parts and not guess_split(parts[-1]) else None
        return line.rest[self.column].text if len(line.rest) > self.column else None

    def read_label(self, line: Line) -> str | None:
        mark = self.read_mark(line)
        return None if mark is None else self.names.name(mark)

    def describe(self, samples: list[dict]) -> dict[str, str]:
        words = "the folder of each image"
        if self.column is not None:
            words = f"the word {self.column + 2} of each line"
        if self.names.file:
            words += f", named by {self.names.file}"
        roles = {"image": "the beginning of each line", "label": words}
        splits = Counter(sample["split"] for sample in samples if sample["split"])
        if splits:
            found = ", ".join(f"{split} {n:,}" for split, n in splits.items())
            roles["split"] = f"the name of each list ({found})"
        return roles


@dataclass
class ListPatch:
    """The edits of lists, while they are planned."""

    lists: Lists
    taken: set[str]
    edits: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    split_moves: dict[str, tuple[Sheet, str]] = field(default_factory=dict)  # key -> list, its line

    def change_line(self, sheet: Sheet, line: Line, change: Any) -> None:
        """Plan what becomes of one line.

        UserError where it does not say the given label.
        """
        edits = self.edits.setdefault(sheet.name, [])
        if change.removed:
            edits.append((line.start, line.end, ""))
            return
        now = self.lists.read_label(line)
        if now is not None and now != change.given_label:
            raise UserError(
                f"expected {change.given_label} for {line.key} in {sheet.name}, "
                f"line {line.number}, found {now}",
                "the source has changed since: import it again",
            )
        words = []
        if change.label != change.given_label:
            words = self.relabel(line, change)
        other = self.find_list(sheet, change.split)
        if other is None:
            edits += words
            return
        text = sheet.text.text
        body = text[line.start : line.end]
        for start, end, new in sorted(words, reverse=True):
            body = body[: start - line.start] + new + body[end - line.start :]
        edits.append((line.start, line.end, ""))
        self.split_moves[line.key] = (other, body)

    def relabel(self, line: Line, change: Any) -> list[tuple[int, int, str]]:
        """Plan another label of a line."""
        names = self.lists.names
        mark = None
        if change.label is not None:
            mark = names.mark(change.label) or names.add(change.label)
        if mark is None or mark != mark.strip() or not mark or len(mark.split()) > 1:
            self.notes.append(f"{line.key}: no list can say {change.label or 'no label'} there")
            return []
        if self.lists.column is not None:
            if len(line.rest) <= self.lists.column:
                return [(line.path.end, line.path.end, f" {mark}")]
            word = line.rest[self.lists.column]
            return [(word.start, word.end, mark)]
        old = PurePath(line.key)
        if line.key not in self.moved:
            self.moved[line.key] = free_place(old.parent.with_name(mark) / old.name, self.taken)
        new = PurePath(self.moved[line.key])
        parts = line.path.text.split("/")
        ending = "" if parts[-1].lower().endswith(SUFFIXES) else new.suffix
        parts[-1] = new.name.removesuffix(ending) if ending else new.name
        if len(parts) > 1:
            parts[-2] = mark
        return [(line.path.start, line.path.end, "/".join(parts))]

    def find_list(self, sheet: Sheet, split: str | None) -> Sheet | None:
        """Find the list of another split.

        None where the line stays in its own.
        """
        if split is None or sheet.split is None or guess_split(sheet.split) == split:
            return None
        found = [s for s in self.lists.sheets if s.split and guess_split(s.split) == split]
        if not found:
            self.notes.append(f"no list is of {split}: changed splits stay as they are")
        return found[0] if found else None

    def append_line(self, sheet: Sheet, body: str) -> None:
        """Plan a line at the end of a list."""
        text = sheet.text.text
        end = "\r\n" if "\r\n" in text[:1000] else "\n"
        edits = self.edits.setdefault(sheet.name, [])
        first = not any(start == len(text) for start, _, _ in edits)
        before = end if first and text and not text.endswith("\n") else ""
        edits.append((len(text), len(text), before + body.rstrip("\r\n") + end))


def list_new_marks(lists: Lists, wanted: dict[str, Any]) -> set[str]:
    """List the marks that the lists will have after the changes."""
    names = lists.names
    marks = set()
    for line in (line for sheet in lists.sheets for line in sheet.lines):
        change = wanted.get(line.key)
        label = change.label if change else lists.read_label(line)
        if label is not None and not (change and change.removed):
            marks.add(names.mark(label) or names.fresh.get(label, label))
    return marks
