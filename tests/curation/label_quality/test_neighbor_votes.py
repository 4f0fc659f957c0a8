"""Neighbours' votes: counted by hand, none by a copy, the same however the labels came to be, and worth what they cost."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality import judges
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.live import LiveProbe
from assay.curation.label_quality.neighbor_votes import count_votes, weigh_votes
from assay.curation.versioning.states import read_newest_state
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import truth_of

# who votes on each of four rows; the labels: 0, 1, 1, and one that is not fitted
NEAR = np.array([[1, 2, 3], [0, 3, -1], [3, -1, -1], [0, 1, 2]])
LABELS = np.array([0, 1, 1, -1])


def test_votes_are_shares_of_those_who_have_one():
    expected = [[0, 1], [1, 0], [0, 0], [1 / 3, 2 / 3]]
    assert np.allclose(count_votes(NEAR, LABELS, 2), expected)


def test_a_vote_weighs_what_it_moves():
    """Against counting again, with the label of each voter in turn turned around."""
    weights, before = weigh_votes(NEAR, LABELS, np.arange(4)), count_votes(NEAR, LABELS, 2)
    for voter in range(3):
        turned = LABELS.copy()
        turned[voter] = 1 - LABELS[voter]
        moved = (count_votes(NEAR, turned, 2) - before)[:, turned[voter]]
        assert np.allclose(weights[:, voter], moved)
    assert not weights[:, 3].any(), "it has no label to vote with"


def test_a_copy_does_not_vote_on_its_copy(scanned):
    part = judges.without_locked(scanned.state())
    _, groups, near = judges.load_columns(scanned, part)
    row, voter = np.nonzero(near >= 0)
    assert (groups[row] != groups[near[row, voter]]).all()
    train = (part["split"] == "train").to_numpy()
    assert train[near[near >= 0]].all(), "val labels and the pool judge nobody"


def test_edits_and_a_new_look_agree(scanned):
    """What decisions bring the scores to is what the same judge makes of the labels at once."""
    doubted = list(scanned.queue(12, random=0.0)["sample"])
    truth = truth_of(scanned)
    live = LiveProbe.load(scanned, scanned.state())
    for sample in doubted[:10]:
        scanned.edit(pd.DataFrame([dict(sample=sample, label=truth[sample])]), "ann")
        found, _ = live.score(*read_newest_state(scanned))
    scanned.edit(pd.DataFrame(dict(sample=doubted[10:], keep="drop")), "ann")
    found, _ = live.score(*read_newest_state(scanned))
    anew = judges.predict_version(scanned, "HEAD").probs
    assert np.abs(found.probs - anew).max() < 2e-4


def test_the_plain_probe_has_none(scanned):
    scan(scanned, ScanOptions(0, read_settings(scanned)["embedder"]), say=lambda line: None)
    live = LiveProbe.load(scanned, scanned.state())
    assert live.probe.vote == 0 and live.probe.near is None


@pytest.mark.daily
@pytest.mark.parametrize("seed", [0, 1])
def test_they_find_more_of_what_a_weak_annotator_gets_wrong(seed):
    pixels, truth = load_digits(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(pixels))
    X, truth = (pixels[rows] / 16).astype("f4"), truth[rows]
    given = LogisticRegression(max_iter=500).fit(X[:200], truth[:200]).predict(X)
    apart = ((X[:, None] - X[None]) ** 2).sum(-1)
    near = np.argsort(apart, axis=1)[:, 1:11]
    at, found = np.arange(len(X)), []
    for voters in (None, near):
        probs = probes.fit(X, given, at, 10, near=voters).pred_probs(X)
        found.append(average_precision_score(given != truth, -probs[at, given]))
    assert found[1] > found[0] + 0.05
