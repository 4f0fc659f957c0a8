"""Tabulate what is known of each cluster: size, labels, accuracy, density."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.label_quality import live
from assay.curation.predictions import model_errors
from assay.curation.slicing.cluster_names import load_given_names, name_clusters
from assay.curation.slicing.clusters import assign_clusters, order_by_typicality
from assay.curation.splits import LOCKED
from assay.curation.statistics import estimates
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import explode_labels, task_of

if TYPE_CHECKING:
    import pandas as pd


def tabulate_clusters(bench: Bench, version: str = "HEAD", level: str = "fine") -> pd.DataFrame:
    """Tabulate every cluster as one row, the largest first.

    Columns: cluster (its name), named (by a person), train, val, pool, test, guard (kept samples), labels ({class:
    share} of the kept, labelled train samples), accuracy of the current probe on val (of several labels a sample the
    share of labels right) with low, high (Wilson) and n, flagged (share of its train and val labels that look wrong to
    the probe, no rate of errors), distance (mean to its samples' neighbours; large is sparse), sample (the most typical
    one).
    """
    import pandas as pd

    state, rows, task = bench.state(version), [], task_of(bench)
    at, known = assign_clusters(bench, state, level), name_clusters(bench, state, level)
    mine = set(load_given_names(bench, level))
    wrong = model_errors.find_model_errors(bench, version)
    flags = live.label_scores(bench, version).flagged
    cluster = pd.Series(at, state.index)
    graph, node = neighbor_graph.load_nodes(bench, state)
    far = graph.distances.mean(1)[node] if graph.distances.size else np.zeros(len(state))
    seen = (state.keep & ~state.split.isin(LOCKED)).to_numpy()
    for c, name in known.items():
        here = state[(at == c) & state.keep]
        sizes = {s: int((here.split == s).sum()) for s in ("train", "val", "pool", "test", "guard")}
        judged = wrong[(cluster[wrong.index] == c).to_numpy()]
        right, n = float(task.correct(judged.said, judged.label).sum()), len(judged)
        doubted = flags[(cluster[flags.index] == c).to_numpy()]
        low, high = estimates.wilson_interval(right, n)
        labelled = here.label[here.split == "train"].dropna()
        shares = explode_labels(task, labelled).value_counts() / max(len(labelled), 1)
        part = far[(at == c) & seen]
        rows.append(
            dict(cluster=name, named=c in mine)
            | sizes
            | dict(
                labels={label: round(share, 4) for label, share in shares.items()},
                accuracy=right / n if n else np.nan,
                low=low,
                high=high,
                n=n,
                flagged=doubted.mean() if len(doubted) else np.nan,
                distance=float(part.mean()) if len(part) else np.nan,
                sample=state.index[order_by_typicality(bench, state, at == c)[0]],
            )
        )
    return pd.DataFrame(rows)
