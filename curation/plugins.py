"""Find the members of an extension point.

Each member is one file, ours or somebody else's.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType


@cache
def discover(package: str) -> list[ModuleType]:
    """List the modules of a package, then those that other distributions offer.

    The package is given by name, such as `assay.curation.issues`. A distribution offers a module
    by an entry point of the group that is called as the package:
    `[project.entry-points."assay.curation.issues"] my_finder = "my_package.my_finder"`.
    """
    folder = import_module(package).__path__
    own = [import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(folder)]
    others = sorted(entry_points(group=package), key=lambda point: point.name)
    return own + [point.load() for point in others]
