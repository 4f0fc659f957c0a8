"""Effects and their controls, drawn where the numbers say."""

from copy import deepcopy

import pytest

from assay.pipelines.reports.markdown import markdown
from tests.report_page import (
    MAIN,
    REPORT_DATA,
    Parsed,
    cell,
    change,
)
from tests.report_parts import page


def test_what_is_drawn_lies_where_the_numbers_say():
    parsed = Parsed(page())
    drawn = [
        [
            (t, a)
            for t, a, path in parsed.tags
            if t in ("rect", "line", "circle", "text") and path.count("table") == 1
        ]
    ]

    def place(a, key="x"):
        return float(a[key].rstrip("%"))

    zero = next(place(a, "x1") for t, a in drawn[0] if t == "line")
    bar = next(a for t, a in drawn[0] if t == "rect" and a["class"] == "bar")
    point = next(place(a, "cx") for t, a in drawn[0] if t == "circle")
    band = next(a for t, a in drawn[0] if t == "rect" and a["class"] == "band")
    unit = place(bar, "width") / (
        MAIN["high"] - MAIN["low"]
    )  # percent of the axis a fraction takes
    assert point == pytest.approx(zero + unit * MAIN["estimate"], abs=0.05)
    assert place(bar) == pytest.approx(zero + unit * MAIN["low"], abs=0.05)
    assert place(bar) + place(bar, "width") == pytest.approx(zero + unit * MAIN["high"], abs=0.05)
    assert (place(band), place(band, "width")) == pytest.approx(
        (zero - unit * 0.005, 2 * unit * 0.005), abs=0.05
    )
    unseen = parsed.all("rect", "unseen")
    assert len(unseen) == 1 and place(unseen[0], "width") == pytest.approx(
        2 * unit * 0.018, abs=0.05
    )
    assert all(0 <= place(a) and place(a) + place(a, "width") <= 100 for a in parsed.all("rect"))


def test_a_control_that_nobody_ran_is_estimated_from_the_random_stratum_and_says_so():
    guess = dict(
        kind="control",
        estimated=True,
        sure_at_random=60,
        unsure_at_random=0,
        hits=3,
        reviews=105,
        found=36,
        would_find=[5.25, 1.8, 14.4],
    )
    text = Parsed(page(control=guess)).text()
    assert (
        "Random control, estimated from 60 reviewed at random (3 wrong): 105 such reviews would have found 5 [2, 14] wrong labels; these found 36."
        in text
    )
    assert "5 [2, 14]" in Parsed(page(control=guess)).text("dd")


def test_a_spread_that_came_out_below_nothing_is_no_number():
    text = Parsed(
        page(matrix=[cell("v1", "mlp", 0.8, seed_spread=0.0), cell("v2", "mlp", 0.8)])
    ).text()
    assert (
        "seed spread not distinguishable from 0" in text
        and "seed spread 0.4" in text
        and "seed spread 0.0" not in text
    )
    assert "the same run may get another interval in another plan" in text


def test_the_random_control_of_a_relabelling_says_what_it_is():
    blind = change("control", "v1 ~ random(30) against v1", -0.02, -0.03, -0.01)
    for text in (
        Parsed(page(beside=[blind])).text("header"),
        markdown(deepcopy(REPORT_DATA) | dict(beside=[blind])).replace("\\", ""),
    ):
        assert (
            "The random control v1 ~ random(30) relabels random samples in the same way, so it harms by itself"
            in text
        )
    assert "harms by itself" not in page() + markdown(deepcopy(REPORT_DATA))


def test_a_run_that_diverged_is_named_and_so_is_a_change_of_code():
    text = Parsed(
        page(
            diverged=[dict(version="v1", arch="mlp", seeds=[2])],
            matrix=[cell("v1", "mlp", 0.6, diverged=[2])],
            code=["aaa", "bbb"],
        )
    ).text()
    assert (
        "diverged and left out: seed 2" in text
        and "1 run that diverged left out." in text
        and "different code" in text
    )
