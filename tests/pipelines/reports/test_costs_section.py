"""The curve of a review, and what an hour of each bought."""

import re

import pytest

from tests.report_page import (
    COSTS,
    GAIN,
    Parsed,
)
from tests.report_parts import cards, page, rows


def test_the_curve_lies_where_the_numbers_say():
    html = page()
    inside = html[html.index('<div class="curve">') :]
    inside = inside[: inside.index("</div>")]
    line, band = (re.search(rf'<{t} points="([^"]*)"', inside)[1] for t in ("polyline", "polygon"))
    line, band = ([tuple(map(float, p.split(","))) for p in s.split()] for s in (line, band))
    last, zero = GAIN[-1], line[0]
    unit = (line[-1][1] - zero[1]) / last["estimate"]  # what a fraction takes, downwards
    assert unit < 0 and len(line) == len(GAIN) and len(band) == 2 * len(GAIN)
    for p, at, low, high in zip(GAIN, line, band, band[::-1]):
        x = 100 * p["reviews"] / last["reviews"]
        assert at == pytest.approx((x, zero[1] + unit * p["estimate"]), abs=0.05)
        assert (low, high) == (
            pytest.approx((x, zero[1] + unit * p["low"]), abs=0.05),
            pytest.approx((x, zero[1] + unit * p["high"]), abs=0.05),
        )
    assert all(0 <= y <= 100 for _, y in band)
    titles = re.findall("<title>(.*?)</title>", inside)
    assert titles[0] == "0 reviews, 0 s: 0.0 [0.0, 0.0] points" and titles[-1].startswith(
        "105 reviews, 18 min: +1.2 [0.0, +2.5]"
    )
    hit = [
        (float(x), float(w))
        for x, w in re.findall(r'<rect x="([\d.]+)%" width="([\d.]+)%"', inside)
    ]
    assert hit[0][0] == 0 and sum(w for _, w in hit) == pytest.approx(
        100, abs=0.1
    )  # wherever the pointer is, one point answers


def test_minutes_seconds_and_what_an_hour_of_each_bought():
    text = Parsed(page()).text()
    assert (
        "17 min review: 105 decisions that stand, by ann; 5 decisions without a time taken as the median"
        in " ".join(cards(page()))
    )
    assert (
        "+0.7 [−3.5, +4.9] points gained per hour of review, not distinguishable from none"
        in " ".join(cards(page()))
    )
    assert "mlp against probe +3.1 [+1.2, +5.0] 4 min a run +51.0 [+20.0, +83.0]" in rows(page())
    short = dict(
        arch="mlp",
        against="probe",
        estimate=None,
        hours=1.2 / 3600,
        reason="too short to be a rate",
    )
    short = page(costs=COSTS | dict(rates=COSTS["rates"] | dict(architectures=[short])))
    assert "mlp against probe +3.1 [+1.2, +5.0] 1 s a run too short to be a rate" in rows(short)
    assert "each interval speaks of its own point" in text
    assert "reviews 70 to 105: no evidence that it still gained, +0.1 [−0.3, +0.5] points." in text
    assert "Validation labels changed: 4, which is no gain." in text
    order = ["first hundred", "only confirmed", "edit-2"]
    assert (
        sorted(order, key=text.index) == order
        and "ann, 2026-11-20: 30 training labels changed" in text
    )  # the best first
    assert "edit-3 only confirmed 5 0 0.0 [0.0, 0.0] changed nothing" in rows(page())
