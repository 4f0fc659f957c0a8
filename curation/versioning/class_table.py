"""Read a table of classes: name, order, colour, key, guideline, exemplars, parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.curation.csv_files import BadCsv, read_rows
from assay.curation.errors import UserError
from assay.curation.splits import SPLITS
from assay.curation.text import format_count, restore_formula
from assay.curation.versioning.class_list import FIELDS

NAMES = ("name", "class", "label")
COUNTS = ("n", *SPLITS, "declared")  # what `assay classes --csv` writes besides
HINT = "its columns: name, and any of order, colour, key, guideline, exemplars, parent"


def read_class_table(path: str | Path) -> list[dict[str, Any]]:
    """Read a CSV of classes, a row each.

    UserError where it is none. Returns dicts of name, and of the other columns that it has. Rows
    without a name are refused.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        lines = list(read_rows(text))
    except (OSError, UnicodeDecodeError, BadCsv) as e:
        why = getattr(e, "strerror", None) or e
        raise UserError(f"expected a CSV of classes in UTF-8, found {path}: {why}", HINT) from None
    if not lines:
        raise UserError(f"expected a CSV of classes, found {path} empty", HINT)
    header = [cell.strip().lower() for cell in lines[0][1]]
    header = [{"color": "colour", **dict.fromkeys(NAMES, "name")}.get(c, c) for c in header]
    unknown = [c for c in header if c not in ("name", *FIELDS, *COUNTS)]
    if header.count("name") != 1 or unknown:
        found = f"also {', '.join(unknown)}" if unknown else f"{header.count('name')} of name"
        raise UserError(f"expected a CSV of classes, found {found} in {path}", HINT)
    rows = [read_row(header, line, cells) for line, cells in lines[1:]]
    if any("order" in row for row in rows):
        last = [row for row in rows if row.get("order") is None]
        rows = sorted((r for r in rows if r not in last), key=lambda row: row["order"]) + last
    return [{k: v for k, v in row.items() if k != "order"} for row in rows]


def read_row(header: list[str], line: int, cells: list[str]) -> dict[str, Any]:
    """Read one row of a table of classes."""
    if len(cells) != len(header):
        raise UserError(
            f"expected {format_count(len(header), 'cell')} in line {line}, found {len(cells)}",
            "quote cells that hold a comma",
        )
    row: dict[str, Any] = {
        column: restore_formula(cell) for column, cell in zip(header, cells) if column not in COUNTS
    }
    if not row["name"].strip():
        raise UserError(f"expected the name of a class in line {line}, found none", HINT)
    if "order" in row:
        try:
            row["order"] = float(row["order"]) if row["order"].strip() else None
        except ValueError:
            raise UserError(
                f"expected a number as order in line {line}, found {row['order']!r:.40}", HINT
            ) from None
    return row
