"""Folds that share no copies and have one class mix, counted by hand."""

import numpy as np
import pytest

from assay.pipelines.training.data import TrainingData
from assay.pipelines.training.out_of_fold import split_folds


@pytest.mark.parametrize("copies", [1, 3], ids=["alone", "three of each"])
def test_folds_share_no_group_and_have_the_mix_of_all(copies):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(300), copies)
    labels = np.repeat(rng.choice(3, 300, p=[0.8, 0.15, 0.05]), copies)
    order = rng.permutation(len(groups))
    groups, labels = groups[order], labels[order]
    parts = split_folds(TrainingData(np.zeros((len(labels), 2)), labels, 3, groups), 3, seed=1)
    assert sorted(np.concatenate([unseen for _, unseen in parts])) == list(range(len(labels)))
    whole = np.bincount(labels)
    for seen, unseen in parts:
        assert not set(groups[seen]) & set(groups[unseen])
        assert abs(np.bincount(labels[unseen], minlength=3) * 3 - whole).max() <= 3 * copies


def test_seeds_draw_other_folds_and_the_same_seed_the_same():
    data = TrainingData(np.zeros((60, 2)), np.arange(60) % 2, 2, np.arange(60))
    one, again, other = (split_folds(data, 3, seed)[0][1].tolist() for seed in (0, 0, 1))
    assert one == again != other
