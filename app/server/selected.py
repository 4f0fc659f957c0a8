"""Acts on selected samples that are no decisions.

They write a table of them, or find samples to look for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.curation.filtering.samples import SHOWN
from assay.curation.splits import LOCKED
from assay.curation.text import defuse_formulas

if TYPE_CHECKING:
    from assay.app.server.browse_view import BrowseView

MOST_LIKE = 20  # samples whose likes are looked for at once


def write_table(view: BrowseView, chosen: dict) -> tuple[bytes, int]:
    """Write chosen samples as a CSV, and count its rows.

    chosen: see BrowseView.chosen_positions. The columns are those of `assay samples --csv`: of test and guard samples
    neither label nor score.
    """
    with view.lock:
        table = view.refresh()
        rows = table.rows(view.chosen_positions(chosen), SHOWN).reset_index()
    for name in rows:
        rows[name] = [", ".join(v) if isinstance(v, tuple) else v for v in rows[name]]
    return defuse_formulas(rows).to_csv(index=False, lineterminator="\r\n").encode(), len(rows)


def find_seeds(view: BrowseView, chosen: dict) -> dict[str, Any]:
    """Find the samples to look for among chosen ones.

    Dict of ids and locked (how many were left out).
    """
    with view.lock:
        rows = view.refresh().rows(view.chosen_positions(chosen)[:MOST_LIKE], ["split"])
    locked = rows["split"].isin(LOCKED)
    return dict(ids=list(rows.index[~locked]), locked=int(locked.sum()))
