"""The queue by value, kept up while somebody reviews in that order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from assay.curation.errors import NotScanned
from assay.curation.review.queue import order_queue
from assay.curation.review.value_queue import score_worth
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.label_quality.live import LiveScores, ScoredState

BY_VALUE = "by-value"  # names this queue, as others are named by what they hold
ASKED_FOR = (
    600  # seconds for which it is kept up after it was asked for: each order costs a product
)


class ValueOrder:
    """When somebody last asked for the queue by value, and its rows."""

    def __init__(self) -> None:
        self.rows: list[dict] | None = None
        self.asked = -float(ASKED_FOR)

    def is_wanted(self) -> bool:
        """Say whether somebody asked for it of late."""
        return time.monotonic() - self.asked < ASKED_FOR

    def order(
        self, bench: Bench, scored: ScoredState, scores: LiveScores, between: pd.DataFrame, n: int
    ) -> list[dict]:
        """Order a state's queue by what correcting each label is worth: n rows.

        between: what people contradict each other about. UserError where only a scan can tell.
        """
        live = scores.load_probe(scored.state)
        if live is None:
            raise NotScanned(
                "expected a scan of the samples as they are, found some that came, left or changed split",
                f"run: assay scan -b {bench.given}",
            )
        worth = score_worth(scored, live)
        return order_queue(bench, scored.state, worth, between, n).to_dict("records")
