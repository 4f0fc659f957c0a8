"""Diverged runs are named, ordinary seed spread is not."""

import numpy as np
import pytest

from assay.curation.statistics.contrasts import (
    cell_accuracy,
)
from assay.curation.statistics.diverged_runs import drop_diverged, find_diverged
from tests.benchmarks.coverage import offset, simulate
from tests.curation.statistics.simulations import draw


def test_a_run_at_chance_is_named():
    rng = np.random.default_rng(18)
    chance = rng.random(1000) < 0.1
    Y = draw(rng, [0.9], [5], 1000)[0]
    assert find_diverged(Y) == []
    Y[3] = chance
    assert find_diverged(Y) == [3]
    assert (
        find_diverged(Y[[0, 3]]) == [1]
        and find_diverged(Y[[3, 1, 2]]) == [0]
        and find_diverged(Y[:1]) == []
    )
    Y[0] = chance
    assert find_diverged(Y[:4]) == [0, 3]  # up to half of the runs
    assert find_diverged(np.ones((3, 5))) == find_diverged(np.zeros((2, 1))) == []
    left, out = drop_diverged(Y[:4])
    assert out == [0, 3] and (left == Y[1:3]).all()
    left, out = drop_diverged(Y[:2])
    assert (
        out == [] and (left == Y[:2]).all() and find_diverged(Y[:2]) == [0]
    )  # of two, one alone would be left


@pytest.mark.slow
@pytest.mark.parametrize("S", [2, 3, 5])
def test_the_recipe_that_works_is_held_without_its_diverged_seeds(S):
    rng, held = np.random.default_rng([28, S]), []
    for _ in range(400):
        Y = draw(rng, [0.98], [S], 1000, spread=0.1)[0]
        Y[0] = rng.random(1000) < 0.1  # one run at chance
        held.append(
            [
                e.low <= 0.98 <= e.high
                for e in (cell_accuracy(Y), cell_accuracy(drop_diverged(Y)[0]))
            ]
        )
    counted, without = np.mean(held, 0)
    assert without > 0.93 - 2.5 * np.sqrt(0.05 * 0.95 / 400) and (S < 5 or counted < 0.8)


def test_ordinary_seed_spread_is_not_called_diverged():
    rng, offsets = np.random.default_rng(19), [offset(0.9, 0.6)]
    accused = sum(
        bool(find_diverged(simulate(rng, offsets, [S], 1000, [0.6], 0.5)[0]))
        for S in (2, 3, 5)
        for _ in range(200)
    )
    assert accused <= 6  # of 600 cells
