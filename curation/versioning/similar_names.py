"""Find classes whose names a person would take for one another."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.text import find_alike

if TYPE_CHECKING:
    import pandas as pd

DIFFER = "differ in capitals, blanks, accents or Unicode form"


class SimilarNames(NamedTuple):
    """Classes that are probably one."""

    name: str  # the commonest of them
    n: int  # samples that have it
    others: dict[str, int]  # the others, and their samples

    def command(self, bench: object) -> str:
        """Write the commands that merge them."""
        return " && ".join(merge_command(other, self.name, bench) for other in self.others)


def merge_command(old: str, new: str, bench: object) -> str:
    """Write the command that merges a class into another."""
    words = ["rename", old, new]
    if old.startswith("-") or new.startswith("-"):  # no options
        return shlex.join(["assay", "classes", "-b", str(bench), "--", *words])
    return shlex.join(["assay", "classes", *words, "-b", str(bench)])


def find_similar_names(labels: pd.Series, more: Iterable[str] = ()) -> list[SimilarNames]:
    """Find classes that are probably one, in labels and `more` names.

    Of each group the commonest name is the one to keep.
    """
    return group_similar_names(dict.fromkeys(more, 0) | labels.dropna().value_counts().to_dict())


def group_similar_names(counts: dict[str, int]) -> list[SimilarNames]:
    """Find classes that are probably one, by how many samples have each."""
    out = []
    for group in find_alike(counts):
        first, *others = sorted(group, key=lambda name: (-counts[name], name))
        out.append(SimilarNames(first, counts[first], {o: counts[o] for o in others}))
    return out
