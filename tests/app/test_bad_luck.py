"""Bad luck in a real browser: a server that goes, names from anywhere and anybody."""

import numpy as np
import pandas as pd
import pytest

import assay
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import look, stored, until, workbench
from tests.helpers import bench_of, digits, silent

pytestmark = [pytest.mark.browser, pytest.mark.daily]
ROOT = ".assay-browse"
LONG = "x" * 290
NAMES = ["<script>window.ran=1</script>", "قطة", "一只猫", "🐈\u202ecat", LONG]


def painted(page):
    page.wait_for_selector(f"{ROOT}[data-painted]", timeout=120_000)


def test_review_keeps_what_was_decided_and_typed_while_the_server_is_away(scanned, chrome):
    with workbench(scanned.path) as server:
        page = server.page(chrome, "/review?who=ann")
        look(page)
        server.kill()
        page.keyboard.press("n")
        page.locator("[data-is=problem]", has_text="cannot be reached").wait_for(timeout=60_000)
        page.keyboard.press("/")
        page.keyboard.type("seve")
        server.start()
        stored(page)
        assert page.locator("[data-is=type]").first.input_value() == "seve"
        rows = assay.open(scanned.path).rows("select count(*) from edits where who = 'ann'")
        assert rows == [(1,)], "neither lost nor stored twice"
        page.context.close()


def test_browse_keeps_filter_selection_and_typed_words_while_the_server_is_away(scanned, chrome):
    with workbench(scanned.path) as server:
        page = server.page(chrome, "/browse?q=split+%3D+%27val%27&who=ann")
        painted(page)
        page.locator(".grid").focus()
        page.keyboard.press(" ")
        server.kill()
        page.get_by_label("condition", exact=True).fill("score < 0.5")
        page.keyboard.press("Enter")
        page.locator(".offline").wait_for(timeout=30_000)
        assert page.get_by_label("condition", exact=True).input_value() == "score < 0.5"
        server.start()
        want = len(scanned.samples(where="split = 'val' and score < 0.5"))
        until(page, f"document.querySelector('{ROOT}').dataset.total === '{want}'", 120)
        assert page.locator(".chosen b").inner_text() == "1 selected"
        page.locator(".offline").wait_for(state="hidden")
        page.context.close()


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    table = digits(80)
    table["label"] = [NAMES[i % 5] for i in range(len(table))]
    table["id"] = [f'{i} "><img src=x onerror="window.ran=1"> {NAMES[i % 5]}' for i in range(80)]
    table["split"] = np.array(["train", "train", "val", "train"])[np.arange(80) % 4]
    table["<b>meta</b>"] = [NAMES[(i + 1) % 5] for i in range(80)]
    bench = bench_of(table, tmp_path_factory.mktemp("names"))
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    for i, who in enumerate(NAMES):
        sample = bench.state().index[4 * i]
        bench.edit(pd.DataFrame([dict(sample=sample, label=NAMES[(i + 1) % 5])]), who)
    bench.save_view(NAMES[0], "label = '一只猫'", who=NAMES[0])
    return bench


@pytest.mark.parametrize("path", ["review", "history", "classes", "browse"])
def test_names_from_anywhere_are_shown_and_never_run(strange, chrome, path):
    with workbench(strange.path) as server:
        page = server.page(chrome, f"/{path}?who=%3Cb%3Eann")
        page.get_by_text("一只猫").first.wait_for(timeout=120_000, state="attached")
        if path == "review":
            look(page)
            page.keyboard.press("e")
            page.locator("[data-is=told] p").first.wait_for()
        if path == "history":
            page.locator("summary", has_text=NAMES[0]).first.click()
            page.locator(".assay-sheet a:visible").first.click()
            page.locator("dialog.viewer-window", has_text="onerror").wait_for()
            page.keyboard.press("ArrowRight")
            page.keyboard.press("Escape")
        if path == "browse":
            page.get_by_label("saved views").select_option(NAMES[0])
            page.locator(".chip", has_text="一只猫").wait_for()
        until(page, "document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("window.ran") is None and not page.locator("img[src=x]").count()
        assert not page.failed and not page.foreign
        page.context.close()
