"""Find images whose file is broken."""

from __future__ import annotations

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.media import jpeg_damage, stored_traits


def find_truncated(scan: ScanView, kind: str, threshold: float | None = None) -> list[Issue]:
    """Find broken files, read as far as they go.

    The score is the share of the picture that is there.
    """
    rows, out = scan.state[scan.state.keep], []
    shards = stored_traits.load_traits(scan.bench.arrays)
    looks = stored_traits.find_traits(shards, dict.fromkeys(rows.content_hash))
    for sample, content in rows.content_hash.items():
        if content in looks and looks[content].damage:
            missing = looks[content].missing
            why = jpeg_damage.WHY[int(looks[content].damage)].format(missing)
            out.append(Issue(kind, sample, 1 - missing, None, why))
    return out


FINDER = IssueFinder(
    {"truncated": Kind("the file ends early or is damaged: a part of the picture is missing")},
    find_truncated,
    media=("image",),
    order=70,
)
