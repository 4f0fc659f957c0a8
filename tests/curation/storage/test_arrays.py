"""Hashes in an array are found."""

import numpy as np

from assay.curation.storage.arrays import locate_hashes, sort_hashes


def test_hashes_are_found_as_a_dictionary_finds_them():
    """Few beginnings for many hashes, so that those which are the same in their first eight digits are told apart."""
    rng = np.random.default_rng(0)
    every = [f"{rng.integers(0, 300):08x}{rng.integers(0, 4):024x}" for _ in range(4000)]
    known = sorted(set(every[:2000]))
    at = {h: i for i, h in enumerate(known)}
    for asked in (every, every[:50], known, [], ["0" * 32, "f" * 32]):
        assert locate_hashes(np.array(known, "S32"), asked).tolist() == [
            at.get(h, -1) for h in asked
        ]
    assert locate_hashes(np.empty(0, "S32"), every[:2]).tolist() == [-1, -1]


def test_hashes_are_sorted_as_python_sorts_them():
    """Many share their first eight digits; equal ones keep their order."""
    rng = np.random.default_rng(0)
    every = [f"{rng.integers(0, 300):08x}{rng.integers(0, 4):024x}" for _ in range(4000)]
    order = sort_hashes(np.array(every, "S32"))
    assert order.tolist() == sorted(range(len(every)), key=lambda i: every[i])
    assert sort_hashes(np.empty(0, "S32")).tolist() == []
