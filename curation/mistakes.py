"""What a model gets wrong on validation, by the labels as given: the standing probe, a probe of another version, or a finished run."""

import json

import numpy as np

from curation import runs, suspects, versions
from curation.arrays import load
from curation.errors import UserError


def found(bench, version="HEAD", run=None):
    """Frame by sample id of the kept, labelled val samples that the model has predicted and not trained on: label, said (the class predicted),
    wrong, flagged (the label looks wrong to the probe: the mistake may be the label's)."""
    import pandas as pd

    state = bench.state(version)
    val = state[state.keep & (state.split == "val") & state.label.notna()]
    flags = suspects.opinion(bench, version)
    said = by_run(bench, run, val.index) if run else by_probe(bench, version).reindex(val.index).fillna("").to_numpy(object)
    out = pd.DataFrame(dict(label=val.label, said=said), index=val.index)
    out = out[out.said != ""]
    if run and len(val) and not len(out):
        raise UserError(f"expected predictions of val by run {run}, found none of these samples", "train it again: assay experiment")
    return out.assign(wrong=out.label != out.said, flagged=flags.flagged.reindex(out.index).eq(True))


def by_probe(bench, version="HEAD"):
    """Series id -> the class that the probe finds likeliest, of all samples but test and guard; those of train out of sample."""
    import pandas as pd

    if versions.is_head(bench, version):
        suspects.brought(bench)
        kept = load(bench.arrays / "opinion.npz")
        ids, probs, classes = kept["ids"].astype(str), kept["pred_probs"], json.loads(str(kept["classes"]))
    else:
        classes, part, X, probe = suspects.fit(bench, bench.state(version))
        ids, probs = part.index, probe.pred_probs(X)
    return pd.Series(np.array(classes, object)[probs.argmax(1)], pd.Index(ids, dtype=object))


def by_run(bench, name, ids):
    """The class that the run whose key begins with `name` predicts for each of `ids`, "" where it has not seen the sample."""
    table = bench.query("select key from runs where failed is null order by ts")
    keys = [key for key in table.key if key.startswith(name)] if len(name) >= 4 else []
    if len(keys) != 1:
        raise UserError(
            f"expected one finished run whose key begins with {name!r}, found {len(keys)}", "assay runs lists them; say 4 letters or more"
        )
    return runs.said(bench, keys[0], ids)
