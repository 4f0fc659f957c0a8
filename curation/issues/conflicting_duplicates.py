"""Find copies with different labels."""

from __future__ import annotations

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.issues.duplicates import group_copies


def find_conflicting_duplicates(
    scan: ScanView, kind: str, threshold: float | None = None
) -> list[Issue]:
    label, ids, out = scan.state.label.to_numpy(object), scan.state.index, []
    for members in group_copies(scan.state, scan.copies.groups).values():
        for i in members:
            others = sorted({label[j] for j in members if label[j] not in (None, label[i])})
            if label[i] is not None and others:
                why = f"labelled {label[i]}, a copy of it {' and '.join(others)}"
                out.append(Issue(kind, ids[i], 0.0, others[0], why))
    return out


FINDER = IssueFinder(
    {"conflicting_duplicates": Kind("a copy of it has another label")},
    find_conflicting_duplicates,
    order=30,
)
