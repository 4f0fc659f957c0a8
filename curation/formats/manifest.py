"""Manifests: a version exactly as it is, which an import reads again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch
from assay.curation.formats.copying import copy_images
from assay.curation.formats.table_files import TABLES, read_first_column, read_table
from assay.curation.formats.table_patches import plan_patch
from assay.curation.formats.table_rows import list_samples
from assay.curation.media.base import media_of, read_texts
from assay.curation.text import write_csv

if TYPE_CHECKING:
    import pandas as pd

STEM = "manifest"  # its files are called so
COLUMNS = [
    "sample_id",
    "path",
    "label",
    "split",
    "source",
    "key",
    "content_hash",
    "given_label",
    "tags",
    "meta",
]


class Manifest:
    """manifest.csv, .parquet and .jsonl of any text, with the id and bytes' hash of each sample."""

    name = "manifest"
    suffixes = TABLES

    def matches(self, path: Path) -> Match:
        if path.is_dir() and (path / "assay.json").is_file() and (path / "manifest.csv").is_file():
            return Match("sure", "an export of Assay, with assay.json and manifest.csv")
        if path.is_file() and path.suffix.lower() in TABLES:
            if read_first_column(path) == COLUMNS[0]:
                return Match("sure", f"its first column is {COLUMNS[0]}")
        return Match("no", f"expects a table whose first column is {COLUMNS[0]}, or its folder")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        path = path / "manifest.csv" if path.is_dir() else path
        return list_samples(path, read_table(path), options)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the labels and splits in every manifest."""
        files = [source] if source.is_file() else sorted(source.glob(f"{STEM}.*"))
        plans = [plan_patch(file, source, changes, options) for file in files]
        rewritten = {name: write for plan in plans for name, write in plan.rewritten.items()}
        return Patch(rewritten, notes=plans[0].notes)

    def write(self, folder: Path, export: Export) -> None:
        """Write the three tables, which say the same.

        With `copy` the images lie beside them, so that the folder can go anywhere. Texts are in
        the tables themselves.
        """
        samples, columns = export.samples, COLUMNS
        tags = [json.dumps(list(tags)) for tags in samples.tags]
        texts = export.bench and read_texts(export.bench, samples.content_hash)
        if texts:
            held = media_of(export.bench).column
            table = samples.assign(tags=tags, **{held: texts})
            columns = [held if column == "path" else column for column in COLUMNS]
        else:
            paths = copy_images(folder / "images", samples) if export.copy else samples.uri
            table = samples.assign(path=paths, tags=tags)
        table = table[columns]
        write_csv(table, folder / f"{STEM}.csv")
        table.to_parquet(folder / f"{STEM}.parquet", index=False)
        table.to_json(folder / f"{STEM}.jsonl", orient="records", lines=True, force_ascii=False)


FORMAT = Manifest()
