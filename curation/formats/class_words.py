"""Note names that are probably no classes, such as dates.

Others are a camera's folders, and words for no label.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

DATE = re.compile(
    r"(19|20)\d\d([-_. ]?)[01]\d(\2[0-3]\d)?([-_ T].*)?|[0-3]\d[-_.][01]\d[-_.](19|20)\d\d"
)
CAMERA = re.compile(r"\d{3}(_?[A-Z]{2,5}_?|_\d{4}|[A-Z]{3}\d{2})|DCIM|Camera Roll", re.IGNORECASE)
# not "unknown" or "other", which are often classes
NO_LABEL = {
    *("n/a", "na", "#n/a", "none", "null", "nan", "nil", "-", "--", "?", "missing", "undefined"),
    *("unlabeled", "unlabelled", "no label", "not labeled", "not labelled"),
}


def note_odd_classes(labels: Iterable[str | None]) -> list[str]:
    """Note where all classes are named as dates or camera folders."""
    names = set(labels) - {None}
    kinds = {"dates": DATE, "folders of a camera": CAMERA}
    return [
        f"all classes are called as {kind} are, such as {min(names)}: if they are no classes,"
        " --pictures-only imports the images without labels"
        for kind, pattern in kinds.items()
        if names and all(pattern.fullmatch(name) for name in names)
    ]


def note_blank_words(labels: Iterable[str | None]) -> list[str]:
    """Note which classes are named by a word for no label."""
    counts = Counter(name for name in labels if name and name.strip().lower() in NO_LABEL)
    if not counts:
        return []
    found = ", ".join(f"{name!r} ({n:,})" for name, n in counts.items())
    return [
        f"{found} {'is a class' if len(counts) == 1 else 'are classes'} here: if that means no label,"
        " leave such cells empty, or those images outside of the class folders"
    ]
