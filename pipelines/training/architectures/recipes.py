"""Read the name of an architecture: NAME or NAME(option=value, ...)."""

from __future__ import annotations

import re
from functools import cache

from assay.curation.errors import UnknownName, UserError
from assay.pipelines.training.architectures.base import (
    Architecture,
    ClosedForm,
    Recipe,
    list_architectures,
)
from assay.pipelines.training.architectures.custom import FORM, CustomArchitecture, known_names

OPTIONS = {  # what a value may be: in words, its type, its test
    "depth": ("10, 18 or 34", int, lambda v: v in (10, 18, 34)),
    "epochs": ("a whole number of 1 or more", int, lambda v: v >= 1),
    "function": (FORM, str, lambda v: bool(re.fullmatch(r"[\w.]+:\w+", v))),
    "loss": ("ce or gce", str, lambda v: v in ("ce", "gce")),
    "lr": ("a number above 0, at most 1", float, lambda v: 0 < v <= 1),
    "side": ("32, 64, 96, 128, ... 512 pixels", int, lambda v: v in range(32, 513, 32)),
    "smoothing": ("a number from 0 to below 1", float, lambda v: 0 <= v < 1),
    "width": ("a whole number from 4 to 4096", int, lambda v: 4 <= v <= 4096),
}


@cache
def find_recipe(arch: str) -> Recipe:
    """Return the recipe of an architecture with its options."""
    name, options = parse_architecture(arch)
    return find_architecture(name).recipe._replace(**options)


def find_architecture(name: str) -> Architecture | ClosedForm | None:
    """Return the architecture called `name`, or the user's own.

    None where it can be neither.
    """
    for architecture in list_architectures():
        if architecture.recipe.name == name:
            return architecture
    return CustomArchitecture(name) if ":" in name else None


def canonical_name(arch: str) -> str:
    """Spell an architecture in one way: options sorted, defaults left out.

    So `mlp` and `mlp(loss=ce)` are one run.
    """
    name, options = parse_architecture(arch)
    default = find_architecture(name).recipe
    given = [
        value if option == "function" else f"{option}={str(value).removesuffix('.0')}"
        for option, value in sorted(options.items())
        if value != getattr(default, option)
    ]
    return f"{name}({', '.join(given)})" if given else name


def parse_architecture(arch: str) -> tuple[str, dict]:
    """Parse `NAME` or `NAME(option=value, ...)`: (name, options given).

    Raises UserError.
    """
    match = re.fullmatch(r"\s*([\w.]+(?::\w+)?)\s*(?:\(([^()]*)\))?\s*", str(arch))
    name, inside = match.groups() if match else ("", None)
    architecture = find_architecture(name)
    if architecture is None:
        raise UnknownName(
            f"expected {known_names()}, each perhaps with (option=value, ...), found {str(arch)!r}",
            "for example resnet(depth=34)",
            name,
            [a.recipe.name for a in list_architectures()],
        )
    allowed = [option for option in OPTIONS if getattr(architecture.recipe, option) is not None]
    options = {}
    for given in inside.split(",") if inside and inside.strip() else []:
        option, _, text = (part.strip() for part in given.partition("="))
        if "function" in allowed and not text:
            option, text = "function", option
        if option not in allowed or option in options:
            takes = f"options of {name} ({', '.join(allowed)}), each once as option=value"
            if not allowed:
                takes = f"{name} without options: it has none"
            raise UserError(
                f"expected {takes}, found {given.strip()!r} in {str(arch)!r}",
                "for example mlp(loss=gce, smoothing=0.1)",
            )
        options[option] = parse_option(option, text, arch)
    if "function" in allowed and not options:
        raise UserError(
            f"expected {name}({FORM}), found {str(arch)!r}", "name the function of your rules"
        )
    return name, options


def parse_option(option: str, text: str, arch: str) -> int | float | str:
    """Parse the value of one option.

    Raises UserError where it is out of its range.
    """
    words, kind, is_allowed = OPTIONS[option]
    try:
        value = kind(text)
    except ValueError:
        text, value = text or "nothing", None
    if value is None or not is_allowed(value):
        raise UserError(
            f"expected {option} to be {words}, found {text} in {str(arch)!r}",
            "change it in the plan",
        )
    return value
