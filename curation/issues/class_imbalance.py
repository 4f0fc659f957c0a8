"""Classes with few samples."""

import numpy as np

RARE = 0.1  # of an even share of the samples, as cleanlab has it


def rare(names, y):
    """A row for each class: its share of an even share."""
    for name, n in zip(names, np.bincount(y, minlength=len(names))):
        share = n * len(names) / len(y)
        why = f"{name}: {n:,} of {len(y):,} kept, labelled train and val samples, {share:.1%} of an even share of {len(names)} classes"
        yield ("class_imbalance", None, min(1.0, share), None, why), share < RARE
