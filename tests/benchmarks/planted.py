"""What of planted near duplicates, leakage and outliers is found, and what else is: on CIFAR images of 32 pixels and on solar cells of 300.

    python -m tests.benchmarks.planted [cifar] [cells] [outliers]

Copies are planted five ways (resized, recompressed, mirrored, cropped 5 %, the bytes themselves), a third of them from train into val (leakage). Precision
counts a pair as right if it is planted; CIFAR-10 has near duplicates of its own, so pairs of its own are counted beside it, not as wrong ones: who
wants to know whether those are right looks at them (`--sheet FILE.png`)."""

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.features import neighbor_graph, scan_settings
from assay.curation.formats.base import ImportOptions
from assay.curation.issues.outliers import score_outliers
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.benchmarks.tools import clock, need


def changed(image, way):
    """A copy of a PIL image as bytes: PNG, but for `recompressed`, which is JPEG at quality 70."""
    from PIL import Image, ImageOps

    w, h = image.size
    dx, dy = max(1, round(w * 0.025)), max(1, round(h * 0.025))
    made = dict(
        resized=lambda: image.resize((round(w * 0.75), round(h * 0.75)), Image.Resampling.BICUBIC),
        recompressed=lambda: image,
        mirrored=lambda: ImageOps.mirror(image),
        cropped=lambda: image.crop((dx, dy, w - dx, h - dy)),
    )[way]()
    out = io.BytesIO()
    made.convert("RGB").save(out, *(["JPEG"] if way == "recompressed" else ["PNG"]), quality=70)
    return out.getvalue()


WAYS = ("exact", "resized", "recompressed", "mirrored", "cropped")


def with_copies(table, n, seed=0):
    """The table with n planted copies of each way: a third of the originals are of val, and their copies of train."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    picked, out = rng.permutation(len(table))[: n * len(WAYS)], []
    for j, row in enumerate(picked):
        way, blob = WAYS[j % len(WAYS)], table.image.iloc[row]
        copy = blob if way == "exact" else changed(Image.open(io.BytesIO(blob)).convert("RGB"), way)
        out.append(
            dict(
                id=f"copy-{way}-{j}",
                image=copy,
                label=table.label.iloc[row],
                split="train",
                of=table.id.iloc[row],
                way=way,
            )
        )
    table = table.assign(split="train", of="", way="")
    table.loc[table.index[picked[::3]], "split"] = "val"
    return pd.concat([table, pd.DataFrame(out)], ignore_index=True)


def planted(name, table, n):
    """Scan a table with planted copies; print recall of each way, of leakage, and what else was called a near duplicate."""
    table, folder = with_copies(table, n), Path(tempfile.mkdtemp())
    table.to_parquet(folder / f"{name}.parquet")
    bench = assay.create(folder / "bench")
    ingest(
        bench, folder / f"{name}.parquet", "benchmark", ImportOptions(columns=dict(label="label"))
    )
    with clock(f"{name}: scan of {len(table):,}"):
        scan(bench, ScanOptions(hold_out=False), say=lambda line: print("   ", line, flush=True))
    state, graph = bench.state(), neighbor_graph.Graph.load(bench.arrays / "graph.npz")
    _, at = neighbor_graph.load_nodes(bench, state)
    node = pd.Series(at, state.key)
    copies = table[table.way != ""]
    pairs = {frozenset(p) for p in graph.pairs.tolist()}
    wanted = {frozenset((node[a], node[b])) for a, b in zip(copies.id, copies.of)}
    leaks = set(state.key[[s for s in bench.issues("leakage")["sample"]]])
    print(
        f"\n| {name} (limit of likeness {graph['limit']:.3f}) | planted | found | recall | leakage planted | found |\n|-|-|-|-|-|-|"
    )
    val = set(table.id[table["split"] == "val"])
    for way in WAYS:
        mine = copies[copies.way == way]
        hit = sum(
            node[a] == node[b] or frozenset((node[a], node[b])) in pairs
            for a, b in zip(mine.id, mine.of)
        )
        leaky = mine.id[mine.of.isin(val)]
        print(
            f"| {way} | {len(mine)} | {hit} | {hit / len(mine):.3f} | {len(leaky)} | {leaky.isin(leaks).sum()} |"
        )
    own = pairs - wanted
    kept = {i for pair in wanted for i in pair}
    print(
        f"pairs called near duplicates that nobody planted: {len(own):,}, of them {sum(bool(p & kept) for p in own)} touch a planted one",
        flush=True,
    )
    return bench, graph, sorted(map(sorted, own))


def sheet(bench, graph, pairs, file):
    """Pairs side by side, as an image to look at."""
    from PIL import Image

    from assay.curation.media.pixels import Pixels
    from assay.curation.storage.shards import Shards

    pixels = Pixels(Shards(bench.arrays / "pixels"), graph.hashes, 64)
    out = Image.new("RGB", (10 * 140, -(-len(pairs) // 10) * 70), "red")
    for r, pair in enumerate(pairs):
        for side, node in enumerate(pair):
            out.paste(Image.fromarray(pixels[node]), (r % 10 * 140 + side * 66, r // 10 * 70))
    out.save(file)


def cifar(n):
    import duckdb

    return duckdb.sql(
        f"select id, image, true_label as label from '{need('cifar10n.parquet')}' where split = 'train' limit {n}"
    ).df()


def cells():
    from elpv_dataset.utils import load_dataset
    from PIL import Image

    images, doubt, _ = load_dataset()
    out = []
    for x in images:
        blob = io.BytesIO()
        Image.fromarray(x).save(blob, "PNG")
        out.append(blob.getvalue())
    return pd.DataFrame(
        dict(
            id=[f"cell{i:04d}" for i in range(len(out))],
            image=out,
            label=np.where(doubt > 0.5, "bad", "good"),
        )
    )


def outliers(n=10_000):
    """The 1,077 crops of COCO objects, which are of other classes but for 70, among CIFAR images: ranked by the outlier score."""
    import duckdb
    from sklearn.metrics import roc_auc_score

    table, folder = cifar(n), Path(tempfile.mkdtemp())
    crops = duckdb.sql(f"select * from '{need('coco_crops64.parquet')}'").df()
    alike = crops.cifar10_class.notna()
    crops = pd.DataFrame(
        dict(
            id=[f"crop{i}" for i in range(len(crops))], image=crops.image, label=table.label.iloc[0]
        )
    )
    pd.concat([table, crops]).assign(split="train").to_parquet(folder / "both.parquet")
    bench = assay.create(folder / "bench")
    ingest(bench, folder / "both.parquet", "benchmark", ImportOptions(columns=dict(label="label")))
    with clock(f"outliers: scan of {len(table) + len(crops):,}"):
        scan(bench, ScanOptions(hold_out=False), say=lambda line: print("   ", line, flush=True))
    state = bench.state()
    graph, node = neighbor_graph.load_nodes(bench, state)
    score = score_outliers(graph.distances)[0][node]
    crop = state.key.str.startswith("crop").to_numpy()
    first = np.argsort(score, kind="stable")
    print(
        f"COCO crops against CIFAR by outlier score: area under the ROC curve {roc_auc_score(crop, -score):.3f}; {alike.sum()} crops of CIFAR classes"
    )
    for t in (0.2, np.exp(-1), 0.5, 0.7):
        print(
            f"below {t:.2f}: {(score[crop] < t).mean():.1%} of {crop.sum():,} crops, {(score[~crop] < t).mean():.1%} of {(~crop).sum():,} CIFAR images"
        )
    print(
        f"of the first {crop.sum():,}: {crop[first[: crop.sum()]].mean():.1%} crops (by chance {crop.mean():.1%})",
        flush=True,
    )
    alone(bench, crop, alike.to_numpy())


def alone(bench, crop, alike):
    """The same crops one at a time, as their distance to the ten nearest of 5,000 CIFAR images: together they are no outliers but a cluster."""
    from sklearn.metrics import roc_auc_score

    from assay.curation.storage.shards import Shards

    X = Shards(bench.arrays / "embeddings" / scan_settings.read_settings(bench)["folder"]).rows(
        bench.state().content_hash
    )
    X, own = X[np.arange(len(X))], np.flatnonzero(~crop)
    rest = X[own[:5000]]
    V = (X - rest.mean(0)) / np.maximum(rest.std(0), 1e-6)
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    far = [
        np.sqrt(np.maximum(2 - 2 * np.sort(V[at] @ V[own[:5000]].T, 1)[:, -10:], 0)).mean(1)
        for at in (crop, own[5000:6077])
    ]
    middle = np.median(far[1])
    z = [(f - middle) / (1.4826 * np.median(abs(far[1] - middle))) for f in far]
    print(
        f"one at a time: area {roc_auc_score(np.repeat([1, 0], [len(z[0]), len(z[1])]), np.concatenate(z)):.3f};",
        end=" ",
    )
    print(
        f"z above 1: {(z[0] > 1).mean():.1%} of crops, {(z[1] > 1).mean():.1%} of CIFAR's own; largest z {z[0].max():.1f} and {z[1].max():.1f};",
        end=" ",
    )
    print(
        f"median z of crops of CIFAR classes {np.median(z[0][alike]):.2f}, of others {np.median(z[0][~alike]):.2f}",
        flush=True,
    )


def main(*what):
    if "cifar" in what:
        found = planted("cifar", cifar(4_000), 100)
        sheet(*found[:2], found[2][:100], "/tmp/planted-cifar.png")
    if "cells" in what:
        found = planted("cells", cells(), 50)
        sheet(*found[:2], found[2][:100], "/tmp/planted-cells.png")
    if "outliers" in what:
        outliers()


if __name__ == "__main__":
    main(*(sys.argv[1:] or ("cifar", "cells", "outliers")))
