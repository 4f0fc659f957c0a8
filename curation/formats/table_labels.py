"""Which columns of a table hold its labels."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.label_sets import ONES, choose_separator, holds_lists
from assay.curation.formats.table_cells import Table
from assay.curation.text import format_count

NAMED = (  # columns that hold labels wherever they are
    "label labels target targets class classname classlabel classid category categoryname"
    " categoryid labelname labelid labeltext labelindex classindex y groundtruth"
).split()
LABELS = ("label", "class", "target", "category")  # words in the names of those that may
TEXTS = ("conversations", "messages", "captions", "caption", "sentences", "description")
PLURALS = ("tags", "labels", "classes", "categories", "keywords", "attributes")
MOST_CLASSES = 1000  # a column of more values is no guess for the labels
CORNERS = (
    *({f"x{end}", f"y{end}"} for end in ("min", "max", "1", "2", "center", "left", "top")),
    *({name} for name in ("bbox", "boxes", "bboxes", "boundingbox")),
    *({"bboxx", "bboxy"}, {"left", "top", "width", "height"}),
)
MASKS = {"encodedpixels", "segmentation", "rle", "polygon", "polygons"}
WHOLE = re.compile(r"-?\d+(\.0+)?")
BITS = {"0", "1", "0.0", "1.0", "True", "False", "true", "false"}
NUMBER = re.compile("(id|idx|index|code|number|nr)$")


class NoLabelColumn(UserError):
    """No column of a table could hold its labels."""

    code = "no_label_column"


@dataclass(frozen=True)
class Labels:
    """Where a table holds its labels; nothing set: nowhere."""

    column: str | None = None  # of the names
    index: str | None = None  # of the number of each name's class
    one_hot: tuple[str, ...] = ()  # a column for each class, of which a row has one set
    classes: list[str] = field(default_factory=list)  # as declared, in order
    how: str = ""  # why it was taken, where that was a guess
    notes: list[str] = field(default_factory=list)
    several: str = ""  # why a row may have several labels; "": it has one
    separator: str = ""  # of several in one text

    def all_columns(self) -> set[str]:
        return {name for name in (self.column, self.index, *self.one_hot) if name}


def choose_labels(
    table: Table, asked: str | None, taken: set[str | None], file: str, several: bool = False
) -> Labels:
    """Choose the columns of the labels.

    several: a row has several labels, whatever it looks like. Else it has where cells are lists, or two columns of 0
    and 1 are set; texts such as a|b are asked about.

    Asked for, or named so; else the only one that could be it: that has a word of LABELS in its
    name, or values that come twice each, or so. AmbiguousSource where there are several.
    """
    if asked == "none":
        return Labels()
    free = {name: values for name, values in table.columns.items() if name not in taken}
    if asked:
        if found := choose_several(table, asked, several):
            return found
        refuse_lists(asked, table.columns[asked], file)
        example = find_several(table.columns[asked])
        found = pair_columns(table, free, asked)
        said = f"labels such as {example[:60]!r} look like several: each text is a class of its own"
        return replace(found, notes=[said] if example else [])
    named, how = [name for name in free if plain_name(name) in NAMED], ""
    refuse_objects(free, file)
    if len(named) > 1:
        return choose_named(table, free, named, file, several)
    if not named:
        free = {name: values for name, values in free.items() if not names_other(name)}
        bits = [name for name, values in free.items() if holds_bits(values)]
        words = [n for n in free if any(word in n.lower() for word in LABELS) and n not in bits]
        if len(bits) > 2 and not words or several and len(bits) > 1 and not words:
            return read_one_hot(free, bits, several)
        listed = [n for n in free if n not in words and holds_lists(free[n])]
        could = [n for n in free if n in words or n in listed or holds_classes(free[n])]
        called = [n for n in listed if several or plain_name(n) in PLURALS]
        could = called if len(called) == 1 else could
        could = could or [n for n in free if plain_name(n) in PLURALS and find_several(free[n], n)]
        could = drop_numbers(free, could)
        if len(could) != 1:
            raise ask_label(table, free, could, file)
        named, how = could, f"the only column that could be it: --label-column {could[0]}"
    if found := choose_several(table, named[0], several, how):
        return found
    refuse_lists(named[0], free[named[0]], file)
    refuse_several(named[0], free[named[0]], file)
    return pair_columns(table, free, named[0], how)


def choose_several(table: Table, column: str, several: bool, how: str = "") -> Labels | None:
    """Choose a column whose rows have several labels; None where each has one."""
    values = table.columns[column]
    why = ""
    separator = choose_separator(values) if several else ""
    if holds_lists(values):
        why = f"the column {column} holds lists"
    elif several:
        between = f", with {separator} between them in the column {column}" if separator else ""
        why = f"--multilabel says so{between}"
    if not why:
        return None
    classes = table.categories.get(column, [])
    return Labels(column, classes=classes, how=how, several=why, separator=separator)


def plain_name(name: str) -> str:
    """Fold a column's name: File Name, file_name and fileName are one."""
    return re.sub(r"[\W_]+", "", name.lower())


def choose_named(
    table: Table, free: dict, named: list[str], file: str, several: bool = False
) -> Labels:
    """Choose of several columns that are called like labels."""
    left = drop_numbers(free, named)
    if len(left) > 1 and all(free[name] == free[left[0]] for name in left[1:]):
        left = left[:1]
    if len(left) > 1:
        raise ask_label(table, free, left, file)
    if found := choose_several(table, left[0], several):
        return found
    refuse_lists(left[0], free[left[0]], file)
    refuse_several(left[0], free[left[0]], file)
    return pair_columns(table, free, left[0])


def drop_numbers(free: dict, columns: list[str]) -> list[str]:
    """Drop columns of class numbers beside the column of their names."""
    names = [name for name in columns if holds_names(free[name])]
    return [
        column
        for column in columns
        if column in names
        or not holds_numbers(free[column])
        or not any(is_paired(free[name], free[column]) for name in names)
    ]


def pair_columns(table: Table, free: dict, column: str, how: str = "") -> Labels:
    """Pair a column of class numbers with that of names."""
    values = table.columns[column]
    index = None
    if holds_numbers(values):
        partners = [
            name for name, other in free.items() if holds_names(other) and is_paired(other, values)
        ]
        partners = [n for n in partners if names_classes(n)] if len(partners) > 1 else partners
        if len(partners) == 1:
            index, column = column, partners[0]
    elif holds_names(values):
        index = next((name for name in free if is_index(name, column, free[name], values)), None)
    if index is None:
        return Labels(column, classes=table.categories.get(column, []), how=how)
    pairs = {
        int(float(n)): str(v)
        for n, v in zip(table.columns[index], table.columns[column])
        if v is not None and n is not None
    }
    return Labels(column, index, classes=[pairs[n] for n in sorted(pairs)], how=how)


def is_index(name: str, column: str, numbers: list, names: list) -> bool:
    """Whether a column has the numbers of the classes that `column` names."""
    plain, other = plain_name(name), plain_name(column)
    called = (
        plain in NAMED
        or names_classes(name)
        or NUMBER.search(plain)
        or plain in other
        or other in plain
    )
    known = any(v is not None for v in numbers)
    return bool(called) and known and holds_numbers(numbers) and is_paired(names, numbers)


def names_classes(column: str) -> bool:
    return any(word in column.lower() for word in (*LABELS, "name", "species"))


def is_paired(names: list, numbers: list) -> bool:
    """Whether each name has one number and each number one name."""
    pairs = set(zip(map(str, names), map(str, numbers)))
    once = {name for name, _ in pairs}, {number for _, number in pairs}
    return len(pairs) == len(once[0]) == len(once[1]) <= len(names) / 2


def holds_numbers(values: Iterable[Any]) -> bool:
    """Whether all values are whole numbers, as numbers or as text."""
    return all(
        v is None or v != v or isinstance(v, str | int | float) and WHOLE.fullmatch(str(v))
        for v in values
    )


def holds_names(values: list) -> bool:
    texts = [v for v in values if v is not None]
    return bool(texts) and all(isinstance(v, str) for v in texts) and not holds_numbers(texts)


def names_other(column: str) -> bool:
    """Whether a column names patients, lesions or the like."""
    return plain_name(column).endswith("id") and not names_classes(column)


def holds_bits(values: list) -> bool:
    found = {str(v) for v in values}
    return found <= BITS or found <= {"1", "-1"}


def holds_classes(values: list) -> bool:
    """Whether values repeat as classes do, and are text or whole numbers."""
    values = [v for v in values if v is not None]
    if not 2 <= len(set(map(str, values))) <= min(MOST_CLASSES, len(values) / 2):
        return False
    return not any(
        isinstance(v, list | dict) or isinstance(v, float) and not v.is_integer() for v in values
    )


def read_one_hot(free: dict, bits: list[str], several: bool = False) -> Labels:
    """Read a column for each class; where a row has two set, rows have several labels."""
    most = max(
        (sum(str(v) in ONES for v in row) for row in zip(*(free[b] for b in bits))), default=0
    )
    count = format_count(len(bits), "column")
    if most > 1 or several:
        why = (
            f"a row has {most} of the {count} of 0 and 1 set"
            if most > 1
            else "--multilabel says so"
        )
        how = f"{count} of 0 and 1: {', '.join(bits[:5])}"
        return Labels(one_hot=tuple(bits), classes=list(bits), how=how, several=why)
    how = f"one of {count} is set in each row: {', '.join(bits[:5])}"
    return Labels(one_hot=tuple(bits), classes=list(bits), how=how)


def ask_label(table: Table, free: dict, could: list[str], file: str) -> UserError:
    """Ask which column has the labels."""
    if not could:
        texts = "".join(f"{n} is no class; " for n in table.columns if plain_name(n) in TEXTS)
        return NoLabelColumn(
            f"expected a label column in {file}, found {', '.join(table.columns) or 'none'}",
            f"{texts}say which: --label-column NAME, or none for a pool",
        )
    readings = [Reading(count_values(free[c]), name_option(c)) for c in could]
    return AmbiguousSource(
        f"expected one label column in {file}, found {len(could)} that could be it: {', '.join(could)}",
        [*readings[:8], Reading("none for a pool", "--label-column none")],
    )


def count_values(values: list) -> str:
    counts = Counter(str(v) for v in values if v is not None)
    shown = ", ".join(f"{value[:40]} ({n:,})" for value, n in counts.most_common(3))
    return f"{format_count(len(counts), 'value')}: {shown}"


def refuse_objects(free: dict, file: str) -> None:
    """Refuse rows of boxes and masks, which are no labels of images."""
    plain = {plain_name(name) for name in free}
    boxes = any(corner <= plain for corner in CORNERS)
    if boxes or plain & MASKS:
        what = "boxes" if boxes else "masks"
        raise UserError(
            f"expected a label for each image in {file}, found columns of {what}: "
            "objects in images, which Assay does not read yet",
            "--pictures-only imports the images without labels; --label-column NAME takes the label of"
            " each row for its image, where an image has one row",
        )


def refuse_lists(name: str, values: list, file: str) -> None:
    """Refuse a column of structs, or of lists and others."""
    if any(isinstance(v, list | dict) for v in values):
        raise UserError(
            f"expected text, numbers or lists of them in the column {name} of {file}, found lists beside others,"
            " or structs",
            "name another column; --multilabel takes a text as a list of one; --pictures-only imports the images"
            " without labels",
        )


def refuse_several(name: str, values: list, file: str) -> None:
    """Ask where texts look like several labels, as cat|dog does."""
    if example := find_several(values, name):
        raise AmbiguousSource(
            f"expected one label a row in the column {name} of {file}, found texts that look like "
            f"several, such as {example[:60]!r}",
            [
                Reading("each text is a class of its own", name_option(name)),
                Reading("several labels: each part is a class", "--multilabel"),
                Reading("the images without labels", "--pictures-only"),
            ],
        )


def name_option(column: str) -> str:
    return f"--label-column {shlex.quote(column)}"


def find_several(values: list, column: str = "") -> str:
    """Find a text that looks like several labels, or "".

    The same parts come in many texts, or stand alone elsewhere; or the column is called for several.
    """
    texts = {v for v in values if isinstance(v, str)}
    if plain_name(column) in PLURALS:
        if worded := [text for text in texts if len(re.split(r"[|;,\s]+", text.strip())) > 1]:
            return min(worded)
    for separator in "|;, ":
        split = {text: [p.strip() for p in text.split(separator) if p.strip()] for text in texts}
        several = {text: parts for text, parts in split.items() if len(parts) > 1}
        parts = {part for found in split.values() for part in found}
        # a blank also stands inside names: there it takes more to be sure
        blank = separator == " "
        longest = max(map(len, several.values()), default=0)
        few = len(parts) * (2 if blank else 1) < len(texts) and (longest > 2 or not blank)
        alone = all(p in texts for found in several.values() for p in found)
        if several and (few or alone and not blank):
            return min(several)
    return ""
