"""Every sample's scores and flags, in Datalab's columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.issues.base import ScanView
from assay.curation.issues.finders import find_below, list_finders
from assay.curation.issues.listing import load_issues, view_scan
from assay.curation.label_quality.live import label_scores
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

COPIES = ("near_duplicate", "exact_duplicates")


def tabulate_findings(bench: Bench, version: str = "HEAD") -> pd.DataFrame:
    """Tabulate what a scan found of each kept sample.

    Frame by sample, in the bench's order, as Datalab.get_issues() has it: for label, near_duplicate and every kind of
    one's own score is_KIND_issue and KIND_score (0 to 1, low is bad); given_label, predicted_label; near_duplicate_sets
    (row numbers of the frame) and distance_to_nearest_neighbor (of unit vectors). A label that is not judged (test,
    guard, pool, too few of its class) has no score. UserError where the images are not scanned.
    """
    import pandas as pd

    state = bench.state(version)
    kept = state[state.keep]
    labels = label_scores(bench, version, scan_needed=False).reindex(kept.index)
    out = pd.DataFrame(index=kept.index.rename("sample"))
    out["is_label_issue"] = (labels.flagged == True).to_numpy(bool)  # noqa: E712 - NaN is no issue
    out["label_score"] = labels.score.to_numpy("f8")
    out["given_label"] = kept.label.to_numpy(object)
    out["predicted_label"] = labels.suggestion.to_numpy(object)
    scan, listed = view_scan(bench, version), load_issues(bench, version=version)
    add_copies(out, scan, listed)
    for kind in list_scored_kinds(scan.media.name):
        scores = find_scores(scan, kind)
        flagged = set(listed["sample"][listed.kind == kind])
        if scores or flagged:
            out[f"is_{kind}_issue"] = out.index.isin(flagged)
            out[f"{kind}_score"] = [scores.get(s, 1.0) for s in out.index]
    return out


def list_scored_kinds(media: str) -> list[str]:
    """List the kinds of issues in which every sample of a medium has a score."""
    return [
        name
        for finder in list_finders()
        if finder.when == "scan" and finder.fits(media)
        for name, kind in finder.kinds.items()
        if kind.threshold is not None and not kind.whole and name not in COPIES
    ]


def find_scores(scan: ScanView, kind: str) -> dict[str, float]:
    """Find the scores of a kind that are below 1, by sample."""
    try:
        found = find_below(scan, kind, 1.0)
    except UserError:  # an older scan did not measure it
        return {}
    return {s: float(v) for s, v in zip(found["sample"], found.score) if s is not None}


def add_copies(out: pd.DataFrame, scan: ScanView, listed: pd.DataFrame) -> None:
    """Add the columns of near duplicates.

    Equal files are among them, as Datalab has it.
    """
    row_of = {sample: row for row, sample in enumerate(out.index)}
    node = dict(zip(scan.state.index, scan.node))
    on_node: dict[int, list[int]] = {}
    for sample, row in row_of.items():
        on_node.setdefault(int(node[sample]), []).append(row)
    near: dict[int, list[int]] = {}
    for a, b in scan.copies.near[:, :2].astype(int).tolist():
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    scores = find_scores(scan, "near_duplicate")
    sets, distances = [], []
    for sample, row in row_of.items():
        mine = int(node[sample])
        others = [r for n in (mine, *near.get(mine, ())) for r in on_node.get(n, ()) if r != row]
        sets.append(sorted(others))
        equal = len(on_node[mine]) > 1
        distances.append(
            0.0 if equal else float(scan.graph.distances[mine][:1].min(initial=np.inf))
        )
        if equal:
            scores[sample] = 0.0
    flagged = set(listed["sample"][listed.kind.isin(COPIES)])
    out["is_near_duplicate_issue"] = out.index.isin(flagged)
    out["near_duplicate_score"] = [scores.get(s, 1.0) for s in out.index]
    out["near_duplicate_sets"] = sets
    out["distance_to_nearest_neighbor"] = distances
