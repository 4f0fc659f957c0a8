"""Tensors written for torch, read again by torch.load(weights_only=True) and trained on."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import assay
from assay.curation.errors import UserError
from tests.helpers import bench_of, digits, png, run_assay

torch = pytest.importorskip("torch")


def read(folder):
    return {p.stem: torch.load(p, weights_only=True, mmap=True) for p in folder.glob("*.pt")}


def test_images_targets_and_ids_are_those_of_the_version(bench, tmp_path):
    pool = bench.frame(split="train").index[:3]
    bench.edit(pd.DataFrame(dict(sample=pool, split="pool")), "ann")
    status, out, said = run_assay("export", "-o", tmp_path / "t", "--format", "torch", "--json", "-b", bench.path)  # fmt: skip
    assert status == 0, said
    found, state = read(tmp_path / "t"), bench.frame()
    assert {s: len(d["ids"]) for s, d in found.items()} == state.split.value_counts().to_dict()
    table = digits().set_index("id")
    for split, data in found.items():
        assert data["images"].dtype == torch.uint8 and data["targets"].dtype == torch.int64
        assert data["split"] == split and data["classes"] == sorted(set(state.label))
        for i in (0, len(data["ids"]) - 1):
            sample = state.loc[data["ids"][i]]
            assert data["classes"][data["targets"][i]] == sample.label and sample.split == split
            original = np.asarray(
                Image.open(io.BytesIO(table.image[data["keys"][i]])).convert("RGB")
            )
            assert (data["images"][i].numpy().transpose(1, 2, 0) == original).all()
    shape = " x ".join(map(str, found["train"]["images"].shape))
    size = (tmp_path / "t" / "train.pt").stat().st_size
    assert f"train.pt: uint8 {shape}, {size:,} bytes" in json.loads(out)["notes"]


def test_it_trains(bench, tmp_path):
    bench.export(tmp_path / "t", format="torch")
    found = read(tmp_path / "t")
    x = {s: d["images"].float().mean(1).flatten(1) / 255 for s, d in found.items()}
    wanted = torch.nn.functional.one_hot(found["train"]["targets"]).float()
    weights = torch.linalg.lstsq(x["train"], wanted, driver="gelsd").solution
    right = (x["test"] @ weights).argmax(1) == found["test"]["targets"]
    assert right.float().mean() > 0.7  # a tenth by chance


def test_differing_sizes_are_refused_unless_a_size_is_asked(tmp_path):
    rng = np.random.default_rng(0)
    images = [png(rng.integers(0, 255, (h, 12))) for h in (12, 12, 16, 20, 20, 24)]
    frame = pd.DataFrame(dict(image=images, label=["a", "b"] * 3, split="train"))
    bench = assay.create(tmp_path / "b").add(frame, progress=False)
    with pytest.raises(UserError, match="found 4: 12 x 12") as e:
        bench.export(tmp_path / "t", format="torch")
    assert "size=" in e.value.hint and not (tmp_path / "t").exists()
    bench.export(tmp_path / "t", format="torch", size=8)
    found = read(tmp_path / "t")  # val was drawn out of train
    assert sum(len(d["images"]) for d in found.values()) == 6
    data = found["train"]
    assert data["images"].shape[1:] == (3, 8, 8)
    at = int(data["keys"][0])
    small = np.asarray(Image.open(io.BytesIO(images[at])).convert("RGB").resize((8, 8), Image.Resampling.BILINEAR))  # fmt: skip
    assert (data["images"][0].numpy().transpose(1, 2, 0) == small).all()
    for size in (0, 129):
        with pytest.raises(UserError, match="1 to 128 pixels"):
            bench.export(tmp_path / "u", format="torch", size=size)
    with pytest.raises(UserError, match="expected a format of pixels for"):
        bench.export(tmp_path / "u", size=8)


def test_a_sample_without_a_label_has_the_target_minus_one(tmp_path):
    table = digits(60).drop(columns="truth")
    table.loc[table.index[:10], ["label", "split"]] = [None, "pool"]
    bench = assay.create(tmp_path / "b").add(table, progress=False)
    bench.export(tmp_path / "t", format="torch")
    found = read(tmp_path / "t")
    assert found["pool"]["targets"].tolist() == [-1] * 10 and (found["train"]["targets"] >= 0).all()


def test_an_image_that_is_gone_leaves_nothing_half_written(tmp_path):
    bench = bench_of(digits(100), tmp_path / "own")
    (tmp_path / "own" / "digits.parquet").rename(tmp_path / "elsewhere.parquet")
    with pytest.raises(UserError, match="expected the images that were imported"):
        bench.export(tmp_path / "t", format="torch")
    assert not (tmp_path / "t").exists()
    bench.export(tmp_path / "t", format="torch", size=8)  # the bench's own copies are there
    assert len(read(tmp_path / "t")["test"]["ids"]) == 20
