"""Find classes with few samples."""

from __future__ import annotations

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.tasks.base import explode_labels, task_of
from assay.curation.text import format_count

RARE = 0.1  # of an even share of the samples, as cleanlab has it


def find_rare_classes(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find rare classes: the score is their share of an even share."""
    labels = explode_labels(task_of(scan.bench), scan.state.label[scan.is_labelled])
    names, out = labels.value_counts().sort_index(), []
    for name, n in names.items():
        share = n * len(names) / len(labels)
        why = (
            f"{name}: {n:,} of {len(labels):,} kept, labelled train and val samples, "
            f"{share:.1%} of an even share of {format_count(len(names), 'class')}"
        )
        if share < RARE if threshold is None else min(1.0, share) < threshold:
            out.append(Issue(kind, None, min(1.0, share), None, why))
    return out


FINDER = IssueFinder(
    {"class_imbalance": Kind("a class with few samples", RARE, whole=True)},
    find_rare_classes,
    order=90,
)
