"""Crowds: Dawid and Skene's estimate against a case by hand, plain loops and simulated crowds."""

import numpy as np
import pytest

from assay.curation.statistics import crowds

POOR = [0.05, 0.45, 0.45, 0.45, 0.45]


def simulate(n, errors, k=3, seed=0, seen=1.0):
    """(truth (n,), votes (n, m)): labeller j errs at a share of errors[j], to any other class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    wrong = rng.random((n, len(errors))) < errors
    votes = np.where(
        wrong, (truth[:, None] + rng.integers(1, k, (n, len(errors)))) % k, truth[:, None]
    )
    votes[rng.random(votes.shape) >= seen] = -1
    return truth[(votes >= 0).any(1)], votes[(votes >= 0).any(1)]


def test_a_majority_is_alone_at_the_head():
    votes = np.array([[0, 0, 1], [0, 1, -1], [2, -1, -1], [-1, -1, -1]])
    assert crowds.find_majority(votes, 3).tolist() == [0, -1, 2, -1]


def test_the_first_step_by_hand():
    """Two classes, two labellers, three samples: the shares of the votes, then one round of both steps."""
    probs = np.array([[1, 0], [0.5, 0.5], [0, 1]])
    said = crowds.count_answers(np.array([0, 0, 1]), probs)
    e = crowds.PSEUDO
    assert said[0] == pytest.approx([(1.5 + e) / (1.5 + 2 * e), e / (1.5 + 2 * e)])
    assert said[1] == pytest.approx([(0.5 + e) / (1.5 + 2 * e), (1 + e) / (1.5 + 2 * e)])
    confusions = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.4, 0.6]]])
    found = crowds.infer_truth(np.array([[0, 1], [1, -1]]), confusions, np.array([0.5, 0.5]))
    assert found[0] == pytest.approx([0.9 * 0.3 / (0.9 * 0.3 + 0.2 * 0.6), 0.2 * 0.6 / (0.9 * 0.3 + 0.2 * 0.6)])  # fmt: skip
    assert found[1] == pytest.approx([0.1 / 0.9, 0.8 / 0.9])


def test_equal_to_plain_loops():
    """The same estimate, written sample by sample after the paper."""
    _, votes = simulate(60, [0.1, 0.3, 0.5], seed=3, seen=0.8)
    k, (n, m) = 3, votes.shape
    p = [[sum(v == c for v in row) / sum(v >= 0 for v in row) for c in range(k)] for row in votes]
    for _ in range(crowds.ROUNDS):
        prior = [(sum(p[i][c] for i in range(n)) + 0.01) / (n + 0.03) for c in range(k)]
        pi = [[[0.01 + sum(p[i][t] for i in range(n) if votes[i, j] == s) for s in range(k)] for t in range(k)] for j in range(m)]  # fmt: skip
        q = []
        for i in range(n):
            row = [prior[t] * np.prod([pi[j][t][votes[i, j]] / sum(pi[j][t]) for j in range(m) if votes[i, j] >= 0]) for t in range(k)]  # fmt: skip
            q.append([x / sum(row) for x in row])
        p, change = q, np.abs(np.array(p) - q).max()
        if change < crowds.CLOSE:
            break
    assert np.allclose(crowds.estimate_crowd(votes, k).probs, p, atol=1e-4)


def test_better_than_the_majority_where_most_labellers_are_poor():
    """One expert of 5 % error among four of 45 %: 20 crowds of 1,000 samples; the confusions come out, too."""
    gains = []
    for seed in range(20):
        truth, votes = simulate(1000, POOR, seed=seed)
        found = crowds.estimate_crowd(votes, 3)
        right = (found.probs.argmax(1) == truth).mean()
        most = crowds.find_majority(votes, 3)
        most = np.where(most >= 0, most, votes[:, 0])  # on a tie the expert decides
        gains.append(right - (most == truth).mean())
        errors = 1 - np.array([np.diag(c) @ found.prior for c in found.confusions])
        assert np.abs(errors - POOR).max() < 0.1
    assert min(gains) > 0.02 and np.mean(gains) > 0.05
