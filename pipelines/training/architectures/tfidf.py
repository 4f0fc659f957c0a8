"""Logistic regression on TF-IDF: a linear model of words and pairs of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.storage.top_probs import MANY, TopProbs, collect_probs
from assay.pipelines.training.architectures.base import Recipe
from assay.pipelines.training.data import LazyRows, TrainingData

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

AT_ONCE = 4096  # texts


class Tfidf:
    """Logistic regression on TF-IDF of the first 256 words of a text, and of their pairs; nothing random."""

    recipe = Recipe("tfidf", "words")

    def fit_predict(self, data: TrainingData, rows: LazyRows) -> np.ndarray | TopProbs:
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.pipeline import make_pipeline

        from assay.curation.label_quality.linear_algebra import row_blocks

        weigh = TfidfTransformer(sublinear_tf=True)
        classify = LogisticRegression(C=3.0, max_iter=300)
        model = make_pipeline(weigh, OneVsRestClassifier(classify) if data.several else classify)
        model.fit(count_pieces(data.rows), data.labels)

        def predict(some: csr_matrix) -> np.ndarray:
            probs = np.zeros((some.shape[0], data.n_classes), "f4")
            probs[:, model.classes_] = model.predict_proba(some)
            return probs

        counts = count_pieces(rows)
        if data.several or data.n_classes <= MANY:
            return predict(counts)
        return collect_probs(predict(counts[part]) for part in row_blocks(len(rows), 1024))

    def estimate_seconds(self, n: int, shape: tuple[int, ...]) -> float:
        return 1 + n * shape[0] / 6e5  # 5 s for 6,000 texts on two cores


ARCHITECTURE = Tfidf()


def count_pieces(rows: LazyRows) -> csr_matrix:
    """Count how often each piece is in each row: (n, BUCKETS), sparse."""
    from scipy.sparse import csr_matrix, vstack

    from assay.pipelines.training.word_rows import BUCKETS

    parts = []
    for at in range(0, len(rows), AT_ONCE):
        some = rows[np.arange(at, min(at + AT_ONCE, len(rows)))]
        where, column = np.nonzero(some)
        pairs = where, some[where, column].astype(int)
        counts = csr_matrix((np.ones(len(where)), pairs), (len(some), BUCKETS))
        counts.sum_duplicates()
        parts.append(counts)
    return vstack(parts, "csr")
