"""Gather what gaps are found from.

Facets, counts, and the model's mistakes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.label_quality import scoring
from assay.curation.predictions import model_errors
from assay.curation.slicing import gap_text, regions
from assay.curation.slicing.judged_labels import lay_out_labels
from assay.curation.statistics import estimates
from assay.curation.statistics.sampling import MOST_DRAWN, draw_stratified
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "gap kind region facets of_class against train val pool unit judged errors rate low high rest n_rest "
    "p q ratio ratio_low ratio_high expected "
    "explains explains_low explains_high flagged why action"
).split()


def draw_kept(bench: Bench, version: str = "HEAD") -> tuple[pd.DataFrame, np.ndarray]:
    """Draw the samples that gaps are found in: the kept ones but test and guard, and rows of these."""
    state = scoring.without_locked(bench.state(version))
    kept = state[state.keep]
    return kept, draw_stratified(kept, MOST_DRAWN)


class GapEvidence:
    """The samples that gaps are found in, and what is known of their labels.

    `every` holds the kept samples but test and guard, `state` those at its `rows`, n of them: all, or of more than a
    million a fixed sample. `labels` are their u labels (see judged_labels: with one label a sample u is n). train,
    val, pool, judged, wrong and flagged are (u,) bool: labels of train and val, samples of the pool, labels that the
    model was asked about, its mistakes, and labels of samples that look wrong to it.
    `label` (u,) int.
    """

    def __init__(self, bench: Bench, version: str = "HEAD", run: str | None = None):
        self.every, self.rows = draw_kept(bench, version)
        self.state = state = self.every.iloc[self.rows]
        judged = model_errors.find_model_errors(bench, version, run).reindex(state.index)
        self.bench, self.task = bench, task_of(bench)
        self.labels = labels = lay_out_labels(state, judged, self.task)
        self.facets = regions.make_facets(bench, state, labels)
        self.first, split = labels.first, state.split.to_numpy()[labels.of]
        self.train = (split == "train") & state.label.notna().to_numpy()[labels.of]
        self.pool = split == "pool"
        self.val = judged.label.notna().to_numpy()[labels.of]
        self.judged, self.wrong = labels.judged, labels.wrong
        self.flagged = judged.flagged.eq(True).to_numpy()[labels.of]
        self.label = labels.code - labels.code.min(initial=0)  # no class is one, too
        self.left_out = 0  # gaps that are less certain than 200 others of their kind
        columns = dict(train=self.train, val=self.val, pool=self.pool)
        asked = dict(judged=self.judged, wrong=self.wrong)
        of_class, of_sample = (
            {name: mask & once for name, mask in columns.items()} | asked
            for once in (labels.given | self.pool, self.first)
        )
        self.counts = regions.count_cells(self.facets, of_class, of_sample)

    def alone(self, facets: str) -> float:
        """Say how many labels of a region count as one: in a class every sample has just one."""
        return 1.0 if "class" in facets else self.labels.spread

    def make_row(
        self, kind: str, region: regions.Region, numbers: dict, against: str = ""
    ) -> tuple[dict, np.ndarray]:
        """Make the row of a gap.

        Returns also what lies in it (u,) bool. numbers: p, q and what else the kind measures;
        against: what it is compared with.
        """
        mask = region.mask
        inside, rest = mask & self.judged, ~mask & self.judged
        errors, n = int(self.wrong[inside].sum()), int(inside.sum())
        alone = self.alone(region.facets)
        low, high = estimates.wilson_interval(errors / alone, n / alone)
        once = mask & (self.labels.given if region.of_class else self.first)
        val = mask & self.val & (self.first if not region.of_class else True)
        row = dict(
            gap=gap_text.name_gap(kind, region.name),
            kind=kind,
            region=region.name,
            facets=region.facets,
            of_class=region.of_class,
            against=against,
            train=int((once & self.train).sum()),
            val=int(val.sum()),
            pool=int((mask & self.pool).sum()),
            unit="label" if self.labels.several else "sample",
            judged=n,
            errors=errors,
            rate=errors / n if n else None,
            low=low,
            high=high,
            rest=float(self.wrong[rest].mean()) if rest.any() else None,
            n_rest=int(rest.sum()),
            flagged=float(self.flagged[val].mean()) if n else None,
        )
        measured = {name: None if x is None else float(x) for name, x in numbers.items()}
        return dict.fromkeys(COLUMNS) | row | measured, mask
