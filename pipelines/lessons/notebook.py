"""A lesson as a notebook for Jupyter."""

from __future__ import annotations

import json
from pathlib import Path

from assay.curation.errors import UserError
from assay.pipelines.lessons.sources import Lesson


def make_notebook(lesson: Lesson) -> dict:
    """Make a notebook of a lesson, not yet run: nbformat 4.5."""
    cells = []
    for n, cell in enumerate(lesson.cells):
        made = dict(id=f"cell-{n}", metadata={}, source=cell.source.splitlines(keepends=True))
        if cell.kind == "code":
            made |= dict(cell_type="code", execution_count=None, outputs=[])
        else:
            made |= dict(cell_type="markdown")
        cells.append(made)
    kernel = dict(name="python3", display_name="Python 3", language="python")
    about = dict(kernelspec=kernel, language_info=dict(name="python"))
    return dict(nbformat=4, nbformat_minor=5, metadata=about, cells=cells)


def write_notebook(lesson: Lesson, path: Path) -> None:
    """Write a lesson as .ipynb, whole or not at all; UserError where it cannot be, or something is there."""
    if path.exists():
        raise UserError(
            f"expected a new file, found {path}: somebody may have worked in it",
            "name another, or delete it",
        )
    if not path.parent.is_dir():
        raise UserError(
            f"expected a folder, found none at {path.parent}", "make it, or name another"
        )
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(make_notebook(lesson), indent=1) + "\n")
    new.replace(path)
