"""What an architecture is called: NAME or NAME(option=value, ...), checked, and one spelling for each network with its training."""

import re
from functools import cache
from typing import NamedTuple

from assay.curation.errors import UserError


class Recipe(NamedTuple):
    """What a name stands for. A field that is None is no option of that network."""

    name: str
    input: str  # embedding or pixels
    lr: float = None  # peak of the one-cycle schedule of AdamW
    smoothing: float = None  # of the labels
    loss: str = None
    epochs: int = None  # 0: so many passes as the number of rows asks for
    side: int = None  # larger images are shrunk to it
    width: int = None  # channels of the first group of blocks, each further group has more; units of the hidden layer of the mlp
    depth: int = None  # layers with weights
    passes: int = 30  # epochs over 1,000 rows; more rows take fewer, by the square root


TRAINED = dict(loss="ce", epochs=0)
RECIPES = (
    Recipe("probe", "embedding"),
    Recipe("mlp", "embedding", lr=1e-3, smoothing=0.0, width=512, passes=8, **TRAINED),
    Recipe("cnn", "pixels", lr=5e-3, smoothing=0.1, side=64, width=32, **TRAINED),
    Recipe("resnet", "pixels", lr=5e-3, smoothing=0.1, side=64, width=16, depth=18, **TRAINED),
    Recipe("finetune", "pixels", lr=6e-3, smoothing=0.1, side=128, passes=7, **TRAINED),
)
KNOWN = {recipe.name: recipe for recipe in RECIPES}
CUSTOM = Recipe("package.module:function", "pixels", lr=1e-3, smoothing=0.1, side=128, **TRAINED)
OPTIONS = {  # what a value may be: in words, its type, its test
    "depth": ("10, 18 or 34", int, lambda v: v in (10, 18, 34)),
    "epochs": ("a whole number of 1 or more", int, lambda v: v >= 1),
    "loss": ("ce or gce", str, lambda v: v in ("ce", "gce")),
    "lr": ("a number above 0, at most 1", float, lambda v: 0 < v <= 1),
    "side": ("32, 64, 96, 128, ... 512 pixels", int, lambda v: v in range(32, 513, 32)),
    "smoothing": ("a number from 0 to below 1", float, lambda v: 0 <= v < 1),
    "width": ("a whole number from 4 to 4096", int, lambda v: 4 <= v <= 4096),
}


def parse(arch):
    """(name, {option: value}) of `NAME` or `NAME(option=value, ...)`; only the options given. Raises UserError."""
    found = re.fullmatch(r"\s*([\w.]+(?::\w+)?)\s*(?:\(([^()]*)\))?\s*", str(arch))
    name, inside = found.groups() if found else (None, None)
    if not found or name not in KNOWN and ":" not in name:
        known = ", ".join((*KNOWN, CUSTOM.name))
        raise UserError(
            f"expected {known}, each perhaps with (option=value, ...), found {str(arch)!r}",
            "for example resnet(depth=34)",
        )
    options, may = {}, options_of(name)
    for given in inside.split(",") if inside and inside.strip() else []:
        option, _, text = (part.strip() for part in given.partition("="))
        if option not in may or option in options:
            takes = (
                f"options of {name} ({', '.join(may)}), each once as option=value"
                if may
                else f"{name} without options: it has none"
            )
            raise UserError(
                f"expected {takes}, found {given.strip()!r} in {str(arch)!r}",
                "for example mlp(loss=gce, smoothing=0.1)",
            )
        words, kind, allowed = OPTIONS[option]
        try:
            options[option] = kind(text)
        except ValueError:
            text, options[option] = text or "nothing", None
        if options[option] is None or not allowed(options[option]):
            raise UserError(
                f"expected {option} to be {words}, found {text} in {str(arch)!r}",
                "change it in the plan",
            )
    return name, options


def options_of(name):
    return [option for option in OPTIONS if getattr(KNOWN.get(name, CUSTOM), option) is not None]


@cache
def recipe(arch):
    """The Recipe of an architecture, its options in place of the defaults."""
    name, options = parse(arch)
    return KNOWN.get(name, CUSTOM)._replace(name=name, **options)


def canonical(arch):
    """The one spelling of an architecture: options sorted, defaults left out, so that `mlp` and `mlp(loss=ce)` are one run."""
    name, options = parse(arch)
    default = KNOWN.get(name, CUSTOM)
    told = [
        f"{o}={str(v).removesuffix('.0')}"
        for o, v in sorted(options.items())
        if v != getattr(default, o)
    ]
    return f"{name}({', '.join(told)})" if told else name


def size(recipe, h, w):
    """(height, width) at which an image of h x w enters the network: never larger than it is, but the pretrained one is used to squares."""
    if recipe.name == "finetune":
        return recipe.side, recipe.side
    return tuple(max(1, round(s * min(1, recipe.side / max(h, w)))) for s in (h, w))


def input_of(arch):
    """What the network sees: "embedding" or "pixels"."""
    return recipe(arch).input
