"""What a model gets wrong on validation, by the labels as given: the standing probe, a probe of another version, or a finished run."""

import json

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality import judges, live
from assay.curation.predictions import runs
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import load
from assay.curation.versioning import versions


def found(bench, version="HEAD", run=None):
    """Frame by sample id of the kept, labelled val samples that the model has predicted and not trained on: label, said (the class predicted),
    wrong, flagged (the label looks wrong to the probe: the mistake may be the label's)."""
    import pandas as pd

    state = bench.state(version)
    val = state[state.keep & (state.split == "val") & state.label.notna()]
    said, flagged = by_probe(bench, state, version, val.index)
    said = by_run(bench, run, val.index) if run else said
    out = pd.DataFrame(
        dict(label=val.label, said=said, wrong=val.label.to_numpy(object) != said, flagged=flagged),
        index=val.index,
    )
    out = out[out.said != ""]
    if run and len(val) and not len(out):
        raise UserError(
            f"expected predictions of val by run {run}, found none of these samples",
            "train it again: assay experiment",
        )
    return out


def by_probe(bench, state, version, ids):
    """(the class that the probe finds likeliest for each of the samples `ids` of val, objects; whether its label looks wrong, bool), each (m,)."""
    if versions.is_head(bench, version):
        live.brought(bench)
        kept = load(bench.arrays / "opinion.npz")
        known, probs, classes = kept["ids"], kept["pred_probs"], json.loads(str(kept["classes"]))
        flagged = np.zeros(len(known), bool)
        flagged[kept["rows"]] = kept["flagged"]
    else:
        part, classes, probs, _ = judges.of_version(bench, version)
        known, flagged = (
            np.asarray(part.index, "S32"),
            live.opinion(bench, version).flagged.reindex(part.index).eq(True).to_numpy(),
        )
    judged = ~state.split.isin(
        LOCKED
    ).to_numpy()  # of these rows of the state it is, in their order
    rows = (np.cumsum(judged) - 1)[state.index.get_indexer(ids)]
    if len(known) != judged.sum() or not np.array_equal(known[rows], np.asarray(ids, "S32")):
        raise UserError(
            "expected a scan of the samples as they are, found one of others",
            f"run: assay scan -b {bench.given}",
        )
    return np.array(classes, object)[probs[rows].argmax(1)], flagged[rows]


def by_run(bench, name, ids):
    """The class that the run whose key begins with `name` predicts for each of `ids`, "" where it has not seen the sample."""
    table = bench.query("select key from runs where failed is null order by ts")
    keys = [key for key in table.key if key.startswith(name)] if len(name) >= 4 else []
    if len(keys) != 1:
        raise UserError(
            f"expected one finished run whose key begins with {name!r}, found {len(keys)}",
            "assay runs lists them; say 4 letters or more",
        )
    return runs.said(bench, keys[0], ids)
