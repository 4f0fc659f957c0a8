"""Which column of a table holds images or texts, which splits, ids and groups."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UserError, shorten
from assay.curation.formats.row_columns import (
    DESCRIBING,
    RowColumns,
    choose_row_label,
    names_images,
    read_row_columns,
)
from assay.curation.formats.table_cells import Table
from assay.curation.formats.table_labels import Labels, NoLabelColumn, choose_labels, plain_name
from assay.curation.formats.table_splits import choose_column, choose_split
from assay.curation.formats.text_columns import choose_media, refuse_texts_or_rows
from assay.curation.media.addresses import is_address
from assay.curation.media.base import media_type, media_types
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import Place
from assay.curation.media.row_cells import MISSING

# as people call it, without _ and capitals; where several are there, the first wins only if all
# name the same images
PATHS = (
    "path filepath imagepath image img file filename imagefile imagefilename imagename imgname imgpath"
    " imgfile imagefilepath relativepath relpath fullpath abspath absolutepath picture photo"
    " uri imageuri imageurl imgurl url s3path s3uri gsuri src"
).split()
# taken only where images are found by them
NAMES = "imageid imgid photoid pictureid id name key uuid fileid idcode code slide".split()
MANY = 10_000  # different cells that are kept
SAMPLE = 50  # cells that are looked at to see what a column is
Finder = Callable[[list[str]], list[Place]]  # texts -> where the image of each is


@dataclass(frozen=True)
class Roles:
    """The names of a table's columns by what they hold; None where no column holds it."""

    content: str | None  # the images, as paths or bytes, or the texts; None: each row is a sample
    id: str | None
    split: str | None
    group: str | None
    labels: Labels
    flag: dict[str, str] = field(default_factory=dict)  # of a split column of yes and no: its words
    notes: list[str] = field(default_factory=list)
    media: str = "image"  # what the rows are
    columns: RowColumns | None = None  # of rows that are samples themselves

    def all_columns(self) -> set[str | None]:
        return {self.content, self.id, self.split, self.group, *self.labels.all_columns()}


def choose_roles(
    table: Table,
    asked: dict[str, str | None],
    file: str,
    exported: bool,
    find: Finder | None = None,
    split_map: dict[str, str] | None = None,
    pictures_only: bool = False,
    several: bool = False,
    wanted: str | None = None,
    decimal: str | None = None,
) -> Roles:
    """Choose the columns that the importer asked for, and guess the others.

    asked: {image, text, label, split, id, group: column or "none"}. exported: whether Assay wrote
    the table. find: looks whether images are there. several: a row has several labels. wanted: the
    media type, where it was said. decimal: the mark in numbers. UserError where there is no column of
    images or texts, and the rows are no samples themselves; AmbiguousSource where these, labels or
    splits could be several.
    """
    notes: list[str] = []
    find = None if exported else find
    media, content = find_own_column(table, wanted, exported)
    if wanted != "row" and not content:
        media, content = choose_media(
            table,
            asked,
            lambda: choose_image_column(table, asked.get("image"), find, file, notes),
            lambda column: is_of_images(table, column, find),
            file,
            notes,
        )
    if wanted and media == "text" and media_type(wanted).in_cell:
        media = wanted
    if wanted and media != wanted:
        content = None
    no_rows = wanted not in ("row", None) or pictures_only or names_images(table)
    if content is None and wanted != "row" and no_rows:
        raise refuse_imageless(table, file, find)
    id = choose_column(table, "id", asked.get("id"), ("key", "id") if exported else ("id",))
    id = None if id == content else id
    if id and not asked.get("id") and not exported and repeats(table.columns[id]):
        notes.append(f"the column {id} repeats, so it names no sample: it is metadata")
        id = None
    split, flag = choose_split(table, asked.get("split"), file, split_map or {}, exported)
    group = choose_column(table, "group", asked.get("group"))
    taken = {content, id, split, group, "sample_id" if exported else None}
    label = choose_column(table, "label", asked.get("label"))
    label = "none" if pictures_only or asked.get("label") == "none" else label
    if exported and not label:
        label = next((name for name in table.columns if name == "label"), None)
    if content is None:
        bare = Roles(None, id, split, group, Labels(), flag, notes, "row")
        return choose_row_roles(table, bare, label, file, wanted, find, several, decimal)
    if media == "text" and content and not (wanted or exported or asked.get("text")):
        refuse_texts_or_rows(table, content, taken | {label}, file)
    labels = choose_labels(table, label, taken, file, several)
    if exported:
        labels = Labels(labels.column, several=labels.several)
    return Roles(content, id, split, group, labels, flag, notes, media)


def find_own_column(table: Table, wanted: str | None, exported: bool) -> tuple[str, str | None]:
    """Find the medium whose own column a table has: one that was said, or that Assay exported."""
    for medium in media_types().values():
        said = medium.in_cell and medium.name == wanted
        if medium.column in table.columns and (said or exported and "path" not in table.columns):
            return medium.name, medium.column
    return "row", None


def choose_row_roles(
    table: Table,
    roles: Roles,
    label: str | None,
    file: str,
    wanted: str | None,
    find: Finder | None,
    several: bool = False,
    decimal: str | None = None,
) -> Roles:
    """Choose what labels the rows of a table, and what describes them.

    wanted: "row" where that was said; else a table that may have lost its column of images is refused.
    """
    taken = roles.all_columns()
    if any(map(holds_pixels, table.columns.values())):
        raise refuse_imageless(table, file, find)
    try:
        if several:
            labels = choose_labels(table, label, taken, file, several)
        else:
            labels = choose_row_label(table, label, taken, file)
    except NoLabelColumn:
        if wanted == "row":
            raise
        raise refuse_imageless(table, file, find) from None
    columns = read_row_columns(table, taken | labels.all_columns(), decimal, file)
    few = labels.column and len(set(as_row_labels(table.columns[labels.column], label or ""))) < 2
    bare = not any(found.kind in DESCRIBING for found in columns.kinds.values())
    if bare or few and wanted != "row" and not label:
        raise refuse_imageless(table, file, find)
    return replace(roles, labels=labels, columns=columns, media="row", content=None)


def is_of_images(table: Table, column: str, find: Finder | None) -> bool:
    """Whether a column of images can be nothing else, whatever texts are beside it."""
    if column not in table.columns or find is None:
        return True
    named = any(word in plain_name(column) for word in ("image", "img", "photo", "picture"))
    values = table.columns[column]
    return named or ends_as_images(values) or mostly(find(first_texts(values)))


def choose_image_column(
    table: Table,
    asked: str | None,
    find: Finder | None = None,
    file: str = "the table",
    notes: list[str] | None = None,
) -> str | None:
    """Choose the column of images: asked for, named so, or found."""
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
    away = [n for n in named if n not in local and any(is_address(p.uri) for p in looked[n])]
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
        [
            Reading(f"such as {first_texts(table.columns[n])[0][:80]}", f"--image-column {n}")
            for n in found
        ],
    )


def base_name(text: str) -> str:
    return re.split(r"[\\/]", text)[-1].rsplit(".", 1)[0].casefold()


def mostly(found: list[Place]) -> bool:
    """Whether most of the images are there, addresses aside."""
    there = [place for place in found if not place.wrong and not is_address(place.uri)]
    return bool(there) and len(there) * 2 >= len(found)


def first_texts(values: list) -> list[str]:
    """List the first texts of a column, numbers as text."""
    found = (v for v in values if v is not None and not isinstance(v, list | dict | bytes))
    return [str(v) for v, _ in zip(found, range(SAMPLE))]


def ends_as_images(values: list) -> bool:
    texts = first_texts(values)
    return bool(texts) and all(text.lower().endswith(SUFFIXES) for text in texts)


def repeats(values: list) -> bool:
    """Whether most values of a column come again."""
    known = [v for v in values if v is not None]
    return len({str(v) for v in known}) * 2 < len(known)


def refuse_imageless(table: Table, file: str, find: Finder | None) -> UserError:
    """Say that there are no images, and what there is instead."""
    found = shorten(", ".join([*table.columns, *table.byte_columns]), 500)
    for name, values in table.columns.items():
        texts = first_texts(values)
        if sum(text.count(" ") > 4 for text in texts) * 2 > len(texts):
            pixels = holds_pixels(values)
            what = "pixels as text: write them as images" if pixels else "text"
            found += f"; {name} holds {what}" + (
                "" if pixels else f": --text-column {name} imports texts"
            )
            break
        if find and plain_name(name) in NAMES and texts:
            wrong = next((p.wrong for p in find(texts) if p.wrong), "")
            found += f"; {name} {wrong}" if wrong else ""
    return UserError(
        f"expected a column of image paths or bytes, of texts, or a label and columns that describe each row, in"
        f" {file}, found {found}",
        "--text-column NAME; --image-column NAME; --media row with --label-column NAME; found without it: path, image,"
        " file_name, ..., a column by which images are found, or the only column of bytes; --images FOLDER where the"
        " images are elsewhere",
    )


def holds_pixels(values: list) -> bool:
    """Whether cells are many numbers each, with blanks between."""
    texts = first_texts(values)
    long = sum(text.count(" ") > 4 for text in texts) * 2 > len(texts)
    return long and all(re.fullmatch(r"[\d\s.]*", text) for text in texts)


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


def as_row_labels(values: list, column: str) -> list[str | None]:
    """Read labels of rows without the blanks around them; words for missing are none."""
    texts = (text and text.strip() for text in as_texts(values, column))
    return [None if not text or text.casefold() in MISSING else text for text in texts]


def as_written(values: list, column: str) -> list[str | None]:
    """Text as Assay exported it: nan and a blank are words."""
    return [None if v is None or v == "" or v != v else str(v) for v in values]
