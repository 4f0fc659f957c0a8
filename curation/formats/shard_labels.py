"""Which texts and fields of shards say the class."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UnknownColumn, UserError
from assay.curation.formats.shard_files import TEXTS, ShardSample
from assay.curation.formats.table_labels import holds_classes
from assay.curation.tasks.multilabel import parse_set
from assay.curation.text import format_count

ENDINGS = ("cls", "class", "label", "target")  # of members that hold a label and nothing else
FIELDS = (*ENDINGS, "class_name", "classname", "label_name", "label_text", "category", "labels")
NAMES = (
    "classes.txt",
    "class_names.txt",
    "labels.txt",
    "classes.json",
    "class_names.json",
    "labels.json",
    "id2label.json",
)  # of files that list the names of numbered classes
MOST_NAMES = 1 << 22  # bytes of such a file
SEVERAL = re.compile(r"\[.*\]|-?\d+(?:[ ,;]+-?\d+)+", re.DOTALL)


@dataclass
class ShardLabels:
    """What a source's samples are labelled by."""

    cells: list[str]  # endings and fields that say the class, each in its own words
    shown: str | None  # the one whose words are the bench's
    names: list[str] = field(default_factory=list)  # of numbered classes, by number
    numbered: str | None = None  # the cell with these numbers
    names_file: Path | None = None
    raw: dict[str, dict[str, Any]] = field(default_factory=dict)  # cell -> label -> its value there
    endings: set[str] = field(default_factory=set)  # those of the cells that are files of their own
    exact: bool = False  # an export of ours: a blank or -1 may be a label
    several: bool = False  # a cell lists the classes of its sample
    marks: bool = False  # such a list has a 0 or 1 for each class

    def read(self, sample: ShardSample) -> str | None:
        """Read the label of a sample, None where it has none."""
        if self.several:
            return self.read_list(sample.cells.get(self.shown or ""))
        if self.exact:
            return sample.cells.get(self.shown or "")
        text = as_label(sample.cells.get(self.shown or ""))
        if text is None or self.shown != self.numbered:
            return text
        return self.names[int(text)]

    def read_list(self, value: Any) -> str | None:
        """Read a list of classes, each its name or its number; None where there is none."""
        if value is None or value == "":
            return None
        said = value if isinstance(value, list) else split_text(str(value))
        if self.marks:
            said = [number for number, mark in enumerate(said) if mark]
        if self.names and all(isinstance(name, int) for name in said):
            said = [self.names[number] for number in said]
        return parse_set(json.dumps([str(name) for name in said]), {*map(str, said)})


def split_text(text: str) -> list:
    """Split the text of a member into classes: a JSON list, names or numbers between | ; or ,."""
    if text.lstrip().startswith("["):
        return json.loads(text)
    parts = [part.strip() for part in re.split(r"[|;,]", text)]
    return [int(part) if part.isdigit() else part for part in parts]


def are_marks(values: list[Any]) -> bool:
    """Say whether lists have a 0 or 1 for each class.

    All are of one length then, and one has two that are equal.
    """
    try:
        lists = [v if isinstance(v, list) else split_text(str(v)) for v in values]
    except ValueError:
        return False
    if len({len(one) for one in lists}) != 1 or not all(m in (0, 1) for one in lists for m in one):
        return False
    return len(lists[0]) > 1 and any(len(set(one)) < len(one) for one in lists)


def as_label(value: Any) -> str | None:
    """Read a label as text; -1 and nothing are none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = None if value is None else str(value).strip()
    return None if text in (None, "", "-1") else text


def choose_labels(
    samples: list[ShardSample],
    asked: str | None,
    folder: Path,
    notes: list[str],
    several: bool = False,
) -> ShardLabels:
    """Choose what the samples are labelled by; several: whether a sample may have several labels.

    UserError where it is several labels, boxes or captions; AmbiguousSource where it may be one of
    several.
    """
    cells = list(dict.fromkeys(name for sample in samples for name in sample.cells))
    if asked == "none":
        return ShardLabels([], None)
    if asked and asked not in cells:
        raise UnknownColumn(
            f"expected an ending or a JSON field {asked}, found {', '.join(cells)}",
            "--label-column takes one of these",
            asked,
            cells,
        )
    found = [asked] if asked else guess_cells(samples, cells, notes)
    if not found:
        return ShardLabels([], None)
    if several:
        names = next((names for f in NAMES if (names := read_names(folder / f))), [])
        lists = [sample.cells[found[0]] for sample in samples if found[0] in sample.cells]
        labels = ShardLabels(found[:1], found[0], names, several=True, marks=are_marks(lists))
        return fill_labels(labels, samples, folder, [])
    for name in found:
        refuse_several(name, (sample.cells.get(name) for sample in samples))
    shown = next((name for name in found if not is_numbers(samples, name)), found[0])
    return fill_labels(ShardLabels(found, shown), samples, folder, notes)


def exported_labels(samples: list[ShardSample], folder: Path) -> ShardLabels:
    """Read the labels of samples that Assay exported.

    The name in .json, to the letter, and the number in .cls.
    """
    if any(isinstance(sample.cells.get("label"), list) for sample in samples):
        labels = ShardLabels(["label"], "label", exact=True, several=True)
        labels.names = read_names(folder / NAMES[0])
        return fill_labels(labels, samples, folder, [])
    return fill_labels(ShardLabels(["cls", "label"], "label", exact=True), samples, folder, [])


def fill_labels(
    labels: ShardLabels, samples: list[ShardSample], folder: Path, notes: list[str]
) -> ShardLabels:
    """Fill in how each cell says a label."""
    for name in labels.cells:
        if any(name in sample.members for sample in samples):
            labels.endings.add(name)
        labels.raw[name] = {
            label: sample.cells[name]
            for sample in samples
            if (label := labels.read(sample)) is not None and name in sample.cells
        }
    for name in labels.cells:
        if not labels.several and is_numbers(samples, name) and not labels.names:
            name_numbers(labels, name, folder, notes)
    return labels


def guess_cells(samples: list[ShardSample], cells: list[str], notes: list[str]) -> list[str]:
    """Guess the endings and fields that say the class.

    All of them say the same.
    """
    found = [name for name in cells if name.lower() in FIELDS]
    if len(found) > 1:
        ways = [name for name in found if not say_the_same(samples, found[0], name)]
        if ways:
            raise AmbiguousSource(
                "expected one label a sample, found several that do not say the same",
                [describe_cell(samples, name) for name in found],
            )
    if found:
        return found
    texts = [name for name in cells if name in TEXTS]
    if texts and holds_classes([s.cells[texts[0]] for s in samples if s.cells.get(texts[0])]):
        notes.append(f"labels are the texts of .{texts[0]}, since these repeat as classes do")
        return texts[:1]
    if texts:
        raise UserError(
            f"expected a class for each image, found text about it (.{texts[0]})",
            "captions are no classes: --label-column FIELD names another, --pictures-only leaves them",
        )
    if cells:
        listed = [n for n in cells if any(isinstance(s.cells.get(n), list | dict) for s in samples)]
        boxes = f" ({', '.join(listed[:5])} hold lists: boxes or several labels?)" if listed else ""
        raise UserError(
            f"expected a label in each .json, found the fields {', '.join(cells[:20])}{boxes}",
            "say which: --label-column FIELD; --pictures-only imports the images without labels",
        )
    return []


def say_the_same(samples: list[ShardSample], one: str, other: str) -> bool:
    """Whether two cells name the same classes, each in its own words."""
    pairs = {(as_label(s.cells.get(one)), as_label(s.cells.get(other))) for s in samples}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def describe_cell(samples: list[ShardSample], name: str) -> Reading:
    values = {as_label(sample.cells.get(name)) for sample in samples} - {None}
    some = ", ".join(sorted(values)[:3])
    return Reading(f"{format_count(len(values), 'class')}: {some}", f"--label-column {name}")


def refuse_several(name: str, values: Iterable[Any]) -> None:
    """Refuse lists of labels."""
    for value in values:
        if isinstance(value, dict):
            raise UserError(
                f"expected a class in the field {name}, found an object: {str(value)[:80]}",
                "write the class itself there, or --pictures-only imports without labels",
            )
        if isinstance(value, list) or isinstance(value, str) and SEVERAL.fullmatch(value):
            raise UserError(
                f"expected one class for each image, found several in {name}: {str(value)[:80]}",
                "--multilabel reads several labels a sample; --pictures-only imports without them",
            )


def is_numbers(samples: list[ShardSample], name: str) -> bool:
    values = {as_label(sample.cells.get(name)) for sample in samples} - {None}
    return bool(values) and all(re.fullmatch(r"\d{1,9}", value) for value in values)


def name_numbers(labels: ShardLabels, cell: str, folder: Path, notes: list[str]) -> None:
    """Find the names of numbered classes in a file beside the shards."""
    raw = labels.raw[cell]
    numbers = {label: int(value) for label, value in raw.items()}
    most = max(numbers.values())
    found = [(f, read_names(f)) for name in NAMES if (f := folder / name).is_file()]
    fitting = [(file, names) for file, names in found if len(names) > most]
    if cell != labels.shown:  # the names are there already: the list must say the same
        fitting = [f for f in fitting if all(f[1][n] == label for label, n in numbers.items())]
    notes += [
        f"{file.name} lists {len(names):,} names, which do not fit the classes up to {most}: not used"
        for file, names in found
        if (file, names) not in fitting
    ]
    if any(names != fitting[0][1] for _, names in fitting):
        raise UserError(
            f"expected one list of class names, found {len(fitting)} that differ: "
            + ", ".join(file.name for file, _ in fitting),
            "keep the right one beside the shards",
        )
    if fitting:
        labels.names_file, labels.names = fitting[0]
        labels.numbered = cell
    if cell == labels.shown and fitting:
        labels.raw[cell] = {labels.names[int(n)]: value for n, value in raw.items()}
    elif cell == labels.shown:
        notes.append(f"classes are numbers: no {NAMES[0]} beside the shards names them")


def read_names(file: Path) -> list[str]:
    """Read a list of class names by number.

    [] where it is none, or has a name twice.
    """
    try:
        if file.stat().st_size > MOST_NAMES:
            return []
        text = file.read_text("utf-8-sig")
        names = json.loads(text) if file.suffix == ".json" else text.splitlines()
        if isinstance(names, dict):
            if all(isinstance(number, int) for number in names.values()):  # {"ape": 0}
                names = {str(number): name for name, number in names.items()}
            names = [names[str(i)] for i in range(len(names))]
    except (OSError, ValueError, KeyError, RecursionError):
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return []
    names = [name.strip() for name in names]
    while names and not names[-1]:
        names.pop()
    return names if len(set(names)) == len(names) and all(names) else []
