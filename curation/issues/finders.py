"""What else may be wrong with a dataset than labels: copies, leakage, contradictions, outliers, bad pictures, and what only the whole shows."""

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import image_similarity, neighbor_graph
from assay.curation.issues import base, drift, image_quality, spurious_correlations
from assay.curation.issues.class_imbalance import RARE, rare
from assay.curation.issues.duplicates import contradictions, exact, near
from assay.curation.issues.image_quality import WORDS, looked
from assay.curation.issues.leakage import leaks
from assay.curation.media import conversion, damage
from assay.curation.splits import LOCKED
from assay.curation.statistics import multiple_testing

OUTLIER = 4  # robust z-scores above the median distance to its neighbours
SHORTCUT = 0.7  # a property that goes 30 % of the way from chance to certainty (cleanlab: 70 %)
PREVALENT = 0.5  # what more than half of the images are, dark or grey, is how this dataset is: CleanVision says nothing of it either
ONE_EACH = dict(
    outlier=float(np.exp(-1)), **image_quality.THRESHOLDS, near_duplicate=1 - image_similarity.TWIN
)  # kinds with a score for every sample
WHOLE = dict(
    class_imbalance=RARE, spurious_correlations=SHORTCUT, drift=1 - drift.FAR
)  # kinds about the whole: their rows name no sample


def find(bench, state):
    """All issues but `label`, as a frame kind, sample, score (0 to 1, low is bad), suggestion, why. Test labels are never read."""
    import pandas as pd

    graph, at = neighbor_graph.nodes(bench, state)
    found = [
        *exact(state),
        *truncated(bench, state),
        *leaks(state, graph, at),
        *near(state, graph, at),
        *contradictions(state, graph, at),
    ]
    for kind, (score, why) in scores(bench, state, graph, at).items():
        low = np.flatnonzero(score < ONE_EACH[kind])
        if kind == "outlier" or len(low) <= PREVALENT * np.isfinite(score).sum():
            found += [(kind, state.index[i], score[i], None, why(i)) for i in low]
    found += [row for row, shown in whole(bench, state, graph, at) if shown]
    frame = pd.DataFrame(found, columns=list(base.COLUMNS))
    one_each = frame["sample"].isna() | ~frame.duplicated(["kind", "sample"])
    return frame[one_each].sort_values(["kind", "score", "sample"], kind="stable")


def below(bench, state, kind, threshold):
    """What `find` would say of one kind at another threshold: everything whose score is below it. Nothing is computed again but what is cheap."""
    import pandas as pd

    if kind not in (*ONE_EACH, *WHOLE):
        raise UserError(
            f"expected a kind whose threshold can be moved, found {kind!r}",
            f"these can: label, {', '.join((*ONE_EACH, *WHOLE))}",
        )
    graph, at = neighbor_graph.nodes(bench, state)
    if kind in WHOLE:
        rows = [row for row, _ in whole(bench, state, graph, at, only=kind) if row[2] < threshold]
    elif kind == "near_duplicate":
        rows = near(state, graph, at, 1 - threshold)
    else:
        score, why = scores(bench, state, graph, at)[kind]
        rows = [
            (kind, state.index[i], score[i], None, why(i))
            for i in np.flatnonzero(score < threshold)
        ]
    return pd.DataFrame(rows, columns=list(base.COLUMNS)).sort_values(
        ["score", "sample"], kind="stable"
    )


def truncated(bench, state):
    """Rows for samples whose file is broken, and was read as far as it goes; the score is the share of the picture that is there."""
    rows, out = state[state.keep], []
    looks = conversion.find_looks(
        conversion.load_looks(bench.arrays), dict.fromkeys(rows.content_hash)
    )
    for sample, h in rows.content_hash.items():
        if h in looks and looks[h].damage:
            missing = looks[h].missing
            out.append(
                (
                    "truncated",
                    sample,
                    1 - missing,
                    None,
                    damage.WHY[int(looks[h].damage)].format(missing),
                )
            )
    return out


# ---- one picture


def scores(bench, state, graph, at):
    """{kind: (score (n,), NaN for what is locked or out; a function from a row to the reason)}, of outlier and the kinds of CleanVision."""
    from assay.curation.features.knn import isolation

    judged = (state.keep & ~state.split.isin(LOCKED)).to_numpy()
    mean, z = (of[at] for of in isolation(graph["distances"]))
    said = (
        "mean distance {:.2f} to its nearest neighbours, {:.1f} robust deviations above the median"
    )
    out = dict(
        outlier=(
            np.where(judged, np.exp(-np.maximum(z, 0) / OUTLIER), np.nan),
            lambda i: said.format(mean[i], z[i]),
        )
    )
    if (looks := looked(bench, state)) is None:
        return out
    for kind, score in image_quality.scores(
        looks, state.width.to_numpy("f8"), state.height.to_numpy("f8")
    ).items():
        tell = lambda i, kind=kind, score=score: WORDS[kind].format(score[i], 1 - score[i])  # noqa: E731
        out[kind] = (np.where(judged, score, np.nan), tell)
    return out


# ---- the whole


def whole(bench, state, graph, at, only=None):
    """((kind, None, score, name, why), whether it is to be shown) of every class, property and pair of groups; spurious_correlations and drift
    are shown where they are large, and certain by Benjamini and Hochberg. Labels are those of kept train and val samples."""
    kept = state.keep.to_numpy()
    fitted = kept & state.split.isin(("train", "val")).to_numpy() & state.label.notna().to_numpy()
    names, y = np.unique(
        state.label.to_numpy(dtype=object)[fitted].astype(str), return_inverse=True
    )
    if only in (None, "class_imbalance"):
        yield from rare(names, y)
    looks = looked(bench, state)
    seen = {} if looks is None else dict(zip(image_quality.COLUMNS, looks.T))
    seen |= {"width": state.width.to_numpy("f8"), "height": state.height.to_numpy("f8")}
    if only in (None, "spurious_correlations") and len(names) > 1:
        told = {
            name: values[fitted] for name, values in seen.items()
        } | spurious_correlations.metadata(state[fitted])
        yield from certain("spurious_correlations", spurious_correlations.find(told, y, len(names)))
    if only in (None, "drift"):
        came = dict(
            bench.rows(
                "select sample, arg_min(batch, seq) from edits where batch like 'import-%' group by sample"
            )
        )
        groupings = {
            "split": state.split[kept].tolist(),
            "import": [came.get(s) for s in state.index[kept]],
        }
        properties = {
            name: values[kept] for name, values in seen.items() if len(np.unique(values[kept])) > 1
        }
        yield from certain(
            "drift", drift.find(graph["neighbours"], at[kept], groupings, properties)
        )


def certain(kind, rows):
    """Rows (score, p, why) as issues, and which of them are found."""
    found = multiple_testing.discoveries([p for _, p, _ in rows]) if rows else []
    return [
        ((kind, None, score, None, why), score < WHOLE[kind] and sure)
        for (score, _, why), sure in zip(rows, found)
    ]
