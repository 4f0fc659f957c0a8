"""After sources are mended in place, the bench finds every image: those that moved, and those that are gone."""

import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation import UserError
from assay.curation.formats.write import export_version, write_in_place
from assay.curation.maintenance.image_checks import compare_originals
from assay.pipelines.indexing.ingest import ingest
from tests.curation.formats.test_layouts import LAYOUTS, every_layout, import_layout, write
from tests.helpers import ROOT, png
from tests.layouts.base import CLASSES


def decide(layout, bench, removed=3, relabelled=3):
    """Remove samples of train and give others another class, the first rows of the source among them."""
    train = bench.frame(split="train").index
    bench.edit(pd.DataFrame(dict(sample=train[:removed], keep="false")), who="ann")
    names = ["0", "1", "2"] if layout.numbers else CLASSES
    rows = bench.frame().loc[train[removed : removed + relabelled]]
    new = [names[(names.index(label) + 1) % 3] for label in rows.label]
    bench.edit(pd.DataFrame(dict(sample=rows.index, label=new)), who="ann")


def assert_finds_all(bench):
    gone, changed = compare_originals(bench.state())
    assert (gone, changed) == ({}, []), "every uri has the bytes that were imported"


@pytest.mark.daily  # a minute for all; the stories below cover each kind of file
@every_layout
def test_the_bench_finds_every_image_and_reads_the_source_as_before(layout, tmp_path):
    path = write(layout, tmp_path / "in")
    bench = import_layout(layout, path, tmp_path / "bench")
    decide(layout, bench)
    write_in_place(bench)
    assert_finds_all(assay.open(bench.path))
    assert bench.check() == []
    tree = export_version(bench, tmp_path / "out", format="manifest", copy=True)["tree"]
    assert [row["backup"] for row in write_in_place(bench)] == [None], "nothing is left to do"
    again = ingest(bench, path, "ann", layout.options)
    assert (again["added"], again["removed"], again["moved"]) == (0, 0, 0)
    assert export_version(bench, tmp_path / "again", format="manifest")["tree"] == tree
    assert_finds_all(bench)


def parquet_of_copies(path):
    """Rows of which 2 and 5, 6 and 7 are copies with other labels."""
    rng = np.random.default_rng(0)
    images = [png(rng.integers(0, 255, (6, 6, 3))) for _ in range(40)]
    images[5], images[7] = images[2], images[6]
    labels = [CLASSES[i % 3] for i in range(40)]
    splits = [("train", "train", "train", "val", "test")[i // 8] for i in range(40)]
    frame = pd.DataFrame(dict(image=images, label=labels, split=splits))
    frame.to_parquet(path, index=False)
    return frame


def test_copies_are_told_apart_when_one_of_them_goes(tmp_path):
    frame = parquet_of_copies(tmp_path / "x.parquet")
    bench = assay.create(tmp_path / "b").add(tmp_path / "x.parquet", who="ann", progress=False)
    at = dict(zip(bench.frame().key, bench.frame().index))
    bench.edit(pd.DataFrame(dict(sample=[at["0"], at["2"]], keep="false")), who="ann")
    write_in_place(bench)
    state = bench.state()
    assert [state.key[at[k]] for k in ("1", "3", "5", "6", "7")] == ["0", "1", "3", "4", "5"]
    assert state.uri[at["2"]].startswith(str(tmp_path / "x.parquet.assay-backup-1"))
    bench.add(tmp_path / "x.parquet", who="ann", progress=False)
    kept = bench.frame()
    assert len(kept) == 38 and set(kept.index) == {at[k] for k in at} - {at["0"], at["2"]}
    assert [kept.label[at[str(n)]] for n in (5, 6, 7)] == list(frame.label[[5, 6, 7]])


def test_a_second_mending_takes_no_other_row(tmp_path):
    frame = parquet_of_copies(tmp_path / "x.parquet")
    bench = assay.create(tmp_path / "b").add(tmp_path / "x.parquet", who="ann", progress=False)
    bench.edit(pd.DataFrame(dict(sample=bench.frame().index[:2], keep="false")), who="ann")
    write_in_place(bench)
    write_in_place(bench)
    bench.add(tmp_path / "x.parquet", who="ann", progress=False)
    write_in_place(bench)
    assert len(pd.read_parquet(tmp_path / "x.parquet")) == 38
    third = bench.frame(split="train").index[0]
    bench.edit(pd.DataFrame(dict(sample=[third], keep="false")), who="ann")
    write_in_place(bench)
    left = pd.read_parquet(tmp_path / "x.parquet").image.tolist()
    assert left == frame.image.tolist()[3:]
    assert_finds_all(bench)


def test_samples_of_another_source_in_the_same_file_are_found_too(tmp_path):
    frame = parquet_of_copies(tmp_path / "x.parquet")
    other = [png(np.full((5, 5, 3), i)) for i in range(40)]
    frame.assign(mask=other).rename(columns=dict(image="photo")).to_parquet(tmp_path / "x.parquet")
    bench = assay.create(tmp_path / "b")
    for column in ("photo", "mask"):
        columns = dict(image=column)
        bench.add(
            tmp_path / "x.parquet", who="ann", progress=False, columns=columns, name=column,
            refreeze_test=True,
        )  # fmt: skip
    photos = bench.frame().query("source == 'photo'").index
    bench.edit(pd.DataFrame(dict(sample=photos[:2], keep="false")), who="ann")
    write_in_place(bench)
    assert_finds_all(bench)


@pytest.mark.daily
@pytest.mark.parametrize("kind", ["parquet", "folders"])
def test_killed_before_the_bench_knows_importing_again_mends_it(kind, tmp_path):
    frame = parquet_of_copies(tmp_path / "x.parquet").drop([5, 7])
    path = tmp_path / "in"
    if kind == "parquet":
        path = tmp_path / "y.parquet"
        frame.to_parquet(path, index=False)
    else:
        for i, row in enumerate(frame.itertuples()):
            (path / row.split / row.label).mkdir(parents=True, exist_ok=True)
            (path / row.split / row.label / f"{i}.png").write_bytes(row.image)
    bench = assay.create(tmp_path / "b").add(path, who="ann", progress=False)
    train = bench.frame(split="train").index
    bench.edit(pd.DataFrame(dict(sample=train[:2], keep="false")), who="ann")
    new = bench.frame().label[train[2:5]].map(dict(zip(CLASSES, CLASSES[1:] + CLASSES[:1])))
    bench.edit(pd.DataFrame(dict(sample=train[2:5], label=new)), who="ann")
    tree = export_version(bench, tmp_path / "out", format="manifest", copy=True)["tree"]
    kill = (
        "import os, assay; from assay.curation.formats import write\n"
        "write.follow_images = lambda *_: os.kill(os.getpid(), 9)\n"
        f"write.write_in_place(assay.open({str(bench.path)!r}))"
    )
    killed = subprocess.run([sys.executable, "-c", kill], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert bench.check() != [], "a check says that images are not what they were"
    bench.add(path, who="ann", progress=False)
    assert export_version(bench, tmp_path / "again", format="manifest", copy=True)["tree"] == tree
    assert [row["backup"] for row in write_in_place(bench)] == [None], "no other row is taken"
    assert_finds_all(bench)


def test_what_was_handed_in_is_not_mended_in_place(tmp_path):
    frame = parquet_of_copies(tmp_path / "x.parquet")
    bench = assay.create(tmp_path / "b").add(frame, who="ann", progress=False, name="mine")
    bench.edit(pd.DataFrame(dict(sample=bench.frame().index[:2], keep="false")), who="ann")
    with pytest.raises(UserError, match="mine"):
        write_in_place(bench)
    assert_finds_all(bench)
    export_version(bench, tmp_path / "out", format="source", copy=True)
    assert len(pd.read_parquet(next((tmp_path / "out").glob("*.parquet")))) == 38


@pytest.mark.parametrize("name", ["npz of MedMNIST", "CIFAR's binary", "hugging face hub"])
def test_rows_that_go_and_move_between_splits_are_followed(name, tmp_path):
    (layout,) = [layout for layout in LAYOUTS if layout.name == name]
    path = write(layout, tmp_path / "in")
    bench = import_layout(layout, path, tmp_path / "bench")
    decide(layout, bench)
    val = bench.frame(split="val").index
    bench.edit(pd.DataFrame(dict(sample=val[:2], split="train")), who="ann")
    write_in_place(bench)
    assert_finds_all(assay.open(bench.path))
    before = bench.state()[["label", "split", "keep"]]
    assert [row["backup"] for row in write_in_place(bench)] == [None], "nothing is left to do"
    again = ingest(bench, path, "ann", layout.options)
    assert (again["added"], again["removed"], again["moved"]) == (0, 0, 0)
    pd.testing.assert_frame_equal(bench.state()[["label", "split", "keep"]], before)
    assert_finds_all(bench)
