"""Every page in every state: nobody is barred, by a screen reader, a keyboard or a lack of data."""

import pytest

from tests.app_test import AppTest
from tests.browser import find_barriers, workbench
from tests.helpers import PAGES
from tests.screenshot_benches import make_empty, make_one, make_thousand
from tests.screenshots import STATES, open_view


def opened(bench, page):
    """A page as Streamlit runs it, without a browser."""

    def script(path, page):
        import assay
        from assay.app.ui.page import draw_page

        draw_page(page, assay.open(path))

    kwargs = dict(path=str(bench.path), page=page)
    at = AppTest.from_function(script, kwargs=kwargs, default_timeout=60).run()
    assert not at.exception, [e.value for e in at.exception]
    return at


def test_a_bench_of_one_picture_is_told_what_keeps_it_and_has_the_button_that_scans(tmp_path):
    at = opened(make_one(tmp_path), "gaps")
    assert "scan" in at.warning[0].value and "run:" not in at.warning[0].value
    assert [b.label for b in at.button] == ["Scan"]


@pytest.mark.browser
@pytest.mark.daily
def test_browse_of_an_empty_bench_opens_the_import(tmp_path, chrome):
    with workbench(make_empty(tmp_path).path) as server:
        page = server.page(chrome, "/browse?who=ann")
        page.get_by_role("tab", name="Upload").wait_for(timeout=60_000)
        assert not page.get_by_text("Page not found").count()
        assert find_barriers(page) == [] and not page.failed
        page.context.close()


@pytest.mark.browser
@pytest.mark.daily
def test_review_of_one_picture_without_a_label_has_the_button_that_scans(tmp_path, chrome):
    with workbench(make_one(tmp_path).path) as server:
        page = server.page(chrome, "/review?who=ann")
        page.get_by_role("button", name="Scan", exact=True).wait_for(timeout=60_000)
        assert not page.locator(".assay-review").count() and not page.failed
        page.get_by_role("button", name="Scan", exact=True).click()
        page.locator(".assay-frame .jobs:visible", has_text="scan").wait_for(timeout=60_000)
        page.context.close()


MAKE = dict(empty=make_empty, one=make_one, thousand=make_thousand)


@pytest.mark.browser
@pytest.mark.daily
@pytest.mark.parametrize("state", STATES)
def test_nobody_is_barred_from_a_page_in_a_state(scanned, tmp_path, chrome, state):
    found, bench = [], MAKE[state](tmp_path / state) if state in MAKE else scanned
    with workbench(bench.path) as server:
        for name in PAGES:
            page = open_view(server, chrome, name, state, plain=True)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                found += [(name, scheme, *barrier) for barrier in find_barriers(page)]
            page.context.close()
    assert found == []


@pytest.fixture(scope="module")
def bench(scanned_once):
    return scanned_once


COMING = dict(  # what a page says while nothing has come
    browse="Fetching the samples",
    map="drawing",
    review="Fetching the queue",
    models="Judging the models",
    duplicates="Fetching the groups",
    classes="Fetching the classes",
)


@pytest.mark.browser
@pytest.mark.daily
@pytest.mark.parametrize("name", COMING)
def test_a_page_says_that_it_waits_and_that_the_server_has_failed(server, chrome, name):
    for state, words in (("loading", COMING[name]), ("error", "error of its own (500)")):
        page = open_view(server, chrome, name, state, plain=True)
        page.locator(f".assay-{name}").get_by_text(words).first.wait_for(timeout=30_000)
        assert not page.failed
        page.context.close()
