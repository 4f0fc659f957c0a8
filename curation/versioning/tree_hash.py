"""The hash of a large version's tree, without the whole of it in memory."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.versioning import state_building
from assay.curation.versioning.partitioned_states import PartitionedState
from assay.curation.versioning.pointers import split_ids

if TYPE_CHECKING:
    import pyarrow as pa


def hash_partitioned_tree(state: PartitionedState) -> str:
    """Hash the kept (id, content hash, label, split) of a state: what states.hash_tree says of it.

    Samples come sorted by id, a range of ids at a time: 2 to 4 bytes of each are in memory."""
    endings, codes = code_endings(state)
    digest, begun = sha256(), False
    with state.bench.connect() as con:
        ranges = split_ids(con, state_building.AT_ONCE)
    for low, high in ranges:
        found = read_range(state, low, high)
        ending = codes[found["row"].to_numpy()]
        found, ending = found.filter(ending > 0), ending[ending > 0]
        if len(found):
            lines = join_lines(found, endings, ending)
            digest.update(lines if begun else lines[1:])  # each begins with its line's end
            begun = True
    return digest.hexdigest()[:32]


def code_endings(state: PartitionedState) -> tuple[list[str], np.ndarray]:
    """Code how each sample's line ends, with its label and split: (endings, codes (n,)).

    0 where the sample is not kept."""
    endings: dict[str, int] = {"": 0}
    codes = np.zeros(state.total, "u4")
    for first, part in state.scan(("label", "split", "keep")):
        labels, splits = (
            [json.dumps(v) for v in (None, *part.values[name])] for name in ("label", "split")
        )
        pairs = part.codes["label"].astype("i8") * len(splits) + part.codes["split"]
        there, place = np.unique(pairs, return_inverse=True)
        texts = [
            f'", {labels[p // len(splits)]}, {splits[p % len(splits)]}]' for p in there.tolist()
        ]
        numbers = np.array([endings.setdefault(text, len(endings)) for text in texts], "u4")
        codes[first : first + len(part)] = np.where(part.flags["keep"], numbers[place], 0)
    return list(endings), codes


def read_range(state: PartitionedState, low: str, high: str | None) -> pa.Table:
    """Read id, content hash and row of the samples in a range of ids, sorted."""
    with state.bench.connect() as con:
        return con.sql(
            """select id, content_hash, rowid as row from samples
            where id >= $low and ($high is null or id < $high) and rowid < $total order by id""",
            params=dict(low=low, high=high, total=state.total),
        ).to_arrow_table()


def join_lines(found: pa.Table, endings: list[str], ending: np.ndarray) -> memoryview:
    """Join samples to lines, each after a line's end: their bytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = pa.DictionaryArray.from_arrays(pa.array(ending.astype("i4")), pa.array(endings))
    columns = [pa.scalar('\n["'), found["id"], pa.scalar('", "'), found["content_hash"]]
    columns += [ends, pa.scalar("")]
    texts = [pc.cast(column, pa.large_string()) for column in columns]
    lines = pc.binary_join_element_wise(*texts)
    assert not lines.null_count, "every sample has an id and a hash of its content"
    parts = (array.buffers()[2] for array in getattr(lines, "chunks", [lines]))
    return memoryview(b"".join(parts))
