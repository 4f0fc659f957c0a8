"""Write the rows of any list as a page of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.pipelines.reports import contact_sheet
from assay.pipelines.reports.decision_sheet import write_decision_sheet

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

COARSE = 18  # clusters at most, where they are coarse


def write_any_sheet(bench: Bench, rows: pd.DataFrame, path: str | Path) -> Path:
    """Write a page of what queue, clusters, gaps, similar or suggest list."""
    if "upto" in rows and "random" in rows:
        edit = f"bench.edit('decisions.csv', who='YOU') of {bench.path.name}"
        return write_decision_sheet(bench, rows, path, edit)
    if "gap" in rows:
        return contact_sheet.write_gap_sheet(bench, rows, path)
    if "cluster" in rows:
        fine = len(rows) > COARSE or set(rows.cluster) & set(name_level(bench, "fine"))
        return contact_sheet.write_cluster_sheet(bench, rows, path, "fine" if fine else "coarse")
    if {"sample", "source_id", "path"} <= set(rows):
        text = rows.reason if "reason" in rows else [f"{score:.2f} alike" for score in rows.score]
        contact_sheet.write_search_sheet(bench, rows.assign(text=text), "What was found", path)
        return Path(path)
    raise UserError(
        f"expected what queue, clusters, gaps, similar or suggest list, found {', '.join(map(str, rows))}",
        "as in: bench.write_sheet(bench.gaps(), 'gaps.html')",
    )


def name_level(bench: Bench, level: str) -> list[str]:
    """Name the clusters of a level."""
    from assay.curation.slicing import cluster_names

    return list(cluster_names.name_clusters(bench, bench.state(), level).values())
