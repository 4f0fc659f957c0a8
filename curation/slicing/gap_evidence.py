"""Gather what gaps are found from.

Facets, counts, and the model's mistakes.
"""

from __future__ import annotations

import numpy as np

from assay.curation.label_quality import scoring
from assay.curation.predictions import model_errors
from assay.curation.slicing import gap_text, regions
from assay.curation.statistics import estimates
from assay.curation.storage.interface import Bench

COLUMNS = (
    "gap kind region facets against train val pool errors rate low high rest n_rest "
    "p q ratio ratio_low ratio_high expected "
    "explains explains_low explains_high flagged why action"
).split()


class GapEvidence:
    """The samples that gaps are found in, and what is known of them.

    `state` holds the kept samples but test and guard, n of them. train, val, pool, wrong and
    flagged are (n,) bool: labelled train samples, val samples that the model was asked about,
    pool samples, its mistakes on val, and labels that look wrong to it. `label` (n,) int.
    """

    def __init__(self, bench: Bench, version: str = "HEAD", run: str | None = None):
        state = scoring.without_locked(bench.state(version))
        self.state = state = state[state.keep]
        self.bench, self.facets = bench, regions.make_facets(bench, state)
        judged = model_errors.find_model_errors(bench, version, run).reindex(state.index)
        split = state.split.to_numpy()
        self.train = (split == "train") & state.label.notna().to_numpy()
        self.pool = split == "pool"
        self.val = judged.label.notna().to_numpy()
        self.wrong = judged.wrong.eq(True).to_numpy()
        self.flagged = judged.flagged.eq(True).to_numpy()
        labels = state.label.fillna("").to_numpy(object).astype(str)
        self.label = np.unique(labels, return_inverse=True)[1]
        columns = dict(train=self.train, val=self.val, pool=self.pool, wrong=self.wrong)
        self.left_out = 0  # gaps that are less certain than 200 others of their kind
        self.counts = regions.count_cells(self.facets, columns)

    def make_row(
        self, kind: str, region: regions.Region, numbers: dict, against: str = ""
    ) -> tuple[dict, np.ndarray]:
        """Make the row of a gap.

        Returns also what lies in it (n,) bool. numbers: p, q and what else the kind measures;
        against: what it is compared with.
        """
        mask = region.mask
        inside, rest = mask & self.val, ~mask & self.val
        errors, n = int(self.wrong[inside].sum()), int(inside.sum())
        low, high = estimates.wilson_interval(errors, n)
        row = dict(
            gap=gap_text.name_gap(kind, region.name),
            kind=kind,
            region=region.name,
            facets=region.facets,
            against=against,
            train=int((mask & self.train).sum()),
            val=n,
            pool=int((mask & self.pool).sum()),
            errors=errors,
            rate=errors / n if n else None,
            low=low,
            high=high,
            rest=float(self.wrong[rest].mean()) if rest.any() else None,
            n_rest=int(rest.sum()),
            flagged=float(self.flagged[inside].mean()) if n else None,
        )
        measured = {name: None if x is None else float(x) for name, x in numbers.items()}
        return dict.fromkeys(COLUMNS) | row | measured, mask
