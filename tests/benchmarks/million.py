"""The probe at 1,000,000 x 512, streamed from a memmap: time, and peak memory, which must stay below X plus 1.5 GB."""

import tempfile
from pathlib import Path

import numpy as np

from assay.curation.label_quality import probe as probes
from tests.benchmarks.tools import clock, peak

N, D, K = 1_000_000, 512, 10
rng = np.random.default_rng(0)
with tempfile.TemporaryDirectory() as folder:
    file = np.lib.format.open_memmap(Path(folder) / "x.npy", "w+", "f4", (N, D))
    centres, y = rng.normal(size=(K, D)).astype("f4") * 0.15, rng.integers(0, K, N)
    for i in range(0, N, 50_000):
        file[i : i + 50_000] = centres[y[i : i + 50_000]] + rng.standard_normal((50_000, D), "f4")
    file.flush()
    del file
    X = np.load(Path(folder) / "x.npy", mmap_mode="r")
    noisy = np.where(rng.random(N) < 0.1, rng.integers(0, K, N), y)
    before = peak()
    with clock("fit and all leave-one-out scores, 1,000,000 x 512"):
        probe = probes.fit(X, noisy, np.arange(N), K)
        probs = probe.pred_probs(X)
    print(
        f"X {X.nbytes / 1e9:.2f} GB; peak {peak():.2f} GB, limit {X.nbytes / 1e9 + 1.5:.2f} GB (before the fit {before:.2f})"
    )
    worst = np.argsort(probs[np.arange(N), noisy])[: (noisy != y).sum()]
    print(
        f"of {len(worst):,} planted errors, {(noisy != y)[worst].mean():.1%} are among as many worst scores"
    )
    noisy[worst[0]] = y[worst[0]]
    with clock("re-scoring everything after a relabelling"):
        probe.update(X, noisy)
        probe.pred_probs(X)
