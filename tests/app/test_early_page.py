"""Browse's grid is there before Streamlit is, which takes it over as it stands."""

import pytest

from assay.app.server.early_page import write_early_page
from tests.browser import until
from tests.helpers import bench_of, digits

pytestmark = pytest.mark.browser
HELD = "**/static/js/index.*.js"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return bench_of(digits(200), tmp_path_factory.mktemp("early"))


@pytest.fixture
def held(server, chrome):
    """(a page of Browse whose Streamlit is still on its way, the requests that wait)"""
    page = server.page(chrome, "/overview", viewport=dict(width=900, height=500))
    waiting = []
    page.route(HELD, lambda route: waiting.append(route))
    page.goto(f"{server.url}/browse", wait_until="commit")
    page.wait_for_selector(".assay-early .assay-browse[data-painted]")
    yield page, waiting
    assert not page.failed and not page.foreign
    page.context.close()


@pytest.mark.daily
def test_a_grid_that_is_used_before_streamlit_is_up_is_taken_over_as_it_stands(held):
    page, waiting = held
    page.locator(".tile .picture").first.click()
    page.locator(".grid").evaluate("grid => { grid.scrollTop = 700; }")
    page.get_by_label("tag the selected samples").fill("soon")
    page.keyboard.press("Enter")
    page.get_by_label("your name").fill("ann")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Undo (Ctrl+Z)").wait_for()
    assert not page.locator(".assay-place").count(), "Streamlit is held back"
    until(page, "document.querySelector('#assay-later').content.childElementCount === 0")
    for request in waiting:
        request.continue_()
    page.wait_for_selector(".assay-place .assay-browse")
    assert not page.locator(".assay-early").count()
    assert page.locator(".chosen b").inner_text() == "1 selected"
    assert page.locator(".grid").evaluate("grid => grid.scrollTop") == 700
    until(page, "location.search.includes('who=ann')")  # what was said meanwhile


def test_ctrl_z_is_heard_before_streamlit_is_up(held, bench):
    page, _ = held
    page.evaluate("document.querySelector('.assay-browse').who = 'ben'")
    page.locator(".tile .picture").first.click()
    page.get_by_label("tag the selected samples").fill("early")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Undo (Ctrl+Z)").wait_for()
    page.locator(".grid").focus()
    page.keyboard.press("Control+z")
    page.locator(".says", has_text="undone: ").wait_for()
    assert not page.locator(".assay-place").count(), "Streamlit is held back"
    assert not any("early" in tags for tags in bench.state().tags)


def test_a_grid_that_nobody_takes_over_goes_with_its_address(held):
    page, _ = held
    page.evaluate("history.pushState(null, '', '/history')")
    until(page, "!document.querySelector('.assay-browse')")


def test_the_page_is_streamlits_own_but_its_scripts_wait():
    page = write_early_page()
    before, later = page.split('<template id="assay-later">')
    assert "/browse/boot.js" in before and "static/js/" not in before
    assert '<script type="module"' in later and "</template>" in later
