"""Find labels that the probe doubts."""

from __future__ import annotations

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.label_quality import live, scoring


def find_doubted_labels(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find the flagged labels of a version, or all below a threshold.

    The score is the label's own probability. At the end of the log an edit brings them up to date in the table of
    issues: see LiveScores.
    """
    found = live.label_scores(scan.bench, scan.version)
    found = found[found.flagged if threshold is None else found.score < threshold]
    why = scoring.explain_labels(scan.bench, scan.bench.state(scan.version), found)
    return [Issue(kind, *row) for row in zip(found.index, found.score, found.suggestion, why)]


FINDER = IssueFinder(
    {
        "label": Kind(
            "the model, asked without having seen it, says another class",
            threshold=0.5,  # of two classes the likelier has more than half; no threshold was chosen
            closed_by="review",
        )
    },
    find_doubted_labels,
    when="edit",
    order=20,
)
