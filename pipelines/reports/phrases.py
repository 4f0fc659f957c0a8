"""Write numbers and outside text briefly and plainly.

Nothing here is HTML: the templates escape it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assay.curation.statistics.wording import format_interval, format_points


def cut(text: Any, most: int = 120) -> str:
    """Shorten text, or a list of texts, so that no layout breaks."""
    if isinstance(text, list):
        text = ", ".join(map(str, text))
    text = "" if text is None else str(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def sentence(text: str, most: int = 400) -> str:
    """Write text as a sentence: a capital first, one full stop last."""
    return cut(text[:1].upper() + text[1:], most).rstrip(".") + "."


def true_minus(text: str) -> str:
    """Put a true minus for each hyphen before a number."""
    return text.replace("-", "−")


def set_minus(text: str) -> str:
    """Put a true minus before the numbers of a sentence.

    Names keep their hyphens.
    """
    return re.sub(r"(?<![\w-])-(?=\d)", "−", text)


def split_verdict(verdict: str) -> tuple[str, str, str]:
    """Split a verdict into its answer and all that follows.

    Returns (its answer, what joins them, its conditions and what comes next).
    """
    parts = re.split(r"(; |\. (?=Next: ))", verdict, maxsplit=1)
    return (*parts, "", "")[:3]


def points(x: float, sign: bool = True) -> str:
    """Write a fraction as points, with a true minus."""
    return true_minus(format_points(x, sign))


def interval(e: Mapping[str, Any], sign: bool = True) -> str:
    """Write an estimate (estimate, low, high) as '+1.3 [+0.6, +2.1]'."""
    return true_minus(format_interval(e, sign, unit=""))


def amount(x: float, sign: str = "") -> str:
    """Write a mean count: to a tenth, whole from ten on."""
    if abs(x) < 0.05:
        return "0"
    return true_minus(f"{x:{sign},.{0 if abs(x) >= 9.95 else 1}f}")


def p_value(e: Mapping[str, Any]) -> str:
    """Write Holm's p of an effect or slice, if any."""
    p = e.get("p_holm")
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def verdict_tone(e: Mapping[str, Any] | None) -> str:
    """Name the colour of a verdict: helps, hurts, or "" for neither.

    What is not shown has no colour: green would read as a gain.
    """
    verdict = (e or {}).get("verdict") or ""
    return next((tone for tone in ("helps", "hurts") if verdict.startswith(tone)), "")


def is_significant(e: Mapping[str, Any]) -> bool:
    """Tell whether a verdict is helps or hurts."""
    return bool(verdict_tone(e))


def name_second(cell: dict) -> tuple[str, dict]:
    """Name the measure beside a cell's accuracy, and give it.

    Of several labels a sample, accuracy is the share of labels right, and beside it stands exact match.
    """
    if cell["balanced"] is not None:
        return "balanced", cell["balanced"]
    return "exact match", cell["exact"]
