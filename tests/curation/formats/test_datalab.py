"""An export in Datalab's columns, against Datalab itself, and read again as an opinion."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.curation.errors import NotScanned
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import bench_of, copied, digits, nearly, run_assay, silent


@pytest.fixture(scope="module")
def with_copies_once(tmp_path_factory):
    """Digits of which three train images have an equal one, and three nearly a copy, all in train."""
    table = digits(300)
    mine = table[table.split == "train"]
    equal = mine.iloc[:3].assign(id=["e1", "e2", "e3"])
    near = mine.iloc[3:6]
    near = near.assign(id=["n1", "n2", "n3"], image=[nearly(i) for i in near.image])
    bench = bench_of(pd.concat([table, equal, near], ignore_index=True), tmp_path_factory.mktemp("c"))  # fmt: skip
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


@pytest.fixture
def bench2(with_copies_once, tmp_path):
    return copied(with_copies_once, tmp_path / "own")


def read(folder):
    return pd.read_csv(folder / "datalab.csv", dtype=dict(label=str, given_label=str, predicted_label=str, key=str))  # fmt: skip


@pytest.mark.slow
def test_its_columns_are_datalabs_and_say_what_the_scan_says(bench2, tmp_path):
    pytest.importorskip("datasets")
    from cleanlab import Datalab

    status, _, said = run_assay("export", "--format", "cleanlab", "-o", tmp_path / "out", "-b", bench2.path)  # fmt: skip
    assert status == 0, said
    table, state = read(tmp_path / "out"), bench2.frame()
    assert list(table["sample"]) == list(state.index) and (table.path.str.endswith(".png")).all()
    assert list(table.label) == list(table.given_label) == list(state.label)
    mine = bench2.label_issues()
    assert set(table["sample"][table.is_label_issue]) == set(mine.index[mine.is_label_issue])
    judged = table.set_index("sample").loc[mine.index]
    np.testing.assert_allclose(judged.label_score, mine.label_score)
    assert (judged.predicted_label == mine.predicted_label).all()
    assert table.set_index("sample").label_score.drop(mine.index).isna().all(), "none for test"
    for kind in ("outlier", "dark", "blurry"):
        listed = set(bench2.issues(kind)["sample"])
        assert set(table["sample"][table[f"is_{kind}_issue"]]) == listed
        assert table[f"{kind}_score"].between(0, 1).all()
    lab = Datalab(dict(label=list(table.label)), label_name="label", verbosity=0)
    lab.find_issues(features=bench2.embeddings().loc[state.index].to_numpy())
    for kind in ("outlier", "near_duplicate"):
        theirs = lab.get_issues(kind).dtypes
        assert set(theirs.index) <= set(table)
        plain = [c for c, dtype in theirs.items() if dtype.kind != "O"]  # bool and floats
        assert [table[c].dtype.kind for c in plain] == [theirs[c].kind for c in plain]
    # Datalab's own report takes them
    lab.data_issues.issues = table[[c for c in table if c.startswith("is_") or c.endswith("_score")]]  # fmt: skip
    assert lab.get_issues("near_duplicate").is_near_duplicate_issue.sum() == 12
    assert "near_duplicate_score" in lab.issues.sort_values("near_duplicate_score").head(3)


@pytest.mark.slow
def test_near_duplicate_sets_are_rows_of_the_file(bench2, tmp_path):
    bench2.export(tmp_path / "out", format="cleanlab", copy=True)
    table = read(tmp_path / "out")
    key = dict(enumerate(table.key))
    sets = {key[i]: {key[j] for j in json.loads(s)} for i, s in enumerate(table.near_duplicate_sets)}  # fmt: skip
    own = digits(300)
    first = list(own[own.split == "train"].id[:6])
    for a, b in zip(first, ["e1", "e2", "e3", "n1", "n2", "n3"]):
        assert sets[a] == {b} and sets[b] == {a}
    assert sum(map(len, sets.values())) == 12 == table.is_near_duplicate_issue.sum()
    score = dict(zip(table.key, table.near_duplicate_score))
    assert score["e1"] == 0 < score["n1"] < 0.2
    assert all((tmp_path / "out" / path).is_file() for path in table.path)


@pytest.mark.slow
def test_it_comes_back_as_an_opinion_of_another_bench(bench2, tmp_path):
    bench2.export(tmp_path / "out", format="cleanlab")
    other = copied(bench2, tmp_path / "other")
    out = other.add_opinion(tmp_path / "out" / "datalab.csv", "before", progress=False)
    assert out["issues"]["before_label"] == len(other.issues("label"))
    assert set(other.issues("before_label")["sample"]) == set(other.issues("label")["sample"])


def test_without_a_scan_it_says_what_to_do(bench, tmp_path):
    with pytest.raises(NotScanned) as e:
        bench.export(tmp_path / "out", format="cleanlab")
    assert "scan" in e.value.hint and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_older_version_is_judged_as_it_was(bench2, tmp_path):
    flagged = bench2.label_issues().query("is_label_issue").index
    bench2.edit(pd.DataFrame(dict(sample=flagged[:5], verdict="confirm")), "ann")
    bench2.export(tmp_path / "v1", version="v1", format="cleanlab")
    bench2.export(tmp_path / "now", format="cleanlab")
    was, now = (read(tmp_path / name).set_index("sample").is_label_issue for name in ("v1", "now"))
    assert not now[flagged[:5]].any()
    mine = bench2.label_issues("v1").is_label_issue
    assert set(was.index[was]) == set(mine.index[mine])
