"""Lists of images in text files, such as train.txt.

Each line has a path and a label.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats import list_lines
from assay.curation.formats.annotations import find_masks, find_sign
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_names import find_class_names
from assay.curation.formats.file_list_patches import ListPatch, Lists, Sheet, list_new_marks
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.text_spans import read_whole
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
        """Change labels in the lists, or move images between class folders.

        Images move where the folder is the class.
        """
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
            rewritten |= names.plan(base, list_new_marks(lists, wanted))
        notes = [*plan.notes, *names.describe_fresh()]
        return Patch(rewritten, plan.moved, notes=list(dict.fromkeys(notes)))


FORMAT = FileLists()


def name_split(word: str | None, split_map: dict[str, str]) -> str | None:
    return word if word in split_map else word and guess_split(word)


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
            split = stem if stem in options.split_map else list_lines.find_split_word(stem)
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
