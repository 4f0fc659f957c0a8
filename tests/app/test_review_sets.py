"""Review with several labels a sample: classes are chosen by their keys, one is asked about, and the whole set is stored."""

import json

import pytest

from tests.browser import find_barriers, stored
from tests.label_sets import scan_sets

pytestmark = [pytest.mark.browser, pytest.mark.daily]
SEEN = '.assay-review[data-seen="yes"] .picture article'


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return scan_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture
def page(server, chrome):
    page = server.page(chrome, "/review?who=ann")
    page.wait_for_selector(SEEN, timeout=60_000)
    yield page
    assert not page.failed and not page.foreign
    page.context.close()


def decide(page, bench, key):
    """Press a key; (what the shown sample was given, and what the log then says of it)."""
    name, state = page.locator('[data-is="name"]').inner_text(), bench.state()
    sample = state.index[state.key == name][0]
    page.keyboard.press(key)
    stored(page)
    row = bench.state().loc[sample]
    return json.loads(state.label[sample]), json.loads(row.label), row


def test_y_and_n_answer_for_one_class_and_leave_the_others(page, bench):
    asked = page.locator('[data-is="asked"]').inner_text().split("“")[1].split("”")[0]
    given, now, row = decide(page, bench, "y")
    assert set(now) == {*given, asked} and row.reviewed
    assert row.verdict == ("confirm" if asked in given else "set")


def test_keys_choose_classes_and_enter_stores_the_set(page, bench):
    chosen = page.locator('.classes [aria-pressed="true"]').evaluate_all(
        "all => all.map((b) => b.dataset.label)"
    )
    other = next(c for c in bench.classes().name if c not in chosen)
    key = page.locator(f'.classes [data-label="{other}"] kbd').inner_text()
    page.keyboard.press(key)
    assert page.locator(f'.classes [data-label="{other}"]').get_attribute("aria-pressed") == "true"
    assert other in page.locator('[data-is="suggested"]').inner_text()
    _, now, row = decide(page, bench, "Enter")
    assert now == sorted({*chosen, other}) and row.who == "ann"
    page.keyboard.press("Control+z")
    page.wait_for_function(
        "document.querySelector('[data-is=note]').textContent.startsWith('Taken back')"
    )


def test_the_page_has_no_barrier(page):
    assert find_barriers(page) == []
    assert page.locator('[data-is="do-yes"]').inner_text().split()[-1] == "yes"
