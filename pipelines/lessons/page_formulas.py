"""Formulas in the pages of docs/, as MathML: a hook of mkdocs.

A browser draws MathML by itself, so that nothing is loaded from elsewhere.
"""

from __future__ import annotations

import re
from typing import Any

# code first, in which nothing is a formula
FORMULA = re.compile(
    r"^```.*?^```$|\$\$(?P<block>.+?)\$\$|`[^`\n]*`|\\\((?P<inline>.+?)\\\)", re.S | re.M
)


def on_page_markdown(markdown: str, **about: Any) -> str:
    """Draw the formulas of a page: $$ ... $$ as blocks, \\( ... \\) in a line."""
    return FORMULA.sub(draw_formula, markdown)


def draw_formula(found: re.Match) -> str:
    """Draw one formula; code stays as it is."""
    if not (formula := found["block"] or found["inline"]):
        return found[0]
    from latex2mathml.converter import convert

    return convert(formula.strip(), display="block" if found["block"] else "inline")
