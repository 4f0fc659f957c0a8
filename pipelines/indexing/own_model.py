"""A person's own model: its probabilities and embeddings in place of ours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.arrays import save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards
from assay.curation.text import format_count
from assay.pipelines.indexing.own_probabilities import MatchedProbs

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class OwnModel:
    """What a person's own model says, by sample id; see `own_files.read_own_file`."""

    probs: pd.DataFrame | None = None  # a column for each class
    vectors: pd.DataFrame | None = None
    out_of_sample: bool = True  # the probabilities
    said: bool = True  # by a person; else they were made out of fold here


def store_embeddings(bench: Bench, state: pd.DataFrame, vectors: pd.DataFrame) -> str:
    """Store a person's embeddings; return their folder.

    Every sample needs one.
    """
    missing = state.index.difference(vectors.index)
    if len(missing):
        raise UserError(
            f"expected embeddings of all {format_count(len(state), 'sample')}, found none for {len(missing):,}",
            "add them: the graph needs every image",
        )
    array = vectors.loc[state.index].to_numpy("f4")
    folder = f"own-{sha256(array.tobytes()).hexdigest()[:12]}"
    shards = Shards(bench.arrays / "embeddings" / folder)
    hashes, first = np.unique(np.asarray(state.content_hash, "S32"), return_index=True)
    if (shards.find(hashes) < 0).any():
        shards.append(hashes, array[first])
    return folder


def store_probs(bench: Bench, ids: pd.Index, matched: MatchedProbs) -> None:
    """Store a person's probabilities as the second opinion."""
    save_arrays(
        bench.arrays / "second.npz",
        key=np.array("own"),
        classes=np.array(json.dumps(matched.classes)),
        ids=np.asarray(ids, "S32"),
        probs=matched.probs.astype("f4"),
    )
