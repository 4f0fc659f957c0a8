"""Standardise vectors, and reduce them to principal components.

X (n, d) may stay on disk: an ndarray or shards.Rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from assay.curation.storage.stages import Arrays, gather_rows, stage, sum_rows

DIMENSIONS = 128  # principal components in which candidates are sought
BLOCK = 8192  # rows at a time


class Basis(NamedTuple):
    """How vectors are standardised and turned."""

    mean: np.ndarray  # (d,)
    scale: np.ndarray  # (d,)
    axes: np.ndarray  # (d, p), divided by the scale


def fit_basis(X: np.ndarray, sample: int = 10_000) -> Basis:
    """Fit the basis of X (n, d): its first 128 principal components."""
    n, d = X.shape
    part = np.asarray(X[np.sort(np.random.default_rng(0).permutation(n)[:sample])], "f4")
    near = part.mean(0)  # sums of squares about a mean that is nearly right keep their digits
    sums = sum_rows(X, sum_squares, {}, near=near)
    total, squares = sums["total"], sums["squares"]
    mean = (near + total / n).astype("f4")
    scale = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0)).astype("f4")
    scale[scale < 1e-6 * max(scale.max(), 1e-30)] = 1
    axes = np.eye(d, dtype="f4")
    if d > DIMENSIONS:
        axes = principal_axes([(part - mean) / scale], DIMENSIONS).astype("f4")
    return Basis(mean, scale, np.ascontiguousarray(axes / scale[:, None]))


@stage(1)
def sum_squares(X: np.ndarray, near: np.ndarray) -> Arrays:
    """Sum the columns of X (n, d), and their squares, about `near` (d,)."""
    total, squares = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for i in range(0, len(X), BLOCK):
        block = np.asarray(X[np.arange(i, min(i + BLOCK, len(X)))], "f4") - near
        total = total + block.sum(0, dtype="f8")
        squares = squares + np.einsum("ij,ij->j", block, block, dtype="f8")
    return dict(total=total, squares=squares)


def principal_axes(blocks: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Find the first principal axes of centred rows, a block (m, d) of them at a time.

    Returns (d, count) fp64, the strongest last."""
    from scipy.linalg import eigh

    gram = sum(Z.T @ Z for Z in blocks)
    # all of them take 2.5 times as long at 1,280 columns
    d = len(gram)
    return eigh(gram.astype("f8"), subset_by_index=[max(0, d - count), d - 1])[1]


def project_vectors(
    X: np.ndarray, mean: np.ndarray, axes: np.ndarray, dtype: str = "f4"
) -> np.ndarray:
    """Project X on the axes of a basis.

    Returns unit vectors (n, p) of `dtype`, float32 or float16."""
    return gather_rows(X, reduce_rows, {}, mean=mean, axes=axes, half=dtype == "f2")["vectors"]


@stage(1)
def reduce_rows(X: np.ndarray, mean: np.ndarray, axes: np.ndarray, half: bool) -> Arrays:
    """Project rows X (n, d) on axes: unit vectors (n, p), in half precision or single."""
    V = np.empty((len(X), axes.shape[1]), "f2" if half else "f4")
    for i in range(0, len(X), BLOCK):
        V[i : i + BLOCK] = normalize_rows((X[np.arange(i, min(i + BLOCK, len(X)))] - mean) @ axes)
    return dict(vectors=V)


def reduce_vectors(X: np.ndarray) -> np.ndarray:
    """Reduce X to unit vectors (n, <=128) float32.

    Standardised, on its first 128 principal components."""
    basis = fit_basis(X)
    return project_vectors(X, basis.mean, basis.axes)


def normalize_rows(V: np.ndarray) -> np.ndarray:
    """Divide rows by their lengths; a row of zeros stays."""
    return V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-12)


def chord_distance(cosine: np.ndarray) -> np.ndarray:
    """Turn the cosine of unit vectors into their distance."""
    return np.sqrt(np.maximum(2 - 2 * cosine, 0))
