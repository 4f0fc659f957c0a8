"""Ten ordinary tasks, each from what a person sees to what the log then holds, with keys and clicks counted.

`pytest -s -m "" tests/app/test_ten_tasks.py` says what each took.
"""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from assay.curation.features import image_map
from assay.curation.splits import LOCKED
from tests.browser import look, look_through, stored, until
from tests.map_places import around, drawn_at, inside, read_places
from tests.person import BAR, Person, browse_shows, edits_of, said
from tests.photographs import COPIES, GAP, bench_of_photographs, true_labels

pytestmark = pytest.mark.browser
BROWSE = ".assay-browse[data-painted]"
SPRITES = """new Set(performance.getEntriesByType('resource')
    .map((one) => /assay.sprite.([0-9]+)/.exec(one.name)?.[1]).filter(Boolean))"""  # of 128 pictures each


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = bench_of_photographs(tmp_path_factory.mktemp("photographs"))
    image_map.sketch_map(bench)
    return bench


@pytest.fixture
def come(server, chrome):
    """Come to Browse as somebody; whatever was opened had no error, and asked nobody else."""
    pages = []

    def come_to(who, path="/browse", seen=BROWSE, **options):
        page = server.page(chrome, f"{path}?who={who}", **options)
        page.set_default_timeout(60_000)
        pages.append(page)
        page.wait_for_selector(seen, timeout=120_000)
        page.locator(f"{BAR} nav a", has_text="History").wait_for()
        return Person(page)

    yield come_to
    for page in pages:
        assert not page.failed and not page.foreign
        page.context.close()


@pytest.mark.daily
def test_2_one_of_each_near_duplicate_is_kept(bench, come):
    """1 page, 1 *keep the best of all*, 1 yes."""
    person, groups = come("two"), bench.duplicates().members
    assert len(groups) == COPIES
    person.go("Duplicates", ".assay-duplicates[data-total]")
    person.click(person.page.get_by_role("button", name="keep the best of all"))
    person.page.get_by_text(f"Drops {COPIES} of").wait_for()
    person.press("Enter")
    person.page.get_by_text("No copies are left").wait_for()
    keep = bench.state().keep
    assert [keep[list(g)].sum() for g in groups] == [1] * COPIES
    assert edits_of(bench, "two") == (1, COPIES)
    person.took(2, 3)


@pytest.mark.daily
def test_3_fifteen_are_relabelled_from_the_map(bench, come):
    """1 page, 1 key for the lasso, 1 circle; 1 field, 1 name of the class, Enter."""
    person, before = come("three"), bench.state()
    page = person.page
    person.go("Map", ".assay-map[data-painted]")
    spots = drawn_at(page, read_places(bench))
    free = ~before["split"].isin(LOCKED).to_numpy()
    # what a person sees: the left edge of the map, with 15 samples which may be edited
    left = np.argsort(spots[:, 0])
    size = np.flatnonzero(free[left].cumsum() == 15)[0] + 1
    want = inside(spots, around(spots, left[:size]))
    person.press("l")
    person.circle(around(spots, left[:size]))
    page.locator(".chosen b", has_text=f"{want.sum()} selected").wait_for()
    person.click(page.get_by_label("label the selected samples"))
    person.write("ship")
    person.press("Enter")
    said(page, "Undo")
    after = bench.state().label
    assert set(after[want & free]) == {"ship"} and 15 <= (want & free).sum() <= 40
    assert after[~(want & free)].equals(before.label[~(want & free)]), "nobody else, no test sample"
    person.took(3, 6)


@pytest.mark.daily
def test_4_ten_likes_of_a_gap_are_labelled_from_the_pool(bench, come):
    """1 page, 1 button of the gap's card; 3 for the class; 10 pictures; 1 act."""
    person, before = come("four"), bench.state()
    page, truth = person.page, true_labels(bench)
    person.go("Gaps", ".st-key-gap-card-1")
    card = page.locator("[class*=st-key-gap-card]", has_text=f"class {GAP}").first
    person.click(card.get_by_role("button", name=re.compile("more in the pool")))
    page.locator(".assay-grid:visible .many img").first.wait_for()
    box = page.get_by_role("combobox", name="Their class").first
    box.scroll_into_view_if_needed()
    page.wait_for_timeout(500)  # a page that scrolls closes its lists
    person.click(box)
    page.get_by_role("option", name=GAP, exact=True).wait_for()
    person.write(GAP)
    person.press("Enter")
    page.get_by_text(f"label {GAP} and train on them").wait_for()
    look_through(page)
    shown = {
        key: k
        for k, b in enumerate(page.locator(".assay-grid:visible .many button").all())
        for key in [b.get_attribute("title").split("\n")[0]]
    }
    horses = [s for s in before.index if before.key[s] in shown and truth[s] == GAP][:10]
    assert len(horses) == 10, "what a person sees to be one"
    for s in horses:
        person.click(page.locator(".assay-grid:visible .many button").nth(shown[before.key[s]]))
    person.click(page.get_by_text(f"label {GAP} and train on them (10)"))
    page.get_by_text("10 stored as one batch").wait_for()
    state = bench.state().loc[horses]
    assert set(state.label) == {GAP} and set(state["split"]) == {"train"}
    assert edits_of(bench, "four") == (1, 10)
    person.took(4, 16)


@pytest.mark.daily
def test_5_what_is_behind_a_cell_of_the_matrix_is_a_grid_and_relabelled(bench, come):
    """1 page, 1 cell, 1 *Browse*; 1 for all, 1 field, 1 name, Enter."""
    person, table = come("five"), bench.samples("split = 'val' and keep and label = 'cat'")
    page = person.page
    want = bench.samples("label = 'cat' and split = 'val' and keep and predicted('probe', 'dog')")
    assert 0 < len(want) < len(table)
    person.go("Models", ".assay-models[data-ready]")
    names = page.locator(".matrix tbody th span").all_inner_texts()
    i, j = names.index("cat"), names.index("dog")
    person.click(page.locator(f".matrix td[data-row='{i}'][data-column='{j}']"))
    person.click(page.locator(".shots a.button", has_text=f"Browse {len(want)}"))
    page.wait_for_selector(f"{BROWSE}:not(.assay-models)")
    browse_shows(page, len(want))
    until(page, "document.activeElement.classList.contains('grid')")
    person.press("Control+a")
    person.click(page.get_by_label("label the selected samples"))
    person.write("dog")
    person.press("Enter")
    said(page, "Undo")
    assert set(bench.state().label[want["sample"]]) == {"dog"}
    assert edits_of(bench, "five") == (1, len(want))
    person.took(5, 7)


@pytest.mark.daily
def test_6_samples_are_found_by_name_picture_score_and_metadata(bench, server, come, tmp_path):
    """Name: 2 and 1 to clear. Picture: 3 and 1 to clear. Score: 3 and 1 to clear. Metadata: 2."""
    person, state, truth = come("six"), bench.state(), true_labels(bench)
    page, n = person.page, len(bench.state())
    person.press("/")
    person.write("train-0001")
    browse_shows(page, state.key.str.contains("train-0001").sum())
    person.press("Escape")
    browse_shows(page, n)
    one = state.index[state["split"] == "train"][20]
    picture = tmp_path / "found elsewhere.jpg"
    picture.write_bytes(page.request.get(f"{server.url}/assay/image/{one}?side=512").body())
    person.press("/")
    person.choose_file(page.get_by_role("button", name="choose a file"), picture)
    page.locator(".chip", has_text="like this").wait_for()
    page.locator("#assay-tile", has_text=state.key[one]).wait_for(state="attached")
    person.click(page.get_by_role("button", name="clear"))
    browse_shows(page, n)
    person.fill(page.get_by_label("condition", exact=True), "score < 0.1")
    person.press("Enter")
    browse_shows(page, len(bench.samples("score < 0.1")))
    person.click(page.get_by_role("button", name="clear"))
    browse_shows(page, n)
    facet = page.locator(".facets details", has=page.locator("summary", has_text="true label"))
    person.click(facet.locator("summary"))
    person.click(facet.locator(".value", has=page.get_by_text("truck", exact=True)))
    browse_shows(page, (truth == "truck").sum())
    assert edits_of(bench, "six") == (0, 0)
    person.took(6, 14)


@pytest.mark.daily
def test_7_all_pictures_are_zoomed_through(bench, come):
    """3 keys until all are small, 3 through all of them; 6 back and until they are large; 1 opens, 1 enlarges, 2 zoom; 30 pictures."""
    person = come("seven")
    page, state = person.page, bench.state()
    size = page.get_by_label("size of the pictures")
    while size.input_value() != "32":
        person.press("-")
    at = page.locator("#assay-tile")
    for _ in range(2):
        was = at.get_attribute("aria-posinset")
        person.press("PageDown")
        expect(at).not_to_have_attribute("aria-posinset", was, timeout=30_000)
    person.press("End")
    expect(at).to_have_attribute("aria-posinset", str(len(state)), timeout=30_000)
    until(page, f"({SPRITES}).size === {-(-len(state) // 128)}")
    person.press("Home")
    while int(size.input_value()) < 200:
        person.press("+")
    person.press("Enter")
    page.locator(".inspector h2").wait_for()
    person.press("Enter")
    box = page.locator("dialog.viewer-window .assay-viewer")
    box.wait_for()
    person.press("+", "+", *["ArrowRight"] * 30)
    page.locator("dialog.viewer-window p", has_text=state.key.iloc[30]).wait_for()
    assert box.get_attribute("data-zoom") == "1.56" and edits_of(bench, "seven") == (0, 0)
    person.took(7, 46)


@pytest.mark.daily
def test_8_two_people_see_each_other_and_neither_loses_anything(bench, come):
    """Of both: 2 to see who is here, 3 for a tag; 1 decision."""
    ann, ben = come("ann"), come("ben <b>", "/review", ".assay-review")
    page = ann.page
    ann.click(page.locator(f"{BAR} .people summary"))
    page.locator(f"{BAR} .people li", has_text="ben <b> · Review").wait_for()
    ann.press("Escape")
    ann.click(page.locator(".tile .picture").first)
    ann.click(page.get_by_label("tag the selected samples"))
    ann.write("half wri")
    look(ben.page)
    ben.press("n")
    stored(ben.page)
    page.locator(".says", has_text="ben <b>: 1 sample").wait_for()
    assert page.get_by_label("tag the selected samples").input_value() == "half wri"
    assert page.locator(".chosen b").inner_text() == "1 selected"
    page.get_by_label("tag the selected samples").focus()
    ann.press("Enter")
    said(page, "Undo")
    ben.page.locator(f"{BAR} .people summary[aria-label*=ann]").wait_for()
    assert bench.state().tags[bench.state().index[0]] == ("half wri",)
    assert edits_of(bench, "ann") == edits_of(bench, "ben <b>") == (1, 1)
    ann.keys += ben.keys
    ann.took(8, 7)


@pytest.mark.daily
def test_9_a_class_is_renamed_another_merged_and_one_added(bench, come):
    """1 page; for each of three 1 field, 1 name, Enter; 3 to take them back."""
    person, before = come("nine"), bench.state().label
    page = person.page
    person.go("Classes", ".assay-classes li[data-name]")

    person.click(page.locator('li[data-name="automobile"] [data-part=name]'))
    person.write("car")
    person.press("Enter")
    said(page, "automobile is called car now")
    person.click(page.locator('li[data-name="truck"] [data-part=name]'))
    person.write("car")
    page.locator(".plan", has_text="merged into").wait_for()  # it is said before it is done
    person.press("Enter")
    said(page, "truck is merged into car")
    person.click(page.get_by_label("add a class"))
    person.write("bicycle")
    person.press("Enter")
    said(page, "bicycle is added")
    now = bench.state().label
    assert now.equals(before.replace(dict(automobile="car", truck="car")))
    assert set(bench.classes().name) - set(now.dropna()) == {"bicycle"}
    page.locator("h1").click()
    person.press(*["Control+z"] * 3)
    page.locator('li[data-name="automobile"]').wait_for()
    page.locator('li[data-name="truck"]').wait_for()
    assert bench.state().label.equals(before)
    person.took(9, 13)


@pytest.mark.daily
def test_10_the_last_five_acts_are_undone_from_another_page(bench, come):
    """5 presses, whichever pages made the acts; to make them is another task."""
    before, maker = bench.state().drop(columns="who"), come("ten")  # an undo has an author, too
    page = maker.page
    for k, (field, value) in enumerate((("label", "ship"), ("tag", "odd"))):
        maker.click(page.locator(".tile .picture").nth(k))
        maker.fill(page.get_by_label(f"{field} the selected samples"), value)
        maker.press("Enter")
        said(page, "Undo")
        page.locator(".grid").focus()
        maker.press("Escape")
    maker.go("Review", ".assay-review")
    for _ in range(2):
        look(page)
        maker.press("n")
    stored(page)
    bench.rename_class("bird", "fowl", "ten")
    maker.go("Duplicates", ".assay-duplicates[data-total]")
    changed = bench.state().drop(columns="who")
    person = Person(page)
    for k in range(5):
        person.press("Control+z")
        page.locator(f"{BAR} .said, .says", has_text="undone").first.wait_for()
        if k == 0:
            page.get_by_text("rename bird to fowl").first.wait_for()
    page.get_by_text("label ship").first.wait_for()
    assert bench.state().drop(columns="who").equals(before) and not changed.equals(before)
    person.took(10, 5)
