"""Lists that count their images: images.txt and image_class_labels.txt, as CUB-200 has them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_names import ClassNames, match_marks, read_names_file
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.text_spans import Text, read_whole
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import MAX_TEXT, find_flaw

if TYPE_CHECKING:
    import pandas as pd

IMAGES, LABELS, NAMES = "images.txt", "image_class_labels.txt", "classes.txt"
SPLITS = "train_test_split.txt"
LINE = re.compile(r"^[ \t]*(\S+)[ \t]+(\S[^\r\n]*?)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)


class Value(NamedTuple):
    """What a list says of one number, and where."""

    text: str
    start: int
    end: int
    line: tuple[int, int]


class NumberedLists:
    """Lists by the number of an image, as CUB-200 has them.

    These are images.txt, image_class_labels.txt, classes.txt and train_test_split.txt.
    """

    name = "numbered-lists"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        if path.is_dir() and (path / IMAGES).is_file() and (path / LABELS).is_file():
            return Match("sure", f"{IMAGES} and {LABELS} number the images")
        return Match("no", f"expects a folder with {IMAGES} and {LABELS}")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        texts, tables = read_tables(path)
        files = list(list_files(str(path)))
        index = ImageIndex(files)
        names = read_names(path, tables[LABELS])
        samples, left_out, seen = [], [], set()
        for number, value in tables[IMAGES].items():
            key, wrong = index.find_one(value.text, "images", "")
            mark = tables[LABELS].get(number)
            label = names.name(mark.text) if mark else None
            split = tables.get(SPLITS, {}).get(number)
            if key in seen:
                wrong = "is listed twice"
            wrong = wrong or find_flaw(label or "") or find_flaw(key or "", MAX_TEXT) or ""
            if split and split.text not in ("0", "1"):
                wrong = f"has {split.text} in {SPLITS}, where 1 is train and 0 is test"
            if key is None or wrong:
                left_out.append((value.text, wrong))
                continue
            seen.add(key)
            word = ("test", "train")[int(split.text)] if split else None
            samples.append(dict(key=key, uri=f"{path}/{key}", label=label, split=word, meta={}))
        own = {*texts, names.file}
        rest = [f for f in index.images if f not in seen]
        unread = list_unread(f for f in files if not f.lower().endswith(SUFFIXES) and f not in own)
        unread += list_unread(rest, f"{IMAGES} does not list them")
        roles = {"image": IMAGES, "label": f"{LABELS}, named by {names.file or 'nothing'}"}
        if SPLITS in texts:
            counts = Counter(sample["split"] for sample in samples)
            found = ", ".join(f"{split} {n:,}" for split, n in counts.items())
            roles["split"] = f"{SPLITS}: 1 is train, 0 is test ({found})"
        boxes = [f for f in files if "bounding_box" in f or "part_locs" in f]
        notes = [f"boxes and parts were not read: {', '.join(boxes[:3])}"] if boxes else []
        notes += [names.note] if names.note else []
        return Listing(
            self.name,
            "numbered lists",
            path.name,
            [samples],
            left_out,
            notes,
            roles,
            unread,
            classes=names.names,
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the numbers of classes and splits in the lists.

        Images stay where they are.
        """
        texts, tables = read_tables(source)
        index = ImageIndex(list_files(str(source)))
        names = read_names(source, tables[LABELS])
        wanted = {row.key: row for row in iter_changes(changes)}
        edits: dict[str, list[tuple[int, int, str]]] = {name: [] for name in texts}
        left = {number: mark.text for number, mark in tables[LABELS].items()}
        notes = []
        for number, value in tables[IMAGES].items():
            key, _ = index.find_one(value.text, "images", "")
            if (change := wanted.get(key)) is None:
                continue
            mark = tables[LABELS].get(number)
            now = names.name(mark.text) if mark else None
            if now != change.given_label:
                raise UserError(
                    f"expected {change.given_label} for {key} in {LABELS}, found {now}",
                    "the source has changed since: import it again",
                )
            if change.removed:
                for name, table in tables.items():
                    if number in table:
                        edits[name].append((*table[number].line, ""))
                left.pop(number, None)
                continue
            if change.label != change.given_label:
                new = None
                if change.label is not None:
                    new = names.mark(change.label) or names.add(change.label)
                if new is None or mark is None:
                    notes.append(f"{key}: {LABELS} cannot say {change.label or 'no label'}")
                else:
                    edits[LABELS].append((mark.start, mark.end, new))
                    left[number] = new
            split = tables.get(SPLITS, {}).get(number)
            if split and change.split in ("train", "test"):
                edits[SPLITS].append((split.start, split.end, "01"[change.split == "train"]))
            elif change.split:
                notes.append(f"{SPLITS} cannot say {change.split}")
        rewritten = {name: texts[name].edit(found) for name, found in edits.items() if found}
        rewritten |= names.plan(source, left.values())
        notes += names.describe_fresh()
        return Patch(rewritten, notes=list(dict.fromkeys(notes)))


FORMAT = NumberedLists()


def read_tables(path: Path) -> tuple[dict[str, Text], dict[str, dict[str, Value]]]:
    """Read the lists: their texts, and {number: value} of each."""
    texts = {
        name: read_whole(path / name)
        for name in (IMAGES, LABELS, SPLITS)
        if (path / name).is_file()
    }
    tables = {}
    for name, text in texts.items():
        tables[name] = {
            m[1].lstrip("\ufeff"): Value(m[2], m.start(2), m.end(2), m.span())
            for m in LINE.finditer(text.text)
        }
        if not tables[name]:
            raise UserError(
                f"expected a number and a value on each line of {name}, found none",
                "is the file complete?",
            )
    return texts, tables


def read_names(path: Path, labels: dict[str, Value]) -> ClassNames:
    """Read classes.txt."""
    if not (path / NAMES).is_file():
        return ClassNames(note=f"there is no {NAMES}: the classes are numbers")
    marks = {value.text for value in labels.values()}
    found, why = match_marks(*read_names_file(path / NAMES), marks)
    note = "" if found else f"{NAMES} {why or 'does not name all classes'}: they are numbers"
    return ClassNames(found, NAMES if found else "", note)
