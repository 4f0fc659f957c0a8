"""Digits with a planted gap: what several stories of candidates share."""

import pandas as pd

from assay.curation.formats.base import ImportOptions
from assay.pipelines.indexing.ingest import ingest
from tests.helpers import digits, truth_of

PLAN = dict(seeds=2, epochs=4)


def three(bench, split, n=5):
    state = bench.state()
    return list(
        state.index[
            (state["split"] == split) & (truth_of(bench) == "3") & ~state.key.str.startswith("c")
        ][:n]
    )


def arrive(bench, folder, part=slice(1300, 1450), split="pool"):
    """New digits come; returns their ids."""
    before = set(bench.state().index)
    rows = digits(1797, wrong=0)[part].assign(split=split, label=None)
    rows = pd.concat(
        [rows, digits(1797, wrong=0)[1690:1700].assign(split="train")]
    )  # an import is of two classes
    source = folder / f"more{part.start}.parquet"
    rows.to_parquet(source)
    ingest(bench, source, "tester", ImportOptions(columns=dict(label="label")))
    return sorted(set(bench.state().index) - before)
