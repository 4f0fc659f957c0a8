r"""Formulas in a terminal, as plain Unicode: \bar Y_i becomes Ȳᵢ.

A short table of what the lessons use: what it does not know keeps its name, without the backslash.
"""

from __future__ import annotations

import re

from assay.pipelines.lessons.page_formulas import LESSON_FORMULA

SYMBOLS = {
    **dict(ell="ℓ", Delta="Δ", alpha="α", rho="ρ", varphi="φ", sum="∑", infty="∞"),
    **dict(pm="±", top="ᵀ", cdot="·", ge="≥", le="≤", mid="|", lVert="‖", rVert="‖", iff="⇔"),
    **dict(
        to="→", times="×", dots="…", ldots="…", qquad="    ", quad="  ", Big="", left="", right=""
    ),
    **{"in": "∈", "lambda": "λ", "approx": "≈", "min": "min", "max": "max", "ne": "≠", "neq": "≠"},
}
ACCENTS = dict(bar="\u0304", hat="\u0302")
LOW = dict(zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
HIGH = dict(zip("0123456789+-=()abcijkmnst", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜⁱʲᵏᵐⁿˢᵗ", strict=True))
HIGH["ᵀ"] = "ᵀ"
# braces that are meant to be seen, kept apart from those that group
SHOWN = {r"\{": "\ue000", r"\}": "\ue001"}


def write_plain(text: str) -> str:
    """Write the formulas of a text in Unicode; code stays as it is."""
    return LESSON_FORMULA.sub(plain_match, text)


def plain_match(found: re.Match) -> str:
    """Write one formula, a block indented."""
    if block := found["block"]:
        return "    " + plain_formula(block)
    return plain_formula(found["inline"]) if found["inline"] else found[0]


def plain_formula(formula: str) -> str:
    """Write a formula in a line of Unicode."""
    line = re.sub(r"\s+", " ", formula.strip())
    for latex, mark in SHOWN.items():
        line = line.replace(latex, mark)
    line = re.sub(r"\\begin\{cases\}", "\ue000 ", line)
    line = re.sub(r"\\end\{cases\}", "", line).replace(r"\\", "; ").replace("&", " ")
    line = re.sub(r"\\[,;!: ]", " ", line)
    line = re.sub(r"\\(frac|binom)\s*(\w)\s*(\w)", r"\\\1{\2}{\3}", line)
    line = re.sub(r"\\frac\s*(\d)(\w)", r"\\frac{\1}{\2}", line)
    # log a/b would read as (log a)/b
    line = re.sub(r"\\log\s*(\\frac\{[^{}]*\}\{[^{}]*\})", r"log(\1)", line)
    line = re.sub(r"\\([A-Za-z]+)", lambda found: SYMBOLS.get(found[1], found[0]), line)
    before = ""
    while line != before:
        before, line = line, unfold(line)
    line = re.sub(r"\\([A-Za-z]+)", r"\1", line).replace(r"\\", "")
    line = line.replace("{", "").replace("}", "").replace("\ue000", "{").replace("\ue001", "}")
    line = line.replace("\ue002", "_").replace("\ue003", "^")
    line = re.sub(r" {4,}", "\t", line)
    return re.sub(r" +", " ", line).replace("\t", "    ").strip()


def unfold(line: str) -> str:
    """Unfold the innermost braces of a formula."""
    inner = r"\s*\{([^{}]*)\}"
    line = re.sub(rf"\\(?:mathrm|text){inner}", r"\1", line)
    line = re.sub(r"\\(bar|hat)\s*\{?(\w)\}?", lambda x: x[2] + ACCENTS[x[1]], line)
    line = re.sub(r"([_^])(?:\{([^{}\\]*)\}|([^\s{}\\]))", shift, line)
    line = re.sub(rf"\\frac{inner}{inner}", lambda x: f"{group(x[1])}/{group(x[2])}", line)
    line = re.sub(rf"\\binom{inner}{inner}", r" C(\1, \2)", line)
    return re.sub(rf"\\sqrt{inner}", r"√(\1)", line)


def shift(found: re.Match) -> str:
    """Lower or raise what follows _ or ^, where Unicode has all its letters."""
    inside = (found[2] or found[3] or "").strip()
    letters = LOW if found[1] == "_" else HIGH
    small = [letters.get(letter) for letter in inside.replace(" ", "")]
    if all(small):
        return "".join(small)
    # a marker of another kind, or it would be shifted again
    sign = "\ue002" if found[1] == "_" else "\ue003"
    return f"{sign}{group(inside)}"


def group(part: str) -> str:
    """Put brackets around a part of more than a word."""
    part = part.strip()
    return part if re.fullmatch(r"∞|√\(\w+\)|\w[\w.\u0300-\u036f]*", part) else f"({part})"
