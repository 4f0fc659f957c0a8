"""Hugging Face data sets as others have them: configurations, -1, several columns, what is no class a row."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import assay
from assay.curation import UserError
from assay.curation.errors import AmbiguousSource
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version, write_in_place
from assay.curation.media.originals import read_bytes
from tests.helpers import png

CLASSES = ["ape", "bee"]
IMAGE = {"_type": "Image"}
LABEL = {"names": CLASSES, "_type": "ClassLabel"}


def pictures(n, seed=0):
    rng = np.random.default_rng(seed)
    return [png(rng.integers(0, 256, (6, 6, 3))) for _ in range(n)]


def write_shard(path, labels, features=None, seed=0, **columns):
    """A shard as `datasets` writes it: its features are in the schema's metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [dict(bytes=p, path=f"{i}.png") for i, p in enumerate(pictures(len(labels), seed))]
    table = pa.table(dict(image=images, label=labels, **columns))
    told = {"image": IMAGE, "label": LABEL} | (features or {})
    meta = {"huggingface": json.dumps({"info": {"features": told}})}
    pq.write_table(table.replace_schema_metadata(meta), path)
    return path


def labels(source):
    return dict(source.frame.label.value_counts())


def test_minus_one_is_no_label(tmp_path):
    write_shard(tmp_path / "zoo/data/train-00000-of-00001.parquet", [0, 1, -1, None, 1])
    write_shard(tmp_path / "zoo/data/test-00000-of-00001.parquet", [-1, -1], seed=1)
    source = read_source(tmp_path / "zoo")
    assert labels(source) == {"bee": 2, "ape": 1} and source.classes == CLASSES
    assert source.frame[source.frame.label.isna()]["split"].tolist() == ["pool"] * 4


def test_a_number_beyond_the_names_is_left_out_by_its_row(tmp_path):
    source = read_source(write_shard(tmp_path / "a.parquet", [0, 1, 7]))
    assert source.left_out == [("2", "has the class number 7, of 2 classes")]


def test_several_configurations_are_asked_about(tmp_path):
    for config in ("big", "small"):
        write_shard(
            tmp_path / f"zoo/{config}/train-00000-of-00001.parquet", [0, 1], seed=len(config)
        )
    with pytest.raises(AmbiguousSource, match="found 2") as e:
        read_source(tmp_path / "zoo")
    assert [r.option for r in e.value.readings] == ["--config big", "--config small"]
    source = read_source(tmp_path / "zoo", ImportOptions(config="small"))
    assert set(source.frame.key) == {
        "small/train-00000-of-00001.parquet::0",
        "small/train-00000-of-00001.parquet::1",
    }
    assert source.unread[0].count == 1 and source.unread[0].why == "of another configuration"


def test_the_card_says_files_splits_and_class_names(tmp_path):
    """Shards that another tool wrote hold numbers alone: the names are in README.md."""
    for name, n in (("a", 4), ("b", 2)):
        write_shard(tmp_path / f"zoo/files/{name}.parquet", [0, 1] * (n // 2), seed=n)
        table = pq.read_table(tmp_path / f"zoo/files/{name}.parquet").replace_schema_metadata(None)
        pq.write_table(table, tmp_path / f"zoo/files/{name}.parquet")
    (tmp_path / "zoo/README.md").write_text(
        "---\nlicense: mit\ndataset_info:\n  features:\n  - name: image\n    dtype: image\n"
        "  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': no\n          '1': on\n"
        "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: files/a.parquet\n"
        "  - split: test\n    path: [files/b.*]\n---\n# Zoo\n"
    )
    source = read_source(tmp_path / "zoo")
    assert dict(source.frame["split"].value_counts()) == {"train": 4, "test": 2}
    assert set(source.frame.label) == {"no", "on"}


def test_a_shard_that_is_missing_is_named(tmp_path):
    write_shard(tmp_path / "zoo/data/train-00000-of-00002.parquet", [0, 1])
    with pytest.raises(UserError, match="found 1: 00001 is not there"):
        read_source(tmp_path / "zoo")
    assert len(read_source(tmp_path / "zoo", ImportOptions(skip_bad=True)).frame) == 2


def test_two_columns_of_classes_are_asked_about(tmp_path):
    fine = {"fine": {"names": ["x", "y", "z"], "_type": "ClassLabel"}, "coarse": LABEL}
    path = write_shard(tmp_path / "a.parquet", [0, 1, 0], fine, fine=[0, 1, 2], coarse=[0, 1, 1])
    table = pq.read_table(path).drop_columns("label")
    pq.write_table(table, path)
    with pytest.raises(AmbiguousSource, match="--label-column fine .*--label-column coarse"):
        read_source(path)
    source = read_source(path, ImportOptions(columns={"label": "coarse"}))
    assert labels(source) == {"bee": 2, "ape": 1}
    assert [m["fine"] for m in source.frame.meta] == [0, 1, 2]


def test_a_list_of_classes_is_several_labels_a_row(tmp_path):
    """By the names that the features declare; an unknown number is named with its row."""
    path = write_shard(tmp_path / "a.parquet", [0, 1, 0, 1])
    told = {"image": IMAGE, "tags": {"_type": "List", "feature": LABEL}}
    table = (
        pq.read_table(path)
        .drop_columns("label")
        .append_column("tags", pa.array([[1, 0], [], None, [9]]))
    )
    pq.write_table(
        table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": told}})}),
        path,
    )
    source, names = read_source(path), LABEL["names"]
    assert source.task == "multilabel" and source.classes == names
    assert source.frame.label.tolist() == [json.dumps(sorted(names[:2])), "[]", None]
    assert len(source.left_out) == 1 and "class number 9" in source.left_out[0][1]


@pytest.mark.parametrize(
    ("column", "feature", "cells", "said"),
    [
        ("objects", {"bbox": [{"_type": "Value"}]}, [[{"bbox": [1.0]}], []], "boxes"),
        ("annotation", IMAGE, [{"bytes": b"x", "path": "m"}] * 2, "masks"),
        ("caption", {"_type": "Value"}, ["a red ape", "a bee that sits"], "texts"),
    ],
)
def test_what_is_no_class_a_row_is_refused_and_its_pictures_can_be_had(
    column, feature, cells, said, tmp_path
):
    path = write_shard(tmp_path / "a.parquet", [0, 1])
    plain = pq.read_table(path).drop_columns("label")
    told = {"image": IMAGE, column: feature}
    table = plain.append_column(column, pa.array(cells)).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": told}})}
    )
    pq.write_table(table, path)
    with pytest.raises(
        UserError, match=f"found {said} in the column {column}.*\n.*--pictures-only"
    ):
        read_source(path)
    assert list(read_source(path, ImportOptions(pictures_only=True)).frame.label) == [None, None]


def test_images_may_lie_beside_the_shard(tmp_path):
    """A struct of bytes and path where the bytes are missing names a file."""
    for i, blob in enumerate(pictures(3)):
        (tmp_path / f"{i}.png").write_bytes(blob)
    images = [dict(bytes=None, path=f"{i}.png") for i in range(3)] + [dict(bytes=None, path="../x")]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table(dict(image=pa.array(images, kind), label=[0, 1, 0, 1]))
    told = {"huggingface": json.dumps({"info": {"features": {"image": IMAGE, "label": LABEL}}})}
    pq.write_table(table.replace_schema_metadata(told), tmp_path / "a.parquet")
    source = read_source(tmp_path / "a.parquet")
    assert [read_bytes(uri) for uri in source.frame.uri] == pictures(3)
    assert "leaves" in source.left_out[0][1]


def test_the_cache_of_the_hub_is_read_at_main(tmp_path):
    cache = tmp_path / "datasets--ann--zoo"
    write_shard(cache / "snapshots/abc/data/train-00000-of-00001.parquet", [0, 1, 1])
    write_shard(cache / "snapshots/def/data/train-00000-of-00001.parquet", [0, 1], seed=1)
    (cache / "blobs").mkdir()
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("abc")
    assert len(read_source(cache).frame) == 3


def test_a_truncated_shard_is_named(tmp_path):
    path = write_shard(tmp_path / "zoo/data/train-00000-of-00001.parquet", [0, 1])
    write_shard(tmp_path / "zoo/data/test-00000-of-00001.parquet", [0, 1], seed=1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="train-00000-of-00001.parquet"):
        read_source(tmp_path / "zoo", ImportOptions(format="huggingface"))


def test_a_saved_set_names_no_file_outside_itself(tmp_path):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo/dataset_info.json").write_text("{}")
    (tmp_path / "zoo/state.json").write_text(
        json.dumps({"_data_files": [{"filename": "../x.arrow"}]})
    )
    with pytest.raises(UserError, match="names of shards"):
        read_source(tmp_path / "zoo")


def test_a_new_class_joins_the_declared_ones(tmp_path):
    from datasets import Dataset

    path = write_shard(tmp_path / "a.parquet", [0, 1, 0, 1])
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    sample = bench.frame(split="train").index[0]
    bench.edit(pd_row(sample, "cow"), who="ann", new_classes=["cow"])
    (done,) = write_in_place(bench)
    assert any("cow was added at the end" in note for note in done["notes"])
    assert read_source(path).classes == ["ape", "bee", "cow"]
    found = Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))
    assert found.features["label"].names == ["ape", "bee", "cow"] and 2 in found["label"]
    assert bench.add(path, who="ann", progress=False).frame().label[sample] == "cow"


def test_the_card_counts_rows_and_names_classes_as_the_files_have_them(bench, tmp_path):
    """`datasets` refuses a set whose card says other numbers of rows than there are."""
    from datasets import load_dataset

    export_version(bench, tmp_path / "zoo", format="huggingface")
    other = assay.create(tmp_path / "b").add(tmp_path / "zoo", who="ann", progress=False)
    train, val = other.frame(split="train").index, other.frame(split="val").index
    other.edit(pd_row(train[0], "brand new: 1"), who="ann", new_classes=["brand new: 1"])
    other.edit(pd_row(train[1], None).assign(keep="false").drop(columns="label"), who="ann")
    other.edit(pd_row(val[0], None).assign(split="train").drop(columns="label"), who="ann")
    export_version(other, tmp_path / "out", format="source", copy=True)
    found = load_dataset(str(tmp_path / "out/zoo"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in found.items()} == {
        {"val": "validation"}.get(split, split): n
        for split, n in other.frame()["split"].value_counts().items()
    }
    assert found["train"].features["label"].names[-1] == "brand new: 1"
    head = (tmp_path / "out/zoo/README.md").read_text()
    assert f"num_examples: {len(train)}" in head


def pd_row(sample, label):
    import pandas as pd

    return pd.DataFrame(dict(sample=[sample], label=[label]))


def test_what_is_written_loads_with_its_features(bench, tmp_path):
    from datasets import ClassLabel, Image, load_dataset

    export_version(bench, tmp_path / "out", format="huggingface")
    shutil.copytree(tmp_path / "out", tmp_path / "elsewhere/zoo")
    found = load_dataset(str(tmp_path / "elsewhere/zoo"), cache_dir=str(tmp_path / "cache"))
    frame = bench.frame()
    assert {s: len(part) for s, part in found.items()} == {
        {"val": "validation"}.get(s, s): n for s, n in frame["split"].value_counts().items()
    }
    features = found["train"].features
    assert features["image"] == Image() and features["label"] == ClassLabel(
        names=sorted(set(frame.label))
    )
    names = features["label"].names
    counts = dict(frame[frame["split"] == "test"].label.value_counts())
    assert counts == {names[i]: n for i, n in _count(found["test"]["label"]).items()}
    assert found["train"][0]["image"].size == (8, 8) and "truth" in features


def _count(values):
    return {value: list(values).count(value) for value in set(values)}


def test_an_imagefolder_names_what_no_row_names(tmp_path):
    (tmp_path / "zoo").mkdir()
    for i, blob in enumerate(pictures(4)):
        (tmp_path / f"zoo/{i}.png").write_bytes(blob)
    (tmp_path / "zoo/metadata.csv").write_text("file_name,label\n0.png,a\n1.png,b\n9.png,b\n")
    source = read_source(tmp_path / "zoo")
    assert labels(source) == {"a": 1, "b": 1} and len(source.left_out) == 1
    assert [(u.ending, u.count) for u in source.unread] == [(".png", 2)]


def test_an_imagefolder_whose_folders_could_be_classes_is_asked_about(tmp_path):
    rows = ["file_name"]
    for i, blob in enumerate(pictures(4)):
        place = tmp_path / "zoo" / CLASSES[i % 2] / f"{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(blob)
        rows.append(f"{CLASSES[i % 2]}/{i}.png")
    (tmp_path / "zoo/metadata.csv").write_text("\n".join(rows))
    with pytest.raises(AmbiguousSource, match="--format folders .*--label-column none"):
        read_source(tmp_path / "zoo")
    assert labels(read_source(tmp_path / "zoo", ImportOptions(format="folders"))) == {
        "ape": 2,
        "bee": 2,
    }
