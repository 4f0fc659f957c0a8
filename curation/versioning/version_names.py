"""What classes are called in one version, and in another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from assay.curation.storage.interface import Bench
from assay.curation.versioning.class_names import ClassNames, read_names
from assay.curation.versioning.expressions import root_version
from assay.curation.versioning.pointers import find_position

if TYPE_CHECKING:
    import pandas as pd


def names_at(bench: Bench, version: str | int = "HEAD") -> ClassNames:
    """Read what classes are called in a version."""
    upto = find_position(bench, root_version(version))
    with bench.connect() as con:
        return read_names(con, upto)


def rename_labels(
    bench: Bench, labels: pd.Series, version: str | int, to: str | int = "HEAD"
) -> pd.Series:
    """Call the labels of one version as another version calls their classes."""
    before, after = names_at(bench, version), names_at(bench, to)
    if before.renames == after.renames:
        return labels

    def call(name: str) -> str:
        return after.find_name(before.find_class(name))

    called = {label: before.map_label(label, call) for label in labels.dropna().unique()}
    return labels.map(lambda name: called.get(name, name)).astype(object)


def class_identities(bench: Bench, labels: pd.Series, version: str | int) -> pd.Series:
    """Give the identity of each label's class, or of its classes.

    A rename leaves it as it is.
    """
    names = names_at(bench, version)
    if not names.renames:
        return labels
    called = {label: names.map_label(label, names.find_class) for label in labels.dropna().unique()}
    return labels.map(lambda name: called.get(name, name)).astype(object)


def describe_renames(bench: Bench, versions: Iterable[str]) -> list[str]:
    """Describe classes that have been renamed since some versions.

    As in "kat -> cat, merged".
    """
    after, out = names_at(bench), {}
    for version in versions:
        before = names_at(bench, version)
        if before.renames == after.renames:
            continue
        here = before.list_classes(bench.frame(version).label.dropna().unique())
        called = {name: after.find_name(before.find_class(name)) for name in here}
        for old, new in sorted(called.items()):
            if old != new:
                merged = [n for n in called if called[n] == new and n != old]
                out[f"{old} -> {new}{', merged' if merged else ''}"] = None
    return list(out)
