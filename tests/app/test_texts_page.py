"""Texts in the browser: read, decided about by one key, never run, cut where they are long."""

import json

import pandas as pd
import pytest

import assay
from assay.curation.media.base import load_stored, media_of
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import find_barriers, stored, until
from tests.helpers import DATA

pytestmark = pytest.mark.browser
LONG = "the market fell again today " * 2_000
HOSTILE = '<img src=x onerror="window.ran = 1"><script>window.ran = 1</script> مرحبا 世界 🎉'


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Ninety news texts with human labels, of which the first is hostile and the second long."""
    news = pd.read_parquet(DATA / "noisyag_news.parquet", columns=["text", "label"])[:90]
    news.iloc[0, 0], news.iloc[1, 0] = HOSTILE, LONG
    folder = tmp_path_factory.mktemp("texts")
    news.assign(label=news.label.map("class {}".format)).to_json(
        folder / "news.jsonl", orient="records", lines=True
    )
    made = assay.create(folder / "bench")
    made.add(folder / "news.jsonl", who="tester", columns=dict(label="label"))
    scan(made, ScanOptions(embedder="tfidf"))
    return made


def sample_of(bench, words):
    """The id of the sample whose text begins with some words."""
    return next(s for s, text in texts_of(bench).items() if text.startswith(words))


def texts_of(bench):
    """Every sample's text, by its id."""
    hashes = bench.state().content_hash
    return dict(zip(hashes.index, media_of(bench).read(load_stored(bench), hashes)))


@pytest.fixture
def open_page(server, chrome):
    pages = []

    def open_one(address, **options):
        pages.append(server.page(chrome, address, **options))
        return pages[-1]

    yield open_one
    for page in pages:
        assert not page.failed and not page.foreign and not page.evaluate("window.ran")
        page.context.close()


@pytest.mark.daily
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_review_shows_the_whole_text_and_one_key_decides(bench, open_page, scheme):
    page = open_page("/review?who=ann", color_scheme=scheme)
    page.wait_for_selector('.assay-review[data-seen="yes"] .picture article.text', timeout=60_000)
    shown = page.locator(".assay-review .picture article.text p").inner_text()
    assert shown[:500] in [text[:500] for text in texts_of(bench).values()]
    assert page.locator(".near span.text").first.inner_text()
    assert not find_barriers(page)
    before = len(bench.rows("select 1 from edits where who = 'ann'"))
    page.keyboard.press(" ")
    stored(page)
    assert len(bench.rows("select 1 from edits where who = 'ann'")) > before


def test_browse_shows_cards_of_text_and_the_inspector_the_whole(bench, open_page):
    page = open_page("/browse")
    first = page.locator(".tile").first
    first.locator("assay-text > div").wait_for()  # texts come in no order
    assert first.inner_text().startswith("<img src=x") and "世界" in first.inner_text()
    first.dblclick()
    page.locator(".inspector assay-text.roomy > div", has_text="مرحبا").wait_for(timeout=60_000)
    assert not find_barriers(page)


@pytest.mark.daily
def test_a_long_text_is_cut_says_so_and_comes_whole_on_demand(bench, server, open_page):
    sample = sample_of(bench, "the market")
    _, answer = server.ask(f"/assay/text/{sample}?side=512")
    said = json.loads(answer)
    assert len(said["text"]) == 6_000 and said["characters"] == len(LONG)
    page = open_page("/browse")
    until(page, "document.querySelectorAll('.tile assay-text > div').length > 5")
    page.locator(".tile").nth(1).dblclick()
    page.locator(".inspector button", has_text="show all of it").click()
    whole = (
        f"document.querySelector('.inspector assay-text > div')?.textContent.length === {len(LONG)}"
    )
    until(page, whole)


@pytest.mark.daily
def test_overview_and_classes_have_no_broken_picture(open_page):
    page = open_page("/")
    pictures = "[...document.images].filter((i) => i.src.includes('/assay/image/'))"
    until(page, f"{pictures}.length > 0 && {pictures}.every((i) => i.naturalWidth > 0)")
    assert not page.get_by_text("Images have moved").count()  # rows of a table are no files
    page = open_page("/classes")
    until(page, "document.querySelectorAll('.exemplars assay-text > div').length > 3")
