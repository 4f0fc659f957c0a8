"""Lists of images in text files: train.txt with a path and a label a line, and the like."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats import list_lines
from assay.curation.formats.annotations import find_masks, find_sign
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_names import ClassNames, find_class_names, match_marks
from assay.curation.formats.list_lines import Line
from assay.curation.formats.moves import free_place, iter_changes
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.text_spans import Text, read_whole
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import MAX_TEXT, find_flaw

if TYPE_CHECKING:
    import pandas as pd


class FileLists:
    """Text files with an image a line, and its label behind it or in its path.

    Such as train.txt, val.txt, with classes.txt or synset_words.txt. Asked where several words follow an
    image; marks of several labels are refused.
    """

    name = "file-list"
    suffixes = list_lines.ENDINGS

    def matches(self, path: Path) -> Match:
        no = Match("no", "expects a text file that names images, or a folder with one")
        if path.is_file():
            if path.suffix.lower() in self.suffixes and list_lines.names_images(path.parent, path):
                return Match("sure", "its lines name images")
            return no
        if not path.is_dir() or (path / "images.txt").is_file() and is_numbered(path):
            return no
        found = (
            name
            for name in list_lines.list_candidates(path)
            if list_lines.names_images(path, path / name)
        )
        if (name := next(found, None)) and not find_sign(path):
            return Match("sure", f"the lines of {name} name images")
        return no

    def read(self, path: Path, options: ImportOptions) -> Listing:
        lists = read_lists(path, options)
        root, samples, bad = lists.root, {}, list(lists.bad)
        for sheet in lists.sheets:
            for line in sheet.lines:
                label = lists.read_label(line)
                split = name_split(sheet.split, options.split_map)
                if wrong := find_flaw(label or "") or find_flaw(line.key, MAX_TEXT):
                    bad.append((line.key, f"{wrong} ({sheet.name})"))
                    continue
                new = dict(
                    key=line.key, uri=f"{root}/{line.key}", label=label, split=split, meta={}
                )
                old = samples.setdefault(line.key, new)
                if None not in (old["label"], label) and old["label"] != label:
                    bad.append(
                        (line.key, f"has the labels {old['label']} and {label} in the lists")
                    )
                elif None not in (old["split"], split) and old["split"] != split:
                    bad.append((line.key, f"is in {old['split']} and in {split} in the lists"))
                old["label"] = old["label"] or label
                old["split"] = old["split"] or split
        wrong = {key for key, _ in bad}
        kept = [sample for key, sample in samples.items() if key not in wrong]
        rest = [f for f in lists.index.images if f not in samples]
        own = {sheet.name for sheet in lists.sheets} | {lists.names.file}
        unread = list_unread(
            f for f in lists.files if not f.lower().endswith(SUFFIXES) and f not in own
        )
        unread += list_unread(rest, "no list names them")
        roles = lists.describe(kept)
        notes = [lists.names.note] if lists.names.note else []
        shown = ", ".join(sheet.name for sheet in lists.sheets[:5])
        return Listing(
            self.name,
            f"file list {shown}",
            path.name,
            [kept],
            bad,
            notes,
            roles,
            unread,
            classes=lists.names.names,
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the words of labels in the lists; where the folder is the class, images move."""
        lists = read_lists(source, options)
        wanted = {row.key: row for row in iter_changes(changes)}
        plan = ListPatch(lists, {f.casefold() for f in lists.files})
        for sheet in lists.sheets:
            for line in sheet.lines:
                if change := wanted.get(line.key):
                    plan.change_line(sheet, line, change)
        for line_of in plan.split_moves.values():
            plan.append_line(*line_of)
        whole = source.is_file()
        rewritten = {
            "" if whole else sheet.name: sheet.text.edit(plan.edits[sheet.name])
            for sheet in lists.sheets
            if plan.edits.get(sheet.name)
        }
        if whole and plan.moved:
            raise UserError(
                f"expected labels in the lines of {source.name}, found them in the folders",
                "import the folder instead of the list",
            )
        names = lists.names
        if names.fresh:
            base = source.parent if whole else source
            if whole:
                raise UserError(
                    f"expected classes that {names.file} names, found {next(iter(names.fresh))}",
                    f"import the folder {base} instead, so that {names.file} can be written too",
                )
            check_new_marks(lists, wanted, base)
            rewritten[names.file] = partial(names.write, base)
        notes = [*plan.notes, *names.describe_fresh()]
        return Patch(rewritten, plan.moved, notes=list(dict.fromkeys(notes)))


FORMAT = FileLists()


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


def name_split(word: str | None, split_map: dict[str, str]) -> str | None:
    return word if word in split_map else word and guess_split(word)


def check_new_marks(lists: Lists, wanted: dict[str, Any], base: Path) -> None:
    """Refuse new names with which the file of names would not be read as before.

    Such as one without numbers, where no line of a list says 0 any more.
    """
    names = lists.names
    marks = set()
    for line in (line for sheet in lists.sheets for line in sheet.lines):
        change = wanted.get(line.key)
        label = change.label if change else lists.read_label(line)
        if label is not None and not (change and change.removed):
            marks.add(names.mark(label) or names.fresh.get(label, label))
    known = names.of_mark | {mark: name for name, mark in names.fresh.items()}
    found, _ = match_marks(names.list_lines(base), marks)
    if any(found.get(mark) != known.get(mark) for mark in marks):
        raise UserError(
            f"expected that {names.file} can be read with {', '.join(names.fresh)} at its end, found that it"
            " would not tell any more whether it counts from 0 or from 1: the class of 0 has no image left",
            f"rename the class in {names.file} by hand and import it again, or --format manifest",
        )


def is_numbered(path: Path) -> bool:
    """Whether images.txt counts its images, as CUB's does."""
    return (path / "image_class_labels.txt").is_file()


def read_lists(path: Path, options: ImportOptions) -> Lists:
    """Read all lists of a folder, or the one at `path`."""
    whole = path.is_file()
    root = Path(options.images) if options.images else path.parent if whole else path
    files = list(list_files(str(root)))
    masks = set(find_masks([f for f in files if f.lower().endswith(SUFFIXES)]))
    lists = Lists(root, files, ImageIndex(f for f in files if f not in masks))
    base = path.parent if whole else path
    for name in [path.name] if whole else list_lines.list_candidates(path):
        if not whole and not list_lines.names_images(root, base / name):
            continue
        text = read_whole(base / name)
        stem = os.path.splitext(os.path.basename(name))[0]
        bases = ["", os.path.dirname(name), "images", stem, f"images/{stem}", "JPEGImages"]
        lines, bad = list_lines.read_lines(text, lists.index, bases)
        # "0 of 3" lists are other texts, such as a README that names an image
        if len(lines) >= len(bad):
            split = stem if guess_split(stem) or stem in options.split_map else None
            lists.sheets.append(Sheet(name, text, split, lines))
            lists.bad += bad
    if not lists.sheets:
        raise UserError(
            f"expected lines that name images in {path.name}, found none",
            "--images FOLDER says where the images are",
        )
    lines = [line for sheet in lists.sheets for line in sheet.lines]
    if not options.pictures_only:
        lists.column = list_lines.choose_column(lines, options.columns.get("label"), path.name)
    marks = {mark for line in lines if (mark := lists.read_mark(line)) is not None}
    folders = ["", *(os.path.dirname(sheet.name) for sheet in lists.sheets)]
    own = {sheet.name for sheet in lists.sheets}
    lists.names = find_class_names(base, folders, marks, own)
    return lists


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
        """Plan what becomes of one line; UserError where it does not say the given label."""
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
        """Find the list of another split; None where the line stays in its own."""
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
