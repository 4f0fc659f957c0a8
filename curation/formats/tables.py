"""Tables of images and labels: CSV, TSV and Parquet."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing, Match
from assay.curation.formats.copying import copy_images, read_originals
from assay.curation.formats.table_columns import as_texts
from assay.curation.formats.table_files import TABLES, TEXT_TABLES, read_table
from assay.curation.formats.table_rows import list_samples
from assay.curation.text import safe_name, write_csv

if TYPE_CHECKING:
    import pandas as pd

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

    def fits(self, samples: pd.DataFrame) -> Match:
        return Match("maybe", "a table can list any samples")

    def patch(self, folder: Path, source: str, samples: pd.DataFrame, copy: bool) -> None:
        """Write a CSV where a CSV was imported, else Parquet.

        It holds the image bytes where the source did.
        UserError where a table would be read as another text than it holds.
        """
        refuse_odd_texts(samples)
        suffix = ".csv" if source.endswith(TEXT_TABLES) else ".parquet"
        target = folder / (safe_name(Path(source).stem) + suffix)
        if os.path.lexists(target):
            raise UserError(
                f"expected a file for each source, found two that are to be {target.name}",
                "use --format manifest, which holds all",
            )
        in_rows = not all(map(os.path.isfile, samples.uri))
        if copy and not in_rows:
            paths = copy_images(folder / f"{safe_name(source)}-images", samples)
        else:
            paths = list(samples.uri)
        rows = list_cells(samples, paths)
        if suffix == ".csv":
            return write_csv(rows, target)
        if in_rows:
            images = {row.sample_id: blob for row, blob in read_originals(samples)}
            rows = rows.drop(columns="path").assign(image=[images[s] for s in samples.sample_id])
        rows.to_parquet(target, index=False)


FORMAT = Tables()


def refuse_odd_texts(samples: pd.DataFrame) -> None:
    for column in ("label", "key"):
        texts = list(samples[column])
        odd = [text for text, read in zip(texts, as_texts(texts, column)) if text != read]
        if odd:
            raise UserError(
                f"expected text that stays itself in any table, found the {column} {odd[0]!r}",
                "use --format manifest, which is exact",
            )


def list_cells(samples: pd.DataFrame, paths: list[str]) -> pd.DataFrame:
    """A row for each sample: id, path, label, split, then its metadata."""
    import pandas as pd

    rows = [
        json.loads(meta) | dict(id=key, path=path, label=label, split=split)
        for meta, key, path, label, split in zip(
            samples.meta, samples.key, paths, samples.label, samples.split
        )
    ]
    frame = pd.DataFrame(rows)
    return frame[FIRST + [column for column in frame if column not in FIRST]]
