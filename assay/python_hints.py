"""Say in Python what a message says in shell commands.

Messages are written for the command line. `assay scan -b cells --effort 2` becomes `bench.scan(effort=2)`: the parser
knows a verb's options, and the method of that name which of them it takes.
"""

from __future__ import annotations

import argparse
import inspect
import re
from functools import cache

COMMAND = re.compile(r"\bassay ([a-z]+)\b")
CLASSES = re.compile(r" (rename|add|split|edit)\b")
NAMED = dict(rename=2, add=1, split=2, edit=1)  # classes that each of these names
# a colon within a word belongs to it: s3://bucket, HOST:PORT
WORD = re.compile(r" +('[^']*'|\"[^\"]*\"|(?:[^\s`'\",;:)(]|:(?=\S))+)")
# what stands for a value, or is one: PLAN.toml, a quoted name, a file, a version, a batch
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]+\S*|'.*'|\".*\"|\S+\.\w{2,7}$|v\d+|HEAD|[a-z]+-[0-9a-f]{12}")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]+)( (?:[^\s`'\",;:)(]|:(?=\S))+)?")
PROSE = {" says", " takes", " names", " or", " and", " with", " to"}  # no value of an option
# verbs that are several methods, told apart by an option
VARIANTS = {
    "add": {"--dry-run": "preview"},
    "export": {"--patch": "export_corrections", "--in-place": "mend_sources"},
    "duplicates": {"--keep-best": "keep_best", "--not-copies": "not_copies"},
    "views": {"--save": "save_view", "--remove": "remove_view"},
    "fiftyone": {
        "--pull": "pull_fiftyone",
        "--export": "export_fiftyone",
        "--no-app": "push_fiftyone",
    },
}
METHODS = {"import": "add"}  # all others are called as their verbs
PHRASES = {
    "assay log --batches": "bench.batches()",
    "assay samples --columns": "the page Columns of samples",
    "another with -b": "another folder",
    "another: -b BENCH": "another folder",
}
PHRASES |= {
    "another with -o": "another folder",
    "another -o": "another file",
    "see -b, and ": "see ",
}
NAMES = {
    "as": "name",
    "new-class": "new_classes",
    "in": "split",
    "m": "message",
    "o": "path",
    "run": "run",
}
ROLES = {f"{role}-column": role for role in ("image", "text", "label", "split", "id", "group")}


def translate_hint(text: str, methods: dict[str, inspect.Signature], given: object = "") -> str:
    """Translate shell commands and options in a text into Python.

    methods: the signature of each verb. given: the path of the bench, as its user wrote it.
    """
    if "assay " not in text and "-" not in text:
        return text
    text = text.replace(f" -b {given}", "") if str(given) else text
    for shell, python in PHRASES.items():
        text = text.replace(shell, python)
    out, at = "", 0
    for match in COMMAND.finditer(text):
        name = METHODS.get(match[1], match[1])
        if match.start() < at or match[1] not in list_options():
            continue
        if name not in methods:  # a verb of the command line alone, such as app
            continue
        if name == "classes" and (action := CLASSES.match(text, match.end())):
            end, names = read_class_names(text, action.end(), NAMED[action[1]])
            out += f"{text[at : match.start()]}bench.{action[1]}_class({', '.join(names)})"
            at = end
            continue
        asked = text[match.end() :].split(" assay ")[0]
        for option, method in VARIANTS.get(name, {}).items():
            name = method if option in asked else name
        end, bench, arguments = read_arguments(text, match.end(), match[1], methods[name])
        out += f"{text[at : match.start()]}{bench}.{name}({', '.join(arguments)})"
        at = end
    text = re.sub(r"(?<![\w-])-n (?=\d)", "n=", out + text[at:])
    return OPTION.sub(write_option, text)


def read_class_names(text: str, at: int, most: int) -> tuple[int, list[str]]:
    """Read the class names that a command is about, as Python.

    Returns (where they end, the names).
    """
    names = []
    while len(names) < most and (match := WORD.match(text, at)) and match[1][0] != "-":
        names.append(write_value(match[1]))
        at = match.end()
    return at, names


def read_arguments(
    text: str, at: int, verb: str, method: inspect.Signature
) -> tuple[int, str, list[str]]:
    """Read a verb's arguments from a text.

    Returns (where they end, the bench, the arguments as Python). What the method does not take, such as --csv, is
    left out.
    """
    options, bench, out = list_options()[verb], "bench", []
    while match := WORD.match(text, at):
        word = match[1]
        action = options.get(word)
        if action is None and not (PLACEHOLDER.fullmatch(word) and not word.startswith("-")):
            break
        at = match.end()
        if action is None:
            out.append(write_value(word))
            continue
        value = "True"
        if action.nargs != 0:
            values = [WORD.match(text, at)]
            if values[0] is None:
                break
            value, at = write_value(values[0][1]), values[0].end()
            value = f"[{value}]" if isinstance(action, argparse._AppendAction) else value
        name = name_parameter(word)
        if word == "-b" and value[1:-1].isupper():  # any bench, which may have to be made
            bench = f"assay.create({value})"
        if name in method.parameters:
            out.append(f"{name}={value}")
        elif word.lstrip("-") in ROLES and "columns" in method.parameters:
            out.append(f"columns={{'{ROLES[word.lstrip('-')]}': {value}}}")
    return at, bench, out


@cache
def list_options() -> dict[str, dict[str, argparse.Action]]:
    """List each verb's options by what the command line calls them."""
    from assay.pipelines.cli.main import make_parser

    (verbs,) = (a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {name: parser._option_string_actions for name, parser in verbs.choices.items()}


def name_parameter(option: str) -> str:
    """Name the parameter of an option: --pred-probs is pred_probs."""
    word = option.lstrip("-")
    return NAMES.get(word, word.replace("-", "_"))


def write_value(word: str) -> str:
    """Write a word of a command as a Python value."""
    if word[0] in "'\"" or re.fullmatch(r"-?\d+(\.\d+)?", word):
        return word
    return {"yes": "True", "no": "False"}.get(word, repr(word))


def write_option(match: re.Match) -> str:
    """Write an option that stands alone, as in `say --score 0.9`."""
    word, value = match[1], match[2]
    known = [o[f"--{word}"] for o in list_options().values() if f"--{word}" in o]
    if not known:
        return match[0]
    flag = any(action.nargs == 0 for action in known)
    rest = value or "" if flag or value in PROSE else ""
    written = "True" if flag else "..." if rest or not value else write_value(value[1:])
    if any(isinstance(action, argparse._AppendAction) for action in known):
        written = f"[{written}]"
    if word in ROLES:
        return f"columns={{'{ROLES[word]}': {written}}}{rest}"
    return f"{name_parameter(word)}={written}{rest}"
