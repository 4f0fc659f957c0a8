"""Lines of file lists: an image, its words, and their places."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.folder_levels import show_names
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.text_spans import Text
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES

ENDINGS = (".txt", ".lst", ".list")
TRIED = 5  # lines whose images are looked for
HEAD = 1 << 14
PROBED = ("", ".jpg", ".png", ".jpeg", ".JPEG", ".JPG")
FOLDERS = ("meta", "annotations", "splits", "lists", "split", "labels", "imagelists")


class Token(NamedTuple):
    start: int
    end: int
    text: str


class Line(NamedTuple):
    start: int
    end: int  # with its line end
    number: int  # from 1
    key: str  # the image
    path: Token  # what the list calls it
    rest: list[Token]  # what is said of it


def list_candidates(path: Path) -> list[str]:
    """List the texts in a folder that may be image lists.

    They lie at its top, or in meta/, splits/ and the like.
    """
    found = []
    try:
        below = [n for n in sorted(os.listdir(path)) if n.lower() in FOLDERS]
    except OSError:
        return []
    for folder in ("", *below):
        if not (path / folder).is_dir():
            continue
        found += [
            os.path.join(folder, name)
            for name in sorted(os.listdir(path / folder))
            if name.lower().endswith(ENDINGS) and not name.startswith(".")
        ]
    return found[:200]


def names_images(root: Path, file: Path) -> bool:
    """Whether the first lines of a text name images below `root`."""
    if not file.is_file():
        return False
    with open(file, "rb") as opened:
        head = opened.read(HEAD).decode("utf-8", "replace").lstrip("\ufeff")
    lines = [line for line in head.splitlines() if line.strip() and line[:1] != "#"][:TRIED]
    folders = probe_folders(root)
    found = sum(
        any(exists(root, folder, name) for name in split_ways(line) for folder in folders)
        for line in lines
    )
    return bool(lines) and found * 2 > len(lines)


def probe_folders(root: Path) -> list[str]:
    """List folders to which a list's paths may be relative."""
    with os.scandir(root) as entries:
        below = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    return ["", *below[:50]]


def exists(root: Path, folder: str, name: str) -> bool:
    if not name or len(name) > 500 or "\0" in name or name.startswith("/"):
        return False
    for suffix in PROBED:
        if (name + suffix).lower().endswith(SUFFIXES):
            try:
                if os.path.isfile(f"{root}/{folder}/{name}{suffix}"):
                    return True
            except ValueError:
                return False
    return False


def split_ways(line: str) -> list[str]:
    """List what could be the image of a line.

    That is all of it, all but the last word, or the first.
    """
    line = line.strip()
    first = re.split(r"[\t,;]", line)[0].strip().strip('"')
    return list(dict.fromkeys([line, line.rsplit(None, 1)[0], first, line.split()[0]]))


def read_lines(text: Text, index: ImageIndex, bases: list[str]) -> tuple[list[Line], list[tuple]]:
    """Read the lines of a list, and (place, reason) of bad ones."""
    lines, bad = [], []
    at = 1 if text.text[:1] == "\ufeff" else 0
    for number, raw in enumerate(text.text[at:].splitlines(keepends=True), 1):
        start, at = at, at + len(raw)
        body = raw.rstrip("\r\n")
        if not body.strip() or body.lstrip()[:1] == "#":
            continue
        line, wrong = read_line(body, start, at, number, index, bases)
        if line:
            lines.append(line)
        else:
            bad.append((f"{text.path.name} line {number}", wrong))
    return lines, bad


def read_line(
    body: str, start: int, end: int, number: int, index: ImageIndex, bases: list[str]
) -> tuple[Line | None, str]:
    """Read a line: its image is the longest beginning that names one."""
    tokens = split_tokens(body, start)
    wrong = ""
    ways = sorted({len(tokens), len(tokens) - 1, 1} - {0}, reverse=True)
    for n in ways:
        span = Token(tokens[0].start, tokens[n - 1].end, body[tokens[0].start - start :])
        name = body[span.start - start : span.end - start].strip('"')
        key, why = index.find_one(name, *bases)
        if key:
            path = Token(span.start, span.end, body[span.start - start : span.end - start])
            return Line(start, end, number, key, path, tokens[n:]), ""
        wrong = why
    return None, wrong


def split_tokens(body: str, start: int) -> list[Token]:
    """Split a line at tabs, commas or semicolons, else at blanks."""
    separator = next((s for s in "\t,;" if s in body), None)
    pattern = rf"[^{separator}]+" if separator else r"\S+"
    tokens = []
    for found in re.finditer(pattern, body):
        word = found[0].strip()
        if word:
            left = found.start() + len(found[0]) - len(found[0].lstrip())
            tokens.append(Token(start + left, start + left + len(word), word))
    return tokens


def choose_column(lines: list[Line], asked: str | None, name: str) -> int | None:
    """Choose which word after the image is the label.

    None where there is none. AmbiguousSource where there are several; UserError where they are
    marks of several labels, or boxes.
    """
    most = max((len(line.rest) for line in lines), default=0)
    if asked == "none" or not most:
        return None
    if asked:
        if not asked.isdecimal() or not 2 <= int(asked) <= most + 1:
            raise UserError(
                f"expected --label-column from 2 to {most + 1} in {name}, found {asked}",
                "1 is the image itself",
            )
        return int(asked) - 2
    if most == 1:
        ask_about_sentences(lines, name)
        return 0
    marks = {token.text for line in lines[:1000] for token in line.rest}
    if most > 2 and marks <= {"0", "1", "-1"}:
        raise UserError(
            f"expected one label for each image in {name}, found {most} marks of 0 and 1: "
            "multi-label, which Assay does not read yet",
            "--pictures-only imports the images without labels; --label-column NUMBER takes one",
        )
    readings = []
    for column in range(most):
        words = Counter(line.rest[column].text for line in lines if len(line.rest) > column)
        readings.append(
            Reading(
                f"the word {column + 2} of a line is the class, of {len(words):,}: "
                f"{show_names(words)}",
                f"--label-column {column + 2}",
            )
        )
    raise AmbiguousSource(
        f"expected an image and a label on each line of {name}, found {most} words after the image",
        readings,
    )


def ask_about_sentences(lines: list[Line], name: str) -> None:
    """Ask whether long texts that hardly repeat are classes or captions."""
    texts = [line.rest[0].text for line in lines if line.rest]
    several = sum(len(text.split()) > 2 for text in texts)
    if len(texts) < 4 or len(set(texts)) * 2 <= len(texts) or several * 2 <= len(texts):
        return
    raise AmbiguousSource(
        f"expected a class on each line of {name}, found texts such as {texts[-1][:60]!r}: captions"
        " are no classes",
        [
            Reading(f"each of the {len(set(texts)):,} texts is a class", "--label-column 2"),
            Reading("they are captions: the images without labels", "--pictures-only"),
        ],
    )


def find_split_word(stem: str) -> str | None:
    """Find the word for a split in a list's name: places365_val, images_variant_train."""
    if guess_split(stem):
        return stem
    words = [word for word in re.split(r"[^A-Za-z0-9]+", stem) if guess_split(word)]
    return words[0] if len(words) == 1 else None
