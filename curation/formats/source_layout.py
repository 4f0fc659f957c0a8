"""The source's layout: what was imported, with corrected labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.formats.base import PatchableFormat, choose_best, list_formats

if TYPE_CHECKING:
    import pandas as pd


class SourceLayout:
    """A folder or table for each source, by the first format that its samples fit."""

    name = "source"

    def write(self, folder: Path, samples: pd.DataFrame, copy: bool) -> None:
        formats = list_formats(PatchableFormat)
        for source, part in samples.groupby("source"):
            format = choose_best(formats, [f.fits(part) for f in formats])
            assert format, "tables fit any samples"
            format.patch(folder, source, part, copy)


FORMAT = SourceLayout()
