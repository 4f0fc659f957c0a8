"""CIFAR-10N as it comes to a bench: photographs with the labels of people, other people's labels as metadata, a pool, copies, a gap."""

import io
import json

import duckdb
import numpy as np
import pandas as pd
from PIL import Image

import assay
from assay.curation.formats.base import ImportOptions
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import DATA, silent

COPIES = 12
GAP = "horse"  # of which train has hardly one, and the pool the others


def read_photographs(n=640, n_test=60):
    """A table id, image, split, aggre (the label), true_label, rand1, worst; pool rows have no label."""
    file = DATA / "cifar10n.parquet"
    parts = [
        duckdb.sql(f"select * from '{file}' where split = '{s}' order by id limit {k}").df()
        for s, k in (("train", n), ("test", n_test))
    ]
    table = parts[0].assign(split=np.array(["train", "val", "train", "pool"])[np.arange(n) % 4])
    few = table.index[(table["split"] == "train") & (table.true_label == GAP)][2:]
    table.loc[few, "split"] = "pool"
    copied = table[table["split"] == "train"].head(COPIES)
    copies = copied.assign(id="copy-" + copied.id, image=copied.image.map(saved_again))
    out = pd.concat([table, copies, parts[1]], ignore_index=True)
    return out.assign(aggre=out.aggre.where(out["split"] != "pool", None))


def saved_again(image):
    """The same photograph, as another program saves it."""
    out = io.BytesIO()
    Image.open(io.BytesIO(image)).save(out, "JPEG", quality=92)
    return out.getvalue()


def bench_of_photographs(folder, embedder="pixels"):
    """A scanned bench of them."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "photographs.parquet"
    read_photographs().to_parquet(source)
    bench = assay.create(folder / "photos")
    ingest(bench, source, "tester", ImportOptions(columns=dict(label="aggre")))
    scan(bench, ScanOptions(embedder=embedder, hold_out=False), say=silent)
    return bench


def true_labels(bench):
    """What each photograph shows: its metadata say so, as a person's eyes would."""
    return bench.state().meta.map(lambda m: json.loads(m)["true_label"])
