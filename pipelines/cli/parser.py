"""Parse a command line, and say what a mistyped word meant."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from assay.curation.errors import UnknownName, UserError
from assay.curation.text import escape_controls


class BadCommand(UserError):
    """A command line that lacks something, or has too much."""

    code = "bad_command"


class Parser(argparse.ArgumentParser):
    """A parser that raises UserError, where argparse would end the program."""

    def __init__(self, *given: Any, **options: Any) -> None:
        # a beginning that is one option's today may be two options' tomorrow
        super().__init__(*given, **options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise BadCommand with argparse's message."""
        raise BadCommand(f"expected another command line, found: {message}", f"{self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Let options stand between the words of a verb that takes many."""
        found, rest = super().parse_known_args(args, namespace)
        place = rest.index("--") if "--" in rest else len(rest)
        words = [*rest[:place], *rest[place + 1 :]]
        if isinstance(getattr(found, "words", None), list) and not any(
            word.startswith("-") for word in rest[:place]
        ):
            found.words, rest = [*found.words, *words], []
        return found, rest

    def _get_value(self, action: argparse.Action, text: str) -> Any:
        """Name the option whose number is none, and how one is written."""
        try:
            return super()._get_value(action, text)
        except argparse.ArgumentError:
            if action.type not in (int, float):
                raise
            name = "/".join(action.option_strings) or action.metavar or action.dest
            kind = "a whole number" if action.type is int else "a number"
            example = "5" if action.type is int else "0.5"
            meant = text.replace(",", ".")
            if action.type is float and re.fullmatch(r"-?\d*\.\d+", meant):
                example = meant
            raise BadCommand(
                f"expected {name} as {kind}, found {text!r}", f"for example {name} {example}"
            ) from None

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        if action.dest == "verb":
            raise UnknownName(
                f"expected a verb, found {value!r}", "assay --help lists all verbs", value, known
            )
        name = "/".join(action.option_strings) or action.metavar or action.dest
        hint = f"there are {', '.join(known)}"
        raise UnknownName(f"expected another {name}, found {value!r}", hint, value, known)

    def check_options(self, words: Sequence[str]) -> None:
        """Refuse an option that no verb, or not this verb, has.

        argparse would first complain of what the mistyped option's value was taken for.
        """
        known = [name for name in self._option_string_actions if name.startswith("--")]
        for word in words:
            if word == "--":
                return
            name = word.split("=", 1)[0]
            if name.startswith("--") and " " not in name and name not in known:
                found = f"expected an option of {self.prog}, found {name}"
                raise UnknownName(found, f"{self.prog} --help lists them", name, known)


def parse_words(parser: Parser, verbs: dict[str, Parser], words: Sequence[str]) -> Any:
    """Parse the words of a command line; UserError for what is none."""
    place = next((i for i, word in enumerate(words) if not word.startswith("-")), len(words))
    name = words[place] if words[place:] else "VERB"
    of_verbs = {option for verb in verbs.values() for option in verb._option_string_actions}
    for word in words[:place]:
        if word in of_verbs - set(parser._option_string_actions):
            found = f"expected {word} after the verb, found it before"
            raise BadCommand(found, f"assay {name} {word}")
    parser.check_options(words[:place])
    if name in verbs:
        verbs[name].check_options(words[place + 1 :])
    return parser.parse_args(words)


def list_verbs(headings: dict[str, dict[str, str]]) -> str:
    """Write the verbs of each group, one line each: {heading: {verb: sentence}}."""
    width = max(len(name) for group in headings.values() for name in group)
    parts = [
        "\n".join([f"{heading}:", *(f"  {name:<{width}}  {text}" for name, text in group.items())])
        for heading, group in headings.items()
        if group
    ]
    return escape_controls("\n\n".join(parts))
