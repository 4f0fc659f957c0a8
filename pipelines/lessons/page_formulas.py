"""Formulas in the pages of docs/, as MathML: a hook of mkdocs.

A browser draws MathML by itself, so that nothing is loaded from elsewhere.
"""

from __future__ import annotations

import re
from typing import Any

# code first, in which nothing is a formula
BLOCK = r"^```.*?^```$|`[^`\n]*`|\$\$(?P<block>.+?)\$\$"
FORMULA = re.compile(BLOCK, re.S | re.M)
# a formula may go on in the next line, not in the next paragraph
LESSON_FORMULA = re.compile(rf"{BLOCK}|\$(?P<inline>(?:[^$\n]|\n(?!\n))+?)\$", re.S | re.M)


def on_page_markdown(markdown: str, page: Any, **about: Any) -> str:
    """Draw the formulas of a page: $$ ... $$, and in lessons $ ... $ in a line."""
    is_lesson = page.file.src_uri.startswith("lessons/")
    return (LESSON_FORMULA if is_lesson else FORMULA).sub(draw_formula, markdown)


def draw_formula(found: re.Match) -> str:
    """Draw one formula; code stays as it is."""
    formulas = found.groupdict()
    if not (formula := formulas["block"] or formulas.get("inline")):
        return found[0]
    from latex2mathml.converter import convert

    return convert(formula.strip(), display="block" if formulas["block"] else "inline")
