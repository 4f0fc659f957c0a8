"""Errors that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Callable


class UserError(Exception):
    """What was expected and found, and what to do about it.

    `problem` says the first, `hint` the second. The command line exits with status 2.
    """

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = clean_message(problem), clean_message(hint)
        super().__init__(f"error: {self.problem}\nhint: {self.hint}")

    def reword(self, translate: Callable[[str], str]) -> None:
        """Say it in other words, for whoever types no shell commands."""
        self.problem, self.hint = translate(self.problem), translate(self.hint)
        self.args = (f"error: {self.problem}\nhint: {self.hint}",)


class BenchBusy(UserError):
    """Somebody else has the bench open: the same may work a moment later."""


class DiskFull(UserError):
    """There is no room on the disk of the bench; what it holds is sound."""


class OtherSchema(UserError):
    """The bench is of a schema that this code does not know; it may be sound."""


class NotScanned(UserError):
    """Only a scan can tell what is asked, and there was none since."""


class DamagedFile(UserError):
    """A file of arrays cannot be read; `reason` says why."""

    def __init__(self, problem: str, hint: str, reason: str) -> None:
        super().__init__(problem, hint)
        self.reason = clean_message(reason)


def clean_message(text: str) -> str:
    """Strip a message of error numbers and endless lines.

    No reader of ours knows them.
    """
    return "\n".join(map(shorten, re.sub(r"\[Errno \d+\] ", "", text).split("\n")))


def shorten(text: str, most: int = 1_000) -> str:
    """Leave out the middle of a long text."""
    if len(text) <= most:
        return text
    left_out = f"{len(text) - most:,} characters"
    return f"{text[: most // 2]} ... {left_out} ... {text[-(most // 2) :]}"
