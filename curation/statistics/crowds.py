"""Join the labels of several labellers: by majority, or by Dawid and Skene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

METHODS = ("latest", "majority", "dawid-skene", "crowdlab")  # ways to one label a sample
ROUNDS, CLOSE = 200, 1e-6  # the most rounds; the change of a probability at which to stop
PSEUDO = 0.01  # answers of each kind that every labeller is taken to have given: no chance is 0


@dataclass(frozen=True)
class Crowd:
    """What is the truth of n samples, and how m labellers err, of k classes."""

    probs: np.ndarray  # (n, k) of each class to be the true one, rows sum to 1
    confusions: np.ndarray  # (m, k, k) of a labeller to say the column where the row is true
    prior: np.ndarray  # (k,) share of each class


def count_votes(votes: np.ndarray, k: int) -> np.ndarray:
    """Count votes (n, m), -1 for none, by class: (n, k)."""
    counts = np.zeros((len(votes), k))
    rows, labellers = np.nonzero(votes >= 0)
    np.add.at(counts, (rows, votes[rows, labellers]), 1)
    return counts


def find_majority(votes: np.ndarray, k: int) -> np.ndarray:
    """Find the class with most votes (n,); -1 where several have as many, or none has any."""
    counts = count_votes(votes, k)
    most = counts.max(1, initial=0)
    alone = (counts == most[:, None]).sum(1) == 1
    return np.where(alone & (most > 0), counts.argmax(1), -1)


def estimate_crowd(votes: np.ndarray, k: int) -> Crowd:
    """Estimate truth and every labeller's confusion from votes alone.

    votes (n, m): classes 0 to k - 1, or -1 for none; each row has one at least. Expectation and maximisation, begun
    at the shares of the votes. [Dawid and Skene 1979, Applied Statistics 28(1)]
    """
    counts = count_votes(votes, k)
    assert len(votes) and counts.any(1).all(), "a sample without a vote"
    probs = counts / counts.sum(1, keepdims=True)
    for _ in range(ROUNDS):
        prior = (probs.sum(0) + PSEUDO) / (len(probs) + k * PSEUDO)
        confusions = np.stack([count_answers(column, probs) for column in votes.T])
        before, probs = probs, infer_truth(votes, confusions, prior)
        if np.abs(probs - before).max() < CLOSE:
            break
    return Crowd(probs, confusions, prior)


def count_answers(answers: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Estimate a labeller's confusion (k, k) from its answers (n,)."""
    seen, k = answers >= 0, probs.shape[1]
    said = np.full((k, k), PSEUDO)  # by what it says, then by what is true
    np.add.at(said, answers[seen], probs[seen])
    return said.T / said.sum(0)[:, None]


def infer_truth(votes: np.ndarray, confusions: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Infer the probability of each class (n, k) from votes, by Bayes' rule."""
    logs = np.tile(np.log(prior), (len(votes), 1))
    for answers, confusion in zip(votes.T, np.log(confusions)):
        seen = answers >= 0
        logs[seen] += confusion.T[answers[seen]]
    logs -= logs.max(1, keepdims=True)
    probs = np.exp(logs)
    return probs / probs.sum(1, keepdims=True)
