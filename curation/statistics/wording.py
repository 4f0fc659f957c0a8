"""Write numbers and their intervals in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.curation.statistics import estimates

FEWEST = 30  # drawn, below which a rate says nothing


def format_rate(hits: int, drawn: int) -> str:
    """Write a share with its n and 95 % interval.

    '12 of 40, 30.0% [18.1%, 45.4%]'. Before 30 drawn only the counts.
    """
    if drawn < FEWEST:
        return f"{hits} of {drawn}, too few for a rate"
    low, high = estimates.wilson_interval(hits, drawn)
    return f"{hits} of {drawn}, {format_share(hits / drawn, low, high)}"


def format_share(share: float, low: float, high: float, digits: int = 1) -> str:
    """Write a share (0 to 1) with its interval.

    '30.0% [18.1%, 45.4%]'.
    """
    return f"{share:.{digits}%} [{low:.{digits}%}, {high:.{digits}%}]"


def format_points(x: float, sign: bool = True, digits: int = 1) -> str:
    """Write a fraction as points: 0.013 -> '+1.3'.

    What rounds to nothing is 0.0 and never -0.0.
    """
    x = round(100 * x, digits) + 0.0
    return f"{x:+,.{digits}f}" if sign and x else f"{x:,.{digits}f}"


def format_interval(e: Mapping[str, Any], sign: bool = True, unit: str = " points") -> str:
    """Write an estimate (estimate, low, high) as '+1.3 points [+0.6, +2.1]'."""
    value, low, high = (format_points(e[k], sign) for k in ("estimate", "low", "high"))
    return f"{value}{unit} [{low}, {high}]"


def format_as_given(e: Mapping[str, Any]) -> str:
    """Write what the test labels as given would say.

    "" where no audit corrects them.
    """
    return f" (as given {format_interval(e['given'], unit='')})" if "given" in e else ""
