"""Neighbours whose label somebody called wrong in Review.

A tag in the log says so, so that all see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

CALLED = "called wrong"  # the tag; as in components/review/evidence.js
TAGGED = """select sample, arg_max(who, seq) from edits
    where field = 'tag' and value ->> 'name' = ? group by sample order by max(seq)"""


def list_called_wrong(bench: Bench) -> list[tuple[str, str]]:
    """List samples that were called wrong and are not yet decided.

    (sample, who), of train and val. A decision on one in Review takes its tag off with the same
    batch.
    """
    tagged, out = bench.rows(TAGGED, [CALLED]), []
    state = bench.state(columns=["tags", "keep", "split"], samples=[s for s, _ in tagged])
    for sample, who in tagged:
        row = state.loc[sample] if sample in state.index else None
        if row is not None and CALLED in row.tags and row.keep and row["split"] in ("train", "val"):
            out.append((sample, who))
    return out
