"""The probe: ridge regression on embeddings, in closed form."""

from __future__ import annotations

import numpy as np

from assay.curation.storage.top_probs import TopProbs, collect_probs
from assay.pipelines.training.architectures.base import Recipe
from assay.pipelines.training.data import LazyRows, TrainingData


class Probe:
    """The classifier that also ranks label issues: no seed, no torch."""

    recipe = Recipe("probe", "embedding")

    def fit_predict(self, data: TrainingData, rows: LazyRows) -> np.ndarray | TopProbs:
        from assay.curation.label_quality import probe
        from assay.curation.label_quality.linear_algebra import row_blocks
        from assay.curation.label_quality.many_classes import NUMBERS

        fitted = probe.fit(data.rows, data.labels, data.groups, data.n_classes)
        if not fitted.many:
            return fitted.predict(rows).astype("f4")
        return collect_probs(
            fitted.predict(rows[np.arange(part.start, part.stop)]).astype("f4")
            for part in row_blocks(len(rows), max(16, NUMBERS // data.n_classes))
        )

    def estimate_seconds(self, n: int, shape: tuple[int, ...]) -> float:
        return n * shape[0] ** 2 / 1.6e10  # 5 s for 50,000 x 1,280 on two cores


ARCHITECTURE = Probe()
