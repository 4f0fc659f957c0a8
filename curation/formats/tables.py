"""Tables of images and labels: CSV, TSV and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.formats.base import ImportOptions, Listing, Match
from assay.curation.formats.table_files import TABLES, read_table
from assay.curation.formats.table_rows import list_samples

if TYPE_CHECKING:
    pass

FIRST = ["id", "path", "label", "split"]  # columns of a table that is written


class Tables:
    """A row for each sample: its label, and its image as a path or as bytes."""

    name = "table"
    suffixes = TABLES

    def matches(self, path: Path) -> Match:
        if path.is_file() and path.suffix.lower() in TABLES:
            return Match("maybe", f"ends in {path.suffix}")
        return Match("no", f"expects a file that ends in {' '.join(TABLES)}")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        return list_samples(path, read_table(path), options)


FORMAT = Tables()
