"""What a version says differently from its source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.formats.read import read_source
from assay.curation.formats.source_records import read_records
from assay.curation.media.addresses import is_address
from assay.curation.storage.interface import Bench
from assay.curation.versioning.expressions import is_expression
from assay.curation.versioning.pointers import find_position
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd

# who last said that a sample is kept, and its split
LAST = """
select sample, arg_max(origin_kind, seq) filter (field = 'keep') as kept_by,
       arg_max(origin_kind, seq) filter (field = 'split') as placed_by
from edits where field in ('keep', 'split') and seq <= ? group by sample"""
HELD_OUT_BY = "scan"  # what a scan holds out of training stays in the source


def list_changes(bench: Bench, source: str, version: str | int = "HEAD") -> pd.DataFrame:
    """List the samples about which a version and their source differ.

    Frame by sample id: key, uri, given_label (the source's own word for it), label (None: none), split (ours; None:
    unchanged) and removed (bool). What a scan held out as leakage is no change; a class that was renamed is one.
    """
    state = bench.state(version)
    state = state[state.source == source]
    state = state.assign(given_label=read_own_labels(bench, source, state, version))
    upto = find_position(bench, "HEAD" if is_expression(version) else version)
    last = bench.query(LAST, [upto]).set_index("sample").reindex(state.index)
    gone = last.kept_by == "import"  # the source does not hold it any more
    removed = ~state.keep & ~gone & (last.kept_by != HELD_OUT_BY)
    # a key that another sample has now is gone already: rows were numbered anew
    removed &= ~state.key.isin(state.key[state.keep])
    moved = (last.placed_by != "import") & last.placed_by.notna()
    changes = state[["key", "uri", "given_label", "label"]].assign(
        split=state["split"].where(moved, None), removed=removed
    )
    relabelled = state.label.fillna("\0") != state.given_label.fillna("\0")
    return changes[(relabelled | removed | moved) & (state.keep | removed)]


def read_own_labels(
    bench: Bench, source: str, state: pd.DataFrame, version: str | int
) -> pd.Series:
    """Read the labels that a source gave in its own words.

    The bench reads them through the renames of classes. Only the source knows whether it still says the old name,
    for it may have been mended since. state: of its samples.
    """
    import pandas as pd

    names = names_at(bench, version)
    record = read_records(bench).get(source) if names.renames else None
    if record is None or not (
        is_address(record.path) or record.path and Path(record.path).exists()
    ):
        return state.given_label
    listed = read_source(record.path, record.import_options()).frame
    said = dict(zip(listed.key, listed.label))
    own = [
        said[key] if said.get(key) and given in names.may_mean(said[key]) else given
        for key, given in zip(state.key, state.given_label)
    ]
    return pd.Series(own, state.index, dtype=object)


def count_held_out(bench: Bench, source: str, version: str | int = "HEAD") -> int:
    """Count a source's samples that a scan held out.

    They stay in the source.
    """
    state = bench.state(version)
    upto = find_position(bench, "HEAD" if is_expression(version) else version)
    last = bench.query(LAST, [upto]).set_index("sample").reindex(state.index)
    of = (state.source == source) & ~state.keep & (last.kept_by == HELD_OUT_BY)
    return int(of.sum())
