"""What is asked of a drawing of splits, and of which samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SplitOptions:
    """What is drawn, and what stays together."""

    shares: str | None = None  # train/val/test; None: 70/10/20
    no_test: bool = False  # what is in test stays there, and nothing joins it
    group_column: str | None = None  # of the metadata: who has the same value stays together
    time_column: str | None = None  # of the metadata: the newest go to test
    source: str | None = None  # only the samples of this source
    pool: bool = False  # only the labelled samples in pool
    seed: int = 0
    refreeze_test: bool = False  # the frozen test split may change
    dry_run: bool = False


@dataclass(frozen=True)
class Drawing:
    """What is known of the samples before anything is drawn; arrays (n,) by row of `whole`."""

    state: pd.DataFrame  # as it stands
    whole: pd.DataFrame  # with the scan's hold-out let in
    rows: np.ndarray  # (m,) the rows in play
    drawn: np.ndarray  # (m,) bool: of these, the ones to be drawn
    groups: list[str | None] | None  # (n,) of the group column
    copies: list[str | None]  # (n,) near-duplicate components, or equal bytes
    times: np.ndarray | None  # (n,)
    values: list[Any]  # (n,) the time column as written
    scanned: bool
