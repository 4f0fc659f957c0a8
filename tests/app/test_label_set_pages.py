"""Pages on label sets in a real browser: Browse, Map, the blind audit, and the sheet of a queue."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from assay.app.server import audit_sheet
from assay.curation.features import image_map
from tests.browser import find_barriers, until, workbench
from tests.helpers import run_assay
from tests.label_sets import scan_sets, scan_sites, truth_of
from tests.runs import store_sets

pytestmark = [pytest.mark.browser, pytest.mark.daily]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    out = scan_sets(tmp_path_factory.mktemp("sets"))
    image_map.sketch_map(out)
    return out


@pytest.fixture(scope="module")
def gapped(tmp_path_factory):
    return scan_sites(tmp_path_factory.mktemp("gaps"))


@pytest.fixture
def open_page(server, chrome):
    """Opens pages at an address, and sees that none failed or asked another host."""
    pages = []

    def open_one(address, seen, **options):
        page = server.page(chrome, address, **options)
        pages.append(page)
        page.wait_for_selector(seen, timeout=120_000)
        return page

    yield open_one
    for page in pages:
        assert not page.failed and not page.foreign
        page.context.close()


def read_sets(bench):
    return bench.state().label.map(json.loads)


def test_browse_takes_a_label_away_adds_it_and_undoes(bench, open_page):
    before, val = read_sets(bench), bench.state().split == "val"
    chips = "q=label%20%3D%20'food'&q=split%20%3D%20'val'"
    page = open_page(f"/browse?who=ann&{chips}", ".assay-browse[data-painted]")
    page.locator("button", has_text=re.compile("^all .* of the filter")).click()
    field = page.locator(".acts input").first
    for said, words in (("−food", "take away the label food"), ("food", "add the label food")):
        field.fill(said)
        field.press("Enter")
        page.locator(".says", has_text=re.compile(rf"{words}: \d+ samples")).wait_for()
        has = read_sets(bench).map(lambda names: "food" in names)
        assert has[val].any() == (said == "food")
        assert read_sets(bench)[~val].equals(before[~val])
    page.keyboard.press("Control+z")
    page.locator(".says", has_text="Redo").wait_for()
    assert not read_sets(bench)[val].map(lambda names: "food" in names).any()
    assert find_barriers(page) == []


def test_the_map_shows_sets_in_words_and_colours_by_one_class(bench, open_page):
    page = open_page("/map?who=ann", ".legend .value")
    names = page.locator(".legend .value .name").all_inner_texts()
    assert any(" · " in name for name in names) and not any("[" in name for name in names)
    page.get_by_label("of which class").select_option("food")
    page.locator(".legend .name", has_text="not food").wait_for()
    labels = read_sets(bench)[~bench.state().split.isin(["test", "guard"])]
    has = int(labels.map(lambda sets: "food" in sets).sum())
    counts = page.locator(".legend .value .n").all_inner_texts()
    assert counts[:2] == [str(has), str(len(labels) - has)]
    until(page, "document.querySelector('.veil')?.hidden ?? true")
    assert "label%3Afood" in page.url and find_barriers(page) == []


def test_a_blind_audit_asks_for_sets(bench, open_page):
    truth, (sheet, *_) = truth_of(bench), [audit_sheet.begin_sheet(bench, "ann", 3)]
    page = open_page("/audit?who=ann", ".assay-blind[data-left='3']")
    page.wait_for_selector(".assay-blind[data-seen='yes'] .picture > *")
    for key in ("1", "3", "3"):  # chosen, chosen and unchosen again
        page.keyboard.press(key)
    first = page.locator(".assay-blind .classes button").first
    assert first.get_attribute("aria-pressed") == "true"
    assert page.locator("[data-is=store]").inner_text().endswith("store: food")
    assert find_barriers(page) == []
    page.keyboard.press("Enter")
    page.wait_for_selector(".assay-blind[data-left='2']")
    answers = audit_sheet.load_answers(bench, sheet)
    assert [answer["label"] for answer in answers.values()] == ['["food"]'] and len(truth)


def test_the_sheet_of_a_queue_is_decided_by_toggles(bench, chrome, tmp_path):
    said = run_assay("queue", "-b", bench.path, "-n", "6", "--html", tmp_path / "q.html")
    assert said[0] == 0, said
    context = chrome.new_context(accept_downloads=True)
    page = context.new_page()
    page.goto((tmp_path / "q.html").as_uri())
    card = page.locator(".card").first
    sample, given = (card.get_attribute(f"data-{n}") for n in ("sample", "given_label"))
    assert "[" not in card.locator(".labels").inner_text()
    other = next(c for c in bench.classes().name if c not in json.loads(given))
    card.locator("select").select_option(other)
    assert other in card.locator(".said").inner_text()
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(tmp_path / "d.csv")
    context.close()
    rows = pd.read_csv(tmp_path / "d.csv")
    assert json.loads(rows.label[0]) == sorted([*json.loads(given), other])
    assert run_assay("edit", tmp_path / "d.csv", "--who", "ann", "-b", bench.path)[0] == 0
    assert json.loads(bench.state().label[sample]) == sorted([*json.loads(given), other])


def test_models_show_what_is_missed_and_added_and_each_number_opens_its_samples(bench, open_page):
    state = bench.state()
    val = state[state["split"] == "val"]
    swapped = {
        s: sorted({n.replace("music", "food") for n in json.loads(v)}) for s, v in val.label.items()
    }
    for seed in (0, 1):
        store_sets(bench, "v1", "mlp", seed, swapped)
    page = open_page("/models?who=ann&a=v1%2Fmlp&b=probe", ".assay-models[data-ready]")
    row = page.locator("table.classes tbody tr", has=page.get_by_role("link", name="music"))
    link = row.locator("td").nth(4).locator("a").first
    n = int(val.label.map(lambda v: "music" in json.loads(v)).sum())
    assert link.inner_text() == str(n)
    link.click()
    page.locator(f".assay-models .shots[data-total='{n}']").wait_for()
    assert "music given, and not predicted" in page.locator(".shots h2").inner_text()
    page.keyboard.press("Escape")
    bad = page.locator(".matrix td.bad a").first
    address, seen = bad.get_attribute("href"), float(bad.inner_text())
    where = " and ".join(f"({q})" for q in parse_qs(urlsplit(address).query)["q"])
    found = bench.samples(where)
    assert len(found) == seen == sum("music" in v and "food" not in v for v in val.label)
    assert find_barriers(page) == []


def test_gaps_say_what_an_error_is_and_show_sets_in_words(gapped, chrome):
    with workbench(gapped.path) as server:
        page = server.page(chrome, "/gaps?who=ann")
        page.get_by_text("given or predicted, and not both").first.wait_for(timeout=120_000)
        page.locator(".assay-gap", has_text="3. ").wait_for()  # of no class
        card = page.locator(".assay-gap").first.inner_text()
        command = page.locator("code").first.inner_text()
        assert "predicted(" in command and "music" in command and "sample in" not in command
        assert "class music" in card and "high error" in card
        captions = page.locator("figcaption").all_inner_texts()
        assert any("→" in words for words in captions) and not any("[" in w for w in captions)
        page.get_by_role("button", name="All about it").first.click()
        page.get_by_role("heading", name="Wrong on validation").wait_for()
        assert find_barriers(page) == [] and not page.failed and not page.foreign
        page.context.close()
