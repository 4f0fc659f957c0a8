"""Say in words why a label is doubted."""

import numpy as np

from assay.curation.features.neighbor_graph import nodes
from assay.curation.label_quality.scoring import indices


def explain_labels(bench, state, rows):
    """A sentence for each row of a judgement: what the model says without having seen it, and what its nearest neighbours are labelled."""
    if not len(rows):
        return []
    import pandas as pd

    graph, at = nodes(bench, state)
    usable = (
        state.keep & state.split.isin(("train", "val")) & state.label.notna()
    ).to_numpy()  # never a test label
    codes, names = pd.factorize(state.label.to_numpy()[usable], sort=True)
    label_of = np.full(len(graph["hashes"]), -1)
    label_of[at[usable][::-1]] = codes[::-1]  # of copies, the first
    near = graph["neighbours"][at[state.index.get_indexer(rows.index)]]  # (m, k)
    seen = np.where(near >= 0, label_of[near], -1)
    said = indices(rows.suggestion, names)
    theirs = (seen == np.where(said < 0, -2, said)[:, None]).sum(1)
    total = (seen >= 0).sum(1)
    return [
        f"{p:.0%} {s} out of sample, {q:.0%} {g}; {a} of {n} nearest neighbours labelled {s}"
        if s != g
        else f"{p:.0%} {s} out of sample, as labelled; {a} of {n} nearest neighbours labelled {s}"
        for p, s, q, g, a, n in zip(
            rows.confidence, rows.suggestion, rows.score, rows.label, theirs, total
        )
    ]
