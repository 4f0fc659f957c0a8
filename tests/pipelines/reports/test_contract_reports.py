"""Every section of the experiment's report keeps the contract of reports/base.py, an outside one too."""

import sys
from copy import deepcopy

import pytest
from markupsafe import Markup

import assay
from assay.curation.plugins import discover
from assay.pipelines.reports import experiment_report
from assay.pipelines.reports.base import collect_pictures, list_sections
from tests.report_page import END_TO_END, HOSTILE, PICTURES, REPORT_DATA, RULES, Parsed

SECTIONS = list_sections()
NONE = dict(
    changed=[], n_changed=0, n_dropped=0, who=[], open=[], n_open=0, no_queue=None, panorama=None
)
OUTSIDE = '''"""A section of somebody else's."""
from markupsafe import Markup

TITLE, ORDER = "Energy", 45


def collect(bench, data):
    return dict(energy=bench.path.name)


def section(data):
    return Markup("<p>{} used 3 kWh</p>").format(data["pictures"]["energy"])
'''


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.__name__.split(".")[-1])
def test_a_section_draws_safe_markup_that_closes_what_it_opens(section):
    known = deepcopy(REPORT_DATA) | dict(pictures=deepcopy(PICTURES), most=24)
    known |= dict(rules=[deepcopy(RULES)], end_to_end=deepcopy(END_TO_END))
    drawn = section.section(known)
    assert isinstance(drawn, Markup) and (drawn or section.TITLE == "What the data do not show")
    parsed = Parsed(drawn)
    assert {t for t, _, _ in parsed.tags}.isdisjoint({"script", "link", "iframe", "form"})
    assert section.TITLE and isinstance(section.ORDER, int)
    known["rules"][0]["slices"][0]["name"] = HOSTILE
    known["end_to_end"]["curves"][0]["arch"] = HOSTILE
    known["question"] = known["plan"]["versions"][0] = known["made"]["bench"] = HOSTILE
    assert "<script" not in section.section(known)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.__name__.split(".")[-1])
def test_a_section_shows_no_picture_where_the_page_has_no_room(section):
    known = deepcopy(REPORT_DATA) | dict(pictures=deepcopy(PICTURES), most=0)
    assert "<img" not in section.section(known)


def test_the_sections_have_an_order_and_a_title_each():
    orders, titles = [s.ORDER for s in SECTIONS], [s.TITLE for s in SECTIONS]
    assert orders == sorted(orders) and len(set(orders)) == len(set(titles)) == len(SECTIONS) == 15
    html = experiment_report.draw_page(deepcopy(REPORT_DATA), PICTURES | NONE)
    contents = [a["href"] for a in Parsed(html).all("a")]
    absent = "What the data do not show", "Rules or network", "Frozen or end to end"
    drawn = [s.TITLE for s in SECTIONS if s.TITLE not in absent]
    assert len(contents) == 1 + len(drawn) and all(f"<h2>{title}</h2>" in html for title in drawn)


def test_a_section_of_another_distribution_is_on_the_page_and_in_its_key(tmp_path, monkeypatch):
    (tmp_path / "energy_section.py").write_text(OUTSIDE)
    about = tmp_path / "energy-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: energy\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[assay.pipelines.reports]\nenergy = energy_section\n")
    bench = assay.create(tmp_path / "bench")
    before = experiment_report.state_key(bench, REPORT_DATA["plan"])
    monkeypatch.syspath_prepend(tmp_path)
    discover.cache_clear()
    try:
        section = next(s for s in list_sections() if s.TITLE == "Energy")
        pictures = PICTURES | dict(energy=section.collect(bench, {})["energy"])
        html = experiment_report.draw_page(deepcopy(REPORT_DATA), pictures)
        assert "bench used 3 kWh" in Parsed(html).text("section")
        assert (
            html.index("What it cost</h2>") < html.index("Energy</h2>") < html.index("helped</h2>")
        )
        assert before != experiment_report.state_key(bench, REPORT_DATA["plan"]), (
            "a kept report is drawn anew"
        )
    finally:
        discover.cache_clear()
        sys.modules.pop("energy_section", None)


def test_a_section_collects_what_it_needs_of_a_bench(bench):
    bench.commit("as imported")
    plan = REPORT_DATA["plan"] | dict(versions=["v1"])
    pictures = collect_pictures(bench, deepcopy(REPORT_DATA) | dict(plan=plan, where=None))
    assert pictures["changed"] == pictures["open"] == [] and pictures["panorama"] is None
    assert "expected" in pictures["no_queue"]
    known = deepcopy(REPORT_DATA) | dict(pictures=pictures, most=24, plan=plan, where=None)
    assert all(isinstance(s.section(known), Markup) for s in SECTIONS)
