"""Collect what a scan knows beyond labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.predictions import model_errors
from assay.curation.selection import triggers
from assay.curation.slicing import cluster_table, gaps
from assay.curation.splits import LOCKED
from assay.pipelines.reports.map_picture import draw_map
from assay.pipelines.reports.sample_pictures import load_pictures, picture_frame

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

GAPS, EACH = 12, 8  # gaps on the page, pictures of each
EXAMPLES = 4  # pictures of an issue kind, or of what a trigger caught
KINDS, WHOLE = 16, 8  # rows of either kind at most


def collect_facts(bench: Bench) -> dict | None:
    """Collect gaps, other issues, what triggers caught, and the map.

    None where the bench is not scanned as it stands. No test or guard sample is pictured or judged.
    """
    try:
        found, wrong = gaps.find_gaps(bench), model_errors.find_model_errors(bench)
        issues, state = bench.issues(), bench.state()
        regions = cluster_table.tabulate_clusters(bench, level="coarse")
        active = triggers.active_triggers(bench)
    except UserError:
        return None
    unlocked = state[~state.split.isin(LOCKED)]  # leakage that is held out is still to be seen
    wrong = wrong[wrong.wrong & wrong.index.isin(unlocked.index[unlocked.keep])]

    def pictures(ids: Iterable, most: int, said: pd.Series | None = None) -> list[dict]:
        part = unlocked.loc[[s for s in ids if s in unlocked.index][:most]]
        now = said.reindex(part.index) if said is not None else ""
        return load_pictures(picture_frame(part, now, part.split), bench)

    rows = []
    for row in found.head(GAPS).to_dict("records"):
        mine = wrong.index[wrong.index.isin(gaps.gap_members(bench, row["gap"]))]
        # where the bench lies here is nobody's business elsewhere
        row["action"] = row["action"].replace(f"-b {bench.given}", f"-b {bench.path.name}")
        rows.append(row | dict(pictures=pictures(mine, EACH, wrong.said)))
    kinds, whole = [], []
    for kind, of in issues[issues.kind != "label"].groupby("kind", sort=False):
        whole += [(kind, why) for why in of.why[of["sample"].isna()]]
        if len(ids := list(of["sample"].dropna())):
            kinds.append(dict(kind=kind, n=len(ids), pictures=pictures(ids, EXAMPLES)))
    caught = [
        dict(
            name=name, said=t["said"], n=len(t["caught"]), pictures=pictures(t["caught"], EXAMPLES)
        )
        for name, t in active.items()
    ]
    return dict(
        n_gaps=len(found),
        gaps=rows,
        kinds=sorted(kinds, key=lambda k: -k["n"])[:KINDS],
        whole=whole[:WHOLE],
        n_whole=len(whole),
        triggers=caught[:KINDS],
        map=draw_map(bench, state, regions),
    )
