"""What the probe makes of a version's labels: out-of-sample probabilities, which labels they doubt, and why in words."""

import json

import numpy as np

from assay.curation.splits import LOCKED


def judged(state):
    """The samples that are fitted or predicted: all but test and guard, which no score may read."""
    return state[~state.split.isin(LOCKED)]


def targets(state, classes=None):
    """(classes, y): the lexicographic classes of kept, labelled train samples, and each row's class index, -1 unless it is one of those."""
    fitted = (state.keep & (state.split == "train") & state.label.notna()).to_numpy()
    classes = sorted(set(state.label[fitted])) if classes is None else classes
    return classes, np.where(fitted, indices(state.label, classes), -1)


def indices(labels, classes):
    """The class index (n,) of every label, -1 where it is none of the classes."""
    import pandas as pd

    return pd.Index(classes, dtype=object).get_indexer(np.asarray(labels, object))


def labelled(state, classes, few):
    """(rows (m,) of a state whose labels are judged, the class index of every row (n,))."""
    y = indices(state.label, classes)
    use = (
        (y >= 0)
        & ~np.asarray(few)[y]
        & state.keep.to_numpy()
        & state.split.isin(("train", "val")).to_numpy()
    )
    return np.flatnonzero(use), y


def judge(state, classes, probs, few):
    """Every labelled, kept train and val sample against `probs` (n, k) of the rows of `state`: frame label, reviewed, score (probability of the
    label it has, low is bad), suggestion, confidence (probability of that), flagged (another class is likelier, and nobody has decided about the
    label); through cleanlab. Classes that are `few` are not judged."""
    import pandas as pd
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    rows, y = labelled(state, classes, few)
    out = pd.DataFrame(index=state.index[rows])
    out["label"], out["reviewed"] = state.label.iloc[rows], state.reviewed.iloc[rows]
    if not len(rows):
        return out.assign(score=0.0, suggestion="", confidence=0.0, flagged=False)
    p = np.ascontiguousarray(probs[rows], "f8")
    p[:, few] = 0  # too few to judge is too few to suggest
    p /= p.sum(1, keepdims=True)
    best = p.argmax(1)
    seen = np.unique(np.r_[y[rows], best])  # cleanlab wants labels 0..k-1 that occur
    narrow = np.searchsorted(seen, y[rows])
    out["score"] = (
        get_label_quality_scores(narrow, p[:, seen], method="self_confidence")
        if len(seen) > 1
        else 1.0
    )
    out["suggestion"] = np.array(classes, dtype=object)[best]
    out["confidence"] = p[np.arange(len(rows)), best]
    differs = (
        find_label_issues(narrow, p[:, seen], filter_by="predicted_neq_given", n_jobs=1)
        if len(seen) > 1
        else np.zeros(len(rows), bool)
    )
    out["flagged"] = differs & ~out.reviewed.to_numpy(bool)
    return out


def packed(part, classes, few, found):
    """A judgement `found` of the rows of `part` as arrays, from which `told` makes it again."""
    return dict(
        classes=np.array(json.dumps(classes)),
        rows=labelled(part, classes, few)[0],
        score=found.score.to_numpy("f8"),
        suggestion=indices(found.suggestion, classes),
        confidence=found.confidence.to_numpy("f8"),
        flagged=found.flagged.to_numpy(bool),
    )
