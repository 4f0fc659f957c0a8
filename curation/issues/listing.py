"""List the issues of a version, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownName, UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.issues.base import COLUMNS, ScanView
from assay.curation.issues.finders import find_below, find_issues, list_kinds
from assay.curation.issues.leakage import ignore_leakage_holdout
from assay.curation.issues.not_copies import was_told_apart
from assay.curation.issues.opinions import list_opinion_issues, opinion_kinds
from assay.curation.label_quality.live import refresh_scores
from assay.curation.media.base import media_of
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.versioning import pointers
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd

OF_COPIES = ("near_duplicate", "conflicting_duplicates", "leakage")
SHOWN = "kind sample source_id path split label score suggestion why".split()


def list_issues(
    bench: Bench, kind: str | None = None, version: str = "HEAD", threshold: float | None = None
) -> pd.DataFrame:
    """List the open issues of a version, worst first.

    Frame kind, sample, source_id, path, split, label, score, suggestion, why. Worst first. Issues of samples that are
    out, and label issues of reviewed ones, have been dealt with and are left out. What is about the whole names no
    sample. `threshold`: of one kind, whatever scores below it, in place of what the scan's own threshold found.
    """
    if threshold is None:
        found = load_issues(bench, kind, version)
        found = found.sort_values(["kind", "score", "sample"], kind="stable")
    elif kind is None or not 0 <= threshold <= 1:
        raise UserError(
            f"expected one kind and a threshold from 0 to 1, found {kind} and {threshold}",
            "for example: --kind outlier --threshold 0.3",
        )
    else:
        found = find_below(view_scan(bench, version), kind, threshold)
    return add_sources(bench, found, version)


def view_scan(bench: Bench, version: str) -> ScanView:
    """View a version as finders see it: held-out leakage is in."""
    return ScanView(bench, ignore_leakage_holdout(bench, bench.state(version)), version)


def load_issues(
    bench: Bench,
    kind: str | None = None,
    version: str = "HEAD",
    columns: Sequence[str] = COLUMNS,
    rescore: bool = True,
    scan: ScanView | None = None,
) -> pd.DataFrame:
    """Read all issues of a version, in no order.

    Also those that have been dealt with; some of the columns. rescore: whether label issues are brought to the present
    labels first. scan: what finders look at, where that is not the whole state.
    """
    import pandas as pd

    scan = scan or ScanView(bench, bench.state(version), version)
    found = find_issues(scan, when=("look",))[list(columns)]
    theirs = opinion_kinds(bench)
    if theirs:  # of other tools, under their names
        said = list_opinion_issues(bench, scan.state)[list(columns)]
        found = pd.concat([found, said], ignore_index=True) if len(found) else said
    # else there is nothing to wait for
    if is_scanned(bench) or found.empty and kind not in (*list_kinds(when=("look",)), *theirs):
        scanned_issues = load_scan_issues(bench, version, columns, rescore)
        both = [scanned_issues, found] if len(found) else [scanned_issues]
        found = pd.concat(both, ignore_index=True)
    if kind is None:
        return found
    if kind not in list_kinds() and kind not in set(found.kind) | set(theirs):
        known = [*list_kinds(media=media_of(bench).name), *theirs]
        raise UnknownName(
            f"expected an issue kind, found {kind!r}",
            f"there are {', '.join(known)}",
            kind,
            known,
        )
    return found[(found.kind == kind).to_numpy()]


def load_scan_issues(
    bench: Bench,
    version: str = "HEAD",
    columns: Sequence[str] = COLUMNS,
    rescore: bool = True,
) -> pd.DataFrame:
    """Read what the last scan found, or would have found.

    That is what it would have found in another version. Some of the columns.
    """
    if pointers.is_head(bench, version):
        if rescore:
            refresh_scores(bench)
        found = bench.query(f"select {', '.join(columns)} from issues")
        if was_told_apart(bench):
            found = renew_copies(bench, found, version)
        return call_suggestions(bench, found) if "suggestion" in columns else found
    return find_issues(view_scan(bench, version), when=("edit", "scan"))[list(columns)]


def renew_copies(bench: Bench, found: pd.DataFrame, version: str) -> pd.DataFrame:
    """Find the issues of copies anew, as people told some apart.

    They may have done so before or since the scan.
    """
    import pandas as pd

    new = find_issues(view_scan(bench, version), ("scan", "edit"), kinds=OF_COPIES)
    rest = found[~found.kind.isin(OF_COPIES)]
    return pd.concat([rest, new[list(found.columns)]], ignore_index=True) if len(new) else rest


def call_suggestions(bench: Bench, found: pd.DataFrame) -> pd.DataFrame:
    """Call the suggested classes by the names that they have now."""
    names = names_at(bench)
    if not names.renames:
        return found
    former = names.former_of(bench.state().label)
    called = {s: names.call_cell(s, former) for s in found.suggestion.dropna().unique()}
    return found.assign(suggestion=found.suggestion.map(lambda said: called.get(said, said)))


def open_issues(state: pd.DataFrame, found: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Leave out issues (frame kind, sample, ...) that have been dealt with.

    Returns them, and the row of the state that each one's sample is, -1 for none.
    """
    rows = state.index.get_indexer(found["sample"])
    keep, reviewed = (
        np.append(state[column].to_numpy(bool), False)[rows] for column in ("keep", "reviewed")
    )
    closed_by = {name: kind.closed_by for name, kind in list_kinds().items()}
    closed_by = found.kind.map(closed_by).to_numpy(object)
    stays = found["sample"].isna().to_numpy() | (closed_by == "nothing")
    is_open = stays | keep & ~(reviewed & (closed_by == "review"))
    return found[is_open], rows[is_open]


def add_sources(bench: Bench, found: pd.DataFrame, version: str) -> pd.DataFrame:
    """Say each open issue's source and label.

    Not that of test and guard.
    """
    state = bench.state(version)
    found, rows = open_issues(state, found)
    about = {
        c: np.append(state[c].to_numpy(object), None)[rows]
        for c in ("key", "uri", "split", "label")
    }
    about["label"][np.isin(about["split"], LOCKED)] = None
    found = found.assign(
        source_id=about["key"], path=about["uri"], split=about["split"], label=about["label"]
    )
    return found[SHOWN].reset_index(drop=True)
