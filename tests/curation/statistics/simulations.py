"""Simulated experiments that several stories of the statistics share."""

import numpy as np

from assay.curation.statistics.estimates import Estimate
from tests.benchmarks.coverage import offset, simulate

A = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])  # two seeds, four test samples


B = np.array([[1, 0, 1, 0], [1, 0, 0, 0]])


def draw(rng, accuracies, seeds, m, spread=0.6, correlation=0.6):
    return simulate(
        rng,
        [offset(a, spread) for a in accuracies],
        seeds,
        m,
        [spread] * len(accuracies),
        correlation,
    )


def difference(estimate, sd, seeds=(5, 5)):
    return Estimate(
        estimate, sd**2, 0.0, None, 1000, list(seeds), [0.0, 0.0], max(seeds) > 1, span=(-1.0, 1.0)
    )
