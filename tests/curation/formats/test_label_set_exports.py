"""Label sets go out in the formats that hold them, and come in again as they were."""

import io
import json
import tarfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import assay
from assay.curation.errors import UserError

SETS = [["cat"], ["dog", "cat"], [], None, ["emu", "dog"], ["cat", "emu"]]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Six pictures, each with its set of cat, dog and emu; the fourth has no label."""
    folder = tmp_path_factory.mktemp("exports")
    for i in range(6):
        pixels = np.random.default_rng(i).integers(0, 255, (8, 8, 3), "u1")
        Image.fromarray(pixels).save(folder / f"{i}.png")
    rows = [dict(image=f"{i}.png", labels=names) for i, names in enumerate(SETS)]
    lines = [
        json.dumps(row | dict(split="train" if i < 4 else "test")) for i, row in enumerate(rows)
    ]
    (folder / "s.jsonl").write_text("\n".join(lines))
    out = assay.create(folder / "b")
    out.add(folder / "s.jsonl", progress=False)
    return out


def by_picture(bench):
    state = bench.state()
    return dict(zip(state.content_hash, state.label.where(state.label.notna(), None)))


@pytest.mark.parametrize("format", ["manifest", "webdataset", "huggingface"])
def test_sets_that_went_out_come_in_again(bench, tmp_path, format):
    said = bench.export(tmp_path / "out", format=format, copy=True)
    again = assay.create(tmp_path / "again")
    file = tmp_path / "out" / ("manifest.csv" if format == "manifest" else "")
    again.add(file, progress=False)
    assert by_picture(again) == by_picture(bench)
    if format != "huggingface":  # which has no place for ids
        assert again.commit("again", who="ann")["tree"] == said["tree"]


def test_a_changed_set_is_written_into_shards_again(bench, tmp_path):
    bench.export(tmp_path / "out", format="webdataset")
    again = assay.create(tmp_path / "again")
    again.add(tmp_path / "out", progress=False)
    sample = again.state().index[again.state().label == '["cat"]'][0]
    again.edit(pd.DataFrame(dict(sample=[sample], label=["emu|dog"])), who="ann")
    again.export(tmp_path / "mended", format="source")
    third = assay.create(tmp_path / "third")
    third.add(next(f for f in (tmp_path / "mended").iterdir() if f.is_dir()), progress=False)
    assert by_picture(third) == by_picture(again)


def test_torch_has_a_column_of_0_and_1_for_each_class(bench, tmp_path):
    torch = pytest.importorskip("torch")
    bench.export(tmp_path / "out", format="torch")
    data = torch.load(tmp_path / "out" / "train.pt", weights_only=True)
    assert data["classes"] == ["cat", "dog", "emu"]
    rows = dict(zip(data["keys"], data["targets"].tolist()))
    assert [rows[f"{i}.png"] for i in range(3)] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    pool = torch.load(tmp_path / "out" / "pool.pt", weights_only=True)
    assert pool["targets"].tolist() == [[-1, -1, -1]] and pool["targets"].dtype == torch.float32
    items = bench.dataset(split="test")
    image, target = items[0]
    assert image.size == (8, 8) and target.dtype == np.float32 and target.tolist() == [0, 1, 1]


@pytest.mark.parametrize("format", ["folders", "fiftyone"])
def test_formats_of_one_class_say_which_hold_sets(bench, tmp_path, format):
    with pytest.raises(UserError) as e:
        bench.export(tmp_path / "out", format=format)
    assert "several labels a sample" in str(e.value) and "webdataset" in str(e.value)


@pytest.mark.parametrize(
    "cells, sets",
    [
        (["[1]", "[0, 2]", "[]"], [["dog"], ["cat", "emu"], []]),
        (["0,1,0", "1,0,1", "0,0,0"], [["dog"], ["cat", "emu"], []]),
        (["dog", "cat|emu", "[]"], [["dog"], ["cat", "emu"], []]),
    ],
)
def test_other_peoples_shards_with_several_labels(tmp_path, cells, sets):
    """Numbers of classes.txt, marks of 0 and 1, or names, in .cls."""
    (tmp_path / "s").mkdir()
    with tarfile.open(tmp_path / "s" / "a-000.tar", "w") as tar:
        for i, cell in enumerate(cells):
            blob = io.BytesIO()
            Image.fromarray(np.full((8, 8, 3), 60 * i, "u1")).save(blob, "png")
            for ending, member in (("png", blob.getvalue()), ("cls", cell.encode())):
                info = tarfile.TarInfo(f"{i}.{ending}")
                info.size = len(member)
                tar.addfile(info, io.BytesIO(member))
    (tmp_path / "s" / "classes.txt").write_text("cat\ndog\nemu\n")
    bench = assay.create(tmp_path / "b")
    bench.add(tmp_path / "s", multilabel=True, progress=False)
    assert [json.loads(label) for label in bench.state().sort_values("key").label] == sets
