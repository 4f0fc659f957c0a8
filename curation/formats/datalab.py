"""A version with what a scan found, in Datalab's columns."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from assay.curation.formats.base import Export
from assay.curation.formats.copying import copy_images
from assay.curation.text import write_csv

TABLE = "datalab.csv"


class DatalabTable:
    """datalab.csv: a row for each sample, with Datalab's columns (is_label_issue, label_score, ...)."""

    name = "cleanlab"

    def write(self, folder: Path, export: Export) -> None:
        """Write the table; rows are in the order to which near_duplicate_sets refers.

        Lists are JSON.
        """
        assert export.bench, "the bench has the findings"
        samples, found, copy = export.samples, export.bench.findings(export.version), export.copy
        rows = samples.set_index("sample_id").loc[found.index]
        paths = rows.uri.to_numpy(object).copy()
        # an image inside of a Parquet file has no path of its own
        taken = np.array([copy or not os.path.isfile(uri) for uri in paths], bool)
        if taken.any():
            named = rows[taken].rename_axis("sample_id").reset_index()
            paths[taken] = copy_images(folder / "datalab-images", named)
        table = found.assign(path=paths, label=rows.label, split=rows.split, key=rows.key)
        if "near_duplicate_sets" in table:
            table["near_duplicate_sets"] = [json.dumps(s) for s in table.near_duplicate_sets]
        first = ["path", "label", "split", "sample", "key"]
        table = table.rename_axis("sample").reset_index()
        write_csv(table[first + [c for c in table if c not in first]], folder / TABLE)


FORMAT = DatalabTable()
