"""Find copies with different labels."""

from __future__ import annotations

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.issues.duplicates import group_copies

SHOWN = 5  # labels that a sentence names


def find_conflicting_duplicates(
    scan: ScanView, kind: str, threshold: float | None = None
) -> list[Issue]:
    label, ids, out = scan.state.label.to_numpy(object), scan.state.index, []
    for members in group_copies(scan.state, scan.copies.groups):
        found = sorted({label[i] for i in members} - {None})
        if len(found) < 2:
            continue
        for i in members:
            if label[i] is not None:
                first = found[found[0] == label[i]]
                why = f"labelled {label[i]}, a copy of it {list_others(found, label[i])}"
                out.append(Issue(kind, ids[i], 0.0, first, why))
    return out


def list_others(found: list[str], label: str) -> str:
    """List the labels of a group but for one, the first few by name."""
    others = [name for name in found[: SHOWN + 1] if name != label][:SHOWN]
    more = len(found) - 1 - len(others)
    return " and ".join([*others, *([f"{more:,} more"] if more else [])])


FINDER = IssueFinder(
    {"conflicting_duplicates": Kind("a copy of it has another label")},
    find_conflicting_duplicates,
    order=30,
)
