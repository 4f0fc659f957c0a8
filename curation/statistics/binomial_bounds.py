"""Bound a share that was counted in a sample of fixed size, exactly."""

from __future__ import annotations


def upper_share(k: int, n: int, confidence: float = 0.95) -> float:
    """Bound a share from above, k of n counted: one-sided, exact.

    n must be fixed beforehand. Of a draw without replacement it is on the safe side. [Clopper & Pearson 1934]
    """
    from scipy.special import betaincinv

    return 1.0 if k >= n else float(betaincinv(k + 1, n - k, confidence))


def most_allowed(n: int, share: float, confidence: float = 0.95) -> int | None:
    """The most of n that still show a share below `share`; None where even 0 of n do not."""
    allowed = [k for k in range(n) if upper_share(k, n, confidence) < share]
    return max(allowed, default=None)


def chance_at_most(k: int | None, n: int, share: float) -> float:
    """The chance to count k or fewer of n, at a true share."""
    from scipy.special import bdtr

    return 0.0 if k is None else float(bdtr(k, n, share))


def spend_alpha(look: int, alpha: float = 0.05) -> float:
    """The share of alpha that the look-th of any number of looks may spend.

    alpha / (look (look + 1)): all looks together spend alpha, however many there will be.
    """
    assert look >= 1
    return alpha / (look * (look + 1))
