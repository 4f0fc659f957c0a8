"""Find classes whose names differ in capitals, blanks, accents or Unicode form."""

from __future__ import annotations

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.versioning.similar_names import group_similar_names, merge_command


def find_similar_classes(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find classes that are probably one and the same.

    There is an issue for each name to merge. The suggestion is the commonest name. Names that only
    test has count, too, for a name is no judgement; its samples are not counted.
    """
    return [
        Issue(
            kind,
            None,
            0.0,
            group.name,
            f"{other!r} ({n:,}) looks like {group.name!r} ({group.n:,}): "
            + merge_command(other, group.name, scan.bench.given).replace("\n", "\\n"),
        )
        for group in group_similar_names(scan.count_labels())
        for other, n in group.others.items()
    ]


FINDER = IssueFinder(
    {"similar_class_names": Kind("classes whose names look like one", whole=True)},
    find_similar_classes,
    when="look",
    order=95,
)
