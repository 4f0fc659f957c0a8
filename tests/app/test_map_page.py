"""Map as people use it: a legend that is a facet, the selection of another window, keys, trouble."""

import re

import numpy as np
import pytest

from assay.curation.features import image_map
from assay.curation.splits import LOCKED
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import find_barriers, until, workbench
from tests.helpers import bench_of, copied, digits, silent
from tests.map_places import around, drawn_at, inside, read_places

pytestmark = pytest.mark.browser
ROOT = ".assay-map"


@pytest.fixture(scope="module")
def bench(scanned_once, tmp_path_factory):
    out = copied(scanned_once, tmp_path_factory.mktemp("map") / "bench")
    image_map.sketch_map(out)
    return out


@pytest.fixture(scope="module")
def places(bench):
    return read_places(bench)


def on_map(server, chrome, address="/map?who=ann", **options):
    page = server.page(chrome, address, **options)
    page.wait_for_selector(f"{ROOT}[data-painted]", timeout=120_000)
    return page


def circle(page, corners):
    """Circle with the pointer."""
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in (*corners[1:], corners[0]):
        page.mouse.move(*corner, steps=3)
    page.mouse.up()


def selected(page, n):
    page.locator(".chosen b", has_text=re.compile(f"^{n:,} selected$")).wait_for()


@pytest.mark.daily
def test_the_legend_is_a_facet_and_counts_what_is_in_the_filter(bench, server, chrome):
    state = bench.state()
    label = state.label.where(~state["split"].isin(LOCKED))
    page = on_map(server, chrome)
    count = page.locator(".filter .count b")
    three = page.locator(".legend .value", has=page.locator(".name", has_text=re.compile("^3$")))
    five = page.locator(".legend .value", has=page.locator(".name", has_text=re.compile("^5$")))
    assert three.locator(".n").inner_text() == str((label == "3").sum())
    locked = page.locator(".legend .still", has_text="locked").locator(".n").inner_text()
    assert locked == str(label.isna().sum())
    three.click()
    until(page, f"document.querySelector('{ROOT}').dataset.drawn === '{(label == '3').sum()}'")
    assert f"of {len(state)}" in page.locator(".filter .count").inner_text() and "q=" in page.url
    page.wait_for_timeout(500)  # two clicks, not one double click
    five.click(modifiers=["Alt"])
    page.locator(".chip.not").wait_for()
    five.dblclick()
    count.filter(has_text=re.compile(f"^{(label == '5').sum()}$")).wait_for()
    assert page.locator(".chip").count() == 1 and not page.failed
    page.context.close()


@pytest.mark.daily
def test_a_late_colour_does_not_win_and_the_map_stays_where_one_looks(server, chrome):
    page, held = on_map(server, chrome), []
    box = page.locator(".chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    fitted = page.locator(ROOT).get_attribute("data-view")
    page.mouse.wheel(0, -300)
    until(page, f"document.querySelector('{ROOT}').dataset.view !== '{fitted}'")
    view = page.locator(ROOT).get_attribute("data-view")
    page.route("**/assay/map/colours?by=score", lambda route: held.append(route))
    page.get_by_label("colour by").select_option("score")
    page.locator(".veil").wait_for()
    assert page.locator(ROOT).get_attribute("data-colour") == "label"
    page.get_by_label("colour by").select_option("split")
    page.wait_for_selector(f"{ROOT}[data-colour=split]")
    held[0].continue_()
    page.wait_for_timeout(500)
    assert page.locator(ROOT).get_attribute("data-colour") == "split"
    names = set(page.locator(".legend .value .name").all_inner_texts())
    assert names == {"train", "val", "test"} and page.locator(".veil").is_hidden()
    assert page.locator(ROOT).get_attribute("data-view") == view and not page.failed
    page.context.close()


@pytest.mark.daily
def test_two_windows_share_a_selection_and_a_link_carries_it(server, chrome, places):
    page = on_map(server, chrome)
    other = page.context.new_page()
    other.goto(f"{server.url}/browse?who=ann")
    other.wait_for_selector(".assay-browse[data-painted]", timeout=120_000)
    other.locator(".grid").focus()
    for _ in range(3):
        other.keyboard.press(" ")
        other.keyboard.press("ArrowRight")
    selected(page, 3)
    until(page, f"document.querySelector('{ROOT}').dataset.selected === '3'")
    page.locator(".panel[data-shown='3'] .tile").nth(2).wait_for()
    spots = drawn_at(page, places)
    corners = around(spots, np.arange(len(spots)))
    page.keyboard.press("l")
    circle(page, [(max(x, 5), y) for x, y in corners])
    n = int(inside(spots, corners).sum())
    selected(other, n)
    other.close()
    page.locator(".elsewhere").click()
    page.wait_for_selector(".assay-browse[data-painted]:not(.assay-map)", timeout=120_000)
    selected(page, n)
    assert not page.failed
    page.context.close()


@pytest.mark.daily
def test_few_in_view_are_pictures_and_one_is_shown_under_the_pointer(bench, server, chrome, places):
    page = on_map(server, chrome)
    row = int(np.flatnonzero(bench.state()["split"] == "train")[5])
    page.mouse.move(*drawn_at(page, places)[row])
    card = page.locator(".card")
    card.wait_for()
    key = card.locator(".quiet").inner_text().split(" · ")[0]
    near = np.flatnonzero(bench.state().key == key)
    assert np.abs(drawn_at(page, places)[near] - drawn_at(page, places)[row]).max() < 9
    for _ in range(5):
        page.mouse.wheel(0, -250)
    until(page, f"+document.querySelector('{ROOT}').dataset.pictures > 0")
    data = page.locator(ROOT).evaluate("e => ({ ...e.dataset })")
    assert int(data["pictures"]) <= int(data["seen"]) < 400
    page.mouse.click(*drawn_at(page, places)[row])
    selected(page, 1)
    page.mouse.dblclick(*drawn_at(page, places)[row])
    page.locator(".inspector h2").wait_for()
    assert not page.failed
    page.context.close()


@pytest.mark.daily
def test_keys_alone_move_select_and_open(bench, server, chrome):
    page = on_map(server, chrome)
    page.locator(".chart").focus()
    view = page.locator(ROOT).get_attribute("data-view")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    until(page, f"document.querySelector('{ROOT}').dataset.view !== '{view}'")
    page.keyboard.press("0")
    until(page, f"document.querySelector('{ROOT}').dataset.view === '{view}'")
    page.keyboard.press("v")
    selected(page, len(bench.state()))
    page.keyboard.press("Escape")
    page.locator(".chosen b", has_text="Nothing selected").wait_for()
    page.keyboard.press("Enter")
    page.locator(".inspector h2").wait_for()
    page.keyboard.press("Escape")
    page.locator(".inspector").wait_for(state="hidden")
    assert not page.failed
    page.context.close()


@pytest.mark.daily
def test_umap_is_begun_shows_how_far_it_is_and_stops(bench, server, chrome):
    page = on_map(server, chrome)
    assert page.get_by_label("drawn by").input_value() == "components"
    page.get_by_label("drawn by").select_option("umap")
    page.locator(".drawing", has_text="begins").wait_for()
    page.locator(".drawing", has_text="UMAP").wait_for(timeout=60_000)
    page.locator(".drawing button", has_text="Stop").click()
    page.locator(".drawing", has_text="Stopped").wait_for(timeout=60_000)
    page.get_by_role("button", name="Dismiss").click()
    page.locator(".drawing").wait_for(state="hidden")
    assert image_map.load_map(bench).method == "pca" and not page.failed
    page.context.close()


@pytest.mark.daily
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_and_reach_it(bench, server, chrome, scheme):
    for size in (390, 820, 1440, 2560):
        view = dict(viewport=dict(width=size, height=900), color_scheme=scheme)
        page = on_map(server, chrome, "/map?q=label+in+(%273%27,+%275%27)", **view)
        page.locator(".chart").focus()
        page.keyboard.press("v")
        page.wait_for_timeout(300)
        assert not find_barriers(page)
        page.get_by_label("colour by").select_option("score")
        page.wait_for_selector(f"{ROOT}[data-colour=score]")
        assert not find_barriers(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.context.close()


@pytest.mark.daily
def test_a_bench_without_a_map_has_the_button_and_any_name_is_text(tmp_path, chrome):
    table = digits(80)
    names = ["<img src=x onerror=window.ran=1>", "قطة", "一只猫", "🐈cat", "x" * 250]
    table["label"] = [names[i // 5 % 5] for i in range(len(table))]
    strange = bench_of(table, tmp_path, audited_test=True)
    with workbench(strange.path) as server:
        page = server.page(chrome, "/map?who=ann")
        page.locator(".drawing", has_text="no map before a scan").wait_for(timeout=120_000)
        scan(strange, ScanOptions(embedder="pixels"), say=silent)
        image_map.sketch_map(strange)
        page.reload()
        page.wait_for_selector(f"{ROOT}[data-painted]", timeout=120_000)
        for name in names:
            page.locator(".legend .value", has_text=name[:40]).first.wait_for()
        assert page.evaluate("window.ran") is None and not page.locator("img[src=x]").count()
        assert not page.failed
        page.context.close()
