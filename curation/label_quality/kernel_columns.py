"""Kernel columns say how near each sample lies to landmarks.

The probe reads them beside the embedding. A linear border between classes becomes a curved one, and every formula of
the probe holds as it is. (Nystroem features of an RBF kernel: Williams and Seeger, NIPS 2000.)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from assay.curation.label_quality.linear_algebra import column_moments, row_blocks
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Rows, Shards, SideBySide

CODE = 1  # counted up when the same vectors would get other columns
LANDMARKS = 2000  # fewer samples are all landmarks
# exp(-WIDTH d^2 / median d^2). Not chosen by group-out loss: that prefers narrow ones, which learn the annotator's
# habits too (digits by a weak labeller: least loss at 3, average precision .60; at 0.3 .73)
WIDTH = 0.3
LINEAR = 0.3  # weight of the embedding's columns beside those of the kernel
SHARD = 8192  # rows
GROWTH = 2  # landmarks are drawn anew where samples have become so many times as many


@dataclass(frozen=True)
class Kernel:
    """Landmarks, and what measures distances to them."""

    points: np.ndarray  # (m, d) float32, standardised
    mean: np.ndarray  # (d,)
    scale: np.ndarray  # (d,)
    gamma: float  # of exp(-gamma d^2)

    @classmethod
    def of_landmarks(cls, X: np.ndarray) -> Kernel:
        """Standardise by the landmarks X (m, d); their median distance sets the width."""
        mean, scale = column_moments(X, np.arange(len(X)))
        points = ((X - mean) / scale).astype("f4")
        apart = square_distances(points, points)[np.triu_indices(len(X), 1)]
        middle = float(np.median(apart)) if len(apart) else 0.0
        return cls(points, mean, scale, WIDTH / middle if middle > 0 else 1.0)

    def columns(self, X: np.ndarray | Rows) -> np.ndarray:
        """Compute how near rows X (n, d) lie to each landmark: float32 (n, m), 1 where they are equal."""
        out = np.empty((len(X), len(self.points)), "f4")
        for part in row_blocks(len(X)):
            block = ((X[part] - self.mean) / self.scale).astype("f4")
            np.exp(-self.gamma * square_distances(block, self.points), out=out[part])
        return out


def square_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Compute squared distances (a, b) between rows A (a, d) and B (b, d)."""
    apart = A @ B.T
    apart *= -2
    apart += np.einsum("ij,ij->i", A, A)[:, None]
    apart += np.einsum("ij,ij->i", B, B)
    return np.maximum(apart, 0, out=apart)


# ---- in a bench


def store_columns(
    bench: Bench, asked: dict, hashes: np.ndarray, drawn: np.ndarray, most: int = LANDMARKS
) -> str:
    """Compute the columns that are missing; name their folder.

    asked: a scan's settings. hashes (n,): images that need columns. drawn (m,): those that may be landmarks, of which
    `most` are. Which
    they are is in arrays/kernel.npz, so that one new image costs one image.
    """
    landmarks = keep_landmarks(bench, asked, np.unique(np.asarray(drawn, "S32")), most)
    name = name_folder(name_features(asked), landmarks)
    stored = Shards(bench.arrays / "embeddings" / name)
    hashes = np.unique(np.asarray(hashes, "S32"))
    new = hashes[stored.find(hashes) < 0]
    if len(new):
        kernel = Kernel.of_landmarks(np.asarray(read_features(bench, asked, landmarks)))
        for part in row_blocks(len(new), SHARD):
            stored.append(new[part], kernel.columns(read_features(bench, asked, new[part])))
    return name


def name_folder(features: str, landmarks: np.ndarray) -> str:
    """Name the folder of the columns: features, landmarks and code make it."""
    made = json.dumps([features, CODE, WIDTH]).encode() + landmarks.tobytes()
    return f"{features}-kernel-{sha256(made).hexdigest()[:12]}"


def keep_landmarks(
    bench: Bench, asked: dict, hashes: np.ndarray, most: int = LANDMARKS
) -> np.ndarray:
    """Take the landmarks of the last scan, or draw others.

    hashes (n,): sorted, the images that may be one. Those that an edit took out since stay: another judge would judge
    all versions anew.
    """
    file, features = bench.arrays / "kernel.npz", name_features(asked)
    kept = load_arrays(file)
    if kept is not None and str(kept["folder"]) == features:
        here = all((X.find(kept["landmarks"]) >= 0).all() for X in _feature_shards(bench, asked))
        if here and len(hashes) <= GROWTH * kept["drawn_from"]:
            return kept["landmarks"]
    landmarks = draw_landmarks(hashes, most)
    save_arrays(
        file, folder=np.array(features), landmarks=landmarks, drawn_from=np.array(len(hashes))
    )
    return landmarks


def draw_landmarks(hashes: np.ndarray, most: int = LANDMARKS) -> np.ndarray:
    """Draw landmarks by content alone: sorted hashes (m,)."""
    lots = np.array([sha256(b"landmark" + h).hexdigest() for h in hashes.tolist()])
    return np.sort(hashes[np.argsort(lots, kind="stable")[:most]])


def name_features(asked: dict) -> str:
    """Name what a scan's embedders made: one folder, or two."""
    return "+".join(filter(None, (asked["folder"], asked.get("also"))))


def judged_folder(asked: dict) -> str:
    """Name what the judge is fitted on.

    asked: the last scan's settings. The folder of the kernel columns names their features too.
    """
    return asked.get("kernel") or name_features(asked)


def read_features(
    bench: Bench, asked: dict, hashes: np.ndarray, few: bool = False
) -> Rows | SideBySide:
    """Read the embeddings that a scan judges by, (n, d); few: of few of its samples."""
    rows = [X.rows(hashes) for X in _feature_shards(bench, asked, hashes if few else None)]
    return rows[0] if len(rows) == 1 else SideBySide(*rows)


def read_columns(
    bench: Bench, asked: dict, hashes: np.ndarray, few: bool = False
) -> Rows | SideBySide:
    """Read what the judge is fitted on, (n, d) or (n, d + m).

    asked: the last scan's settings. Embeddings, and kernel columns where it made them. few: of few of its samples.
    """
    X = read_features(bench, asked, hashes, few)
    if not asked.get("kernel"):
        return X
    folder = bench.arrays / "embeddings" / asked["kernel"]
    out = SideBySide(X, Shards(folder, wanted=hashes if few else None).rows(hashes))
    out.weights = np.repeat([LINEAR, 1.0], [X.shape[1], out.right.shape[1]])
    return out


def _feature_shards(bench: Bench, asked: dict, wanted: np.ndarray | None = None) -> list[Shards]:
    folders = filter(None, (asked["folder"], asked.get("also")))
    return [Shards(bench.arrays / "embeddings" / folder, wanted=wanted) for folder in folders]
