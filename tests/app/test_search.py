"""Looking for pictures: by words, by a picture from outside; one viewer for all of them; guard and a table of what was found."""

import base64
import csv
import io

import pandas as pd
import pytest

import assay
from tests.browser import find_barriers, until, workbench
from tests.helpers import copied, digits, png

pytestmark = pytest.mark.browser
ROOT = ".assay-browse"
MODEL = """import os
import numpy as np
import assay

def embed(texts):  # an honest little image-text model: "a 3" is the mean of the pictures labelled 3
    bench = assay.open(os.environ["WORDS_BENCH"])
    state = bench.state()
    shown = state.label.where(state["split"] == "train")
    return np.stack([bench.embeddings()[shown == text.split()[-1]].mean() for text in texts])
"""


@pytest.fixture(scope="module")
def bench(scanned_once, tmp_path_factory):
    return copied(scanned_once, tmp_path_factory.mktemp("search") / "bench")


@pytest.fixture(scope="module")
def server(bench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / "words_model.py").write_text(MODEL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setenv("WORDS_BENCH", str(bench.path))
        with workbench(bench.path, "--text-embedder", "words_model:embed") as running:
            yield running


@pytest.fixture
def page(server, chrome):
    page = browse(server, chrome)
    yield page
    assert not page.failed and not page.foreign
    page.context.close()


def browse(server, chrome, address="/browse?who=ann", **options):
    page = server.page(chrome, address, **options)
    page.wait_for_selector(f"{ROOT}[data-painted]", timeout=120_000)
    return page


def first_truths(page, bench, n=12):
    """What the first pictures of the grid really are."""
    names = page.locator(".tile").evaluate_all("all => all.map(t => t.dataset.sample)")
    state = bench.state()
    truth = digits().set_index("id").truth
    return [truth[state.key[name]] for name in names[:n]]


@pytest.mark.daily
def test_words_find_what_pictures_show_and_are_a_link_and_a_view(bench, server, page, chrome):
    page.keyboard.press("/")
    page.keyboard.type("drawn 3")
    page.get_by_role("button", name="pictures that show").wait_for()
    page.keyboard.press("Shift+Enter")
    page.locator(".chip", has_text="drawn 3").wait_for()
    until(page, f"document.querySelector('{ROOT}').dataset.painted")
    found = first_truths(page, bench)
    assert found.count("3") >= 8, found
    assert "words=drawn+3" in page.url and page.get_by_label("search names").input_value() == ""
    page.get_by_role("button", name="save view").click()
    page.get_by_label("name of this view").fill("threes")
    page.keyboard.press("Enter")
    page.locator(".says", has_text="saved: threes").wait_for()
    assert list(bench.views()["words"]) == ["drawn 3"]
    page.get_by_role("button", name="clear").click()
    until(page, "!location.search.includes('words')")
    page.get_by_label("saved views").select_option("threes")
    page.locator(".chip", has_text="drawn 3").wait_for()


@pytest.mark.daily
def test_without_a_model_the_field_says_so_and_offers_classes_and_conditions(scanned, chrome):
    bench = scanned
    with workbench(bench.path) as plain:
        page = browse(plain, chrome)
        page.keyboard.press("/")
        page.locator(".offers", has_text="takes an image-text model").wait_for()
        page.keyboard.press("ArrowDown")  # keys alone reach what is offered
        page.keyboard.press("Enter")
        page.locator(".chip", has_text="label").wait_for()
        page.keyboard.press("/")
        page.get_by_role("button", name="doubted labels").click()
        want = len(bench.samples(where="label = '0' and flagged and not reviewed"))
        until(page, f"document.querySelector('{ROOT}').dataset.total === '{want}'")
        page.context.close()
        page = plain.page(chrome, "/browse?words=a+3&who=ann")  # a colleague's link
        page.locator(".wrong", has_text="image-text model").wait_for(timeout=120_000)
        until(page, f"document.querySelector('{ROOT}').dataset.total === '{len(bench.state())}'")
        page.context.close()


DROP = """([raw, name, how]) => {
  const bytes = Uint8Array.from(atob(raw), (c) => c.charCodeAt(0)), all = new DataTransfer();
  all.items.add(new File([bytes], name, { type: 'image/png' }));
  const about = { bubbles: true, cancelable: true };
  if (how === 'drop') document.querySelector('.assay-browse .middle').dispatchEvent(new DragEvent('drop', { ...about, dataTransfer: all }));
  else document.dispatchEvent(new ClipboardEvent('paste', { ...about, clipboardData: all }));
}"""


@pytest.mark.parametrize("how", ["drop", "paste", pytest.param("choose", marks=pytest.mark.daily)])
def test_a_picture_from_outside_finds_itself_first(bench, page, how):
    table = digits()
    row = table[table["split"] == "train"].iloc[7]
    raw = row.image if isinstance(row.image, bytes) else png(row.image)
    if how == "choose":  # by keys alone
        page.keyboard.press("/")
        page.keyboard.press("ArrowDown")
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="choose a file").press("Enter")
        chooser.value.set_files(dict(name="ours.png", mimeType="image/png", buffer=raw))
    else:
        page.evaluate(DROP, [base64.b64encode(raw).decode(), "ours.png", how])
    page.locator(".chip", has_text="like this").wait_for(timeout=60_000)
    page.locator(".tile", has_text=row.id).first.wait_for()
    page.locator(".grid").focus()
    page.locator("#assay-tile", has_text=row.id).wait_for(state="attached")
    page.evaluate(DROP, [base64.b64encode(b"no picture").decode(), "x <b>.png", "drop"])
    page.locator(".says", has_text="x <b>.png: expected a picture").wait_for(timeout=60_000)


@pytest.mark.daily
def test_arrows_lead_through_thirty_pictures_with_the_zoom_kept_and_no_key_lost(bench, page):
    keys = ["Enter", "Enter", "+", "+", "b", *["ArrowRight"] * 30]
    page.locator(".grid").focus()
    page.keyboard.press(keys[0])
    page.locator(".inspector h2").wait_for()
    page.keyboard.press(keys[1])
    box = page.locator("dialog.viewer-window .assay-viewer")
    box.wait_for()
    for key in keys[2:]:
        page.keyboard.press(key)  # as fast as a machine presses them
    state = bench.state()
    page.locator("dialog.viewer-window p", has_text=state.key.iloc[30]).wait_for()
    assert state.index[30] in box.locator("img").first.get_attribute("src")
    assert box.get_attribute("data-zoom") == "1.56" and len(keys) == 35
    assert "brightness(1.1)" in box.locator("img").first.get_attribute("style")
    until(page, "!!document.querySelector('dialog.viewer-window .assay-viewer img').naturalWidth")
    page.keyboard.down("c")
    label = page.locator(".viewer-note")
    label.wait_for()
    assert label.inner_text().split(",")[0] in set(state.key)
    page.keyboard.up("c")
    label.wait_for(state="detached")
    page.keyboard.press("f")
    until(page, "document.fullscreenElement?.className === 'viewer-frame'")
    page.keyboard.press("f")
    until(page, "!document.fullscreenElement")
    page.keyboard.press("Escape")
    page.locator("dialog.viewer-window").wait_for(state="detached")
    assert page.locator(".inspector h2").get_attribute("title") == state.key.iloc[30]


@pytest.mark.daily
def test_what_is_selected_becomes_a_regression_set_and_undo_takes_it_back(bench, page):
    state = bench.state()
    page.locator(".grid").focus()
    page.keyboard.press("Control+a")
    page.get_by_label("condition", exact=True).fill("split = 'val' and score > 0.9")
    page.keyboard.press("Enter")
    page.locator(".chip").wait_for()
    page.get_by_role("button", name="select none").click()
    page.locator(".grid").focus()
    page.keyboard.press(" ")
    page.get_by_label("more to do").select_option("guard")
    page.get_by_label("name of the regression set").fill("قطة <b>")
    page.get_by_label("accuracy that is required").fill("0.8")
    page.keyboard.press("Enter")
    page.locator(".says", has_text="guard as قطة <b>: 1 sample").wait_for(timeout=60_000)
    now = bench.state()
    moved = now.index[(now["split"] == "guard") & (state["split"] != "guard")]
    assert len(moved) and bench.sql("select count(*) from edits where kind = 'guard'").iloc[0, 0]
    page.get_by_role("button", name="Undo (Ctrl+Z)").click()
    undone = page.locator(".says", has_text="undone: guard as قطة <b>")
    undone.wait_for(timeout=60_000)
    assert bench.state()["split"].equals(state["split"])
    page.keyboard.press("Control+Shift+Z")
    page.locator(".says", has_text="done again: guard as قطة <b>").wait_for(timeout=60_000)
    assert (bench.state()["split"][moved] == "guard").all()
    page.keyboard.press("Control+z")
    undone.wait_for(timeout=60_000)
    assert bench.state().drop(columns="who").equals(state.drop(columns="who"))


def test_the_filter_is_downloaded_as_the_command_line_writes_it(bench, page):
    page.get_by_label("condition", exact=True).fill("split <> 'train'")
    page.keyboard.press("Enter")
    page.locator(".chip").wait_for()
    page.get_by_label("more to do").select_option("export")
    assert "assay samples --where 'split <> '\\''train'\\'''" in page.locator(".says").inner_text()
    with page.expect_download() as file:
        page.get_by_role("button", name="of the filter").last.click()
    rows = list(csv.DictReader(io.StringIO(open(file.value.path(), newline="").read())))
    want = assay.open(bench.path).samples(where="split <> 'train'")
    assert [row["sample"] for row in rows] == list(want["sample"])
    locked = [row for row in rows if row["split"] == "test"]
    assert locked and not any(row["label"] or row["score"] or row["issues"] for row in locked)


@pytest.mark.daily
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_nobody_meets_a_barrier_in_what_is_looked_for_and_looked_at(server, chrome, scheme, width):
    view = dict(viewport=dict(width=width, height=900), color_scheme=scheme)
    page = browse(server, chrome, **view)
    page.wait_for_selector(".assay-place .assay-browse")  # Streamlit has taken it over
    page.keyboard.press("/")
    page.keyboard.type("3")
    page.locator(".offers button").first.wait_for()
    page.get_by_role("button", name="clear").wait_for()  # what is written is looked for
    assert not find_barriers(page)
    page.keyboard.press("Escape")
    page.locator(".grid").focus()
    page.keyboard.press(" ")
    page.get_by_label("more to do").select_option("guard")
    page.get_by_label("name of the regression set").wait_for()
    assert not find_barriers(page)
    page.keyboard.press("Escape")
    page.locator(".grid").focus()
    page.keyboard.press("Enter")
    page.locator(".inspector h2").wait_for()
    page.keyboard.press("z")
    page.locator("dialog.viewer-window .viewer-acts button", has_text="compare").wait_for()
    assert not find_barriers(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.context.close()


@pytest.mark.daily
def test_pictures_of_history_and_of_the_audit_open_in_the_same_viewer(scanned, chrome):
    scanned.edit(pd.DataFrame(dict(sample=scanned.queue(3)["sample"], label="7")), "ann")
    with workbench(scanned.path) as server:
        page = server.page(chrome, "/history?who=ann")
        page.get_by_text("ann, ").first.click()
        page.locator(".assay-sheet a:visible").first.press("Enter")  # by keys alone
        window = page.locator("dialog.viewer-window")
        window.locator("img").wait_for()
        first = window.locator("p").first.inner_text()
        page.keyboard.press("ArrowRight")
        until(page, f"document.querySelector('.viewer-window p').innerText !== {first!r}")
        window.get_by_role("button", name="its history").click()
        page.wait_for_url(lambda url: "sample=" in url)
        page.goto(f"{server.url}/audit?who=ann")
        page.get_by_role("button", name="Begin").click(timeout=60_000)
        box = page.locator(".assay-blind .picture")
        box.locator("img").wait_for()
        page.keyboard.press("+")
        assert box.get_attribute("data-zoom") == "1.25"
        assert not page.get_by_text("compare").count(), "it is blind"
        page.context.close()


@pytest.mark.daily
def test_a_search_that_takes_long_says_what_takes_long(page, tmp_path):
    file = tmp_path / "<b>five.png"
    file.write_bytes(digits(1).image[0])
    page.route("**/assay/picture", lambda route: None)  # as while a model is loaded
    page.get_by_label("a picture to look for").set_input_files(file)
    page.locator(".says", has_text="Looking for samples like <b>five.png").wait_for()
    page.locator(".says", has_text="the model of the scan is loaded").wait_for()
