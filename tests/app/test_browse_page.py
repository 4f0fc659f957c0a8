"""Browse as people use it: a filter that is a link, a selection that is acted on, keys alone, trouble with the server."""

import re

import numpy as np
import pandas as pd
import pytest

import assay
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import find_barriers, until, workbench
from tests.helpers import bench_of, copied, digits, silent

pytestmark = pytest.mark.browser
ROOT = ".assay-browse"


@pytest.fixture(scope="module")
def bench(scanned_once, tmp_path_factory):
    return copied(scanned_once, tmp_path_factory.mktemp("browse"))


@pytest.fixture
def desk(bench, server, chrome):
    """(the bench of all these stories, its workbench, a page on Browse)"""
    page = browse(server, chrome)
    yield bench, server, page
    assert not page.failed and not page.foreign
    page.context.close()


def browse(server, chrome, address="/browse", **options):
    page = server.page(chrome, address, **options)
    page.wait_for_selector(f"{ROOT}[data-painted]", timeout=120_000)
    return page


def shown(page, n):
    """Wait until the filter shows n samples."""
    until(page, f"document.querySelector('{ROOT}').dataset.total === '{n}'")


def said(page, words):
    """Wait until the line under the acts says something; returns all of it."""
    page.locator(f"{ROOT} .says", has_text=re.compile(re.escape(words))).wait_for(timeout=60_000)
    return page.locator(f"{ROOT} .says").inner_text()


def click(page, i, **options):
    """Click on tile i, which is in view."""
    box = page.locator(".tile").nth(i).locator(".picture").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, **options)


def test_a_filter_is_chips_a_count_and_a_link_and_back_goes_to_the_one_before(desk, chrome):
    bench, server, page = desk
    label = bench.state().label.where(bench.state()["split"] != "test")
    page.locator(
        ".facets .value", has=page.locator(".name", has_text=re.compile("^3$"))
    ).first.click()
    shown(page, (label == "3").sum())
    page.locator(
        ".facets .value", has=page.locator(".name", has_text=re.compile("^5$"))
    ).first.click()
    shown(page, label.isin(["3", "5"]).sum())
    address = page.url
    page.locator(".facets .value .name", has_text=re.compile("^val$")).click(modifiers=["Alt"])
    want = label.isin(["3", "5"]) & (bench.state()["split"] != "val")
    shown(page, want.sum())
    assert page.locator(".chip.not").inner_text().split() == ["split", "not", "val"]
    page.go_back()
    shown(page, label.isin(["3", "5"]).sum())
    page.go_forward()
    shown(page, want.sum())
    page.keyboard.press("/")
    page.keyboard.type("d01")
    found = label.index[want & bench.state().key.str.contains("d01")]
    shown(page, len(found))
    page.keyboard.press("Enter")
    other = browse(server, chrome, address.removeprefix(server.url))  # a colleague opens the link
    shown(other, label.isin(["3", "5"]).sum())
    other.context.close()
    page.get_by_role("button", name="clear").click()
    shown(page, len(label))


def test_a_wrong_condition_is_marked_and_the_last_good_set_stays(desk):
    bench, _, page = desk
    page.get_by_label("condition").fill("score < 0.5")
    page.keyboard.press("Enter")
    n = len(bench.samples(where="score < 0.5"))
    shown(page, n)
    page.get_by_label("condition", exact=True).fill("scor > 0.1")
    page.keyboard.press("Enter")
    page.locator(".wrong mark").wait_for()
    assert page.locator(".wrong mark").inner_text() == "scor"
    assert "score" in page.locator(".wrong").inner_text()
    assert page.locator(ROOT).get_attribute("data-total") == str(n) and "scor+" not in page.url
    page.locator(".field.grow input").fill("score > 0.1")
    page.keyboard.press("Enter")
    shown(page, len(bench.samples(where="score < 0.5 and score > 0.1")))
    page.locator(".wrong").wait_for(state="hidden")


def test_what_is_selected_is_labelled_as_one_batch_and_ctrl_z_takes_it_back(desk):
    bench, _, page = desk
    before, split = bench.state().label, bench.state()["split"]
    assert page.locator(".chosen b").inner_text() == "Nothing selected"
    click(page, 0)
    page.keyboard.down("Shift")
    click(page, 4)
    page.keyboard.up("Shift")
    assert page.locator(".chosen b").inner_text() == "5 selected"
    five = list(before.index[:5])
    free = [s for s in five if split[s] != "test"]
    page.get_by_label("label the selected samples").fill("7")
    page.keyboard.press("Enter")  # which must not answer the question for a name
    page.get_by_label("your name").wait_for()
    page.get_by_label("your name").fill("ann")
    page.keyboard.press("Enter")
    words = said(page, "Undo")
    assert f"{len(free)} samples" in words and f"{5 - len(free)} of test or guard skipped" in words
    after = bench.state().label
    assert set(after[free]) == {"7"} and (after[split == "test"] == before[split == "test"]).all()
    until(page, "location.search.includes('who=ann')")  # once Streamlit is up
    page.locator(".grid").focus()
    page.keyboard.press("Control+z")
    said(page, "undone")
    assert bench.state().label.equals(before)
    batches = bench.rows("select distinct batch from edits where who = 'ann' and kind = 'edit'")
    assert len(batches) == 1


@pytest.mark.daily
def test_a_large_act_asks_with_the_number_and_a_new_class_is_offered(desk):
    bench, _, page = desk
    page.locator(".grid").focus()
    page.keyboard.press("Control+a")
    n = len(bench.state())
    assert page.locator(".chosen b").inner_text() == f"{n} selected"
    page.evaluate("document.querySelector('.assay-browse').who = 'ben'")
    page.get_by_label("tag the selected samples").fill("seen <b>bold</b>")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"yes, all {n}").click()
    test = int((bench.state()["split"] == "test").sum())
    assert f"{test} of test or guard skipped" in said(page, "Undo")
    assert bench.state().tags.map(len).sum() == n - test
    page.get_by_role("button", name="select none").click()
    click(page, 0)
    page.get_by_label("label the selected samples").fill("a new kind")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("new class")).click()
    said(page, "Undo")
    assert "a new kind" in set(bench.state().label)


@pytest.mark.daily
def test_a_rectangle_selects_what_it_touches_and_keeps_what_was_selected(desk):
    bench, _, page = desk
    click(page, 0)
    boxes = [page.locator(".tile").nth(i).bounding_box() for i in (1, 3)]
    page.mouse.move(boxes[0]["x"] + 20, boxes[0]["y"] + 20)
    page.mouse.down()
    page.mouse.move(boxes[1]["x"] + 30, boxes[1]["y"] + 40, steps=5)
    page.mouse.up()
    assert page.locator(".chosen b").inner_text() == "4 selected"
    page.get_by_label("search names and metadata").fill("no such name")
    page.locator(".empty button").wait_for()
    assert "4 not in this filter" in page.locator(".chosen").inner_text()
    page.locator(".empty button").click()
    shown(page, len(bench.state()))
    assert page.locator(".tile.on").count() == 4, "another filter forgets no selection"


def test_keys_alone_find_select_open_and_close(desk):
    bench, _, page = desk
    state = bench.state()
    page.locator(".grid").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator(".chosen b").inner_text() == "3 selected"
    page.locator("#assay-tile", has_text=state.key.iloc[3]).wait_for(
        state="attached"
    )  # a frame later
    page.keyboard.press("Enter")
    page.locator(".inspector h2", has_text=state.key.iloc[3]).wait_for()
    page.keyboard.press("ArrowRight")
    page.locator(".inspector h2", has_text=state.key.iloc[4]).wait_for()
    page.keyboard.press("Escape")
    page.locator(".inspector").wait_for(state="hidden")
    page.keyboard.press("End")
    page.locator("#assay-tile", has_text=state.key.iloc[-1]).wait_for(state="attached")
    page.keyboard.press("Escape")
    assert page.locator(".chosen b").inner_text() == "Nothing selected"


def test_a_locked_sample_is_picture_key_and_metadata_alone(desk, chrome):
    bench, server, _ = desk
    test = bench.frame(split="test")
    page = browse(server, chrome, "/browse?q=split+%3D+%27test%27&sort=score")
    shown(page, len(test))
    page.locator(".grid").focus()
    page.keyboard.press("Enter")
    page.locator(".inspector .lock").wait_for()
    headings = page.locator(".inspector h3").all_inner_texts()
    assert headings == ["Metadata"] and not page.locator(".inspector .class").count()
    assert page.locator(".tile .hint").count() == page.locator(".tile .given i").count() == 0
    words = page.locator(".tile .caption").first.inner_text().split("\n")
    assert words == ["test", test.key.iloc[0]], "in the order of import: no score sorts them"
    page.context.close()


@pytest.mark.daily
def test_more_like_this_sorts_all_by_likeness_and_groups_have_headings(desk):
    bench, _, page = desk
    page.locator(".grid").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="like this", exact=True).click()
    page.locator(".chip img").wait_for()
    one = bench.state().index[bench.state()["split"] == "train"][0]
    page.locator("#assay-tile", has_text=bench.state().key[one]).wait_for(state="attached")
    page.keyboard.press("Escape")
    page.get_by_label("group by").select_option("label")
    page.locator(".heading b").first.wait_for()
    first = page.locator(".heading").first.inner_text().split("\n")
    label = bench.state().label.where(bench.state()["split"] != "test")
    assert first == [sorted(label.dropna().unique())[0], str((label == first[0]).sum())]
    assert "group=label" in page.url and "like=" in page.url


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """A bench whose names come from all over the world, and from somebody malicious."""
    table = digits(80)
    names = ["<script>window.ran=1</script>", "قطة", "一只猫", "🐈\u202ecat", "x" * 250]
    table["label"] = [names[i % 5] for i in range(len(table))]
    table["id"] = [
        f'{i} "><img src=x onerror="window.ran=1"> {names[i % 5]}' for i in range(len(table))
    ]
    table["split"] = np.array(["train", "train", "val", "train"])[np.arange(len(table)) % 4]
    table["<b>meta</b>"] = [names[(i + 1) % 5] for i in range(len(table))]
    bench = bench_of(table, tmp_path_factory.mktemp("strange"))
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


@pytest.mark.daily
def test_names_from_anywhere_are_shown_clipped_whole_on_hover_and_never_run(strange, chrome):
    with workbench(strange.path) as server:
        page = browse(server, chrome)
        for name in strange.state().label.unique()[:5]:
            value = page.locator(".facets details").first.locator(".value", has_text=name)
            assert value.get_attribute("title").startswith(name)
            value.click()
            shown(page, (strange.state().label == name).sum())
            page.get_by_role("button", name="clear").click()
            shown(page, len(strange.state()))
        page.locator(".grid").focus()
        page.keyboard.press("Enter")
        page.locator(".inspector h2").wait_for()
        assert strange.state().key.iloc[0] == page.locator(".inspector h2").get_attribute("title")
        page.get_by_label("group by").select_option("label")
        page.locator(".heading").first.wait_for()
        assert page.evaluate("window.ran") is None and not page.locator("img[src=x]").count()
        wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wide, "nothing is wider than the window"
        page.context.close()


@pytest.mark.daily
def test_another_process_changes_the_bench_and_the_server_goes_and_comes_back(scanned, chrome):
    with workbench(scanned.path) as server:
        page = browse(server, chrome, "/browse?q=label+%3D+%273%27&who=ann")
        n = int(page.locator(ROOT).get_attribute("data-total"))
        click(page, 0)
        chosen = list(scanned.samples(where="label = '3'")["sample"])
        decision = dict(sample=chosen[1], label="8")
        assay.open(scanned.path).edit(pd.DataFrame([decision]), "bob")
        shown(page, n - 1)
        assert "bob: 1 sample" in said(page, "changed meanwhile")
        assert page.locator(".chosen b").inner_text() == "1 selected"
        server.kill()
        page.get_by_label("label the selected samples").fill("5")
        page.keyboard.press("Enter")
        page.locator(".offline").wait_for(timeout=30_000)
        server.start()
        said(page, "Undo")
        page.locator(".offline").wait_for(state="hidden")
        now = assay.open(scanned.path)
        assert now.state().label[chosen[0]] == "5"
        assert now.rows("select count(*) from edits where who = 'ann'") == [(1,)]
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.daily)])
def test_everybody_can_read_and_reach_it(server, chrome, scheme):
    for size in (390, 1440):
        view = dict(viewport=dict(width=size, height=900), color_scheme=scheme)
        page = browse(server, chrome, "/browse?q=label+in+(%273%27,+%275%27)", **view)
        page.locator(".grid").focus()
        page.keyboard.press(" ")
        assert not find_barriers(page)
        page.keyboard.press("Enter")
        page.locator(".inspector h2").wait_for()
        assert not find_barriers(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.context.close()


@pytest.mark.daily
def test_what_is_selected_goes_to_review_as_its_queue_and_to_fiftyone(desk):
    bench, _, page = desk
    state = bench.state()
    train = state.index[state["split"] == "train"]
    page.locator(".field.grow input").fill("split = 'train'")
    page.keyboard.press("Enter")
    shown(page, len(train))
    click(page, 1)
    click(page, 3)
    page.get_by_label("more to do with the selection").select_option("fiftyone")
    page.get_by_role("dialog").get_by_role("button", name="Open 2 in FiftyOne").wait_for()
    page.keyboard.press("Escape")
    page.get_by_label("more to do with the selection").select_option("review")
    page.get_by_text("2 samples chosen in Browse").wait_for(timeout=60_000)
    page.locator(".assay-review .picture img").wait_for()
    first = page.locator(".assay-review .picture img").get_attribute("src")
    assert train[1] in first and "queue=" in page.url


@pytest.mark.daily
def test_other_pages_are_a_click_away_and_back_brings_the_view_back(desk):
    bench, _, page = desk
    n = len(bench.samples(where="flagged"))
    page.locator(".field.grow input").fill("flagged")
    page.keyboard.press("Enter")
    shown(page, n)
    page.locator(".assay-frame nav a", has_text="Overview").click()
    page.locator(".assay-cards").wait_for(timeout=60_000)
    assert not page.locator(ROOT).count() and "q=" not in page.url
    page.go_back()
    page.wait_for_selector(f"{ROOT}[data-painted]", timeout=60_000)
    shown(page, n)
    page.locator(".assay-frame nav a", has_text="Overview").click()
    page.locator(".assay-cards").wait_for(timeout=60_000)
    page.locator(".assay-frame nav a", has_text="Browse").click()
    page.wait_for_selector(f"{ROOT}[data-painted]", timeout=60_000)
    shown(page, len(bench.state()))


@pytest.mark.daily
def test_a_number_of_overview_leads_to_the_samples_that_it_counts(bench, server, chrome):
    status = bench.status()
    page = server.page(chrome, "/?who=ann")
    page.locator(".assay-strips a", has=page.get_by_text("3", exact=True)).click(timeout=60_000)
    page.wait_for_selector(f"{ROOT}[data-painted]", timeout=60_000)
    shown(page, status["classes"]["3"])
    page.go_back()
    page.locator(".assay-todo li", has_text="label").locator("b a").first.click(timeout=60_000)
    page.wait_for_selector(f"{ROOT}[data-painted]", timeout=60_000)
    shown(page, status["issues"]["label"])
    assert "who=ann" in page.url and not page.failed
    page.context.close()


@pytest.mark.daily
def test_a_value_that_is_pressed_is_not_taken_away_by_an_answer(desk):
    """The counts come anew between press and release: the click counts all the same, and then they are drawn."""
    bench, _, page = desk
    value = page.locator(".facets .value", has=page.get_by_text("3", exact=True)).first
    box = value.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 5)
    page.mouse.down()
    with page.expect_response("**/assay/facets**"):
        page.evaluate("window.dispatchEvent(new Event('popstate'))")
    page.wait_for_timeout(300)  # as long as a person presses
    page.mouse.up()
    label = bench.state().label.where(bench.state()["split"] != "test")
    shown(page, (label == "3").sum())


@pytest.mark.daily
def test_the_labels_behind_a_mistake_are_pictures_and_a_queue(desk, chrome):
    bench, server, page = desk
    val = bench.samples("split = 'val' and suggestion <> label")["sample"][0]
    rows = bench.queue(40, mistakes=[val])
    page.context.close()
    page = browse(server, chrome, f"/browse?who=ann&open={val}")
    page.get_by_text("Which labels made this mistake?").click()
    page.get_by_role("link", name=f"Review these {len(rows)}").wait_for()
    pictures = page.locator(".inspector .why .near button")
    assert pictures.count() == 8
    first = rows.iloc[0]
    assert f"+{first.influence:.2f} {first.given_label}" in pictures.first.inner_text()
    assert not find_barriers(page)
    page.get_by_role("link", name=f"Review these {len(rows)}").click()
    page.locator(".assay-review img").first.wait_for(timeout=60_000)
    asked = page.evaluate(
        "document.querySelector('.assay-review .large img, .assay-review img').src"
    )
    assert first["sample"] in asked
    page.context.close()
