"""Tables in an order that tells, and categories that drift: against cleanlab's Datalab, brute force and planted cases."""

import json

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.issues.drift import compare_words
from assay.curation.issues.row_order import FAR, measure_order
from assay.pipelines.indexing.scan import ScanOptions, scan


def make_points(how, n=400):
    points = np.random.default_rng(1).normal(size=(n, 4))
    if how == "sorted":
        return points[np.argsort(points[:, 0])]
    if how == "four of each":
        return np.repeat(points[: n // 4], 4, 0) + np.random.default_rng(2).normal(size=(n, 4)) / 9
    return points


def find_neighbours(points, k=10):
    away = ((points[:, None] - points[None]) ** 2).sum(-1)
    return np.argsort(away, 1)[:, 1 : k + 1]


@pytest.mark.parametrize("how", ["random", "sorted", "four of each"])
def test_order_is_judged_as_datalab_does(how):
    from cleanlab import Datalab

    points = make_points(how)
    found = measure_order(find_neighbours(points), np.arange(len(points)))
    lab = Datalab(dict(y=[0] * len(points)), verbosity=0)
    lab.find_issues(features=points, issue_types={"non_iid": {}})
    theirs = lab.get_info("non_iid")["p-value"]
    ours = found.p < 0.01 and found.excess > FAR
    assert ours == (theirs < 0.01) == (how != "random")


def test_the_figures_of_an_order_are_those_of_brute_force():
    """Six rows of three kinds, side by side: each one's only neighbour is the next row."""
    neighbours = np.array([[1], [0], [3], [2], [5], [4], [-1]])
    order = measure_order(neighbours, np.array([0, 1, 2, 3, 4, 5, -1]))
    near = np.mean([abs(i - j) <= 1 for i in range(6) for j in range(6) if i != j])
    assert (order.within, order.share) == (1, 1.0) and order.chance == pytest.approx(near)
    assert order.excess == pytest.approx(1 - near)


def test_words_that_come_as_often_are_no_drift_and_others_are():
    groups = np.array(["train"] * 400 + ["val"] * 100, object)
    same, other = ["a", "b"] * 250, ["a", "b"] * 200 + ["a"] * 40 + ["c"] * 60
    assert compare_words(same, groups, ("train", "val"), "x").p > 0.9
    found = compare_words(other, groups, ("train", "val"), "x of split val")
    assert found.score == pytest.approx(0.4) and found.p < 1e-20
    assert "'c': 60.0% against 0.0%" in found.why
    assert compare_words(["a"] * 500, groups, ("train", "val"), "x") is None, "one word"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """300 customers in the order of their age, of whom those in val live elsewhere."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("order")
    age = np.sort(rng.normal(40, 10, 300).round(2))
    split = np.where(np.arange(300) % 3 == 0, "val", "train")
    home = np.where(split == "val", rng.choice(list("xxxy"), 300), rng.choice(list("xyyy"), 300))
    label = np.where(age + rng.normal(0, 3, 300) > 40, "old", "young")
    table = pd.DataFrame(dict(age=age, size=rng.normal(size=300).round(3), home=home, split=split, label=label))  # fmt: skip
    table.to_csv(folder / "t.csv", index=False)
    out = assay.create(folder / "b").add(folder / "t.csv", progress=False)
    scan(out, ScanOptions(), say=lambda line: None)
    return out


def test_a_scan_names_the_order_and_the_column_that_drifts(bench):
    issues = bench.issues()
    (order,) = issues.why[issues.kind == "non_iid"]
    assert "of the rows most like a row of t.csv lie within" in order and "--group-column" in order
    drift = list(issues.why[issues.kind == "drift"])
    assert len([why for why in drift if why.startswith("home of split val is off train's")]) == 1
    assert not any(why.startswith("size") for why in drift)


def test_no_order_is_found_where_the_same_rows_are_shuffled(bench, tmp_path):
    table = pd.read_csv(bench.path.parent / "t.csv").sample(frac=1, random_state=3)
    table.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    other = assay.create(tmp_path / "b").add(tmp_path / "t.jsonl", progress=False)
    scan(other, ScanOptions(), say=lambda line: None)
    kinds = set(other.issues().kind)
    assert "non_iid" not in kinds and "drift" in kinds
    assert json.loads(other.state().meta.iloc[0]).keys() == {"age", "size", "home"}
