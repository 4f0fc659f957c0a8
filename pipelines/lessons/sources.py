"""The lessons: Python files in the percent format, read as cells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal

import assay
from assay.curation.errors import UnknownName, UserError, require_file

PACKAGE = Path(assay.__file__).parent
CLONE = PACKAGE.parent / "docs" / "lessons"
FOLDER = CLONE if CLONE.is_dir() else PACKAGE / "site" / "lessons"  # a wheel holds docs/ built
NAME = re.compile(r"lesson_(\d+)_\w+")
MARK = re.compile(r"^# %%")
QUESTION, ANSWER, CHECK = "**Predict.**", "**Answer.**", "# check"
WORDS_A_MINUTE, LINES_A_MINUTE = 120, 12  # of text, and of code, by a careful reader


class UnknownLesson(UnknownName):
    """A lesson that is not there."""

    code = "unknown_lesson"


@dataclass(frozen=True)
class Cell:
    """A piece of a lesson: text in Markdown, or code."""

    kind: Literal["text", "code"]
    source: str
    line: int  # of the file, where it begins

    @property
    def role(self) -> Literal["question", "answer", "check", ""]:
        """What it is for, beside telling or computing."""
        if self.kind == "code":
            return "check" if self.source.startswith(CHECK) else ""
        if self.source.startswith(QUESTION):
            return "question"
        return "answer" if self.source.startswith(ANSWER) else ""


@dataclass(frozen=True)
class Lesson:
    """A lesson, as its file has it."""

    path: Path
    text: str
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """Its file's name without .py."""
        return self.path.stem

    @property
    def number(self) -> int:
        """The number in its file's name, 0 without one."""
        found = NAME.fullmatch(self.name)
        return int(found[1]) if found else 0

    @property
    def title(self) -> str:
        """Its first heading, without its number."""
        heading = self.cells[0].source.splitlines()[0].lstrip("# ")
        return re.sub(r"^Lesson \d+[.:] *", "", heading)

    @property
    def claim(self) -> str:
        """The paragraph under its title, on one line."""
        paragraphs = self.cells[0].source.split("\n\n")
        return " ".join(paragraphs[1].split()) if len(paragraphs) > 1 else ""

    @property
    def minutes(self) -> int:
        """About how long it takes to read."""
        words = sum(len(cell.source.split()) for cell in self.cells if cell.kind == "text")
        lines = sum(len(cell.source.splitlines()) for cell in self.cells if cell.kind == "code")
        return max(1, round(words / WORDS_A_MINUTE + lines / LINES_A_MINUTE))

    @cached_property
    def digest(self) -> str:
        """A hash of its file, by which what was made of it is known to be old."""
        return sha256(self.text.encode()).hexdigest()[:12]


def list_lessons(folder: Path = FOLDER) -> list[Lesson]:
    """List the lessons of a folder, by number."""
    files = [file for file in folder.glob("lesson_*.py") if NAME.fullmatch(file.stem)]
    return sorted(map(read_lesson, files), key=lambda lesson: lesson.number)


def find_lesson(asked: str) -> Lesson:
    """Find a lesson by number, name or file; UnknownLesson for none."""
    if asked.endswith(".py"):
        require_file(asked, "a lesson", "assay lesson lists those that there are")
        return read_lesson(Path(asked).expanduser())
    lessons = list_lessons()
    for lesson in lessons:
        if asked in (str(lesson.number), lesson.name):
            return lesson
    hint = "assay lesson lists those that there are"
    raise UnknownLesson(
        f"expected a lesson, found {asked}", hint, asked, [lesson.name for lesson in lessons]
    )


def read_lesson(path: Path) -> Lesson:
    """Read a lesson; UserError for a file that is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(
            f"expected Python in UTF-8, found other bytes in {path}", "save it as UTF-8"
        ) from None
    cells = parse_cells(text, path)
    if not cells or not cells[0].source.startswith("# ") or cells[0].kind != "text":
        raise UserError(
            f"expected a title in the first cell of {path}, found none",
            "begin it with `# %% [markdown]` and `# # Title`",
        )
    return Lesson(path, text, cells)


def parse_cells(text: str, path: Path) -> tuple[Cell, ...]:
    """Parse a percent file: `# %%` begins code, `# %% [markdown]` text in comments."""
    lines = text.splitlines()
    starts = [n for n, line in enumerate(lines) if MARK.match(line)]
    found = []
    if any(line.strip() for line in lines[: starts[0] if starts else None]):
        found.append(make_cell("code", lines[: starts[0] if starts else None], 0, path))
    for start, end in zip(starts, [*starts[1:], None]):
        kind: Literal["text", "code"] = "text" if "[markdown]" in lines[start] else "code"
        found.append(make_cell(kind, lines[start + 1 : end], start + 1, path))
    return tuple(cell for cell in found if cell.source)


def make_cell(kind: Literal["text", "code"], lines: list[str], start: int, path: Path) -> Cell:
    """Make a cell of its lines, blank ones around it left out."""
    while lines and not lines[0].strip("# "):
        lines, start = lines[1:], start + 1
    if kind == "text":
        for n, line in enumerate(lines):
            if line.strip() and not line.startswith("#"):
                raise UserError(
                    f"expected a comment in line {start + n + 1} of {path}, found {line.strip()}",
                    "text of a lesson stands in comments; `# %%` begins code",
                )
        lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
    return Cell(kind, "\n".join(lines).strip("\n"), start + 1)
