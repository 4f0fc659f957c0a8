"""The queue of a large bench is the queue, read a part at a time."""

import numpy as np
import pytest

from assay.curation.issues.disagreements import disagreement_issues
from assay.curation.label_quality.partitioned_scores import find_least
from assay.curation.review.partitioned_queue import build_by_parts
from assay.curation.review.partitioned_status import summarize_by_parts
from assay.curation.review.queue import build_queue
from assay.curation.review.status import summarize_bench
from assay.curation.statistics import sampling
from assay.curation.versioning import state_building, state_parts
from assay.curation.versioning.sample_draws import find_random_rows
from assay.curation.versioning.state_building import open_state
from assay.pipelines.indexing.scan import scan
from tests.decisions import decide, other, train
from tests.helpers import bench_of, copied, digits


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(state_parts, "ROWS", 50)
    monkeypatch.setattr(state_building, "AT_ONCE", 100)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    bench = bench_of(digits(300), tmp_path_factory.mktemp("scanned"))
    scan(bench, say=lambda line: None)
    return bench


def assert_same_queue(bench):
    for n, random in ((5, None), (60, None), (10, 0.3), (10, 0.0), (3, 1.0)):
        expected = build_queue(bench, n, random)
        found = build_by_parts(bench, n, random)
        assert found.equals(expected) and found.attrs == expected.attrs, (n, random)


@pytest.mark.slow
def test_the_queue_by_parts_is_the_queue(scanned, tmp_path):
    bench = copied(scanned, tmp_path / "own")
    assert_same_queue(bench)
    # the beginning of the random order, some of the worst, and what two people answer differently
    first = list(sampling.random_order(bench.state())[:12])
    decide(
        bench,
        "ann",
        *(dict(sample=s, verdict="unsure" if i % 3 else "confirm") for i, s in enumerate(first)),
    )
    assert_same_queue(bench)
    worst = bench.queue(8)["sample"]
    decide(bench, "ann", *(dict(sample=s, label=other(bench.state().label[s])) for s in worst))
    decide(bench, "bob", *(dict(sample=s, verdict="confirm") for s in train(bench, 3)))
    decide(bench, "ann", *(dict(sample=s, keep="false") for s in train(bench, 3)))
    assert len(disagreement_issues(bench))
    assert_same_queue(bench)


def test_the_random_order_is_the_same_and_drawn_once(scanned, tmp_path):
    bench = copied(scanned, tmp_path / "own")
    order = sampling.random_order(bench.state())
    decide(bench, "ann", *(dict(sample=s, verdict="confirm") for s in [*order[:7], *order[9:14]]))
    for _ in range(2):
        state = bench.state()
        found = find_random_rows(open_state(bench), 20)
        ids = state.index.to_numpy()
        assert list(ids[found.stratum]) == list(sampling.random_stratum(state)) == list(order[:7])
        assert list(ids[found.waiting]) == [*order[7:9], *order[14:32]]
        assert found.population == len(order)
    assert len(list((bench.arrays / "states/draws").glob("*"))) == 6


def test_older_scores_say_so_and_leave_out_what_was_edited_since(scanned, tmp_path, capsys):
    bench = copied(scanned, tmp_path / "own")
    worst = list(build_by_parts(bench, 20, 0.0)["sample"])
    scores = (bench.arrays / "opinion.npz").read_bytes()
    decide(bench, "ann", *(dict(sample=s, tag="odd") for s in worst[:3]))
    (bench.arrays / "opinion.npz").write_bytes(scores)
    after = build_by_parts(bench, 17, 0.0)
    assert list(after["sample"]) == worst[3:]
    assert "3 edits came since" in capsys.readouterr().err


def test_the_least_are_those_of_a_stable_sort():
    rng = np.random.default_rng(0)
    for n in (1, 3, 10, 99, 200):
        scores = rng.integers(0, 5, 100) / 4.0
        scores[rng.random(100) < 0.9 if n == 99 else rng.random(100) < 0.1] = np.nan
        assert list(find_least(scores, n)) == list(np.argsort(scores, kind="stable")[:n])


def test_the_status_by_parts_is_the_status(scanned, tmp_path, capsys):
    bench = copied(scanned, tmp_path / "own")
    order = list(sampling.random_order(bench.state())[:45])
    labels = bench.state().label
    decide(bench, "ann", *(dict(sample=s, label=other(labels[s])) for s in order[:9]))
    decide(
        bench,
        "ann",
        *(
            dict(sample=s, verdict="unsure" if i % 5 == 0 else "confirm")
            for i, s in enumerate(order[9:40])
        ),
    )
    decide(
        bench,
        "ann",
        dict(sample=order[42], verdict="confirm"),
        dict(sample=order[43], keep="false"),
    )
    decide(bench, "bob", *(dict(sample=s, label=labels[s]) for s in order[:2]))
    bench.commit("one", "ann")
    decide(bench, "bob", dict(sample=order[44], tag="odd"))
    expected, found = summarize_bench(bench), summarize_by_parts(bench)
    ahead = ("next_labels", "outlook", "advice", "next")
    assert {k: v for k, v in found.items() if k not in ahead} == {
        k: v for k, v in expected.items() if k not in ahead
    }
    assert expected["review"]["share"] and expected["issues"]["reviewer_disagreement"]
    assert found["advice"] == expected["advice"] or expected["outlook"]["stop"]
    assert "not foreseen" in capsys.readouterr().err
