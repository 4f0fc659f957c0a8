"""Formulas of the lessons in a terminal."""

import re

from assay.pipelines.lessons.plain_formulas import plain_formula, write_plain
from assay.pipelines.lessons.sources import list_lessons


def test_formulas_read_as_one_would_write_them():
    assert plain_formula(r"p_{-i} = \frac{p_i - h_{ii}\, y_i}{1 - h_{ii}}") == (
        "p₋ᵢ = (pᵢ - hᵢᵢ yᵢ)/(1 - hᵢᵢ)"
    )
    assert plain_formula(r"(X^\top X + \lambda I)^{-1}") == "(Xᵀ X + λ I)⁻¹"
    assert plain_formula(r"p_{(r)} \le 0.05\, \frac rm") == "p₍ᵣ₎ ≤ 0.05 r/m"
    root = r"\sqrt{(V + \rho)\,\log\frac{V + \rho}{\rho\,\alpha^2}}"
    assert plain_formula(root) == "√((V + ρ) log((V + ρ)/(ρ α²)))"
    assert write_plain("draw $s =\n100$; $k$ are wrong") == "draw s = 100; k are wrong"
    assert write_plain("a price of `$5` and $5") == "a price of `$5` and $5"


def test_no_lesson_shows_latex_in_a_terminal():
    for lesson in list_lessons():
        for cell in lesson.cells:
            if cell.kind == "text":
                plain = re.sub(r"`[^`\n]*`", "", write_plain(cell.source))
                assert not re.search(r"\\|\$|[\ue000-\ue003]", plain), plain
