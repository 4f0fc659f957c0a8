"""Mark what runs get right on validation, by which a report chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.predictions.run_predictions import read_labels
from assay.pipelines.evaluation.comparison import Comparison

if TYPE_CHECKING:
    import pandas as pd


def list_validation(c: Comparison) -> pd.DataFrame:
    """List the kept, labelled validation samples, sorted by id."""
    state = c.bench.state()
    return state[state.keep & (state["split"] == "val") & state.label.notna()].sort_index()


def list_keys(c: Comparison, version: str, arch: str) -> list[str]:
    """List the keys of the runs of a cell that worked, in the order of its seeds."""
    kept = c.evaluator.seeds[version, arch]
    own = [cell for cell in c.wanted if (cell["version"], cell["arch"]) == (version, arch)]
    return [cell["key"] for cell in own if cell["seed"] in kept]


def mark_validation(c: Comparison, val: pd.DataFrame, version: str, arch: str) -> np.ndarray:
    """Mark how right a cell is on validation labels as given: (S, m), 0 to 1."""
    answers = [read_labels(c.bench, key, val.index) for key in list_keys(c, version, arch)]
    return c.evaluator.mark(np.array(answers, object), val.label.to_numpy(object))


def choose_best(c: Comparison, val: pd.DataFrame, version: str, archs: list[str]) -> str:
    """Choose the architecture that is right most often on validation; the first without any."""
    if len(archs) < 2 or not len(val):
        return archs[0]
    return max(archs, key=lambda arch: mark_validation(c, val, version, arch).mean())
