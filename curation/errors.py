"""Errors that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class UserError(Exception):
    """What was expected and found, and what to do about it.

    `problem` says the first, `hint` the second. `code` names the kind of error, for a script: the
    command line prints it with --json, and exits with status 2.
    """

    code = "bad_input"
    suggestions: list[str] = []  # names that a mistyped one may have been
    readings: Sequence[Reading] = ()  # ways to read a source, of which one must be chosen

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = clean_message(problem), clean_message(hint)
        super().__init__(f"error: {self.problem}\nhint: {self.hint}")

    def reword(self, translate: Callable[[str], str]) -> None:
        """Say it in other words, for whoever types no shell commands."""
        self.problem, self.hint = translate(self.problem), translate(self.hint)
        self.args = (f"error: {self.problem}\nhint: {self.hint}",)

    def add_hint(self, hint: str) -> None:
        """Say one thing more about what to do."""
        self.reword(lambda text: f"{text}; {hint}" if text == self.hint else text)

    def _render_traceback_(self) -> list[str]:
        """Show a notebook the message, and not our frames."""
        return str(self).splitlines()


class UnknownName(UserError):
    """A name that nothing has; `suggestions` are known ones that may be meant."""

    code = "unknown_name"

    def __init__(self, problem: str, hint: str, name: object, known: Iterable[object]) -> None:
        self.suggestions = suggest_names(name, known)
        super().__init__(problem, ask_meant(self.suggestions) + hint)


class UnknownVersion(UnknownName):
    """A version that nobody committed."""

    code = "unknown_version"


class UnknownClass(UnknownName):
    """A label that no sample has, and that was not said to be new."""

    code = "unknown_class"


class UnknownColumn(UnknownName):
    """A column that a table has not, or may not have."""

    code = "unknown_column"


class UnknownSample(UnknownName):
    """A sample that the bench has not."""

    code = "unknown_sample"


class UnknownBatch(UnknownName):
    """A batch of edits that the log has not."""

    code = "unknown_batch"


class UnknownRun(UnknownName):
    """A run that is not there, or has not finished."""

    code = "unknown_run"


class UnknownEmbedder(UnknownName):
    """An embedder that is not installed."""

    code = "unknown_embedder"


class MissingFile(UnknownName):
    """There is no file or folder where one was to be read; `suggestions` are its neighbours."""

    code = "no_file"

    def __init__(self, problem: str, hint: str, path: str | Path) -> None:
        super().__init__(problem, hint, Path(path).name, list_neighbours(path))
        self.suggestions = [str(Path(path).with_name(name)) for name in self.suggestions]


class NoBench(UnknownName):
    """There is no bench in the folder; `suggestions` are benches beside it."""

    code = "no_bench"

    def __init__(self, problem: str, hint: str, path: Path, file: str) -> None:
        known = [n for n in list_neighbours(path) if (path.parent / n / file).exists()]
        super().__init__(problem, hint, path.name, known)


class Question(UserError):
    """Only a person can say whether to go on; `hint` has the option that says yes."""

    code = "question"


class Reading(NamedTuple):
    """One of the ways in which a source can be read."""

    words: str  # "the 2 top folders are classes: 2024-01 (16), 2024-02 (16)"
    option: str  # what chooses it: "--class-level 1"


class AmbiguousSource(Question):
    """A source that can be read in two ways or more; nothing was guessed."""

    code = "ambiguous_source"

    def __init__(self, problem: str, readings: Sequence[Reading]) -> None:
        self.readings = list(readings)
        ways = "; or ".join(f"{reading.option} ({reading.words})" for reading in readings)
        super().__init__(problem, f"say which: {ways}")


class BenchBusy(UserError):
    """Somebody else has the bench open: the same may work a moment later."""

    code = "bench_busy"


class DiskFull(UserError):
    """There is no room on the disk of the bench; what it holds is sound."""

    code = "disk_full"


class OtherSchema(UserError):
    """The bench is of a schema that this code does not know; it may be sound."""

    code = "other_schema"


class NotScanned(UserError):
    """Only a scan can tell what is asked, and there was none since."""

    code = "not_scanned"


class DamagedFile(UserError):
    """A file of arrays cannot be read; `reason` says why."""

    code = "damaged_file"

    def __init__(self, problem: str, hint: str, reason: str) -> None:
        super().__init__(problem, hint)
        self.reason = clean_message(reason)


class FilterError(UserError):
    """A condition or an order that cannot be read; `place` marks what is wrong with it."""

    code = "bad_filter"

    def __init__(
        self, text: str, place: tuple[int, int] | None, expected: str, found: str, hint: str
    ) -> None:
        """Mark the place (characters, the second not included) in the text."""
        self.text, self.place, self.expected, self.found = text, place, expected, found
        problem = f"expected {expected}, found {shorten(found, 200)}"
        if place is not None:
            problem += f"\n{mark_place(text, place)}"
        super().__init__(problem, hint or "assay samples --columns lists what can be asked for")


def mark_place(text: str, place: tuple[int, int]) -> str:
    """Show the line of a place in a text, and mark it.

    The marks stand under its characters.
    """
    start = text.rfind("\n", 0, place[0]) + 1
    line, at = text[start:].split("\n", 1)[0].expandtabs(1), place[0] - start
    cut = max(0, at - 60)
    shown = line[cut : cut + 100]
    marks = max(1, min(place[1] - place[0], len(shown) - at + cut))
    return f"  {shown}\n  {' ' * (at - cut)}{'^' * marks}"


def require_file(path: str | Path, expected: str, hint: str) -> None:
    """Refuse a path where nothing lies."""
    # a path that cannot be looked up is refused when it is opened
    with suppress(OSError, ValueError):
        if not Path(path).expanduser().exists():
            raise MissingFile(f"expected {expected}, found nothing at {path}", hint, path)


def list_neighbours(path: str | Path) -> list[str]:
    """List the names in a path's folder.

    [] where it cannot be read.
    """
    try:
        return sorted(p.name for p in Path(path).expanduser().absolute().parent.iterdir())
    except (OSError, ValueError):
        return []


def suggest_names(name: object, known: Iterable[object]) -> list[str]:
    """Find the known names, two at most, that were meant."""
    from difflib import SequenceMatcher, get_close_matches

    plain = {str(other).casefold(): str(other) for other in known}
    given = str(name)[:100].casefold()
    found = get_close_matches(given, plain, 2)
    letters = [other for other in plain if len(other) == 1]
    if len(given) == len(letters) == 1:  # two letters are never alike
        return [plain[letters[0]]]
    likeness = [SequenceMatcher(None, one, given).ratio() for one in found]
    # the second is named only where it is hardly less likely
    return [plain[one] for one, ratio in zip(found, likeness) if ratio > likeness[0] - 0.1]


def ask_meant(names: list[str]) -> str:
    """Ask whether one of the names was meant; "" without any."""
    return f"did you mean {' or '.join(names)}? " if names else ""


def clean_message(text: str) -> str:
    """Strip a message of error numbers and endless lines.

    No reader of ours knows them.
    """
    return "\n".join(map(shorten, re.sub(r"\[Errno \d+\] ", "", text).split("\n")))


def shorten(text: str, most: int = 1_000) -> str:
    """Leave out the middle of a long text."""
    if len(text) <= most:
        return text
    left_out = f"characters left out: {len(text) - most:,}"
    return f"{text[: most // 2]} ... ({left_out}) ... {text[-(most // 2) :]}"
