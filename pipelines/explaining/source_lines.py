"""Find the file and line of a function, as it is installed."""

from __future__ import annotations

import inspect
from functools import cache, reduce
from importlib import import_module
from typing import NamedTuple


class SourceLine(NamedTuple):
    """Where a function is: the file from the package's folder on, so that it says no folder of a user."""

    file: str
    line: int
    function: str


@cache
def locate_function(name: str) -> SourceLine:
    """Locate a function by MODULE:FUNCTION, the module as it is beneath assay.

    inspect finds it, so that no line is ever out of date.
    """
    place, _, function = name.partition(":")
    module = import_module(place if place.startswith("assay") else f"assay.{place}")
    found = reduce(getattr, function.split("."), module)
    line = inspect.getsourcelines(inspect.unwrap(found))[1]
    return SourceLine(f"{module.__name__.replace('.', '/')}.py", line, function)
