"""Decisions as a CSV file: what a reviewer fills in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from assay.curation.csv_files import BadCsv, read_rows
from assay.curation.errors import UserError
from assay.curation.text import restore_formula

if TYPE_CHECKING:
    import pandas as pd

SHEET = "write it as: sample,label|keep|split|tag|verdict[,why]"


def read_decisions(path: str | os.PathLike) -> pd.DataFrame:
    """Read a CSV of decisions as a frame of strings.

    Its column `line` is where each row began in the file. UserError where it is no such file."""
    import pandas as pd

    try:
        with open(path, encoding="utf-8-sig", newline="") as f:
            lines = list(read_rows(f.read()))
    except (OSError, UnicodeDecodeError, BadCsv) as e:
        why = getattr(e, "strerror", None) or e
        raise UserError(
            f"expected a CSV of decisions in UTF-8, found {path}: {why}", SHEET
        ) from None
    if not lines:
        raise UserError(f"expected a CSV of decisions, found {path} empty", SHEET)
    (_, header), *rows = lines
    if bad := [line for line, row in rows if len(row) != len(header)]:
        raise UserError(
            f"expected {len(header)} cells in every row of {path}, "
            f"found others in line(s) {', '.join(map(str, bad[:10]))}",
            "quote cells that hold a comma; nothing was applied",
        )
    cells = [[restore_formula(cell) for cell in row] for _, row in rows]
    frame = pd.DataFrame(cells, columns=header, dtype=object)
    return frame.assign(line=[line for line, _ in rows])


def assign_split(decisions: pd.DataFrame, splits: pd.Series, to: str) -> pd.DataFrame:
    """Move the pool's samples that get a label to the split `to`.

    splits: of each sample, by its id."""
    empty = [""] * len(decisions)
    sample, label, split = (
        decisions[c] if c in decisions else empty for c in ("sample", "label", "split")
    )
    moved = [
        to if given and not asked and splits.get(s) == "pool" else asked
        for s, given, asked in zip(sample, label, split)
    ]
    return decisions.assign(split=moved)
