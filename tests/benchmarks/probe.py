"""The probe at 50,000 x 1,280 with ten classes: factorisation and all leave-one-out scores, then re-scoring after an edit, beside
scikit-learn's 5-fold LogisticRegression on the same features."""

import numpy as np

from assay.curation.label_quality import probe as probes
from tests.benchmarks.tools import clock

N, D, K = 50_000, 1280, 10
rng = np.random.default_rng(0)
y = rng.integers(0, K, N)
X = (rng.normal(size=(K, D)).astype("f4")[y] * 0.12 + rng.normal(size=(N, D)).astype("f4")).astype(
    "f4"
)
noisy = np.where(rng.random(N) < 0.1, rng.integers(0, K, N), y)
groups = np.arange(N)

with clock("fit and all leave-one-out scores (limit 6 s)") as fit:
    probe = probes.fit(X, noisy, groups, K)
    probs = probe.pred_probs(X)
worst = np.argsort(probs[np.arange(N), noisy])[: (noisy != y).sum()]
print(
    f"of {len(worst):,} planted errors, {(noisy != y)[worst].mean():.1%} are among as many worst scores"
)
times = []
for i in worst[:5]:
    noisy[i] = y[i]
    with clock("re-scoring everything after a relabelling (limit 0.3 s)") as t:
        probe.update(X, noisy)
        probe.pred_probs(X)
    times += t
noisy[worst[5]] = -1
with clock("re-scoring everything after a drop: rank-one update (limit 0.3 s)"):
    probe.update(X, noisy)
    probe.pred_probs(X)

from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import cross_val_predict  # noqa: E402

with clock("yardstick: scikit-learn LogisticRegression, 5 folds") as yard:
    cross_val_predict(
        LogisticRegression(C=0.01, max_iter=100),
        (X - X.mean(0)) / X.std(0),
        np.where(noisy < 0, y, noisy),
        cv=5,
        method="predict_proba",
    )
print(
    f"the yardstick takes {yard[0] / fit[0]:.1f} times as long as the probe, {yard[0] / np.median(times):.0f} times as long as a re-scoring"
)
