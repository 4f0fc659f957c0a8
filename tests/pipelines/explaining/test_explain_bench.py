"""What is explained of a whole bench can be counted by hand."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln, gammaln

import assay
from assay.curation.slicing import gap_evidence
from assay.pipelines.explaining.catalogue import NUMBERS
from assay.pipelines.explaining.explain import explain
from assay.pipelines.explaining.gap_numbers import explain_gap
from assay.pipelines.explaining.review_numbers import explain_errors_left, explain_live_gain
from tests.helpers import run_assay, truth_of

REVIEW = dict(
    sure_at_random=100,
    hits=5,
    unsure_at_random=0,
    population=1100,
    wrong=25,
    errors_left=(30.0, 10, 80),
    errors_between=None,
)


def test_errors_left_can_be_counted_by_hand():
    said = explain_errors_left(REVIEW)
    assert (
        "max(0, 1,100 · 5 / 100 − 25) = 30" in said.filled
        and said.value == 30
        and said.result == "30 [10, 80]"
    )
    notes = said.notes
    assert "Of 1,100 labels 100 were drawn" in notes[0] and "5.0% of all 1,100" in notes[1]
    unsure = dict(sure_at_random=90, unsure_at_random=10, errors_between=(30.0, 140.0))
    notes = explain_errors_left(REVIEW | unsure).notes
    assert "Of 10 nobody was sure" in notes[1] and "5.0% to 15.0%" in notes[2]
    few = explain_errors_left(REVIEW | dict(sure_at_random=9, hits=1, errors_left=None))
    assert (
        few.value is None and few.result == "not yet known" and "30 such reviews" in few.notes[-1]
    )


def test_a_gap_tells_nothing_that_it_has_not():
    row = dict.fromkeys(gap_evidence.COLUMNS, np.nan) | dict(
        errors=8,
        val=10,
        judged=10,
        rate=0.8,
        low=0.5,
        high=0.95,
        rest=0.1,
        n_rest=90,
        unit="sample",
    )
    row |= dict(explains=7.0, explains_low=4.0, explains_high=9.0)
    rate, explains = explain_gap(row)
    assert "wrong about 8 of its 10" in rate.notes[0] and rate.filled.startswith("8 / 10 = 0.8")
    assert "At that rate 1 would be wrong" in explains.notes[0] and "nan" not in str(
        [rate, explains]
    )
    row |= dict(
        ratio=0.2, ratio_low=0.1, ratio_high=0.4, against="val", p=0.001, q=0.02, train=1, pool=2
    )
    share = explain_gap(pd.Series(row).to_dict())[-1]
    assert "0.20 [0.10, 0.40] times the share of it that val has" in share.notes[0]
    assert "probability 0.001" in share.notes[1]


def test_a_live_gain_is_its_formula():
    said = explain_live_gain(
        dict(better=19, worse=1, n=199, n_of=199, gain=[18 / 199, 0.008, 0.17])
    )
    assert said.value == pytest.approx((19 - 1) / 199) and "(19 − 1) / 199" in said.filled
    sampled = explain_live_gain(
        dict(better=19, worse=1, n=199, n_of=5000, gain=[0.09, 0.008, 0.17])
    )
    assert "fixed sample of 5,000" in sampled.notes[-1] and sampled.function == "sampled_gain"
    assert explain_live_gain(dict(gain=None)).result == "no validation labels"


@pytest.mark.slow
def test_numbers_of_a_reviewed_bench_follow_from_what_is_printed(scanned):
    bench = assay.open(scanned.path)
    before = {name: explain(bench, name).numbers[0] for name in NUMBERS}
    assert before["errors-left"].result == before["gain"].result == "not yet known", (
        "and it says what it takes"
    )
    assert all(e.notes for e in before.values() if not e.filled)
    flagged = before["flagged"]
    c = flagged.numbers["counted"] / flagged.numbers["contradicted"]
    assert flagged.value == bench.label_issues().is_label_issue.sum() and flagged.numbers["c"] == c
    while (bench.status()["review"]["sure_at_random"]) < 32:
        rows = bench.queue(60)
        rows = rows.assign(label=truth_of(bench)[rows["sample"]].to_numpy())
        bench.edit(rows[["sample", "label"]], "ann")
    review = bench.status()["review"]
    left, share = (explain(bench, name).numbers[0] for name in ("errors-left", "share-wrong"))
    n = left.numbers
    assert left.value == review["errors_left"][0]
    assert max(0, n["population"] * n["hits"] / n["sure_at_random"] - n["wrong"]) == pytest.approx(
        left.value
    )
    low, high = every_possible(n["hits"], n["sure_at_random"], n["population"])
    assert (share.numbers["low"], share.numbers["high"]) == pytest.approx(
        (low / n["population"], high / n["population"])
    )
    gain, coming = (explain(bench, name).numbers[0] for name in ("next-gain", "next-labels"))
    status = bench.status()
    assert (
        coming.value == status["next_labels"]["wrong"]
        and gain.value == status["outlook"]["gain"]["gain"]
    )


def every_possible(hits, looks, population):
    """All numbers of wrong labels under which the looks are not much less likely than on average: by trying each."""
    w = np.arange(hits, population - looks + hits + 1)
    right = population - w
    log = (
        gammaln(w + 1)
        - gammaln(w - hits + 1)
        + gammaln(right + 1)
        - gammaln(right - looks + hits + 1)
    )
    log -= gammaln(population + 1) - gammaln(population - looks + 1)
    mixture = betaln(hits + 0.5, looks - hits + 0.5) - betaln(0.5, 0.5)
    inside = w[log >= mixture + np.log(0.05)]
    return inside[0], inside[-1]


@pytest.mark.slow
def test_an_experiments_numbers_follow_from_its_cells(scanned, tmp_path):
    bench = assay.open(scanned.path)
    rows = bench.queue(20, 0)[["sample"]]
    bench.edit(rows.assign(label=truth_of(bench)[rows["sample"]].to_numpy()), "ann")
    bench.commit("fixed", "ann")
    bench.experiment(
        dict(versions=["v1", "v2"], architectures=["probe"], seeds=2), tmp_path / "page.html"
    )
    gain, verdict, margin = (
        explain(bench, name).numbers[0] for name in ("gain", "verdict", "margin")
    )
    report = bench.report().data
    last, first = (np.mean(list(gain.numbers[end].values())) for end in ("last", "first"))
    assert gain.value == report["interval"]["estimate"] == pytest.approx(last - first)
    assert verdict.result == report["interval"]["verdict"] and margin.value == report["margin"]
    page = (tmp_path / "page.html").read_text()
    assert "How is this known?" in page and f"{gain.file}:{gain.line}" in page
    assert "lessons/lesson_4_what_is_a_gain/" in page


def test_the_command_line_and_python_say_the_same(scanned):
    bench = assay.open(scanned.path)
    status, out, _ = run_assay("explain", "errors-left", "-b", scanned.path)
    told = str(bench.explain("errors-left")).splitlines()
    assert status == 0 and out.splitlines()[: len(told)] == told
    names = list(
        chain.from_iterable(
            line.split()[:1] for line in run_assay("explain", "--list")[1].splitlines()
        )
    )
    assert names[: len(NUMBERS)] == list(NUMBERS) == [n.name for n in bench.explain().numbers]
