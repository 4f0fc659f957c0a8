"""Made label sets whose truth is known: short texts on one to three topics, with planted errors."""

import json

import numpy as np
import pandas as pd

import assay
from assay.pipelines.indexing.scan import ScanOptions, scan

TOPICS = {
    "food": "bread soup kitchen recipe oven cheese dinner chef taste salad",
    "health": "doctor hospital nurse patient medicine clinic surgery vaccine fever therapy",
    "money": "bank shares profit dividend market investor loan budget currency revenue",
    "music": "guitar orchestra concert singer melody album piano chorus drummer violin",
    "sport": "match striker stadium goal league coach keeper referee season trophy",
    "travel": "airport hotel luggage beach passport flight tourist cruise island ticket",
}


COMMON = "the about some again today people year place good many after first"


def write_sets(n=480, wrong=0.1, seed=0):
    """A table of n texts and `wrong` of the train and val ones with one membership turned: id, text, label (given, a
    list), truth (JSON of a list), split."""
    rng, names = np.random.default_rng(seed), sorted(TOPICS)
    rows = []
    for i in range(n):
        truth = sorted(rng.choice(names, rng.integers(1, 4), replace=False).tolist())
        told = [name for name in truth if rng.random() > 0.03]  # of the others no word is there
        words = [w for name in told for w in rng.choice(TOPICS[name].split(), 2, replace=False)]
        words += rng.choice(COMMON.split(), 3, replace=False).tolist()
        split = ("train", "train", "train", "train", "val", "test")[i % 6]
        given = set(truth)
        if split != "test" and rng.random() < wrong:
            given ^= {str(rng.choice(names))}
        text = " ".join(rng.permutation(words))
        rows.append(dict(id=f"{i:05}", text=text, label=sorted(given), truth=truth, split=split))
    return pd.DataFrame(rows).assign(truth=lambda t: t.truth.map(json.dumps))


def scan_sets(folder, n=240):
    """A scanned bench of n of them."""
    write_sets(n).to_parquet(folder / "sets.parquet")
    bench = assay.create(folder / "bench")
    bench.add(folder / "sets.parquet", who="source", progress=False)
    scan(bench, ScanOptions(embedder="tfidf"), say=lambda line: None)
    return bench


def scan_sites(folder):
    """900 made texts from two sites; of site b no word tells of music, whose label it has as often as elsewhere."""
    table, rng = write_sets(900, wrong=0), np.random.default_rng(1)
    table["site"] = rng.choice(["a", "b"], len(table), p=[0.7, 0.3])
    music, at_b = set(TOPICS["music"].split()), table.site == "b"
    table.loc[at_b, "text"] = [
        " ".join(rng.choice(COMMON.split()) if word in music else word for word in text.split())
        for text in table.text[at_b]
    ]
    table.to_parquet(folder / "sites.parquet")
    out = assay.create(folder / "sites")
    out.add(folder / "sites.parquet", progress=False)
    scan(out, ScanOptions(embedder="tfidf"), say=lambda line: None)
    return out


def truth_of(bench):
    """What each sample is really about: its metadata says so, and no score may read metadata."""
    return bench.state().meta.map(lambda meta: json.loads(meta)["truth"])
