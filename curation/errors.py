"""The errors that a person can act on."""

import re


class UserError(Exception):
    """What was expected and found (`problem`), and what to do about it (`hint`); the command line exits with status 2."""

    def __init__(self, problem, hint):
        texts = (
            re.sub(r"\[Errno \d+\] ", "", text) for text in (problem, hint)
        )  # a number that no reader of ours knows
        self.problem, self.hint = ("\n".join(map(short, text.split("\n"))) for text in texts)
        super().__init__(f"error: {self.problem}\nhint: {self.hint}")


class Held(UserError):
    """Somebody else has the bench open: the same may work a moment later."""


def short(text, most=1_000):
    """`text`, its middle left out where it is longer than a person would read."""
    return (
        text
        if len(text) <= most
        else f"{text[: most // 2]} ... {len(text) - most:,} characters ... {text[-(most // 2) :]}"
    )
