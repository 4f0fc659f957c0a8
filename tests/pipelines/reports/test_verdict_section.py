"""The verdict stands first, with what must be known before believing it."""

import re

import pytest

from assay.pipelines.evaluation.verdict import describe_enough
from tests.report_page import (
    MAIN,
    MLP,
    REPORT_DATA,
    REVIEW,
    N,
    Parsed,
    estimate,
)
from tests.report_parts import NOTHING, cards, page


def test_the_verdict_stands_first_and_the_words_of_it_stand_out():
    html = page()
    parsed = Parsed(html)
    assert parsed.text("h1") == REPORT_DATA["verdict"].replace("[-", "[−")
    assert html.index("<h1") < html.index("<svg aria") < html.index("<h2")
    assert re.search(r"<h1[^>]*><em>Not shown</em>: 105 reviews raised accuracy", html)


def test_an_audit_draws_the_gain_by_the_labels_as_given_under_its_own():
    given = estimate(0.001, -0.012, 0.015)
    effects = [MAIN | dict(given=given), MLP]
    audit = dict(
        n=500,
        audited=500,
        of=N,
        unsure=4,
        noise=dict(
            n=496, wrong=40, unsure=4, share=[0.08, 0.06, 0.11], share_between=[0.08, 0.088]
        ),
    )
    cells = [
        c | dict(accuracy=c["accuracy"] | dict(given=estimate(0.7, 0.6, 0.8, [3])))
        for c in REPORT_DATA["matrix"]
    ]
    parsed = Parsed(
        page(
            interval=effects[0],
            effects=effects,
            test=REPORT_DATA["test"] | dict(audit=audit),
            matrix=cells,
        )
    )
    own, under = ([a for a in parsed.all("circle", kind)] for kind in (None, "given"))
    zero = float(next(a["x1"] for a in parsed.all("line") if "x1" in a).rstrip("%"))
    bar = parsed.all("rect", "bar")[0]
    unit = float(bar["width"].rstrip("%")) / (MAIN["high"] - MAIN["low"])
    assert float(own[0]["cx"].rstrip("%")) == pytest.approx(
        zero + unit * MAIN["estimate"], abs=0.05
    )
    assert float(under[0]["cx"].rstrip("%")) == pytest.approx(
        zero + unit * given["estimate"], abs=0.05
    )
    assert float(parsed.all("rect", "given")[0]["width"].rstrip("%")) == pytest.approx(
        unit * 0.027, abs=0.05
    )
    assert "Hollow: the same by the test labels as given." in parsed.text()
    assert (
        "Of 500 test labels audited blind 40 were wrong and 4 left unsure; by the labels as given the gain would be +0.1"
        in parsed.text()
    )
    assert parsed.text("td").count(
        "as given 70.0 % [60.0, 80.0]"
    ) == 6 and "audited blind: 500 of 525" in parsed.text("dd")


def test_what_the_test_labels_are_worth_stands_right_after_the_answer():
    worth = "test labels unaudited (their noise, by the random stratum of train and val: 3 of 60, 5.0% [1.7%, 13.7%])"
    html = page(
        verdict=REPORT_DATA["verdict"].replace("; 525", f"; {worth}; 525"),
        test=REPORT_DATA["test"] | dict(audited=False),
    )
    title = Parsed(html).text("h1")
    assert title.startswith("Not shown: 105 reviews raised accuracy") and title.endswith(
        "would show 1.8 points or more."
    )
    assert re.search(r'<h1[^>]*><em>Not shown</em>.*<span class="rest">test labels unaudited', html)


def test_an_experiment_too_small_for_its_question_says_what_it_would_take():
    def said(**power):
        return Parsed(page(power=REPORT_DATA["power"] | power)).text("header")

    assert (
        "An effect of the 0.5 points asked about would be seen 12% of the time." in said()
        and "seen 91% of the time." in said(power=0.91)
    )
    assert "takes two seeds to say" in said(power=None)
    small = REPORT_DATA["power"] | dict(
        power=0.12, asked=0.005, samples=6800, seeds=None, audited=None, of=None
    )
    assert describe_enough(small) == ", and 0.5 points would take 6,800 test samples"
    part = small | dict(of=2000, seeds=12)
    assert (
        describe_enough(part | dict(samples=None, audited=900))
        == ", and 0.5 points would take 900 of the 2,000 test labels audited or 12 seeds"
    )
    assert (
        describe_enough(part | dict(seeds=None))
        == ", and 0.5 points would take 6,800 test samples, all audited"
    )
    assert describe_enough(part | dict(samples=None, seeds=None)).endswith(
        "both more audited test labels and more seeds"
    )
    assert describe_enough(small | dict(seeds=40)).endswith("6,800 test samples or 40 seeds")
    assert (
        describe_enough(small | dict(samples=None)).endswith(
            "both more test samples and more seeds"
        )
        and describe_enough(small | dict(power=0.9)) == ""
    )


def test_what_a_reader_must_know_before_believing_it():
    text = " ".join(cards(page()))
    assert "training samples that (nearly) equal a test sample: v1: 0, v2: 3 copies" in text
    assert (
        "this test version was looked at 2 times, first 2026-11-21; 14 edits of train and val since test accesses"
        in text
    )
    assert "525 test samples of v2, the same for every run judged by" in text
    near = REPORT_DATA["fairness"] | dict(near_duplicates=dict(v1=0, v2=0), accesses=1)
    text = " ".join(cards(page(fairness=near)))
    assert (
        "no training sample (nearly) equals a test sample" in text and "looked at 1 time," in text
    )


def test_unaudited_test_labels_have_no_band_too_small_to_matter():
    parsed = Parsed(page(test=REPORT_DATA["test"] | dict(audited=False)))
    assert not parsed.all("rect", "band") and parsed.all("rect", "bar")
    few = Parsed(page(review=REVIEW | NOTHING | dict(sure_at_random=5, hits=0))).text()
    assert (
        "0 of 5, too few for a rate" in few
        and "not yet known" in few
        and "takes 30 reviewed at random, there are 5" in few
    )
