"""Lists of the images that lie in no class's folder.

An example is val_annotations.txt beside val/images.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.base import ImportOptions, Patch
from assay.curation.formats.class_names import ClassNames
from assay.curation.formats.folder_plan import FolderPlan
from assay.curation.formats.list_lines import ENDINGS, HEAD, Token, read_lines
from assay.curation.formats.table_labels import NAMED, plain_name
from assay.curation.formats.text_spans import Text, read_whole
from assay.curation.media.image_index import ImageIndex
from assay.curation.text import format_count

LISTS = (*ENDINGS, ".csv", ".tsv")
MOST = 50  # lists that are looked at
TRIED = 20  # lines of each that are looked at, before it is read
TRUTH = re.compile(r"(.*_)?validation_ground_truth\.txt", re.IGNORECASE)
WORD = re.compile(r"\S+")


@dataclass
class FolderList:
    """One list, and the word of each image's class in it."""

    name: str
    text: Text
    marks: dict[str, Token]  # image -> what the list calls its class
    lines: dict[str, tuple[int, int]]  # image -> its line; {} where lines are counted
    classes: dict[str, str]  # what the list calls a class -> its folder

    @cached_property
    def words(self) -> dict[str, str]:
        """{folder: what the list calls it}."""
        return {folder: word for word, folder in self.classes.items()}

    def word(self, folder: str) -> str | None:
        """Find what the list calls the class of a folder.

        A new folder is called as the others are; None where nothing tells how.
        """
        if folder in self.words:
            return self.words[folder]
        if not self.lines:  # the devkit numbers its classes
            return None
        if all(word == called for word, called in self.classes.items()):
            return folder
        return str(int(folder)) if folder.isdecimal() else None

    def folder(self, key: str) -> str | None:
        """Find the class folder in which an image would lie."""
        return self.classes[self.marks[key].text] if key in self.marks else None


@dataclass
class FolderLists:
    """All lists beside class folders."""

    lists: list[FolderList] = field(default_factory=list)

    def find(self, key: str) -> FolderList | None:
        return next((found for found in self.lists if key in found.marks), None)

    def names(self) -> list[str]:
        return [found.name for found in self.lists]

    def patch(self, changes: Any, names: ClassNames) -> tuple[Patch, set[str]]:
        """Plan the changes of the images in lists.

        Returns the patch, and the keys that are done with.
        """
        edits: dict[str, list[tuple[int, int, str]]] = {}
        notes, done, removed = [], set(), []
        for row in changes:
            if (found := self.find(row.key)) is None:
                continue
            done.add(row.key)
            folder = found.folder(row.key) or ""
            if names.name(folder) != row.given_label:
                raise UserError(
                    f"expected {row.given_label} for {row.key} in {found.name}, found {names.name(folder)}",
                    "the source has changed since: import it again",
                )
            if row.removed and not found.lines:
                notes.append(f"{row.key} stays: {found.name} counts its lines")
            elif row.removed:
                edits.setdefault(found.name, []).append((*found.lines[row.key], ""))
                removed.append(row.key)
            elif row.label != row.given_label:
                folder = row.label and (names.mark(row.label) or names.fresh.get(row.label))
                word = found.word(folder) if folder else None
                if word is None:
                    notes.append(f"{row.key}: {found.name} cannot say {row.label or 'no label'}")
                else:
                    token = found.marks[row.key]
                    edits.setdefault(found.name, []).append((token.start, token.end, word))
            if row.split and not row.removed:
                notes.append(f"{row.key}: its split stays, since {found.name} lists it")
        texts = {found.name: found.text for found in self.lists}
        rewritten = {name: texts[name].edit(found) for name, found in edits.items()}
        return Patch(rewritten, removed=removed, notes=list(dict.fromkeys(notes))), done


def find_folder_lists(
    root: Path,
    files: list[str],
    images: list[str],
    plan: FolderPlan,
    options: ImportOptions,
    names: ClassNames,
) -> FolderLists:
    """Find the lists that label images outside of class folders.

    AmbiguousSource where several columns could be the class; UserError where a list numbers classes
    by a file that is not there.
    """
    folders = {placed.label for placed in plan.placed.values() if placed.label}
    folders |= set(names.of_mark) if folders else set()
    bare = [f for f in images if plan.placed[tuple(f.split("/")[:-1])].label is None]
    if not folders or not bare or options.pictures_only:
        return FolderLists()
    places = {str(parent) for file in bare for parent in Path(file).parents}
    index = ImageIndex(bare)
    found: list[FolderList] = []
    near = [f for f in files if f.lower().endswith(LISTS) and (os.path.dirname(f) or ".") in places]
    for name in near[:MOST]:
        if (listed := read_list(root, name, index, folders, options)) is not None:
            found.append(listed)
    truths = [f for f in files if TRUTH.fullmatch(os.path.basename(f))]
    left = [f for f in bare if not any(f in listed.marks for listed in found)]
    val = [f for f in left if "_val_" in os.path.basename(f).lower()]
    if truths and val:
        found.append(read_truth(root, truths[0], files, val, folders))
    return FolderLists(found)


def read_list(
    root: Path, name: str, index: ImageIndex, folders: set[str], options: ImportOptions
) -> FolderList | None:
    """Read a list of images and their classes.

    None where it names no such images, or no class of the folders.
    """
    folder = os.path.dirname(name)
    bases = [folder, os.path.join(folder, "images"), ""]
    with open(root / name, "rb") as file:
        begin = file.read(HEAD).decode("utf-8", "replace").splitlines(keepends=True)[:TRIED]
    lines, bad = read_lines(Text(root / name, "".join(begin), "utf-8"), index, bases)
    if len(lines) < len(bad) - 1:  # the last may be cut
        return None
    try:
        text = read_whole(root / name)
    except UserError:
        return None
    lines, bad = read_lines(text, index, bases)
    if not lines or len(lines) < len(bad):
        return None
    header = begin[0]
    found = {}
    for column in range(max(len(line.rest) for line in lines)):
        marks = {
            line.key: first_word(line.rest[column]) for line in lines if len(line.rest) > column
        }
        classes = match_folders({token.text for token in marks.values()}, folders)
        if classes and len(marks) == len(lines):
            found[column] = marks, classes
    if len(found) > 1:
        found = choose_by_header(header, found, name, options)
    if not found:
        return None
    ((marks, classes),) = found.values()
    return FolderList(
        name, text, marks, {line.key: (line.start, line.end) for line in lines}, classes
    )


def first_word(token: Token) -> Token:
    """Take the first word of a token.

    An answer of ImageNet's is n01440764 240 170 260 240.
    """
    word = WORD.match(token.text)
    return Token(token.start, token.start + len(word[0]), word[0]) if word else token


def match_folders(marks: set[str], folders: set[str]) -> dict[str, str]:
    """Match all marks with folders: {mark: folder}.

    3 means 00003. {} where a mark has no folder.
    """
    if marks <= folders:
        return {f: f for f in folders}
    numbers = {str(int(f)): f for f in folders if f.isdecimal()}
    return numbers if marks <= set(numbers) else {}


def choose_by_header(header: str, found: dict, name: str, options: ImportOptions) -> dict:
    """Choose the column that was asked for, or titled a label.

    AmbiguousSource where that is not one.
    """
    titles = [title.strip().strip('"') for title in re.split(r"[\t,;]", header)][1:]
    asked = options.columns.get("label")
    chosen = [
        column
        for column in found
        if (column < len(titles) and plain_name(titles[column]) in NAMED and not asked)
        or asked in (str(column + 2), titles[column] if column < len(titles) else None)
    ]
    if len(chosen) == 1:
        return {chosen[0]: found[chosen[0]]}
    raise AmbiguousSource(
        f"expected one class for each image in {name}, found {format_count(len(found), 'column')} that could be it",
        [
            Reading(f"the word {column + 2} of a line is the class", f"--label-column {column + 2}")
            for column in found
        ],
    )


def read_truth(
    root: Path, name: str, files: list[str], val: list[str], folders: set[str]
) -> FolderList:
    """Read ImageNet's ground truth, which has a class number a line.

    Line n is about the n-th image. meta.mat of its devkit says which class has which number; it is
    not that of the sorted folders.
    """
    text = read_whole(root / name)
    tokens = [Token(m.start(), m.end(), m[0]) for m in WORD.finditer(text.text)]
    meta = next((f for f in files if os.path.basename(f) == "meta.mat"), None)
    if meta is None:
        raise UserError(
            f"expected meta.mat of ImageNet's devkit beside {name}, which numbers classes by it, found none",
            f"put the devkit's data/meta.mat into the folder; without {name} there, the"
            f" {format_count(len(val), 'image', 'is', 'are')} imported without labels",
        )
    if len(tokens) != len(val):
        raise UserError(
            f"expected a line of {name} for each image ({len(val):,}), found {len(tokens):,}",
            "are all images there?",
        )
    classes = {number: folder for number, folder in read_synsets(root / meta) if folder in folders}
    unknown = sorted({token.text for token in tokens} - set(classes))
    if unknown:
        raise UserError(
            f"expected a folder for each class of {name}, found none for {', '.join(unknown[:5])}",
            f"{meta} says which they are",
        )
    order = sorted(val, key=os.path.basename)
    return FolderList(name, text, dict(zip(order, tokens)), {}, classes)


def read_synsets(path: Path) -> Iterable[tuple[str, str]]:
    """Read the numbers and folders of classes in meta.mat."""
    from scipy.io import loadmat

    try:
        rows: Iterator[Any] = iter(loadmat(path, squeeze_me=True)["synsets"])
        return [(str(int(row["ILSVRC2012_ID"])), str(row["WNID"])) for row in rows]
    except Exception as e:  # whatever a damaged file makes SciPy raise
        raise UserError(
            f"expected synsets in {path.name}, found none: {type(e).__name__}", "is it complete?"
        ) from None
