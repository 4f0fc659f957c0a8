"""The page Classes as people use it: rename, merge, add, split, order and describe, each with its way back. (Rename, merge, add: test_ten_tasks.)"""

import numpy as np
import pytest

from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import find_barriers, look, stored, until, workbench
from tests.helpers import bench_of, copied, digits, silent

pytestmark = pytest.mark.browser
ROOT = ".assay-classes"


@pytest.fixture(scope="module")
def bench(scanned_once, tmp_path_factory):
    return copied(scanned_once, tmp_path_factory.mktemp("classes"))


@pytest.fixture
def page(bench, server, chrome):
    """Classes as ann opens it, with the accuracy of every class."""
    page = classes(server, chrome)
    yield page
    assert not page.failed and not page.foreign
    page.context.close()


def classes(server, chrome, **options):
    page = server.page(chrome, "/classes?who=ann", **options)
    page.wait_for_selector(f"{ROOT} li[data-name]", timeout=120_000)
    until(page, f"document.querySelector('{ROOT}').dataset.fresh === 'true'", seconds=120)
    return page


def row(page, name):
    return page.locator(f'li[data-name="{name}"]')


def said(page, words):
    page.locator(f"{ROOT} .says", has_text=words).wait_for(timeout=60_000)


@pytest.mark.daily
def test_a_split_says_how_many_go_and_what_it_did_to_accuracy(bench, page):
    state = bench.state()
    free = state.index[(state.label == "3") & state.keep & (state["split"] != "test")]
    row(page, "3").locator("[data-part=pictures]").click()
    group = page.locator(".picker section").first
    group.locator("input").check()
    n = int(group.locator("label .quiet").inner_text())
    group.locator(".strip button").nth(0).click()  # but for one
    page.get_by_label("the class that they go to").fill("three, too")
    page.locator(".plan", has_text=f"{n - 1} samples").wait_for()
    assert f"{len(free) - n + 1} stay" in page.locator(".plan").inner_text()
    page.get_by_role("button", name="Split off").click()
    said(page, f"{n - 1} samples are three, too now")
    page.locator(".acts[data-effect=ready] .effect", has_text="Accuracy:").wait_for(timeout=60_000)
    now = bench.state()
    went = now.index[now.label == "three, too"]
    assert len(went) == n - 1 and set(went) <= set(free)
    page.get_by_role("button", name="Undo: 3:").click()
    said(page, "Taken back")
    assert (bench.state().label == state.label).all()


@pytest.mark.daily
def test_a_class_is_moved_by_keys_and_by_dragging(bench, page):
    was = list(bench.classes().name)
    row(page, was[2]).locator("[data-part=grip]").focus()
    page.keyboard.press("ArrowUp")
    said(page, f"{was[2]} is number 2 of 10")
    until(page, "document.activeElement.dataset.part === 'grip'")
    assert list(bench.classes().name)[:3] == [was[0], was[2], was[1]]
    first = page.locator("li[data-name]").first
    row(page, was[2]).locator("[data-part=grip]").drag_to(first, target_position=dict(x=300, y=4))
    said(page, f"{was[2]} is number 1 of 10")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    second = f"document.querySelectorAll('{ROOT} li[data-name]')[1].dataset.name"
    until(page, f"{second} === '{was[1]}'")
    assert list(bench.classes().name) == was


@pytest.mark.daily
def test_a_key_and_a_guideline_of_the_team_are_beside_the_classes_in_review(bench, page, server):
    row(page, "4").locator("[data-part=key]").fill("s")
    page.keyboard.press("Tab")
    said(page, "Review leaves free")
    row(page, "4").locator("[data-part=key]").fill("x")
    page.keyboard.press("Tab")
    said(page, "4: key x stored")
    row(page, "5").locator("[data-part=key]").fill("x")
    page.keyboard.press("Tab")
    said(page, "the key of '4'")
    row(page, "4").locator("[data-part=guideline]").fill("a roof that is open")
    page.keyboard.press("Enter")
    said(page, "4: guideline stored")
    page.goto(f"{server.url}/review?who=ann")
    look(page)
    button = page.locator(".fixed .classes button", has_text="a roof that is open")
    button.wait_for()
    assert button.locator("kbd").inner_text() == "X"
    button.hover()
    page.locator(".class-note img").nth(5).wait_for()
    page.keyboard.press("x")
    stored(page)
    last = bench.batches().iloc[-1]
    assert last.who == "ann" and "4" in set(bench.state().label[bench.state().reviewed])


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.daily)])
def test_everybody_can_use_it(bench, server, chrome, scheme):
    page = classes(server, chrome, color_scheme=scheme)
    page.locator("[data-part=pictures]").first.click()
    page.locator(".picker .strip button").first.click()
    page.locator(".plan", has_text="1 selected").wait_for()
    assert find_barriers(page) == []
    page.locator("[data-part=name]").nth(1).click()
    assert find_barriers(page) == []
    page.context.close()


@pytest.mark.daily
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_overview(server, chrome, scheme):
    page = server.page(chrome, "/overview?who=ann", color_scheme=scheme)
    page.locator(".assay-strips img").first.wait_for(timeout=60_000)
    assert find_barriers(page) == []
    page.locator(".assay-todo .do").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/review*", timeout=60_000)
    page.context.close()


HARD = [
    "قطة سوداء",
    "黑猫🐈‍⬛",
    "x" * 300,
    "<img src=x onerror=window.ran=1>",
    'it\'s "so" & so',
    " blank",
]


@pytest.mark.daily
def test_a_thousand_classes_and_hard_names_are_found_moved_and_never_run(tmp_path, chrome):
    table = digits(400)
    names = np.array([*HARD, *(f"class {i:04d}" for i in range(994))], object)
    bench = bench_of(table.assign(label=names[np.arange(400) % 400]), tmp_path)
    bench.import_classes([dict(name=str(n)) for n in names], "ann")
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    with workbench(bench.path) as server:
        page = classes(server, chrome, viewport=dict(width=390, height=844))
        assert page.locator("header [role=status]").inner_text() == "1,000"
        assert page.locator("li[data-name]").count() == 50
        for name in HARD:
            shown = page.locator(f".name[title^={assay_quote(name)}]").first
            assert shown.inner_text().strip() == name.strip()
        wide = "document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth"
        assert page.evaluate(wide) <= 0 and not page.evaluate("window.ran")
        page.get_by_label("search classes").fill("class 0777")
        row(page, "class 0777").locator("[data-part=grip]").focus()
        page.keyboard.press("Home")
        said(page, "class 0777 is number 1 of 1,000")
        assert bench.classes().name[0] == "class 0777"
        assert find_barriers(page) == []
        page.context.close()


def assay_quote(name):
    """A name as a CSS string."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.mark.daily
def test_similar_names_are_merged_by_a_button_and_a_nameless_person_is_asked(tmp_path, chrome):
    table = digits(60).assign(label=[["cat", "cat", "Cat", "dog"][i % 4] for i in range(60)])
    bench = bench_of(table, tmp_path)
    with workbench(bench.path) as server:
        page = server.page(chrome, "/classes")
        page.get_by_role("button", name="Merge into cat").click()
        page.get_by_label("your name").fill("ben")
        page.keyboard.press("Enter")
        said(page, "Cat is merged into cat")
        assert set(bench.state().label) == {"cat", "dog"} and bench.batches().iloc[-1].who == "ben"
        page.context.close()


@pytest.mark.daily
def test_review_offers_a_class_that_is_new_and_adds_it_when_told_to(bench, server, chrome):
    page = server.page(chrome, "/review?who=ann")
    look(page)
    page.keyboard.press("/")
    page.keyboard.type("eleven")
    page.keyboard.press("Enter")
    page.get_by_text("no class is called eleven").wait_for(timeout=60_000)
    assert "eleven" not in set(bench.state().label)
    page.keyboard.press("Shift+Enter")
    stored(page)
    assert "eleven" in set(bench.state().label)
    page.locator('#assay-names option[value="eleven"]').wait_for(state="attached", timeout=60_000)
    page.context.close()
