"""Judge labels by a person's own scikit-learn classifier, out of fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.neighbor_graph import load_nodes
from assay.curation.label_quality.scoring import find_targets, without_locked
from assay.curation.storage.interface import Bench, Progress, Tell
from assay.curation.storage.job_locks import shared_lock
from assay.curation.storage.shards import Shards
from assay.curation.text import format_count
from assay.pipelines.indexing.scan import ScanOptions, build_graph, embed_samples

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 5


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
    duplicates of what it predicts. Frame by sample, without test and guard; a column a class, rows sum to 1.
    """
    import pandas as pd

    if isinstance(model, type) or not hasattr(model, "predict_proba"):
        found = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise UserError(
            f"expected a classifier with predict_proba, found {found}",
            "for example sklearn.linear_model.LogisticRegression(), or CalibratedClassifierCV(yours)",
        )
    state = bench.state()
    folder, _ = embed_samples(bench, state, options, say, progress)
    build_graph(bench, state, folder)
    part = without_locked(state)
    X = np.asarray(Shards(bench.arrays / "embeddings" / folder).rows(part.content_hash))
    graph, at = load_nodes(bench, state)
    groups = pd.Series(graph.groups[at], state.index)
    classes, y = find_targets(part)
    # what nearly equals a val, test or guard sample would tell its answer
    asked = groups[state.keep & state.split.isin(("val", "test", "guard"))]
    fitted = (y >= 0) & ~groups[part.index].isin(asked).to_numpy()
    probs = predict_rows(
        model, X, np.array(classes, object), np.where(fitted, y, -1), groups[part.index].to_numpy()
    )
    say(
        f"model       {type(model).__name__}, {FOLDS} folds of {format_count(fitted.sum(), 'train sample')}"
    )
    return pd.DataFrame(probs, part.index, classes)


def predict_rows(
    model: Any, X: np.ndarray, classes: np.ndarray, y: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Predict rows by a classifier, out of fold where it is fitted.

    X (n, d), y (n,) class indices, -1 where not fitted, groups (n,) of near duplicates. Returns (n, k).
    """
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    rows, out = np.flatnonzero(y >= 0), np.zeros((len(y), len(classes)))
    folds = min(FOLDS, len(np.unique(groups[rows])))
    if folds < 2 or len(np.unique(y[rows])) < 2:
        raise UserError(
            f"expected train samples of two classes or more to fit a model on, found {len(rows):,} "
            f"of {len(np.unique(y[rows]))}",
            "leave the model out, or import more",
        )
    seen = np.unique(y[rows])
    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    out[np.ix_(rows, seen)] = cross_val_predict(
        model, X[rows], classes[y[rows]], groups=groups[rows], cv=splits, method="predict_proba"
    )
    rest = np.flatnonzero(y < 0)
    if len(rest):
        full = clone(model).fit(X[rows], classes[y[rows]])
        out[np.ix_(rest, np.searchsorted(classes, full.classes_))] = full.predict_proba(X[rest])
    return out
