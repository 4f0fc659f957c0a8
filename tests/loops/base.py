"""Data of which every error is known, one set for each pair of medium and task: what the whole loop is walked on.

A set is a Loop in the list LOOPS of a module of this package, or of an entry point of the group `tests.loops`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from assay.curation.plugins import discover


@dataclass(frozen=True)
class Loop:
    """How to make, read and judge one set of data."""

    name: str
    media: str
    task: str
    # -> id, what a sample holds, truth (a class, or classes as a|b), split: train, val or test
    make: Callable[[], pd.DataFrame]
    ending: str  # of the file that it is written to
    options: tuple[str, ...] = ()  # of `assay import`
    scan: tuple[str, ...] = ()  # of `assay scan`
    architecture: str = "probe"
    shown: str = "img"  # what Review shows of a sample
    plain: bool = False  # quick, and so among the tests that always run


def list_loops() -> list[Loop]:
    """List every set of data, those of plug-ins last."""
    return [loop for module in discover("tests.loops") for loop in getattr(module, "LOOPS", ())]


def give_splits(n: int) -> list[str]:
    return [("train", "train", "train", "val", "test")[i % 5] for i in range(n)]


def plant_errors(table: pd.DataFrame, n: int, seed: int = 0) -> pd.DataFrame:
    """Give train rows a wrong label, n of them: another class, or one class more or less than there are."""
    rng, truth = np.random.default_rng(seed), table.truth.to_numpy(object)
    classes = sorted({name for label in truth for name in label.split("|")} - {""})
    several = any("|" in label for label in truth)
    label = truth.copy()
    for i in rng.permutation(np.flatnonzero(table["split"] == "train"))[:n]:
        if several:
            label[i] = "|".join(
                sorted({*filter(None, label[i].split("|"))} ^ {rng.choice(classes)})
            )
        else:
            label[i] = rng.choice([name for name in classes if name != label[i]])
    return table.assign(label=label)


def write_source(loop: Loop, table: pd.DataFrame, folder: Path) -> Path:
    """Write a table without its truth, as a person would have it."""
    path, given = folder / f"source{loop.ending}", table.drop(columns="truth")
    if loop.ending == ".csv":
        given.to_csv(path, index=False)
    else:
        given = given.assign(label=[read_cell(loop, cell) for cell in given.label])
        if loop.ending == ".jsonl":
            given.to_json(path, orient="records", lines=True)
        else:
            given.to_parquet(path)
    return path


def read_cell(loop: Loop, cell: str) -> str | list[str]:
    """Read a|b as what a file with lists has; of one class as it is."""
    return list(filter(None, cell.split("|"))) if loop.task == "multilabel" else cell


def as_stored(loop: Loop, cell: str) -> str:
    """Give a label of a table as a bench stores it."""
    label = read_cell(loop, cell)
    return label if isinstance(label, str) else json.dumps(sorted(label))
