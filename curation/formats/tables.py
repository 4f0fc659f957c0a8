"""Tables of images and labels: CSV, JSON, Parquet, Arrow, Excel."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.column_files import is_hugging_face, list_shards
from assay.curation.formats.hf_shards import has_card
from assay.curation.formats.table_files import JSON, TABLES, read_header, read_table
from assay.curation.formats.table_patches import plan_patch, write_changed_rows
from assay.curation.formats.table_rows import list_samples
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

FIRST = ["id", "path", "label", "split"]  # columns of a table that is written
ROWS = re.compile(r'\s*(\[\s*\{\s*"|\{\s*")')  # how a JSON file of rows begins


class Tables:
    """A row for each sample: its label, and its image as a path, an address or bytes."""

    name = "table"
    suffixes = TABLES
    asks = (
        "two columns of labels, images or splits; folds; which sheet of a workbook; texts such as"
        " cat|dog. Boxes, masks and several labels are refused; --pictures-only takes the images"
    )

    def matches(self, path: Path) -> Match:
        if path.is_dir() and (shards := list_shards(path)):
            theirs = any(is_hugging_face(path / shard) for shard in shards[:20]) or has_card(path)
            if not theirs:
                return Match(
                    "sure", f"{format_count(len(shards), 'file')} called as Parquet shards are"
                )
        if path.is_file() and path.suffix.lower() in JSON:
            if not ROWS.match(read_header(path)):
                return Match("no", "expects a JSON list of objects, or an object of columns")
        if path.is_file() and path.suffix.lower() in TABLES:
            return Match("maybe", f"ends in {path.suffix}")
        return Match("no", f"expects a file that ends in {' '.join(TABLES)}")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        table = find_table(path)
        listing = list_samples(table, read_table(table, options.sheet, options.skip_bad), options)
        if table == path:
            return listing
        return replace(listing, name=path.name, notes=[f"read {table.name} in it", *listing.notes])

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the cells that say label and split, and no others."""
        return plan_patch(find_table(source), source, changes, options)

    def write_corrections(
        self, source: Path, changes: pd.DataFrame, options: ImportOptions, out: Path
    ) -> None:
        """Write the changed rows alone, and beside them the removed."""
        write_changed_rows(find_table(source), changes, options, out)


FORMAT = Tables()


def find_table(source: Path) -> Path:
    """Find the table of a source: itself, or the one inside."""
    if source.is_file() or list_shards(source):
        return source
    tables = [p for p in sorted(source.iterdir()) if p.is_file() and p.suffix.lower() in TABLES]
    if len(tables) != 1:
        raise UserError(
            f"expected one table in {source.name}, found {len(tables)}", "import it again"
        )
    return tables[0]
