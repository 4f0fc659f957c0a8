"""A data set in the user's own FiftyOne, to import."""

from __future__ import annotations

from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.formats.base import Source
from assay.curation.formats.split_names import SPLITS, map_splits


def make_source(name: str, samples: list[dict], split_map: dict[str, str]) -> Source:
    """Make a source of a FiftyOne data set.

    `samples`: dicts id, filepath, label, tags. Its ids are the keys, since files move; a tag that names a split is one,
    the others are metadata.
    """
    import pandas as pd

    out, left_out, notes = [], [], []
    for s in samples:
        splits = sorted({t for t in s["tags"] if t in split_map or t.lower() in SPLITS})
        wrong = text.find_flaw(s["label"] or "")
        if len(splits) > 1 or wrong:
            several = f"has several splits: {', '.join(splits)}"
            left_out.append((s["id"], f"has a label that {wrong}" if wrong else several))
            continue
        tags = [t for t in s["tags"] if t not in splits]
        row = {
            "key": s["id"],
            "uri": s["filepath"],
            "label": s["label"],
            "split": next(iter(splits), None),
        }
        out.append(row | {"meta": {"tags": tags} if tags else {}})
    if not out:
        raise UserError(
            f"expected samples in the FiftyOne data set {name!r}, found none of {len(samples):,} usable",
            "is it the right one?",
        )
    map_splits(out, split_map, notes)
    return Source(pd.DataFrame(out, dtype=object), left_out, "FiftyOne data set", name, notes)
