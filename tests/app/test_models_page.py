"""Models as people use it: cells that open and are links, two models compared, keys alone, the filter of the address, test as numbers."""

import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import find_barriers, until, workbench
from tests.helpers import bench_of, copied, digits, silent
from tests.runs import mistakes, store_answers

pytestmark = pytest.mark.browser
ROOT = ".assay-models"


@pytest.fixture(scope="module")
def bench(scanned_once, tmp_path_factory):
    """Digits with two recipes of two seeds, and one that failed."""
    bench = copied(scanned_once, tmp_path_factory.mktemp("models"))
    bench.commit("", "ann")
    for seed in (0, 1):
        store_answers(bench, "v1", "mlp", seed, mistakes(bench, 30, seed))
        store_answers(bench, "v1", "big", seed, mistakes(bench, 5, seed))
    store_answers(bench, "v1", "cnn", 0, {}, failed="diverged: the loss is not a number")
    return bench


@pytest.fixture
def go(server, chrome):
    """Open Models at an address; whatever was opened had no error, and asked nobody else."""
    pages = []

    def open_models(address="/models", **options):
        page = server.page(chrome, address, **options)
        pages.append(page)
        page.wait_for_selector(f"{ROOT}[data-ready]", timeout=120_000)
        return page

    yield open_models
    for page in pages:
        assert not page.failed and not page.foreign
        page.context.close()


def cell(page, label, said):
    names = page.locator(f"{ROOT} .matrix tbody th span").all_inner_texts()
    i, j = names.index(label), names.index(said)
    return page.locator(f"{ROOT} .matrix td[data-row='{i}'][data-column='{j}']")


def first_error(page):
    """The first cell of errors that is not empty: (its td, label, prediction)."""
    td = page.locator(f"{ROOT} .matrix td.bad").first
    names = page.locator(f"{ROOT} .matrix tbody th span").all_inner_texts()
    return td, names[int(td.get_attribute("data-row"))], names[int(td.get_attribute("data-column"))]


@pytest.mark.daily
def test_a_cell_opens_its_pictures_and_its_number_is_a_link_into_browse(go, bench):
    page = go()
    td, label, said = first_error(page)
    n, link = int(td.inner_text()), td.locator("a").get_attribute("href")
    td.click()
    page.locator(f"{ROOT} .shots[data-total='{n}']").wait_for()
    where = " and ".join(f"({q})" for q in parse_qs(urlsplit(link).query)["q"])
    found = bench.samples(where)
    assert len(found) == n and set(found.label) == {label} and set(found["split"]) == {"val"}
    assert page.locator(f"{ROOT} .shots h2").inner_text().split() == [
        "labelled",
        f"{label},",
        "called",
        said,
    ]
    shown = page.locator(f"{ROOT} .shots .tile[data-sample]").first
    shown.wait_for()
    assert shown.get_attribute("data-sample") in set(found["sample"])
    page.locator(f"{ROOT} .shots a.button").click()
    page.wait_for_selector(f".assay-browse[data-total='{n}']:not({ROOT})", timeout=60_000)


@pytest.mark.daily
def test_a_picture_goes_to_review_and_the_queue_is_its_cell(go):
    page = go("/models?who=ann&a=v1/mlp")
    td, *_ = first_error(page)
    td.click()
    picture = page.locator(f"{ROOT} .shots .tile[data-sample]").first
    picture.wait_for()
    sample = picture.get_attribute("data-sample")
    n = page.locator(f"{ROOT} .shots").get_attribute("data-total")
    picture.click()
    page.get_by_text(re.compile(f"{n} samples? chosen in Models")).wait_for(timeout=60_000)
    page.locator(".assay-review .picture img").wait_for()
    assert sample in page.locator(".assay-review .picture img").get_attribute("src")


@pytest.mark.daily
def test_two_models_are_compared_and_keys_alone_open_and_close_a_cell(go):
    page = go("/models?a=v1/mlp")
    assert "diverged: the loss is not a number" in page.locator(f"{ROOT} .list .why").inner_text()
    page.get_by_label("compare with v1/big").click()
    page.locator(f"{ROOT} .card", has_text="B − A").wait_for()
    gain = page.locator(f"{ROOT} .card", has_text="B − A").inner_text()
    assert "+" in gain and "helps" in gain and "n 120" in gain
    page.get_by_role("button", name="change, B − A").click()
    page.locator(f"{ROOT} .matrix td[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert (
        page.evaluate("document.activeElement.dataset.row + document.activeElement.dataset.column")
        == "00"
    )
    assert page.locator(f"{ROOT} .matrix td:focus").inner_text().startswith(("+", "−", "0"))
    page.keyboard.press("Enter")
    page.locator(f"{ROOT} .shots .tile[data-sample]").first.wait_for()
    page.keyboard.press("Escape")
    page.locator(f"{ROOT} .shots").wait_for(state="hidden")
    assert "show=change" in page.url and "b=v1%2Fbig" in page.url
    page.reload()
    page.locator(f"{ROOT} .card", has_text="B − A").wait_for(timeout=60_000)


@pytest.mark.daily
def test_the_filter_of_the_address_holds_and_a_wrong_one_is_marked(go, bench):
    page = go("/models?q=label+in+(%273%27,+%275%27)")
    table = bench.sample_table()
    n = len(table.select("label in ('3', '5') and split = 'val' and keep"))
    assert f"{n} of 120" in page.locator(f"{ROOT} .count").inner_text()
    assert f"n {n}" in page.locator(f"{ROOT} .card").first.inner_text()
    page.get_by_label("condition", exact=True).fill("scor > 1")
    page.keyboard.press("Enter")
    page.locator(f"{ROOT} .wrong mark", has_text="scor").wait_for()
    assert "scor+" not in page.url and page.locator(f"{ROOT}").get_attribute("data-n") == str(n)
    page.locator(f"{ROOT} .field.grow input").fill("score > 2")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="show all 120").click()
    until(page, f"document.querySelector('{ROOT}').dataset.n === '120'")


@pytest.mark.daily
def test_test_is_numbers_alone_and_asked_for(go, bench):
    page = go()
    assert not bench.rows("select 1 from looks")
    page.get_by_role("button", name="Show test accuracy").click()
    page.locator(f"{ROOT} .test", has_text="looked at 1 time").wait_for()
    words = page.locator(f"{ROOT} .test").inner_text()
    assert "v1/mlp" in words and "100.0 % [" in words and "2 seeds" in words
    assert not page.locator(f"{ROOT} .test :is(img, td, a)").count()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.daily)])
@pytest.mark.daily
def test_everybody_can_read_and_reach_models(go, scheme):
    address = "/models?a=v1/mlp&b=v1/big&label=3"
    for size in (390, 1440) if scheme == "light" else (390, 820, 1440, 2560):
        page = go(address, viewport=dict(width=size, height=900), color_scheme=scheme)
        page.locator(f"{ROOT} .shots .tile[data-sample]").first.wait_for()
        assert not find_barriers(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="close", exact=True).click()
        assert not find_barriers(page)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A bench of 200 classes, some of whose names come from all over the world, and from somebody malicious."""
    rng, table = np.random.default_rng(0), digits(1600)
    odd = [
        "<img src=x onerror='window.ran=1'>",
        "قطة",
        "一只猫",
        "🐈\u202ecat",
        "x" * 250,
        "o'neil",
    ]
    names = [*odd, *(f"class {i:03d}" for i in range(200 - len(odd)))]
    table["label"] = [names[i] for i in rng.permutation(np.arange(1600) % 200)]
    table["split"] = np.array(["train", "train", "train", "val"])[np.arange(1600) % 4]
    bench = bench_of(table, tmp_path_factory.mktemp("many"))
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


@pytest.mark.daily
def test_many_classes_show_the_most_confused_find_any_and_never_run_a_name(many, chrome):
    with workbench(many.path) as server:
        page = server.page(chrome, "/models")
        page.wait_for_selector(f"{ROOT}[data-ready]", timeout=120_000)
        val = many.state()[many.state()["split"] == "val"]
        k = int(page.locator(f"{ROOT} .classes caption").inner_text().split()[0])
        assert val.label.nunique() <= k <= 200
        assert f"20 of {k} classes" in page.locator(f"{ROOT} .pairs").inner_text()
        assert page.locator(f"{ROOT} .matrix tbody tr").count() == 20
        for name in val.label.unique()[:4]:
            page.get_by_label("find a class").fill(name)
            assert (
                page.locator(f"{ROOT} .matrix tbody th")
                .first.get_attribute("title")
                .startswith(name)
            )
            assert page.locator(f"{ROOT} .classes tbody th a", has_text=name[:50]).count() >= 1
        page.get_by_label("find a class").fill("")
        page.locator(f"{ROOT} .classes td.number a").first.click()
        page.locator(f"{ROOT} .shots .tile[data-sample]").first.wait_for()
        assert page.evaluate("window.ran") is None and not page.locator("img[src=x]").count()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not page.failed and not find_barriers(page)
        page.context.close()


@pytest.mark.daily
def test_a_run_that_ends_while_the_page_is_open_is_listed(go, bench):
    page = go()
    page.locator(f"{ROOT} .list .title", has_text="v1/mlp").first.wait_for()
    assert not page.locator(f"{ROOT} .list .title", has_text="v1/late").count()
    store_answers(bench, "v1", "late", 0, mistakes(bench, 7, 3))
    page.locator(f"{ROOT} .list .title", has_text="v1/late").wait_for(timeout=20_000)


def test_two_files_of_predictions_are_compared_on_test(go, bench, tmp_path):
    test = bench.frame(split="test")
    for name, wrong in (("first", 20), ("second", 2)):
        said = test.label.where(np.arange(len(test)) >= wrong, "no class of these")
        test[["key"]].assign(label=said).to_csv(tmp_path / f"{name}.csv", index=False)
    page = go()
    page.get_by_role("button", name="Compare files of predictions").click()
    inputs = page.locator("[role=dialog] input[type=file]")
    inputs.nth(1).wait_for(state="attached")
    for i, name in enumerate(("first", "second")):
        inputs.nth(i).set_input_files(tmp_path / f"{name}.csv")
        page.get_by_text(f"{name}.csv").wait_for()
    page.locator("[role=dialog]").get_by_role("button", name="Compare", exact=True).click()
    page.get_by_text(re.compile("second is better than first: [+]")).wait_for(timeout=60_000)
