"""Tables of the library `datasets`, whose rows are the samples: read, and written back changed."""

import json

import pandas as pd
import pytest

import assay
from assay.curation.errors import AmbiguousSource
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from tests.helpers import run_assay

AGES = [39, 50, None, 53, 28, 37, 49, 52, 31, 42]
JOBS, LABELS = ["clerk", "boss"], ["low", "high"]


def make_table(label=True):
    """Ten people: two numbers, a job as a number with a name, and what they earn likewise."""
    from datasets import ClassLabel, Dataset, Features, Value

    columns = dict(
        age=AGES,
        hours=[20.5 + i for i in range(10)],
        job=[i % 2 if i != 4 else None for i in range(10)],
        income=[i % 2 for i in range(10)],
    )
    income = ClassLabel(names=LABELS) if label else Value("string")
    kinds = dict(age=Value("int32"), hours=Value("float64"), job=ClassLabel(names=JOBS))
    if not label:
        columns["income"] = [LABELS[i] for i in columns["income"]]
        kinds["job"] = Value("int8")
    return Dataset.from_dict(columns, Features(**kinds, income=income))


def write_shards(folder, **options):
    (folder / "people/data").mkdir(parents=True)
    table = make_table(**options)
    table.select(range(6)).to_parquet(folder / "people/data/train-00000-of-00001.parquet")
    table.select(range(6, 10)).to_parquet(folder / "people/data/test-00000-of-00001.parquet")
    return folder / "people"


def write_disk(folder):
    from datasets import DatasetDict

    table = make_table()
    parts = DatasetDict(train=table.select(range(6)), test=table.select(range(6, 10)))
    parts.save_to_disk(folder / "people")
    return folder / "people"


def read_people(path):
    """What a data set lists, its train rows first, whatever its files are called."""
    source = read_source(path, ImportOptions(columns=dict(label="income")))
    return source, source.frame.sort_values("split", ascending=False, kind="stable")


@pytest.mark.parametrize("write", [write_shards, write_disk])
def test_rows_come_with_the_names_of_their_numbers(tmp_path, write):
    source, frame = read_people(write(tmp_path))
    assert (source.media, source.classes) == ("row", LABELS)
    assert source.columns == dict(age="number", hours="number", job="category")
    rows = [json.loads(text) for text in frame.text]
    assert rows[0] == dict(age=39, hours=20.5, job="clerk")
    assert "age" not in rows[2] and "job" not in rows[4]
    assert list(frame.label) == LABELS * 5
    assert list(frame["split"]) == ["train"] * 6 + ["test"] * 4


@pytest.mark.parametrize("write", [write_shards, write_disk])
def test_a_changed_label_goes_back_into_its_shard_alone(tmp_path, write):
    path = write(tmp_path)
    words = ["--label-column", "income", "-b", tmp_path / "b"]
    status, out, err = run_assay("import", path, *words)
    assert status == 0 and "row: 3 columns: 2 numbers (age, hours), 1 category (job)" in out, err
    bench = assay.open(tmp_path / "b")
    state = bench.state()
    sample = [s for s, meta in state.meta.items() if json.loads(meta).get("age") == 50]
    bench.edit(pd.DataFrame(dict(sample=sample, label="low")), who="ann")
    bench.export(tmp_path / "out", format="source")
    (_, came), (_, back) = read_people(path), read_people(tmp_path / "out/people")
    assert list(back.label) == ["low"] * 3 + ["high", *LABELS * 3]
    assert list(back.text) == list(came.text)


def test_the_label_is_asked_where_none_is_declared(tmp_path):
    path = write_shards(tmp_path, label=False)
    with pytest.raises(AmbiguousSource, match="label.* the rows"):
        read_source(path, ImportOptions(media="row"))
    source = read_source(path, ImportOptions(columns=dict(label="income")))
    assert set(source.frame.label) == set(LABELS) and source.media == "row"
