"""Read class names from a file beside lists or folders.

Such are classes.txt, data.yaml and words.txt.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assay.curation.errors import UserError
from assay.curation.formats.json_edits import JsonText, Span
from assay.curation.formats.text_spans import read_whole
from assay.curation.text import format_count

# the likeliest first
FILES = (
    *("classes.txt", "class_names.txt", "classnames.txt", "class_list.txt", "names.txt"),
    *("synset_words.txt", "loc_synset_mapping.txt", "categories.txt", "label_names.txt"),
    *("label_map.txt", "labels.txt", "words.txt", "synsets.txt", "wnids.txt", "classes.names"),
    *("data.yaml", "data.yml", "dataset.yaml", "dataset.yml", "cat_to_name.json", "labels.json"),
    *("imagenet_class_index.json", "class_names.json", "classes.json", "class_indices.json"),
    *("label_map.json", "class_to_idx.json", "idx_to_class.json", "id2label.json"),
)
STRUCTURED = (".json", ".yaml", ".yml")
DICTIONARY = "words.txt"  # WordNet's: it names far more than are there
NAMES = re.compile(r"(categories|classes|labels|class_names)[\w-]*\.(txt|names)$", re.IGNORECASE)
LINE = re.compile(r"(\S+)[\s,:]+(\S.*)")


Pairs = list[tuple[str, str]]  # of a mark and its name


@dataclass(frozen=True)
class ClassNames:
    """What the marks in a list mean; `names` are in the source's order."""

    of_mark: dict[str, str] = field(default_factory=dict)
    file: str = ""
    note: str = ""
    fresh: dict[str, str] = field(default_factory=dict)  # name -> mark, of classes to be added

    def name(self, mark: str) -> str:
        return self.of_mark.get(mark, mark)

    def mark(self, name: str) -> str | None:
        """Find what a list writes for a class.

        None where the class has no mark.
        """
        if not self.of_mark:
            return name
        return next((m for m, n in self.of_mark.items() if n == name), None)

    def add(self, name: str) -> str | None:
        """Choose a mark for a new class: the number after the last.

        Where marks are names it is the name. None where nothing tells what it should be. `fresh`
        keeps the mark; in the end the caller calls `plan`.
        """
        if name in self.fresh:
            return self.fresh[name]
        marks = list(self.of_mark)
        if not self.file or len(name.splitlines()) != 1 or name != name.strip():
            return None
        if all(mark == called for mark, called in self.of_mark.items()):
            mark = name
        elif all(mark.isdecimal() for mark in marks):
            last = max(marks, key=int)
            mark = str(int(last) + 1 + len(self.fresh)).zfill(len(last) if last[0] == "0" else 0)
        else:
            return None
        self.fresh[name] = mark
        return mark

    def plan(self, root: Path, marks: Iterable[str], most: bool = False) -> dict:
        """Plan how the new names are added to their file.

        Returns {file: what writes it}. marks: those that the source has then. UserError where it
        would be read otherwise than before, as a list without numbers where no mark is 0 any more.
        most: as of find_class_names.
        """
        if not self.fresh:
            return {}
        marks = set(marks)
        known = self.of_mark | {mark: name for name, mark in self.fresh.items()}
        with TemporaryDirectory() as folder:
            draft = Path(folder) / os.path.basename(self.file)
            self.write(root, draft)
            found, why = match_marks(*read_names_file(draft), marks, most)
        if any(found.get(mark, mark) != known.get(mark, mark) for mark in marks):
            raise UserError(
                f"expected that {self.file} can be read with {', '.join(self.fresh)} at its end, "
                f"found that it then {why or 'names other classes'}",
                f"rename the class in {self.file} by hand and import it again, or --format manifest",
            )
        return {self.file: partial(self.write, root)}

    def write(self, root: Path, target: Path) -> None:
        """Write the file of names with the new ones at its end."""
        if self.file.lower().endswith(".json"):
            add_to_json(root / self.file, self.fresh, target)
            return
        text = read_whole(root / self.file)
        body = text.text.rstrip()
        end = "\r\n" if "\r\n" in text.text else "\n"
        more = "".join(f"{end}{line}" for line in self.make_lines(body.splitlines()[-1]))
        text.edit([(len(body), len(body), more)])(target)

    def make_lines(self, last: str) -> list[str]:
        """Make a line for each new name, formed as the last line."""
        mark, name = list(self.of_mark.items())[-1]
        parts = re.split(f"({re.escape(name)}|{re.escape(mark)})", last, maxsplit=2)
        made = []
        for fresh, new in self.fresh.items():
            said = {mark: new, name: fresh}
            made.append("".join(said.get(part, part) for part in parts))
        return made

    def describe_fresh(self) -> list[str]:
        """Say which names were added."""
        if not self.fresh:
            return []
        were = "was" if len(self.fresh) == 1 else "were"
        return [
            f"{', '.join(self.fresh)} {were} added at the end of {self.file}; the others keep their numbers"
        ]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(self.of_mark.values()))


def find_class_names(
    root: Path,
    folders: Iterable[str],
    marks: set[str],
    not_these: Iterable[str],
    most: bool = False,
) -> ClassNames:
    """Find the file in `folders` that names the marks of lists.

    not_these: files that are lists of images. most: some marks may be without a name, as folders
    of new classes are. Without any file, a mark is its own name.
    """
    note = ""
    for folder in dict.fromkeys(folders):
        for name in list_candidates(root / folder):
            file = os.path.normpath(os.path.join(folder, name))
            if file in not_these:
                continue
            try:
                lines, pairs = read_names_file(root / file)
            except (UserError, OSError, RecursionError):
                note = note or f"{file} cannot be read: the labels stay as they are written"
                continue
            found, why = match_marks(lines, pairs, marks, most)
            if found:
                found = order_dictionary(found, root / folder, name, marks)
                bare = sorted(marks - set(found))
                note = f"{file} has no name for {', '.join(bare[:5])}" if bare else ""
                return ClassNames(found, file, note)
            note = note or (why and f"{file} {why}: the labels stay as they are written")
    return ClassNames(note=note)


def read_names_file(path: Path) -> tuple[list[str], Pairs]:
    """Read the lines of a names file, and its (mark, name) pairs."""
    text = read_whole(path).text.lstrip("\ufeff")
    if path.suffix.lower() in STRUCTURED:
        return read_structure(path, text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    pairs = [(m[1], m[2]) for line in lines if (m := LINE.fullmatch(line))]
    return lines, pairs if len(pairs) == len(lines) else []


def read_structure(path: Path, text: str) -> tuple[list[str], Pairs]:
    """Read class names from JSON or YAML.

    They are a list, {mark: name}, {name: number} or {number: [mark, name]}.
    """
    import yaml

    try:
        value: Any = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return [], []
    if isinstance(value, dict) and isinstance(value.get("names"), list | dict):
        value = value["names"]
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return value, []
    if not isinstance(value, dict):
        return [], []
    if all(isinstance(v, list) and len(v) == 2 for v in value.values()):
        return [], [(str(mark), str(name)) for mark, name in value.values()]
    if any(isinstance(v, list | dict) for v in value.values()):
        return [], []
    pairs = [(str(mark), str(name)) for mark, name in value.items()]
    numbered = [name for _, name in pairs]
    if pairs and all(n.isdecimal() for n in numbered):  # {"daisy": 0}
        pairs = sorted(((n, name) for name, n in pairs), key=lambda pair: int(pair[0]))
    return [], pairs


def add_to_json(path: Path, fresh: dict[str, str], target: Path) -> None:
    """Write a JSON file of names again, with fresh ones: {name: mark}."""
    text = JsonText(path)
    span = Span(text.start, len(text.text))
    if isinstance(text.value, dict) and isinstance(text.value.get("names"), list | dict):
        span = text.members()["names"]
    held = text.read(span)
    if isinstance(held, list):
        for name in fresh:
            text.add_element(span, name)
    else:
        numbered = all(str(value).isdecimal() for value in held.values())  # {"daisy": 0}
        numbers = held.values() if numbered else filter(str.isdecimal, held)
        last = max(map(int, numbers), default=-1)
        plain = all(type(value) is int for value in held.values())
        for n, (name, mark) in enumerate(fresh.items(), last + 1):
            number = mark if mark.isdecimal() else str(n)
            if numbered:
                text.add_member(span, name, int(number) if plain else number)
            else:
                text.add_member(span, number, name)
    text.write(target)


def order_dictionary(found: dict[str, str], folder: Path, name: str, marks: set[str]) -> dict:
    """Keep the WordNet names that are used, in wnids.txt's order.

    Names of any other file stay as they are.
    """
    if name.lower() != DICTIONARY:
        return found
    listed = []
    if (folder / "wnids.txt").is_file():
        listed = [line.strip() for line in read_whole(folder / "wnids.txt").text.splitlines()]
    order = dict.fromkeys([*listed, *(mark for mark in found if mark in marks)])
    return {mark: found[mark] for mark in order if mark in found}


def list_candidates(folder: Path) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    likely = [n for wanted in FILES for n in names if n.lower() == wanted]
    found = [*likely, *(n for n in names if n not in likely and NAMES.match(n))]
    return [n for n in found if (folder / n).is_file()]


def match_marks(
    lines: list[str], pairs: Pairs, marks: set[str], most: bool = False
) -> tuple[dict[str, str], str]:
    """Match marks with a file's names: ({mark: name}, why not)."""
    if not (lines or pairs) or not marks or max(len(lines), len(pairs)) > 100_000:
        return {}, ""
    numbers = all(mark.isdecimal() for mark in marks)
    swapped = [(name, mark) for mark, name in pairs]
    few = 0  # marks that a list of names has, where it has too few of them
    for known in (dict(pairs), dict(swapped)):
        named = marks & set(known)
        if not numbers and all(known[mark].isdecimal() for mark in named):
            continue  # a name tells more than a number
        if named and (named == marks or most and len(named) * 2 > len(marks)):
            return tell_apart(known, marks), ""
    for declared in (lines, *([pair[i] for pair in pairs] for i in (1, 0))):
        named = marks & set(declared)
        if named and (named == marks or most and len(named) * 2 > len(marks)):
            # names themselves: their order is the source's
            return {line: line for line in declared}, ""
        few = max(few, len(named))
    if numbers:
        return count_names([name for _, name in pairs] or lines, lines, marks)
    return {}, f"has {few:,} of the {format_count(len(marks), 'class')}" if few else ""


def tell_apart(known: dict[str, str], marks: set[str]) -> dict[str, str]:
    """Add its mark to each name that several classes share.

    ImageNet has two cranes.
    """
    counts = Counter(name for mark, name in known.items() if mark in marks)
    return {
        mark: f"{name} ({mark})" if counts[name] > 1 else name
        for mark, name in known.items()
        if mark in marks or name not in counts
    }


def count_names(names: list[str], lines: list[str], marks: set[str]) -> tuple[dict[str, str], str]:
    """Name numbers by a file's lines, counted from 0 or 1.

    Returns ({number: name}, why not): {} where nothing tells from which the file counts.
    """
    marked = {int(mark): mark for mark in marks}
    if len(set(names)) < len(lines):
        names = lines
    last = max(marked)
    if len(set(names)) < len(names) or last > len(names) or len(marked) < len(marks):
        return {}, ""
    if 0 in marked and last == len(names) or 0 not in marked and last < len(names):
        found = format_count(len(names), "class")
        return {}, f"names {found}, and does not tell whether it counts from 0 or from 1"
    first = 0 if 0 in marked else 1
    width = min(map(len, marks))  # 00003, where all are so long
    return {marked.get(i, f"{i:0{width}}"): name for i, name in enumerate(names, first)}, ""
