"""Read the columns of a large bench's samples as Arrow arrays, one by one, from the parts of its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.filtering.column_arrays import (
    code_decisions,
    from_codes,
    make_lists,
    name_codes,
    read_issues,
)
from assay.curation.filtering.sample_rows import TEXTS, SampleRows
from assay.curation.label_quality.live import note_age
from assay.curation.label_quality.partitioned_scores import PartitionedScores, find_edited_rows
from assay.curation.review.partitioned_status import view_excerpt
from assay.curation.versioning.state_parts import FLAGS

if TYPE_CHECKING:
    import pyarrow as pa


def read_state_column(state: SampleRows, name: str) -> pa.Array:
    """Read a column of what stands, as column_arrays.read_state does."""
    import pyarrow as pa

    if name in ("label", "given_label", "split"):
        codes, names = state.read_codes(name)
        return from_codes(codes - 1, names[1:])
    if name in FLAGS:
        return pa.array(np.concatenate([p.flags[name] for _, p in state.parts.scan((name,))]))
    if name == "decision":
        return name_codes(np.concatenate([decide(p) for _, p in state.parts.scan(DECIDING)]))
    if name == "tags":
        codes, names = state.read_codes("tags")
        rows = np.flatnonzero(codes)
        sizes = [len(names[code]) for code in codes[rows].tolist()]
        tags = [tag for code in codes[rows].tolist() for tag in names[code]]
        return make_lists(np.repeat(rows, sizes), tags, len(state))
    if name in ("width", "height"):
        return state.read_fixed(name).cast(pa.float64())
    found = state.read_fixed("id" if name == "sample" else TEXTS[name])
    return found.dictionary_encode() if name == "source" else found.cast(pa.string())


DECIDING = ("verdict", "label", "given_label", "keep", "reviewed")


def decide(part: Any) -> np.ndarray:
    """Say by numbers what people decided about the samples of a part: (n,), -1 for nobody."""
    columns = {name: part.take(name) for name in DECIDING}
    return code_decisions(**columns)


def read_scores(state: SampleRows) -> dict[str, pa.Array]:
    """Read what the last scan made of the labels, but of samples that were edited since."""
    import pyarrow as pa

    scores, now = PartitionedScores.load(state.bench), state.parts
    if scores.upto < now.upto:
        note_age(now.upto - scores.upto)
    since = find_edited_rows(scores.state, now)
    n = len(state)
    numbers = {name: np.full(n, np.nan) for name in ("score", "confidence")}
    codes, flagged, scored = np.full(n, -1, "i4"), np.zeros(n, bool), np.zeros(n, bool)
    for number, (rows, at) in enumerate(scores.scan()):
        reviewed = now.load(number, ("reviewed",)).flags["reviewed"][rows - number * now.each]
        for name, values in numbers.items():
            values[rows] = scores.arrays[name][at]
        codes[rows], scored[rows] = scores.arrays["suggestion"][at], True
        flagged[rows] = scores.arrays["flagged"][at] & ~reviewed
    scored[since] = False
    codes[since] = -1
    for values in numbers.values():
        values[since] = np.nan
    out = {name: pa.array(values, from_pandas=True) for name, values in numbers.items()}
    suggestion = from_codes(codes, scores.classes)
    return out | dict(suggestion=suggestion, flagged=pa.array(flagged, mask=~scored))


def read_open_issues(state: SampleRows) -> dict[str, pa.Array]:
    """Read the kinds of each sample's open issues, as they were written last."""
    return read_issues(state.bench, state, scan=view_excerpt(state.bench, state.parts))
