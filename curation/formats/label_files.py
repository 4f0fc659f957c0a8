"""A small file beside each image that holds its class.

Such as 1.txt beside 1.jpg.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.annotations import find_masks, find_sign, walk_folders
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_names import FILES, ClassNames, find_class_names
from assay.curation.formats.folder_levels import WRAPPERS, show_names
from assay.curation.formats.folder_plan import FolderPlan, plan_folders
from assay.curation.formats.json_edits import JsonText
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.table_labels import NAMED, plain_name
from assay.curation.formats.text_spans import Text, read_whole
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import MAX_TEXT, find_flaw, format_count

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".txt", ".cls", ".json")
BESIDE = ("labels", "annotations", "targets", "classes")  # folders like that of the images
LOOKED = 50  # images at the top whose files are looked at, to see what they are
FEW = 8  # in each folder below
MOST = 1 << 16  # bytes of a file that holds one label


class LabelFiles:
    """A file beside each image holds its class: 1.jpg and 1.txt, or images/1.jpg and labels/1.txt.

    It is a text of one line, or JSON with a field such as label. Asked where most texts differ, as
    captions do, and where folders could be the classes.
    """

    name = "label-files"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        no = Match("no", "expects a text beside each image that holds its class")
        if not path.is_dir() or (path / "assay.json").is_file():
            return no
        images, texts = probe(path)
        if len(texts) < 2 or len(texts) * 2 <= len(images) or find_sign(path):
            return no
        folders = {os.path.dirname(f) for f in images}
        if len(set(texts.values())) * 2 > len(texts) and len(folders) > 1:
            return no  # captions in folders of classes: these are read
        return Match("sure", f"a file beside each image holds its class, first {min(texts)}")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the images with the label of the file beside each."""
        found = read_labels(path, options)
        samples, left_out = [], []
        for image in found.images:
            label = found.label(image)
            if wrong := find_flaw(label or "") or find_flaw(image, MAX_TEXT):
                left_out.append((image.encode(errors="replace").decode(), f"has what {wrong}"))
                continue
            _, split, meta = found.plan.placed[tuple(image.split("/")[:-1])].values()
            uri = f"{path}/{image}"
            samples.append(dict(key=image, uri=uri, label=label, split=split, meta=meta))
        own = {*found.beside.values(), found.names.file}
        rest = (f for f in found.files if not f.lower().endswith(SUFFIXES) and f not in own)
        notes = [found.names.note] if found.names.note else []
        if bare := len(found.images) - len(found.beside):
            notes.append(f"{format_count(bare, 'image', 'has', 'have')} no such file, and no label")
        named = f", named by {found.names.file}" if found.names.file else ""
        roles = {"label": f"the file beside each image{named}"}
        if "split" in found.plan.roles:
            roles["split"] = found.plan.roles["split"]
        return Listing(
            self.name,
            "images with a file of its label beside each",
            path.name,
            [samples],
            left_out,
            notes,
            roles,
            list_unread(rest),
            found.names.names,
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the label in the files; the images stay where they are."""
        found = read_labels(source, options)
        rewritten: dict[str, Callable[[Path], None]] = {}
        removed, notes = [], []
        for row in iter_changes(changes):
            if found.label(row.key) != row.given_label:
                raise UserError(
                    f"expected {row.given_label} for {row.key}, found {found.label(row.key)}",
                    "the source has changed since: import it again",
                )
            file = found.beside.get(row.key)
            if row.removed:
                removed += [row.key] + [file] * bool(file)
                continue
            if row.split:
                notes.append("changed splits stay as they are: the folders say them")
            if row.label == row.given_label:
                continue
            mark = ""
            if row.label is not None:
                mark = found.names.mark(row.label) or found.names.add(row.label)
            if file is None or mark is None or mark != " ".join(mark.split()):
                notes.append(f"{row.key}: no file can say {row.label or 'no label'}")
            else:
                rewritten[file] = change_label(source / file, mark)
                found.marks[row.key] = mark or None
        left = {mark for image, mark in found.marks.items() if mark and image not in removed}
        rewritten |= found.names.plan(source, left)
        notes += found.names.describe_fresh()
        return Patch(rewritten, removed=removed, notes=list(dict.fromkeys(notes)))


FORMAT = LabelFiles()


@dataclass
class Labels:
    """The images of a folder, and what the file beside each says."""

    files: list[str]
    images: list[str]
    beside: dict[str, str]  # image -> its file
    marks: dict[str, str | None]  # image -> what its file says
    plan: FolderPlan
    names: ClassNames = field(default_factory=ClassNames)

    def label(self, image: str) -> str | None:
        mark = self.marks.get(image)
        return None if mark is None else self.names.name(mark)


def probe(path: Path) -> tuple[list[str], dict[str, str]]:
    """Look at a folder's first images and the files beside them.

    Returns (images, {file beside one: what it says}).
    """
    images, texts = [], {}
    for folder, names in islice(walk_folders(path), 20):
        there, most = set(names), LOOKED if Path(folder) == path else FEW
        found = [n for n in names if n.lower().endswith(SUFFIXES)][:most]
        images += [os.path.join(os.path.relpath(folder, path), n) for n in found]
        for name in found:
            image = os.path.normpath(os.path.join(os.path.relpath(folder, path), name))
            for place in list_places(image):
                here = os.path.dirname(place) == os.path.dirname(image)
                known = os.path.basename(place) in there if here else (path / place).is_file()
                if known and (mark := read_mark(path / place)) is not None:
                    texts[place] = mark
                    break
    return images, texts


def list_places(image: str) -> list[str]:
    """List where the file of an image's label may lie."""
    stem = os.path.splitext(image)[0]
    parts = stem.split("/")
    stems = [stem]
    for at, part in enumerate(parts[:-1]):
        if part.lower() in WRAPPERS:
            stems += ["/".join([*parts[:at], word, *parts[at + 1 :]]) for word in BESIDE]
            break
    return [stem + ending for stem in stems for ending in ENDINGS]


def read_mark(path: Path) -> str | None:
    """Read what a file says of its image.

    None where that is no plain text of a line, nor JSON with one label; "" where it is empty.
    """
    if path.name.lower() in FILES or path.stat().st_size > MOST:
        return None
    try:
        text = read_whole(path).text.lstrip("\ufeff").strip()
    except UserError:
        return None
    if path.suffix.lower() == ".json":
        try:
            field = find_field(json.loads(text))
        except (ValueError, RecursionError):
            return None
        return field and field[1]
    return text if len(text.splitlines()) < 2 else None


def find_field(value: Any) -> tuple[str, str] | None:
    """Find the field of JSON that is its label: (name, text)."""
    if not isinstance(value, dict):
        return None
    named = [k for k, v in value.items() if plain_name(k) in NAMED and type(v) in (str, int)]
    return (named[0], str(value[named[0]]).strip()) if len(named) == 1 else None


def read_labels(path: Path, options: ImportOptions) -> Labels:
    """Read the label files beside all images.

    AmbiguousSource where they may hold no classes.
    """
    files = list(list_files(str(path)))
    masks = set(find_masks([f for f in files if f.lower().endswith(SUFFIXES)]))
    images = [f for f in files if f.lower().endswith(SUFFIXES) and f not in masks]
    known = set(files)
    beside = {}
    for image in images:
        if place := next((p for p in list_places(image) if p in known), None):
            beside[image] = place
    folders = Counter(tuple(f.split("/")[:-1]) for f in images)
    plan = plan_folders(path.name, folders, options)
    found = Labels(files, images, beside, {}, plan)
    if options.pictures_only:
        return found
    for image, file in beside.items():
        mark = read_mark(path / file)
        if mark is None:
            raise UserError(
                f"expected one label in the file of each image in {path.name}, found another in {file}",
                "several labels an image are not read yet: --pictures-only imports without them; "
                "--format folders does not look at these files",
            )
        found.marks[image] = mark or None
    marks = Counter(mark for mark in found.marks.values() if mark)
    if options.format != FORMAT.name:
        ask_about_texts(path.name, found, marks)
    found.names = find_class_names(path, ("", *BESIDE), set(marks), beside.values())
    return found


def ask_about_texts(name: str, found: Labels, marks: Counter[str]) -> None:
    """Ask where texts may be captions, or folders may be classes."""
    n, classes = sum(marks.values()), {placed.label for placed in found.plan.placed.values()}
    shown = Counter({mark[:40]: count for mark, count in marks.items()})
    ours = Reading(
        f"the {len(marks):,} texts are classes: {show_names(shown)}", "--format label-files"
    )
    if len(classes - {None}) > 1:
        raise AmbiguousSource(
            f"expected labels of one kind in {name}, found folders and a file beside each image",
            [ours, Reading("the folders are the classes", "--format folders")],
        )
    if len(marks) * 2 > n:
        first = min(marks, default="")[:60]
        raise AmbiguousSource(
            f"expected a class in the file beside each image of {name}, found {format_count(len(marks), 'text')} for"
            f" {format_count(n, 'image')}, such as {first!r}: captions or measures are no classes",
            [ours, Reading("they are not: the images without labels", "--pictures-only")],
        )


def change_label(path: Path, mark: str) -> Callable[[Path], None]:
    """Make a function that writes a file with another label.

    All else stays as it was.
    """
    if path.suffix.lower() == ".json":
        text = JsonText(path)
        (name, _) = find_field(text.value) or ("", "")
        number = type(text.value[name]) is int and mark.isdecimal()
        text.replace(text.members()[name], int(mark) if number else mark)
        return text.write
    whole: Text = read_whole(path)
    old = whole.text.lstrip("\ufeff").strip()
    start = whole.text.index(old) if old else len(whole.text.rstrip("\r\n"))
    return whole.edit([(start, start + len(old), mark)])
