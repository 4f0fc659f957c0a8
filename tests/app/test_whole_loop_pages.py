"""Every medium and task in the browser: shown, decided by one key, taken back, and told by History."""

import pytest

import assay
from tests.browser import OPAQUE, find_barriers, stored, until, workbench
from tests.helpers import run_assay
from tests.loops.base import list_loops, plant_errors, write_source

pytestmark = [pytest.mark.browser, pytest.mark.daily]
LOOPS = {loop.name: loop for loop in list_loops()}


@pytest.fixture(scope="module", params=LOOPS)
def scanned(request, tmp_path_factory, chrome):
    """A loop, its scanned bench, and a workbench on it."""
    loop, folder = LOOPS[request.param], tmp_path_factory.mktemp("pages")
    source = write_source(loop, plant_errors(loop.make(), 12), folder)
    for words in (["import", source, *loop.options], ["scan", *loop.scan]):
        status, _, err = run_assay(*words, "-b", folder / "bench")
        assert status == 0, err
    with workbench(folder / "bench") as server:
        yield loop, assay.open(folder / "bench"), server


def test_a_sample_is_seen_decided_by_a_key_and_taken_back(scanned, chrome):
    loop, bench, server = scanned
    page, before = server.page(chrome, "/review?who=ann"), bench.state()
    page.wait_for_selector(f'.assay-review[data-seen="yes"] .picture {loop.shown}', timeout=120_000)
    name = page.locator('[data-is="name"]').inner_text()
    assert find_barriers(page) == []
    page.keyboard.press("Enter")
    stored(page)
    until(page, f"document.querySelector('[data-is=name]').innerText !== '{name}'")
    state = bench.state()
    assert list(state.key[state.reviewed]) == [name], "what was shown is what was decided about"
    page.keyboard.press("Control+z")
    until(page, "document.querySelector('[data-is=note]').textContent.startsWith('Taken back')")
    stored(page)
    assert not bench.state().reviewed.any() and bench.state().label.equals(before.label)
    assert not page.failed and not page.foreign
    page.context.close()


@pytest.mark.parametrize(
    "address", ["overview", "browse", "map", "history", "duplicates", "gaps", "audit"]
)
def test_every_page_is_drawn(scanned, chrome, address):
    page = scanned[2].page(chrome, f"/{address}?who=ann")
    page.locator("h1, h2, [role=region]").first.wait_for(timeout=60_000)
    until(page, OPAQUE)
    assert not page.locator(".stException").count() and not page.failed and not page.foreign
    page.context.close()
