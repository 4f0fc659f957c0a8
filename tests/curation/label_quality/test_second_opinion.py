"""A second opinion's share: what a network proves out of sample, against labels with known errors."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from assay.curation.label_quality.second_opinion import AlignedOpinion, SecondOpinion

CLASSES = ["a", "b", "c", "d"]


def judge(truth, skill, rng):
    """Calibrated probabilities of a judge that sees the truth through noise; without skill they are all equal.

    Mixed in, such a one makes the other less sure, and changes no order.
    """
    seen = np.eye(4)[truth] * skill + rng.normal(size=(len(truth), 4))
    p = np.exp(seen * skill)
    return p / p.sum(1, keepdims=True)


@pytest.mark.parametrize("network, low, high", [(3.0, 0.7, 0.95), (0.0, 0.0, 0.4), (1.5, 0.3, 0.7)])
def test_a_network_weighs_what_it_proves_and_never_spoils_the_better_judge(network, low, high):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 6000)
    given = np.where(rng.random(6000) < 0.1, (truth + rng.integers(1, 4, 6000)) % 4, truth)
    probe, other = judge(truth, 1.5, rng), judge(truth, network, rng)
    ids = np.char.mod("%05d", np.arange(6000)).astype("S32")
    second = SecondOpinion(CLASSES, ids[::-1], other[::-1].astype("f4"), 0.5)
    y = np.where(np.arange(6000) % 50, given, -1)  # some are only predicted
    weighed = second.weigh(CLASSES, ids, probe, y)
    assert low <= weighed.weight <= high
    both = AlignedOpinion(weighed, CLASSES, ids).blend(probe.copy(), given)
    found = [
        average_precision_score(given != truth, -p[np.arange(6000), given])
        for p in (probe, other, both)
    ]
    assert found[2] > max(found[:2]) - 0.01


def test_a_network_that_is_less_sure_than_right_is_sharpened():
    """The square roots of its probabilities say the same order: beside the probe they are worth nearly as much."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 6000)
    probe, other = judge(truth, 1.5, rng), judge(truth, 1.5, rng)
    ids, losses = np.char.mod("%05d", np.arange(6000)).astype("S32"), []
    for power in (1, 0.5):
        flat = other**power / (other**power).sum(1, keepdims=True)
        weighed = SecondOpinion(CLASSES, ids, flat, 0.5).weigh(CLASSES, ids, probe, truth)
        both = AlignedOpinion(weighed, CLASSES, ids).blend(probe.copy(), truth)
        assert np.allclose(both.sum(1), 1)
        losses.append(-np.log(both[np.arange(6000), truth]).mean())
    alone = -np.log(probe[np.arange(6000), truth]).mean()
    assert abs(losses[0] - losses[1]) < 0.04, "without it .11"
    assert max(losses) < 0.8 * alone


def test_a_persons_own_model_judges_alone_whatever_it_proves():
    ids = np.array([b"1", b"2"])
    own = SecondOpinion(CLASSES, ids, np.full((2, 4), 0.25, "f4"), 1.0)
    assert own.weigh(CLASSES, ids, np.eye(4)[:2] * 0.97 + 0.0075, np.array([0, 1])) is own
