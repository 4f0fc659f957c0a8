"""Estimate the share of wrong labels in a split, from its audits."""

from __future__ import annotations

from assay.curation.review.audit import find_random_sample
from assay.curation.statistics import errors_left
from assay.curation.storage.interface import Bench

ENOUGH = 30  # audited samples before a share or a correction is worth saying


def estimate_noise(bench: Bench, split: str, version: str = "HEAD") -> dict:
    """Estimate how many labels of a split are wrong.

    Returns {wrong, n (audited and sure), of (labels in the split), unsure, share, share_between}.
    share: (estimate, low, high), exact by the hypergeometric distribution; None under 30.
    share_between: the estimates with all unsure ones right and all wrong; None where none was.
    """
    found, of = find_random_sample(bench, split, version)
    wrong, unsure = (int((found.verdict == verdict).sum()) for verdict in ("set", "unsure"))
    n = len(found) - unsure
    count = errors_left.estimate_wrong(wrong, n, of, unsure, errors_left.bound_wrong_once)
    share = count and count.scale(1 / of)
    return dict(
        wrong=wrong,
        n=n,
        of=of,
        unsure=unsure,
        share=share and (share.estimate, share.low, share.high),
        share_between=share and share.between,
    )


def describe_noise(noise: dict, split: str) -> str:
    """Say what `estimate_noise` found in one line."""
    wrong, n = f"{noise['wrong']:,}", f"{noise['n']:,}"
    doubt = f", {noise['unsure']:,} more unsure" if noise["unsure"] else ""
    if not noise["n"] + noise["unsure"]:
        return f"no {split} label has been audited yet"
    if noise["share"] is None:
        return f"{wrong} of {n} {split} labels wrong{doubt}, too few for a rate"
    (share, low, high), between = noise["share"], noise["share_between"]
    middle = f"{share:.1%}" if between is None else f"{between[0]:.1%} to {between[1]:.1%}"
    interval = f"[{low:.1%}, {high:.1%}]"
    return f"{middle} {interval} of the {split} labels wrong, by {wrong} of {n} audited at random{doubt}"
