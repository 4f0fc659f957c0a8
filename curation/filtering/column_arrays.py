"""Read the columns of all samples as Arrow arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import read_settings
from assay.curation.issues import image_properties, opinions
from assay.curation.issues.copies import load_copies
from assay.curation.issues.listing import load_issues, open_issues
from assay.curation.predictions.model_predictions import read_predicted
from assay.curation.slicing.clusters import Clusters
from assay.curation.storage.arrays import locate_hashes
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END, PERSON_KINDS
from assay.curation.storage.shards import Shards
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import ALIVE
from assay.curation.versioning.pointers import register_values

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from assay.curation.filtering.sample_rows import SampleRows
    from assay.curation.issues.base import ScanView

# a tag or a move to another split is no decision on a sample
DECIDED = f"and kind in {PERSON_KINDS} and field in ('label', 'keep')"
REVIEWERS = f"""with {ALIVE}
select distinct sample, who from alive order by sample, who"""


def read_state(bench: Bench, state: pd.DataFrame) -> dict[str, pa.Array]:
    """Read what stands: ids, names, labels, split, decisions, tags, sizes."""
    import pyarrow as pa

    text = ("source", "label", "given_label", "split")
    out = {name: encode_texts(state[name].to_numpy(object)) for name in text}
    out |= {
        "sample": pa.array(state.index.to_numpy(object), pa.string()),
        "key": pa.array(state.key.to_numpy(object), pa.string()),
        "path": pa.array(state.uri.to_numpy(object), pa.string()),
        "keep": pa.array(state.keep.to_numpy(bool)),
        "reviewed": pa.array(state.reviewed.to_numpy(bool)),
        "decision": name_decisions(state),
        "tags": make_lists(*list_tags(state), len(state)),
    }
    return out | {side: pa.array(state[side].to_numpy("f8")) for side in ("width", "height")}


def list_tags(state: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """List which row has which tag."""
    tags = state.tags.to_numpy(object)
    size = np.fromiter(map(len, tags), int, len(tags))
    return np.repeat(np.arange(len(tags)), size), [
        t for row in np.flatnonzero(size) for t in tags[row]
    ]


DECISIONS = ["confirmed", "relabelled", "unsure", "dropped", "restored"]


def name_decisions(state: pd.DataFrame) -> pa.Array:
    """Say what people decided about each sample; null where nobody has."""
    verdict, label, given = (state[c].to_numpy(object) for c in ("verdict", "label", "given_label"))
    keep, reviewed = (state[c].to_numpy(bool) for c in ("keep", "reviewed"))
    return name_codes(code_decisions(verdict, label, given, keep, reviewed))


def code_decisions(
    verdict: np.ndarray,
    label: np.ndarray,
    given_label: np.ndarray,
    keep: np.ndarray,
    reviewed: np.ndarray,
) -> np.ndarray:
    """Say what people decided about samples by places in DECISIONS: (n,), -1 for nobody."""
    relabelled = (verdict == "set") & (label != given_label)
    code = np.select(
        [~keep, verdict == "confirm", verdict == "unsure", relabelled], [3, 0, 2, 1], 4
    )
    return np.where(reviewed, code, -1)


def name_codes(codes: np.ndarray) -> pa.Array:
    return from_codes(codes, DECISIONS)


def read_reviewers(bench: Bench, state: pd.DataFrame, of_some: bool = False) -> dict[str, pa.Array]:
    """Read who has decided about each sample.

    What was undone does not count. of_some: `state` is a few rows, and the log is asked of these alone.
    """
    with bench.connect() as con:
        only = DECIDED
        offer_names(con)
        if of_some:
            register_values(con, "wanted", list(state.index))
            only += " and sample in (select sample from wanted)"
        found = con.execute(REVIEWERS.format(only=only), dict(upto=END)).fetchnumpy()
    rows = state.index.get_indexer(found["sample"])
    return dict(reviewers=make_lists(rows[rows >= 0], found["who"][rows >= 0], len(state)))


class ScoreReader:
    """Gives each scored row its place among all samples, which it remembers."""

    def __init__(self) -> None:
        self.index: pd.Index | None = None
        self.scored: np.ndarray | None = None
        self.rows: np.ndarray | None = None

    def find_rows(self, found: pd.DataFrame, state: pd.DataFrame) -> np.ndarray:
        """Find each scored one's row of the state, or -1."""
        ids = found.index.to_numpy()
        if (
            self.index is None
            or not state.index.is_(self.index)
            or not np.array_equal(ids, self.scored)
        ):
            self.rows = state.index.get_indexer(found.index)
            self.index, self.scored = state.index, ids
        return self.rows

    def read(self, found: pd.DataFrame, state: pd.DataFrame) -> dict[str, pa.Array]:
        """Read what the model makes of the labels.

        found: a frame as score_labels makes it.
        """
        import pyarrow as pa

        rows = self.find_rows(found, state)
        if (rows < 0).any():
            found, rows = found[rows >= 0], rows[rows >= 0]
        n, out = len(state), {}
        for name in ("score", "confidence"):
            values = np.full(n, np.nan)
            values[rows] = found[name]
            out[name] = pa.array(values, from_pandas=True)
        suggestion = encode_texts(found.suggestion.to_numpy(object))
        codes = np.full(n, -1, "i4")
        codes[rows] = suggestion.indices.fill_null(-1).to_numpy()
        flagged, scored = np.zeros(n, bool), np.zeros(n, bool)
        flagged[rows], scored[rows] = found.flagged, True
        suggestion = from_codes(codes, suggestion.dictionary)
        return out | dict(suggestion=suggestion, flagged=pa.array(flagged, mask=~scored))


def read_issues(
    bench: Bench,
    state: pd.DataFrame | SampleRows,
    flagged: np.ndarray | None = None,
    scan: ScanView | None = None,
) -> dict[str, pa.Array]:
    """Read the kinds of each sample's open issues.

    flagged (n,): where a session has newer label issues than the bench's file. scan: see load_issues.
    """
    rescore = flagged is None and scan is None
    found = load_issues(bench, columns=["kind", "sample"], rescore=rescore, scan=scan)
    if flagged is not None:
        found = found[(found.kind != "label").to_numpy()]
    found, rows = open_issues(state, found)
    kinds = found.kind.to_numpy(object)[rows >= 0]
    rows = rows[rows >= 0]
    if flagged is not None:
        more = np.flatnonzero(flagged)
        rows, kinds = np.append(rows, more), np.append(kinds, np.full(len(more), "label", object))
    order = np.lexsort((kinds.astype(str), rows)) if len(rows) else slice(None)
    return dict(issues=make_lists(rows[order], kinds[order], len(state)))


def read_clusters(bench: Bench, state: pd.DataFrame) -> dict[str, pa.Array]:
    """Read the fine cluster of each image."""
    kept = Clusters.load(bench.arrays / "clusters.npz", read_settings(bench)["folder"])
    if kept is None:
        raise UserError(
            "expected clusters of the images, found none yet",
            f"run: assay clusters -b {bench.given}",
        )
    at = locate_hashes(kept.hashes, state.content_hash)
    names = [f"cluster {i}" for i in range(int(kept.fine.max(initial=-1)) + 1)]
    return dict(cluster=from_codes(np.where(at < 0, -1, kept.fine[at]), names))


def read_duplicates(bench: Bench, state: pd.DataFrame) -> dict[str, pa.Array]:
    """Number the groups of kept exact and near duplicates."""
    import pyarrow as pa

    group, keep = load_copies(bench, state).groups, state.keep.to_numpy(bool)
    size = np.bincount(group[keep], minlength=group.max(initial=-1) + 1)
    several = keep & (size[group] > 1)
    return dict(duplicate_group=pa.array(group.astype("f8"), mask=~several))


def read_properties(bench: Bench, state: pd.DataFrame) -> dict[str, pa.Array]:
    """Read what the scan measured of each image."""
    import pyarrow as pa

    shards = Shards(bench.arrays / "quality" / image_properties.FOLDER)
    at = shards.find(state.content_hash)
    there = np.flatnonzero(at >= 0)
    values = np.full((len(state), len(image_properties.COLUMNS)), np.nan)
    if len(there):
        values[there] = shards.rows(state.content_hash.iloc[there])[np.arange(len(there))]
    columns = zip(image_properties.COLUMNS, values.T)
    return {name: pa.array(np.ascontiguousarray(v), from_pandas=True) for name, v in columns}


def read_opinion(bench: Bench, state: pd.DataFrame, name: str) -> dict[str, pa.Array]:
    """Read another tool's scores, and the labels that it suggests."""
    import pyarrow as pa

    said = opinions.load_opinion(bench, name)
    rows = state.index.get_indexer(said.ids)
    known, n = rows >= 0, len(state)
    out = {}
    for kind, scores in zip(said.kinds(), said.scores.T):
        values = np.full(n, np.nan)
        values[rows[known]] = scores[known]
        out[f"{kind}_score"] = pa.array(values, from_pandas=True)
    predicted = np.full(n, None, object)
    predicted[rows[known]] = np.array(said.predicted, object)[known]
    return out | {f"{name}_suggestion": encode_texts(predicted)}


def read_model_predictions(bench: Bench, state: pd.DataFrame, model: str) -> pa.Array:
    """Read the classes that a model's seeds predict of each sample.

    A list for each sample: [] where none has predicted it.
    """
    said = read_predicted(bench, model, state.index)
    if said.members is not None:
        # "" stands for the set itself, which may be empty: that is no missing prediction
        asked, (rows, classes) = (said.codes >= 0).any(0), said.members.any(0).nonzero()
        values = np.array(["", *said.classes], object)[
            np.r_[np.zeros(asked.sum(), int), classes + 1]
        ]
        return make_lists(np.r_[np.flatnonzero(asked), rows], values, len(state))
    rows = np.tile(np.arange(len(state)), len(said.codes))
    pairs = np.stack([rows, said.codes.ravel()])[:, said.codes.ravel() >= 0]
    if len(said.codes) > 1:
        pairs = np.unique(pairs, axis=1)
    return make_lists(pairs[0], np.array(said.classes, object)[pairs[1]], len(state))


PARTS: dict[str, Callable[[Bench, pd.DataFrame], dict[str, pa.Array]]] = dict(
    state=read_state,
    reviewers=read_reviewers,
    clusters=read_clusters,
    duplicates=read_duplicates,
    properties=read_properties,
)


# ---- Arrow arrays


def encode_texts(values: np.ndarray) -> pa.DictionaryArray:
    """Encode texts (n,) as numbers and the different texts; None is null."""
    import pandas as pd

    return from_codes(*pd.factorize(values))


def from_codes(codes: np.ndarray, names: list[str] | np.ndarray) -> pa.DictionaryArray:
    """Make a column of codes (n,) and their names.

    -1 is null.
    """
    import pyarrow as pa

    codes = pa.array(codes.astype("i4"), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(names), pa.string()))


def make_lists(rows: np.ndarray, values: np.ndarray | list[str], n: int) -> pa.ListArray:
    """Make a column of n lists: values[i] is of row rows[i]."""
    import pyarrow as pa

    order = np.argsort(rows, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    sorted_values = pa.array(np.asarray(values, object)[order], pa.string())
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), sorted_values)


def replace_rows(array: pa.Array, rows: np.ndarray, values: pa.Array) -> pa.Array:
    """Put other values (m,) into some rows (m,) of a column."""
    import pyarrow as pa

    both = pa.chunked_array([array, values]).unify_dictionaries().combine_chunks()
    at = np.arange(len(array))
    at[rows] = len(array) + np.arange(len(rows))
    return both.take(pa.array(at))


def hide_locked(array: pa.Array, locked: np.ndarray) -> pa.Array:
    """Make the values of test and guard samples null. locked (n,) bool."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not locked.any():
        return array
    if pa.types.is_list(array.type):  # Arrow has no if_else of lists
        null = locked | array.is_null().to_numpy(zero_copy_only=False)
        offsets = array.offsets.to_numpy()
        keep = np.repeat(~null, np.diff(offsets))
        size = np.where(null, 0, np.diff(offsets))
        ends = np.concatenate([[0], np.cumsum(size)])
        masked = pa.array(ends, pa.int32(), mask=np.append(null, False))
        return pa.ListArray.from_arrays(masked, array.flatten().filter(pa.array(keep)))
    if pa.types.is_dictionary(array.type):
        codes = pc.if_else(pa.array(locked), pa.scalar(None, pa.int32()), array.indices)
        return pa.DictionaryArray.from_arrays(codes, array.dictionary)
    return pc.if_else(pa.array(locked), pa.scalar(None, array.type), array)
