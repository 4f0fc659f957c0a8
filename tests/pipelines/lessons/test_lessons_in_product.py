"""What lessons say of the product, tried on the digits of the lesson."""

import ast

import numpy as np
import pytest

import assay
from assay.pipelines.lessons.sources import find_lesson

pytestmark = [pytest.mark.slow, pytest.mark.daily]


def run_first_cells(number, upto):
    """The names of a lesson after its first `upto` pieces of code."""
    code = [cell for cell in find_lesson(str(number)).cells if cell.kind == "code"][:upto]
    names: dict = {}
    for cell in code:
        exec(compile(ast.parse(cell.source), "lesson", "exec"), names)
    return names


def make_bench(folder, images, labels, splits):
    """A bench of digits, scanned by its pixels; key of a sample is its place."""
    pixels = (images.reshape(-1, 8, 8) * 255).round().astype(np.uint8)
    bench = assay.create(folder).add(pixels, labels=labels, split=splits, progress=False)
    bench.scan(embedder="pixels", progress=False)
    keys = bench.sql("select id, key from samples")
    return bench, dict(zip(keys["id"], keys["key"].astype(int)))


def test_the_experiment_of_lesson_5_comes_out_alike(tmp_path):
    of = run_first_cells(5, 1)
    images = np.concatenate([of["X"], of["X_test"]])
    truth = np.concatenate([of["y"], of["y_test"]]).astype(str)
    given = np.concatenate([of["given"], of["y_test"]]).astype(str)
    splits = ["train"] * len(of["X"]) + ["test"] * len(of["X_test"])
    bench, place = make_bench(tmp_path / "bench", images, given, splits)
    bench.commit("as given", who="ann")
    queue = bench.queue(300)
    right = [truth[place[sample]] for sample in queue["sample"]]
    bench.edit(queue[["sample"]].assign(label=right), who="ann")
    bench.commit("300 reviewed", who="ann")
    bench.experiment(progress=False)
    kinds = {e["kind"]: e for e in bench.report(tmp_path / "report.html").data["effects"]}
    assert (queue["given_label"] != right).sum() > 240, "of 270 wrong ones"
    assert kinds["data"]["low"] > 0.04 and kinds["interaction"]["low"] > 0.02
    assert kinds["data"]["estimate"] > abs(kinds["architecture"]["estimate"])


def test_the_gap_of_lesson_6_is_first_and_its_style_is_mined(tmp_path):
    of = run_first_cells(6, 1)
    rows = [of[name] for name in ("train", "val", "test", "pool")]
    order = np.concatenate(rows)
    splits = np.repeat(["train", "val", "test", "pool"], [len(r) for r in rows])
    labels = [None if s == "pool" else str(of["y"][i]) for s, i in zip(splits, order)]
    bench, place = make_bench(tmp_path / "bench", of["X"][order], labels, list(splits))
    gap = bench.gaps().iloc[0]
    assert (gap["kind"], gap["train"]) == ("thin", 0) and gap["low"] > 0.4
    mined = bench.similar(gap=gap["gap"], split="pool", n=30)
    assert of["is_gap"][[order[place[s]] for s in mined["sample"]]].mean() > 0.7
