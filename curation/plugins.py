"""Find the members of an extension point.

Each member is one file, ours or somebody else's.
"""

from __future__ import annotations

import pkgutil
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from types import ModuleType

from assay.curation.errors import UserError


@cache
def discover(package: str) -> list[ModuleType]:
    """List the modules of a package, then those that other distributions offer.

    The package is given by name, such as `assay.curation.issues`. A distribution offers a module
    by an entry point of the group that is called as the package:
    `[project.entry-points."assay.curation.issues"] my_finder = "my_package.my_finder"`.
    """
    folder = import_module(package).__path__
    own = [import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(folder)]
    points = find_entry_points(tuple(sys.path)).select(group=package)
    others = sorted(points, key=lambda point: point.name)
    return own + [_load(point) for point in others]


@cache
def find_entry_points(path: tuple[str, ...]) -> EntryPoints:
    """Find what all distributions on sys.path offer.

    Once, since it reads a file of each.
    """
    return entry_points()


def _load(point: EntryPoint) -> ModuleType:
    """Load a plug-in; a broken one is named."""
    try:
        return point.load()
    except Exception as e:
        owner = point.dist.name if point.dist else "a distribution"
        raise UserError(
            f"expected the plug-in {point.name} of {owner} to load, found {type(e).__name__}: {e}",
            f"mend it, or: pip uninstall {owner}",
        ) from e
