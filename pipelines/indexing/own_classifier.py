"""Judge labels by a person's own scikit-learn classifier, out of fold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.neighbor_graph import load_nodes
from assay.curation.label_quality.linear_algebra import is_labelled
from assay.curation.label_quality.scoring import find_targets, without_locked
from assay.curation.media.base import media_of
from assay.curation.storage.interface import Bench, Progress, Tell
from assay.curation.storage.job_locks import shared_lock
from assay.curation.storage.shards import Shards
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.pipelines.indexing.own_set_classifier import FOLDS, FoldNews, predict_set_rows
from assay.pipelines.indexing.scan import ScanOptions, build_graph, embed_samples

if TYPE_CHECKING:
    import pandas as pd


@shared_lock
def predict_by_classifier(
    bench: Bench,
    model: Any,
    options: ScanOptions,
    say: Tell = print,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Predict all samples by a classifier that did not see them.

    model: a scikit-learn classifier with predict_proba, fitted to copies of itself on the embeddings of kept, labelled
    train samples: out of fold for these, near duplicates in one fold; on all of them for val and pool, but for near
    duplicates of what it predicts. Frame by sample, without test and guard; a column a class, rows sum to 1. With
    several labels a sample it is one that takes targets (m, k) of 0 and 1, such as OneVsRestClassifier or
    MultiOutputClassifier, and each probability is by itself.
    """
    import pandas as pd

    if isinstance(model, type) or not hasattr(model, "predict_proba"):
        found = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise UserError(
            f"expected a classifier with predict_proba, found {found}",
            "for example sklearn.linear_model.LogisticRegression(), or CalibratedClassifierCV(yours)",
        )
    state = bench.state()
    options = replace(options, embedder=options.embedder or media_of(bench).embedders[0])
    folder, _ = embed_samples(bench, state, options, say, progress)
    build_graph(bench, state, folder)
    part = without_locked(state)
    X = np.asarray(Shards(bench.arrays / "embeddings" / folder).rows(part.content_hash))
    graph, at = load_nodes(bench, state)
    groups = pd.Series(graph.groups[at], state.index)
    task = task_of(bench)
    classes, y = find_targets(part, None, task)
    # what nearly equals a val, test or guard sample would tell its answer
    asked = groups[state.keep & state.split.isin(("val", "test", "guard"))]
    fitted = is_labelled(y) & ~groups[part.index].isin(asked).to_numpy()
    y[~fitted] = -1
    news, alike = FoldNews(say, progress), groups[part.index].to_numpy()
    if task.several:
        probs = predict_set_rows(model, X, y, alike, news)
    else:
        probs = predict_rows(model, X, np.array(classes, object), y, alike, news)
    say(
        f"model       {type(model).__name__}, {FOLDS} folds of {format_count(fitted.sum(), 'train sample')}"
    )
    return pd.DataFrame(probs, part.index, classes)


def predict_rows(
    model: Any,
    X: np.ndarray,
    classes: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    news: FoldNews,
) -> np.ndarray:
    """Predict rows by a classifier, out of fold where it is fitted.

    X (n, d), y (n,) class indices, -1 where not fitted, groups (n,) of near duplicates. Returns (n, k). One BLAS
    thread: they wait by spinning, and beside busy processes two take 4 s for what one does in 0.2 (LogisticRegression,
    1,200 rows, d = 1,168, n = 2). A model's own threads and processes (n_jobs) stay as they are.
    """
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedGroupKFold
    from threadpoolctl import threadpool_limits

    rows, out = np.flatnonzero(y >= 0), np.zeros((len(y), len(classes)))
    folds = min(FOLDS, len(np.unique(groups[rows])))
    if folds < 2 or len(np.unique(y[rows])) < 2:
        raise UserError(
            f"expected train samples of two classes or more to fit a model on, found {len(rows):,} "
            f"of {len(np.unique(y[rows]))}",
            "leave the model out, or import more",
        )
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    parts = [(rows[a], rows[b]) for a, b in cut.split(rows, y[rows], groups[rows])]
    rest = np.flatnonzero(y < 0)
    parts += [(rows, rest)] if len(rest) else []
    with threadpool_limits(1, user_api="blas"):
        for done, (seen, asked) in enumerate(parts):
            news.tell(done, folds)
            fitted = clone(model).fit(X[seen], classes[y[seen]])
            at = np.searchsorted(classes, fitted.classes_)  # a fold may lack a class
            out[np.ix_(asked, at)] = fitted.predict_proba(X[asked])
    return out
