"""How well a ranking by a few seeds finds the rest of what they are from, in 20,000 CIFAR images that nobody told it about.

    python -m tests.benchmarks.similar FOLDER

Seeds are of one class, of two unlike classes, or of one class within one of 60 clusters of the embedding (a planted gap). Rankings: nearest seed,
mean cosine, and `similarity.score_similarity`. Then what a trigger's threshold lets through: recall should be a half, whatever the task."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from assay.curation.selection import similarity
from tests.benchmarks.gain import markdown
from tests.benchmarks.suggest import data


def tasks(V, y, rng):
    """(name, members (n,) bool) of what is looked for."""
    import faiss

    means = faiss.Kmeans(V.shape[1], 60, niter=10, seed=1, spherical=True)
    means.train(V[:20_000])
    cluster = means.index.search(V, 1)[1][:, 0]
    for k in range(10):
        yield "one class", y == k
        yield "two classes", np.isin(y, (k, (k + 3) % 10))
    for c in rng.permutation(60)[:10]:
        yield (
            "a class within a cluster",
            (cluster == c) & (y == np.bincount(y[cluster == c]).argmax()),
        )


def main(folder):
    _, V, y, split = data(Path(folder), "cifar")
    V, y = V[split == "train"], y[split == "train"]
    rng = np.random.default_rng(0)
    pool = np.zeros(len(V), bool)
    pool[rng.permutation(len(V))[:20_000]] = True
    rows = []
    for task, members in tasks(V, y, rng):
        for n in (1, 5, 20, 100):
            there = np.flatnonzero(members & ~pool)
            seeds = V[rng.choice(there, min(n, len(there)), False)]
            score = dict(
                nearest=-similarity.find_nearest(V[pool], seeds)[0],
                mean=V[pool] @ seeds.mean(0),
                likeness=similarity.score_similarity(V, seeds, V[pool]),
            )
            hit = score["likeness"] >= similarity.similarity_threshold(V[~pool], seeds, 10)
            found = {name: average_precision_score(members[pool], s) for name, s in score.items()}
            caught = dict(
                recall=members[pool][hit].sum() / members[pool].sum(),
                precision=members[pool][hit].mean() if hit.any() else np.nan,
            )
            rows.append(dict(task=task, seeds=n, share=members[pool].mean()) | found | caught)
    print(
        "average precision of three rankings; recall and precision of the bar; means over 10 of each\n"
    )
    print(
        markdown(
            pd.DataFrame(rows).groupby(["task", "seeds"], sort=False).mean().round(3).reset_index()
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:] or sys.exit("usage: python -m tests.benchmarks.similar FOLDER"))
