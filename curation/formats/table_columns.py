"""Which column of a table holds images, which splits, ids and groups."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UnknownName, UserError
from assay.curation.formats.splits import read_split_word
from assay.curation.formats.table_cells import Table
from assay.curation.formats.table_labels import Labels, choose_labels, plain_name
from assay.curation.media.images import SUFFIXES

# as people call it, without _ and capitals; where several are there, the first wins only if all
# name the same images
PATHS = (
    "path filepath imagepath image img file filename imagefile imagefilename imagename imgname imgpath"
    " imgfile imagefilepath relativepath relpath fullpath abspath absolutepath picture photo"
    " uri imageuri imageurl imgurl url s3path s3uri gsuri src"
).split()
# taken only where images are found by them
NAMES = "imageid imgid photoid pictureid id name key uuid fileid idcode code slide".split()
SPLIT_NAMES = "split subset set partition phase datasplit usage dataset splitname tvt".split()
FLAGS = {  # columns that say yes or no -> the split of yes
    "istest": "test", "istrain": "train", "istraining": "train", "istrainingimage": "train",
    "isval": "val", "isvalid": "val", "isvalidation": "val",
}  # fmt: skip
FOLDS = ("fold", "folds", "kfold", "cvfold", "foldid", "foldnumber")
YES, NO = ("true", "1", "1.0", "yes", "t", "y"), ("false", "0", "0.0", "no", "f", "n")
MANY = 10_000  # different cells that are kept
SAMPLE = 50  # cells that are looked at to see what a column is
# texts -> whether an image is where each says; addresses are None
Finder = Callable[[list[str]], list[bool | None]]


@dataclass(frozen=True)
class Roles:
    """The names of a table's columns by what they hold; None where no column holds it."""

    image: str
    id: str | None
    split: str | None
    group: str | None
    labels: Labels
    flag: dict[str, str] = field(default_factory=dict)  # of a split column of yes and no: its words
    notes: list[str] = field(default_factory=list)

    def all_columns(self) -> set[str | None]:
        return {self.image, self.id, self.split, self.group, *self.labels.all_columns()}


def choose_roles(
    table: Table,
    asked: dict[str, str | None],
    file: str,
    exported: bool,
    find: Finder | None = None,
    split_map: dict[str, str] | None = None,
    pictures_only: bool = False,
) -> Roles:
    """Choose the columns that the importer asked for, and guess the others.

    asked: {image, label, split, id, group: column or "none"}. exported: whether Assay wrote the
    table. find: looks whether images are there. UserError where there is no column of images;
    AmbiguousSource where images, labels or splits could be several.
    """
    notes: list[str] = []
    image = choose_image_column(table, asked.get("image"), None if exported else find, file, notes)
    if image is None:
        raise refuse_imageless(table, file)
    id = choose_column(table, "id", asked.get("id"), ("key", "id") if exported else ("id",))
    id = None if id == image else id
    if id and not asked.get("id") and not exported and repeats(table.columns[id]):
        notes.append(f"the column {id} repeats, so it names no sample: it is metadata")
        id = None
    split, flag = choose_split(table, asked.get("split"), file, split_map or {}, exported)
    group = choose_column(table, "group", asked.get("group"))
    taken = {image, id, split, group, "sample_id" if exported else None}
    label = choose_column(table, "label", asked.get("label"))
    label = "none" if pictures_only or asked.get("label") == "none" else label
    if exported and not label:
        label = next((name for name in table.columns if name == "label"), None)
    labels = choose_labels(table, label, taken, file)
    if exported:
        labels = Labels(labels.column)
    return Roles(image, id, split, group, labels, flag, notes)


def choose_column(
    table: Table, option: str, asked: str | None, words: tuple[str, ...] = ()
) -> str | None:
    """Choose the column asked for, else the first called one of `words`."""
    names = [*table.columns, *(table.byte_columns if option == "image" else [])]
    if asked and asked not in names and asked != "none":
        raise UnknownName(
            f"expected a column {asked}, found {', '.join(names)}",
            f"--{option}-column takes one of these",
            asked,
            names,
        )
    if asked:
        return asked if asked in names else None
    return next((name for word in words for name in names if word == name.lower()), None)


def choose_image_column(
    table: Table,
    asked: str | None,
    find: Finder | None = None,
    file: str = "the table",
    notes: list[str] | None = None,
) -> str | None:
    """Choose the column of images: asked for, named so, or the one by which images are found."""
    likely = table.image_column
    if asked:
        return choose_column(table, "image", asked)
    if likely and plain_name(likely) in PATHS:
        return likely
    plain = {name: plain_name(name) for name in table.columns}
    named = sorted((n for n in plain if plain[n] in PATHS), key=lambda n: PATHS.index(plain[n]))
    if len(named) > 1 and find:
        return choose_found(table, named, find, file, [] if notes is None else notes)
    if named or likely:
        return named[0] if named else likely
    weak = [n for n in plain if plain[n] in NAMES or ends_as_images(table.columns[n])]
    found = [n for n in weak if find and mostly(find(first_texts(table.columns[n])))]
    found = found or [n for n in weak if ends_as_images(table.columns[n])]
    if len(found) > 1 and find:
        return choose_found(table, found, find, file, [] if notes is None else notes)
    return found[0] if found else None


def choose_found(table: Table, named: list[str], find: Finder, file: str, notes: list[str]) -> str:
    """Choose of several columns the one by which images are found."""
    looked = {name: find(first_texts(table.columns[name])) for name in named}
    local = [name for name in named if mostly(looked[name])]
    away = [name for name in named if name not in local and any(v is None for v in looked[name])]
    found = local or away
    if not found:
        return named[0]
    names = [[base_name(text) for text in first_texts(table.columns[name])] for name in found]
    if all(other == names[0] for other in names):
        rest = [name for name in named if name != found[0]]
        if rest:
            notes.append(f"of the columns {', '.join(named)}, {found[0]} names the images")
        return found[0]
    raise AmbiguousSource(
        f"expected one column of images in {file}, found {len(found)}: {', '.join(found)}",
        [Reading(f"such as {first_texts(table.columns[n])[0][:80]}", f"--image-column {n}") for n in found],
    )


def base_name(text: str) -> str:
    return re.split(r"[\\/]", text)[-1].rsplit(".", 1)[0].casefold()


def mostly(found: list[bool | None]) -> bool:
    return bool(found) and sum(v is True for v in found) * 2 >= len(found)


def first_texts(values: list) -> list[str]:
    """The first texts of a column; numbers as text, since names of images may be those."""
    found = (v for v in values if v is not None and not isinstance(v, list | dict | bytes))
    return [str(v) for v, _ in zip(found, range(SAMPLE))]


def ends_as_images(values: list) -> bool:
    texts = first_texts(values)
    return bool(texts) and all(text.lower().endswith(SUFFIXES) for text in texts)


def repeats(values: list) -> bool:
    """Whether most values of a column come again."""
    known = [v for v in values if v is not None]
    return len({str(v) for v in known}) * 2 < len(known)


def refuse_imageless(table: Table, file: str) -> UserError:
    """Say that there are no images, and what there is instead."""
    found = ", ".join([*table.columns, *table.byte_columns])[:500]
    texts = [n for n, values in table.columns.items() if holds_text(values)]
    if texts:
        found += f"; {texts[0]} holds text, which Assay does not read yet"
    return UserError(
        f"expected a column of image paths or bytes in {file}, found {found}",
        "--image-column NAME; found without it: path, image, file_name, ..., a column by which images"
        " are found, or the only column of bytes; --images FOLDER where the images are elsewhere",
    )


def holds_text(values: list) -> bool:
    texts = [v for v in values[:SAMPLE] if isinstance(v, str)]
    return bool(texts) and sum(v.count(" ") > 4 for v in texts) * 2 > len(texts)


def choose_split(
    table: Table, asked: str | None, file: str, split_map: dict[str, str], exported: bool
) -> tuple[str | None, dict[str, str]]:
    """Choose the column of the splits, and what yes and no mean in it."""
    if asked or exported:
        column = choose_column(table, "split", asked, ("split",))
        return column, read_flag(column, table.columns.get(column or "", []))
    plain = {name: plain_name(name) for name in table.columns}
    exact = [name for name in plain if plain[name] == "split"]
    known = exact or [
        name
        for name in plain
        if plain[name] in SPLIT_NAMES and holds_splits(table.columns[name], split_map)
    ]
    flags = [name for name in plain if read_flag(name, table.columns[name])]
    folds = [name for name in plain if plain[name] in FOLDS]
    if len(known) == 1 or len(set(map(str, (table.columns[n] for n in known)))) == 1:
        return known[0], {}
    if len(known) > 1 or len(flags) > 1:
        several = known or flags
        raise AmbiguousSource(
            f"expected one column of splits in {file}, found {len(several)}: {', '.join(several)}",
            [*(Reading("", f"--split-column {n}") for n in several),
             Reading("the splits are drawn", "--split-column none")],
        )  # fmt: skip
    if flags:
        return flags[0], read_flag(flags[0], table.columns[flags[0]])
    if folds:
        raise ask_fold(folds[0], table.columns[folds[0]], file)
    return None, {}


def holds_splits(values: list, split_map: dict[str, str]) -> bool:
    """Whether some values of a column are words for splits."""
    words = {str(v) for v in values if v is not None}
    return len(words) < 50 and any(read_split_word(word, split_map) for word in words)


def read_flag(column: str | None, values: list) -> dict[str, str]:
    """What the words of a column such as is_test mean; {} where it is none of these."""
    split = FLAGS.get(plain_name(column or ""))
    words = {str(v) for v in values if v is not None}
    if not split or not words or any(word.lower() not in (*YES, *NO) for word in words):
        return {}
    other = "test" if split == "train" else "train"
    return {word: split if word.lower() in YES else other for word in words}


def ask_fold(column: str, values: list, file: str) -> AmbiguousSource:
    """Ask what folds mean: they are no splits until somebody says which is which."""
    folds = sorted({str(v) for v in values if v is not None})[:20]
    meant = ",".join(f"{fold}={'test' if fold == folds[-1] else 'train'}" for fold in folds)
    return AmbiguousSource(
        f"expected splits or none in {file}, found the column {column} with {len(folds)} folds",
        [
            Reading("the splits are drawn, folds are metadata", "--split-column none"),
            Reading("a fold is a split, as you say", f"--split-column {column} --split-map {meant}"),
            Reading(
                "the splits are drawn by fold: one stays whole",
                f"--split-column none --group-column {column}",
            ),
        ],
    )


def as_texts(values: list, column: str) -> list[str | None]:
    """Labels, ids, ... as text: 3 and 3.0 are "3".

    An empty cell, blanks and NaN are None. UserError where a cell is a list or a struct.
    """
    if any(isinstance(v, list | dict) for v in values):
        raise UserError(
            f"expected text or numbers in the column {column}, found lists or structs",
            "name another column",
        )
    known: dict[tuple[type, Any], str | None] = {}  # most cells of a table of labels are equal
    texts = []
    for value in values:
        cell = (type(value), value)
        if cell not in known:
            text = read_text_cell(value)
            if len(known) < MANY:
                known[cell] = text
            texts.append(text)
        else:
            texts.append(known[cell])
    # pandas writes whole numbers with a gap among them so
    floats = all(t is None or re.fullmatch(r"-?\d+\.0+", t) for t in texts)
    return [t and t.split(".")[0] for t in texts] if floats else texts


def read_text_cell(value: Any) -> str | None:
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return None if value is None or not text.strip() or text.lower() == "nan" else text


def as_written(values: list, column: str) -> list[str | None]:
    """Text as Assay exported it: nan and a blank are words."""
    return [None if v is None or v == "" or v != v else str(v) for v in values]
