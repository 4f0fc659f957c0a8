"""Stories of a data set that goes to another machine: the same tree there, from paths, from a folder that was copied, from bytes alone."""

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.formats.write import export_version
from assay.curation.versioning import states
from tests.helpers import ROOT, folders, png, run_assay

ODD = [
    "nan",
    " ",
    "1.0",
    "2.0",
    "Käfer 🪲",
    "=1+1",
    "a\r\nb",
    'say "hi", ok',
    "None",
    "../..",
    "\tx",
    "pool",
    "'; drop table edits; --",
]


def painted(n, seed):
    """n different pictures as a table id, image, label, split."""
    rng = np.random.default_rng(seed)
    image = [png(rng.integers(0, 255, (6, 6, 3))) for _ in range(n)]
    split = np.array(["train", "train", "val", "test", "guard"])[np.arange(n) % 5]
    return pd.DataFrame(
        dict(
            id=[f"{i:03d}" for i in range(n)],
            image=image,
            label=[f"c{i % 3}" for i in range(n)],
            split=split,
        )
    )


@pytest.fixture
def here(tmp_path):
    """This machine: a bench of class folders, a CSV of paths and a Parquet of bytes; equal keys, a copy, odd labels, a pool, tags, drops."""
    home, tables = tmp_path / "ann", [painted(20, seed) for seed in range(3)]
    tables[1].loc[3, "image"] = tables[0].image[3]  # the same bytes in two sources
    folders(home / "classes", tables[0])
    (home / "classes" / "pool").mkdir()
    (home / "classes" / "pool" / "no label.png").write_bytes(png(np.eye(9) * 255))
    (home / "pics").mkdir()
    for row in tables[1].itertuples():
        (home / "pics" / f"{row.id}.png").write_bytes(row.image)
    csv = tables[1].assign(path="pics/" + tables[1].id + ".png").drop(columns="image")
    csv.assign(camera='"front"').to_csv(home / "one.csv", index=False)
    tables[2].to_parquet(home / "bytes.parquet")  # its ids are the CSV's ids
    for source in ("classes", "one.csv", "bytes.parquet"):
        status, _, err = run_assay("import", home / source, "-b", home / "bench", "--refreeze-test")
        assert status == 0, err
    bench = assay.open(home / "bench")
    train = bench.frame(split="train").index
    bench.edit(pd.DataFrame(dict(sample=train[: len(ODD)], label=ODD)), "ann", new_classes=ODD)
    bench.edit(pd.DataFrame(dict(sample=train[-4:], keep="false")), "ann")
    bench.edit(pd.DataFrame(dict(sample=train[:3], tag="a tag, odd")), "ann")
    pool = bench.frame(split="pool").index
    bench.edit(
        pd.DataFrame(dict(sample=pool, split="train")), "ann"
    )  # unlabelled, and yet in train
    bench.commit("as it goes", "ann", "v9")
    return home


def sent(home, *options):
    """(tree, folder) of an export."""
    out = home / "out"
    status, said, err = run_assay(
        "export", "--version", "v9", "-o", out, "--json", "-b", home / "bench", *options
    )
    assert status == 0, err
    return json.loads(said)["tree"], out


def arrived(source, bench, *options):
    """(tree, state) of an import in a process of its own, with another home, working folder and user."""
    home = bench.parent
    env = {k: v for k, v in os.environ.items() if k != "ASSAY_BENCH"} | dict(
        HOME=str(home), USER="bob", LOGNAME="bob", PYTHONPATH=str(ROOT)
    )
    command = [
        sys.executable,
        "-m",
        "assay",
        "import",
        os.path.relpath(source, home),
        "-b",
        bench.name,
        *options,
    ]
    ran = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    state = assay.open(bench).state()
    return states.hash_tree(state), state


@pytest.mark.parametrize(
    "manifest",
    ["manifest.csv", *(pytest.param(m, marks=pytest.mark.daily) for m in ("manifest.parquet", ""))],
)
def test_a_copied_manifest_reproduces_the_tree_anywhere(here, tmp_path, manifest):
    tree, out = sent(here, "--copy")
    before = assay.open(here / "bench").frame("v9")
    assert len(list((out / "images").iterdir())) == before.content_hash.nunique() < len(before), (
        "equal bytes once"
    )
    there = tmp_path / "bob"
    there.mkdir()
    shutil.move(out, there / "unzipped here")
    shutil.rmtree(here)  # bench, sources and all
    found, state = arrived(there / "unzipped here" / manifest, there / "bench")
    assert found == tree
    assert set(ODD) <= set(state.label) and "guard" in set(state.split)
    assert state.label.isna().sum() == 1 and set(state.split[state.label.isna()]) == {"train"}
    assert state.uri.str.startswith(str(there)).all()
    meta = [json.loads(m) for m in state.meta[state.meta.str.contains("camera")]]
    assert {m["camera"] for m in meta} == {'"front"'} and len(meta) > 10, (
        "what a source said of its samples came along"
    )
    again = json.loads(
        run_assay("export", "-o", there / "again", "--json", "-b", there / "bench")[1]
    )
    assert again["tree"] == tree, "and on from there"


@pytest.mark.slow
@pytest.mark.parametrize(
    "manifest", ["manifest.csv", pytest.param("manifest.parquet", marks=pytest.mark.daily)]
)
def test_images_are_found_by_their_bytes(here, tmp_path, manifest):
    tree, out = sent(here)
    there = tmp_path / "bob"
    (there / "mess" / "deep").mkdir(parents=True)
    shutil.move(out / manifest, there / manifest)
    for i, file in enumerate(sorted(here.rglob("*.png"))):
        shutil.move(
            file,
            there / "mess" / ("deep" if i % 2 else "") / f"renamed {i}.{'png' if i % 3 else 'dat'}",
        )
    shutil.move(here / "bytes.parquet", there / "mess" / "a b.parquet")
    (there / "mess" / "torn.parquet").write_bytes(b"PAR1")
    shutil.rmtree(here)
    status, _, err = run_assay("import", there / manifest, "-b", there / "none")
    assert (
        status == 2 and "--images FOLDER" in err and not (there / "none" / "assay.duckdb").exists()
    )
    found, state = arrived(there / manifest, there / "bench", "--images", "mess")
    assert found == tree and state.uri.str.startswith(str(there / "mess")).all()


@pytest.mark.daily
def test_a_lost_image_is_named_and_can_be_left_out(here, tmp_path):
    _, out = sent(here, "--copy")
    frame = assay.open(here / "bench").frame("v9").query("source == 'bytes.parquet'")
    lost, spoiled = (out / "images" / f"{content}.png" for content in frame.content_hash[:2])
    lost.unlink()
    spoiled.write_bytes(png(np.zeros((5, 5))))
    status, _, err = run_assay("import", out, "-b", tmp_path / "b")
    assert (
        status == 2
        and lost.name in err
        and "other bytes" in err
        and not (tmp_path / "b" / "assay.duckdb").exists()
    )
    status, _, err = run_assay("import", out, "-b", tmp_path / "b", "--images", here / "pics")
    assert (
        status == 2 and f"its bytes are not under {here / 'pics'}" in err and "other bytes" in err
    )
    assert run_assay("import", out, "-b", tmp_path / "b", "--skip-bad")[0] == 0
    kept = set(assay.open(tmp_path / "b").state().content_hash)
    assert lost.stem not in kept and spoiled.stem not in kept
    status, _, err = run_assay(
        "import", here / "one.csv", "-b", tmp_path / "c", "--images", here / "pics"
    )
    assert status == 0, "--images also says where the images of somebody else's table lie"
    assert len(assay.open(tmp_path / "c").state()) == 20
    status, _, err = run_assay(
        "import", out, "-b", tmp_path / "d", "--images", tmp_path / "nowhere"
    )
    assert status == 2 and "nowhere" in err


@pytest.mark.slow
def test_an_image_that_changed_since_is_not_passed_off_as_the_old_one(here):
    (here / "pics" / "001.png").write_bytes(png(np.zeros((5, 5))))
    status, _, err = run_assay("export", "-o", here / "x", "--copy", "-b", here / "bench")
    assert status == 2 and "has changed" in err and "001.png" in err
    (here / "pics" / "001.png").unlink()
    for how in ("manifest", "folders"):
        status, _, err = run_assay(
            "export", "-o", here / "x", "--copy", "--format", how, "-b", here / "bench"
        )
        assert (
            status == 2
            and "no such file" in err
            and not (here / "x").exists()
            and not list(here.glob(".x*"))
        )


@pytest.mark.parametrize("copy", [(), pytest.param(("--copy",), marks=pytest.mark.daily)])
def test_class_folders_bring_every_label_back(here, tmp_path, copy):
    _, out = sent(here, "--format", "folders", *copy)
    assert run_assay("import", out, "-b", tmp_path / "b")[0] == 0
    before, after = assay.open(here / "bench").frame("v9"), assay.open(tmp_path / "b").state()
    # one image is in train without a label, and class folders cannot say that
    pairs = [
        sorted(
            zip(f.content_hash, f.label.fillna("(none)"), f.split.where(f.label.notna(), "pool"))
        )
        for f in (before, after)
    ]
    assert pairs[0] == pairs[1]


@pytest.mark.daily
def test_a_bench_with_one_class_travels_too(here, tmp_path):
    bench = assay.open(here / "bench")
    frame = bench.frame()
    bench.edit(pd.DataFrame(dict(sample=frame.index[frame.split == "val"], keep="false")), "ann")
    run_assay("export", "-o", tmp_path / "out", "--copy", "-b", here / "bench")
    table = pd.read_parquet(tmp_path / "out" / "manifest.parquet").query("label == 'c0'")
    table.to_parquet(tmp_path / "out" / "manifest.parquet")
    status, _, err = run_assay(
        "import", tmp_path / "out" / "manifest.parquet", "-b", tmp_path / "b"
    )
    state = assay.open(tmp_path / "b").state()
    assert (
        status == 0
        and set(state.label) == {"c0"}
        and set(state.split) == {"train", "test", "guard"}
    ), "no val is drawn anew"


def plainly(frame):
    """The tree as design.md defines it."""
    kept = frame[frame.keep]
    rows = sorted(
        zip(kept.index, kept.content_hash, kept.label, kept.split), key=lambda row: row[0]
    )
    return sha256("\n".join(map(json.dumps, rows)).encode()).hexdigest()[:32]


def test_the_fast_tree_is_the_plain_one():
    rng, labels = (
        np.random.default_rng(0),
        [*ODD, "", "\\", '"', "\x7f\x1b[31m", "\ud83d", "x" * 10_000, "\u2028", "a", None],
    )
    for n in (0, 1, 500):
        ids = [rng.bytes(16).hex() for _ in range(n)]
        label = pd.Series([labels[i % len(labels)] for i in range(n)], ids, object)
        split = pd.Series(
            [["train", "val", "test", "pool", "guard"][i % 5] for i in range(n)], ids, object
        )
        frame = pd.DataFrame(
            dict(
                content_hash=[rng.bytes(16).hex() for _ in ids],
                label=label,
                split=split,
                keep=rng.random(n) < 0.9,
            ),
            ids,
        )
        assert states.hash_tree(frame) == plainly(frame)


def test_an_exported_manifest_that_was_imported_is_returned_in_all_its_files(bench, tmp_path):
    export_version(bench, tmp_path / "out")
    again = assay.create(tmp_path / "again").add(tmp_path / "out", who="ann", progress=False)
    frame = again.frame(split="train")
    new = "1" if frame.label.iloc[0] != "1" else "2"
    again.edit(pd.DataFrame(dict(sample=[frame.index[0]], label=[new])), who="ann")
    export_version(again, tmp_path / "back", format="source", copy=True)
    back = tmp_path / "back" / "out"
    old, text = ((p / "manifest.csv").read_bytes().split(b"\r\n") for p in (tmp_path / "out", back))
    assert sum(a != b for a, b in zip(old, text, strict=True)) == 1
    frames = [
        pd.read_csv(back / "manifest.csv", dtype=str),
        pd.read_parquet(back / "manifest.parquet"),
        pd.read_json(back / "manifest.jsonl", lines=True, dtype=False, convert_dates=False),
    ]
    assert all(f.set_index("sample_id").label[frame.index[0]] == new for f in frames)
