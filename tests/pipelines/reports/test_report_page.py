"""The report as its reader sees it: colours by verdict, one axis, every class, marks of the sets behind, screens and paper."""

import re
from copy import deepcopy

import pytest

from assay.pipelines.reports import classes
from assay.pipelines.reports.set_marks import is_label, quote_text
from tests.browser import browser, find_barriers
from tests.report_page import (
    HOSTILE,
    MAIN,
    MLP,
    PICTURE,
    PICTURES,
    REPORT_DATA,
    WHERE,
    Parsed,
    change,
    region,
)
from tests.report_parts import page, rows

HURTS = change("data", "v2 against v1", -0.02, -0.03, -0.01, p=1e-3, p_holm=1e-3, verdict="hurts")
NARROW, TABLET, LAPTOP, DESK = 390, 820, 1200, 1440


def tones(html, kind):
    """The classes of the rows of each plot of a kind."""
    tables = re.findall(rf'<table class="plot {kind}">(.*?)</table>', html)
    return [re.findall(r'<tr class="([^"]*)"><th', table) for table in tables]


def test_only_what_helps_is_green_and_only_what_hurts_is_red():
    html = page()
    assert tones(html, "gains")[0][0] == "main", "the gain that is not shown has no colour"
    assert tones(html, "effects")[0] == ["main", "helps", ""]
    assert "<em>Not shown</em>" in html
    html = page(interval=HURTS, effects=[HURTS, MLP], verdict="No: it fell; n.")
    assert tones(html, "gains")[0][0] == "main hurts" and '<em class="hurts">No</em>' in html
    css = re.search("<style>(.*?)</style>", html, re.S)[1]
    colours = {
        rule
        for rule in re.findall(r"[^{}]+\{[^{}]*var\(--helps\)[^{}]*\}", css)
        if ".helps" not in rule
    }
    assert not colours, "nothing else takes the colour of helps"


def test_all_gains_of_the_page_are_drawn_on_one_axis():
    """The same effect is as wide in the verdict as among the effects."""
    parsed = Parsed(page())
    widths = [
        float(a["width"].rstrip("%"))
        for t, a, path in parsed.tags
        if t == "rect" and a.get("class") == "bar" and path.count("table")
    ]
    assert widths.count(widths[0]) >= 2 and MAIN["low"] == -0.010
    ticks = re.findall(r'<tr class="axis">(.*?)</tr>', page())
    assert ticks[0] == ticks[2], "gains, then cells, then effects"


def test_every_class_has_its_n_and_intervals_before_and_after():
    counts = [dict(functional=900, defective=100), dict(functional=850, defective=150)]
    html = page(PICTURES | dict(class_counts=counts))
    part = html[html.index("<h2>Every class before and after") :]
    lines = rows(part[: part.index("</section>")])
    assert lines[1:] == [
        "defective 100 → 150 175 76.9 [73.9, 79.9] 76.0 [73.0, 79.0] −0.9 [−3.9, +2.1] 1.000 no evidence either way",
        "functional 900 → 850 350 85.7 [83.7, 87.7] 88.6 [86.6, 90.6] +2.9 [+0.9, +4.9] 0.010 helps",
    ], "in the order of the class list"
    few = WHERE | dict(slices=[region("class", "rare", 4, None, None, None, "too few")])
    part = page(where=few)
    assert "rare unknown 4 too few" in rows(part)


def test_training_labels_of_a_class_are_counted_under_the_names_of_now(scanned):
    scanned.rename_class("3", "three", who="ann")
    scanned.commit("renamed", "ann")
    where = dict(slices=[dict()], against="v1", version="v2")
    data = dict(where=where, plan=dict(seeds=[0]))
    before, after = classes.collect(scanned, data)["class_counts"]
    truth = scanned.frame(split="train").label.value_counts()
    assert before == after == {str(k): n for k, n in truth.items()} and "three" in before


def test_a_figure_is_marked_with_the_samples_behind_it_and_leads_nowhere_by_itself():
    shown = PICTURES | dict(open=[PICTURE | dict(sample="ab12")])
    parsed = Parsed(page(shown))
    marks = {a["data-where"] for _, a, _ in parsed.tags if "data-where" in a}
    assert "label = 'defective' and suggestion = 'functional' and split = 'val'" in marks
    assert {"sample = 'ab12'", "reviewed", "flagged and split in ('train', 'val')"} <= marks
    assert all(a["href"].startswith("#") for a in parsed.all("a"))
    assert not any("'test'" in where for where in marks), "what is locked stays so"
    assert quote_text("it's") == "'it''s'" and is_label("a", split="val").count("'") == 4


@pytest.fixture(scope="module")
def chrome():
    with browser() as running:
        yield running


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.daily
def test_it_fits_every_screen_and_paper_and_all_can_read_it(chrome, tmp_path):
    long = "a class with a name that never ends " * 3
    slices = [region("class", f"{long}{i}", 30, 0.01, 0.02, 1.0, "helps") for i in range(30)]
    data = WHERE | dict(slices=[*WHERE["slices"], *slices, region("class", HOSTILE, 30, 0.01, 0.02, 1.0, "hurts")])  # fmt: skip
    (tmp_path / "report.html").write_text(page(where=deepcopy(data)))
    for width in (NARROW, TABLET, LAPTOP, DESK):
        seen = chrome.new_page(viewport=dict(width=width, height=850), color_scheme="dark")
        seen.goto((tmp_path / "report.html").as_uri())
        assert seen.evaluate("document.documentElement.scrollWidth") <= width
        assert find_barriers(seen) == []
        contents = seen.get_by_role("navigation", name="Contents")
        contents.get_by_text("Is it fair?").click()
        seen.wait_for_timeout(300)
        assert 0 <= contents.bounding_box()["y"] < 100, "the contents stay in sight"
        heading = seen.get_by_role("heading", name="Is it fair?").bounding_box()["y"]
        assert heading > (contents.bounding_box()["height"] if width < LAPTOP else 0)
        assert seen.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(251, 250, 248)"
        ), "light, whatever the reader's screen is"
    seen.emulate_media(media="print")
    assert not contents.is_visible() and seen.get_by_text("The curve as numbers").count()
    paper = seen.pdf(format="A4")
    pages = len(re.findall(rb"/Type\s*/Page\b", paper))
    assert pages > 3, "it is parted into pages"
    assert REPORT_DATA["question"] in seen.content()
