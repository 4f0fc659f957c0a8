"""Review as a person works it: undo and redo, the film strip, neighbours, the viewer, own keys; nothing tells a random draw."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import assay
from assay.app.server import review_rows, review_session
from assay.app.server.thumbnails import Thumbnails
from assay.curation.statistics.sampling import random_order
from tests.browser import find_barriers, look, look_through, stored, until
from tests.helpers import bench_of, digits, png, scanned_bench

WORDS = "zero one two three four five six seven eight nine".split()


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    table = digits(900)
    table["label"] = [WORDS[int(c)] for c in table.label]
    return scanned_bench(table, tmp_path_factory.mktemp("page"), audited_test=True)


@pytest.fixture
def page(server, chrome, request):
    """Review, opened by somebody of the test's own name."""
    page = server.page(chrome, f"/review?who={request.node.name}", permissions=[])
    look(page)
    yield page
    assert page.failed == [] and page.foreign == []
    page.context.close()


def said(bench, request):
    """What stands of a person's decisions: {key of the sample: label or verdict}."""
    rows = bench.rows("select distinct sample from edits where who = ?", [request.node.name])
    state = bench.state()
    some = state.loc[[s for (s,) in rows]]
    return {r.key: r.label for r in some[some.reviewed & (some.verdict != "unsure")].itertuples()}


def name(page):
    return page.locator('[data-is="name"]').inner_text()


def press(page, key):
    """Press a key that decides, and wait for the next picture; what was on the screen."""
    look(page)
    was = name(page)
    page.keyboard.press(key)
    until(page, f"document.querySelector('[data-is=name]').innerText !== {was!r}")
    return was


@pytest.mark.browser
def test_decisions_are_undone_and_done_again_and_the_strip_leads_back(bench, server, page, request):
    likely = page.locator(".likely button:visible .name-of")
    look(page)
    second = likely.nth(1).inner_text()
    names = [press(page, "w")]
    names += [press(page, key) for key in ("Enter", " ", "n", "3")]
    for k in (4, 3):
        page.locator("h1").click()  # somewhere else on the page
        page.keyboard.press("Control+z")
        assert name(page) == names[k] and "Taken back" in page.locator(".hint").inner_text()
    page.keyboard.press("Control+Shift+Z")
    stored(page)
    assert said(bench, request)[names[0]] == second and set(said(bench, request)) == set(names[:3])
    assert [
        b.get_attribute("title").split(":")[0] for b in page.locator(".strip button").all()
    ] == names[:4]

    press(page, "Enter")  # a new decision: nothing is left to do again
    page.keyboard.press("Control+Shift+Z")
    page.get_by_text("Nothing is left to decide again").wait_for()
    coming = page.locator(".strip span").evaluate_all("all => all.map(one => one.title)")
    assert len(coming) == 4 and not set(coming) & {*names[:3], name(page)}
    look(page)
    press(page, "Enter")
    assert name(page) in coming, "what the strip shows comes"
    page.locator(".strip button").nth(1).click()
    assert name(page) == names[1] and page.locator('[data-is="said"]').inner_text().startswith(
        "you said"
    )
    words = page.locator('[data-is="pace"]').inner_text()
    assert re.match(r"6 of \d+, \d+ a minute, .* left, random \d+ of 30$", words), words

    page.keyboard.press("/")  # in a field the field's own undo works, and an empty one has none
    page.keyboard.type("fo")
    page.keyboard.press("Control+z")
    assert page.locator(".assay-review").get_attribute("data-done") == "6"


@pytest.mark.browser
@pytest.mark.daily
def test_a_neighbour_is_opened_taken_or_called_wrong(bench, server, page, request):
    state, here = bench.state(), name(page)

    def neighbour(n):
        src = page.locator(".near img").nth(n).get_attribute("src")
        return state.key[re.search("image/(.+)\\?", src)[1]]

    window, taken, wrong = page.locator("dialog.viewer-window"), neighbour(0), neighbour(1)
    page.locator(".near button").nth(1).click()
    page.keyboard.press("Enter")  # the window's key, never a decision behind it
    page.locator(".near button").nth(1).click()
    window.get_by_text("its label is wrong").click()
    page.locator(".near button").nth(0).click()
    window.get_by_text("review this one now").click()
    until(page, f"document.querySelector('[data-is=name]').innerText === {taken!r}")
    press(page, " ")
    assert name(page) == here, "the one that was there is next"
    page.reload()
    look(page)
    assert name(page) == wrong, "what was called wrong waits until it is decided"
    assert "called wrong by you" in page.locator('[data-is="reason"]').inner_text()
    press(page, "4")
    page.reload()
    look(page)
    assert name(page) not in (wrong, taken)
    stored(page)
    assert "called wrong" not in set().union(*bench.state().tags), "decided, it is open no longer"
    tags = "select distinct value ->> 'on' from edits where field = 'tag' and who = ?"
    assert len(bench.rows(tags, [request.node.name])) == 2, "the log says that it was called so"
    assert said(bench, request) == {taken: state.set_index("key").label[taken], wrong: "nine"}


@pytest.mark.browser
@pytest.mark.daily
def test_a_picture_is_zoomed_lit_compared_and_the_next_one_is_whole(bench, server, page):
    box = page.locator(".assay-review .picture")
    frame = box.bounding_box()
    at = frame["x"] + frame["width"] * 0.75, frame["y"] + frame["height"] / 2

    def middle():  # of the picture, from the middle of its box
        now = box.locator("img").first.bounding_box()
        return now["x"] + now["width"] / 2 - frame["x"] - frame["width"] / 2

    page.mouse.move(*at)
    for _ in range(4):
        page.mouse.wheel(0, -100)
    until(page, "+document.querySelector('.assay-review .picture').dataset.zoom > 2")
    zoom = float(box.get_attribute("data-zoom"))
    assert middle() == pytest.approx((1 - zoom) * frame["width"] / 4, abs=2), (
        "what is under the pointer stays"
    )
    page.mouse.down()
    page.mouse.move(at[0] + 50, at[1], steps=3)
    page.mouse.up()
    assert middle() == pytest.approx((1 - zoom) * frame["width"] / 4 + 50, abs=2)
    page.keyboard.press("b")
    page.keyboard.down("c")
    assert page.get_by_text("the nearest neighbour, labelled").is_visible()
    page.keyboard.down("c")  # the system repeats it
    page.keyboard.up("c")
    assert not page.locator(".picture .other").count()
    page.keyboard.press("f")
    until(page, "document.fullscreenElement?.classList.contains('assay-review')")
    press(page, "n")
    page.keyboard.press("f")
    until(page, "!document.fullscreenElement")
    assert (
        box.get_attribute("data-zoom") == "1.00" and page.get_by_text("brightness 1.1").is_visible()
    )
    page.keyboard.press("0" if page.locator(".classes button").count() < 10 else ".")
    page.keyboard.press("+")
    assert box.get_attribute("data-zoom") == "1.25"
    page.keyboard.press(".")
    assert box.get_attribute("data-zoom") == "1.00"


@pytest.mark.daily
@pytest.mark.browser
def test_keys_are_ones_own_and_conflicts_are_refused_with_a_word(bench, server, page, request):
    window = page.locator("dialog.keys")

    def give(words, key):
        window.get_by_role("button", name=f"key of {words}", exact=True).click()
        page.keyboard.press(key)
        return window.get_by_role("status").inner_text()

    page.keyboard.press("?")
    assert "“drop”" in give("not sure", "d")
    assert "“nine”" in give("drop", "4"), "the key of a class, the fourth by name"
    assert "kept free" in give("drop", "Tab")
    assert "X: drop" in give("drop", "x") and "Z: three" in give("three", "z")
    page.keyboard.press("Escape")
    assert page.locator('[data-is="do-drop"] kbd').inner_text() == "X"
    was = name(page)
    page.keyboard.press("d")
    assert name(page) == was, "its key no longer"
    first, second = press(page, "z"), press(page, "x")
    page.reload()
    look(page)
    third = press(page, "z")
    stored(page)
    found = said(bench, request)
    assert (found[first], found[third]) == ("three", "three")
    assert not bench.state().set_index("key").keep[second]
    page.goto(f"{server.url}/review?who=somebody-else")
    look(page)
    assert page.locator('[data-is="do-drop"] kbd').inner_text() == "D", "everybody has their own"


@pytest.mark.browser
@pytest.mark.daily
def test_shift_selects_a_range_of_a_grid_by_mouse_and_by_keys(server, chrome):
    page = server.page(chrome, "/review?who=ranger")
    page.get_by_text("grid review").click()
    look_through(page)
    pictures = page.locator(".assay-grid .many button")
    pressed = page.locator(".assay-grid .many button[aria-pressed=true]")
    pictures.nth(1).click()
    pictures.nth(5).click(modifiers=["Shift"])
    assert pressed.count() == 5
    pictures.nth(3).click()  # one of them is let go, and with Shift those before it
    pictures.nth(1).click(modifiers=["Shift"])
    assert pressed.count() == 2
    pictures.nth(0).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Space")
    assert pressed.count() == 5 and page.failed == []
    page.context.close()


@pytest.mark.browser
@pytest.mark.daily
def test_an_act_on_a_grid_is_undone_and_done_again(bench, server, chrome):
    page = server.page(chrome, "/review?who=gridder")
    page.get_by_text("grid review").click()
    look_through(page)
    before = bench.state().keep.sum()
    page.locator(".assay-grid .many button").nth(0).click()
    page.locator(".assay-grid .many button").nth(1).click()
    page.get_by_role("button", name="drop (2)").click()
    page.get_by_text("2 stored as one batch").wait_for()
    assert bench.state().keep.sum() == before - 2
    page.locator("h1").click()
    page.keyboard.press("Control+z")
    page.get_by_text("undone: drop: 2 samples").wait_for()
    assert bench.state().keep.sum() == before
    page.keyboard.press("Control+Shift+Z")
    page.get_by_text("done again: drop: 2 samples").wait_for()
    assert bench.state().keep.sum() == before - 2
    page.locator(".assay-grid .bar").get_by_role("button", name="undo").click()
    page.get_by_text("undone: drop: 2 samples").wait_for()
    assert bench.state().keep.sum() == before and page.failed == []
    page.context.close()


@pytest.mark.browser
def test_nothing_on_the_screen_tells_what_was_drawn_at_random(bench, server, chrome):
    """Frame, buttons and marks are the same for both; the words of the evidence are the picture's own."""
    drawn, page = {}, server.page(chrome, "/?who=guesser")
    page.on(
        "response",
        lambda r: (
            drawn.update({i["name"]: i["random"] for i in r.json()["items"]})
            if r.url.endswith("/assay/items")
            else None
        ),
    )
    page.goto(f"{server.url}/review?who=guesser")
    look(page)
    shapes = {True: set(), False: set()}
    while (
        len(shapes[True]) < 1
        or sum(map(len, shapes.values())) < 2
        or page.locator(".strip button").count() < 8
    ):
        look(page)  # a machine is quick: its answers stand
        shape = page.evaluate("""() => { const root = document.querySelector('.assay-review'), copy = root.querySelector('.side').cloneNode(true);
            copy.querySelectorAll('.near, .told, .live, .classes').forEach(part => part.remove());
            return root.className + [...copy.querySelectorAll('*')].map(e => e.tagName + (e.hidden ? ' hidden' : '') + e.className.replace('given', '')).join(); }""")
        shapes[drawn[name(page)]].add(re.sub("BUTTON hidden|BUTTON", "BUTTON", shape))
        press(page, "n")
    assert shapes[True] == shapes[False] and len(shapes[True]) == 1
    page.context.close()


@pytest.mark.daily
def test_what_is_looked_at_closely_comes_in_all_its_pixels_and_is_not_held(tmp_path):
    rng = np.random.default_rng(0)
    table = digits(40).assign(
        image=lambda t: [png(rng.integers(0, 255, (900, 1300))) for _ in t.id]
    )
    bench = bench_of(table, tmp_path)
    row, thumbnails = bench.state().iloc[0], Thumbnails(bench)
    sizes = [Image.open(io.BytesIO(thumbnails.load(row, side))).size for side in (512, 4096)]
    assert sizes == [(512, 354), (1300, 900)] and [side for _, side in thumbnails.kept] == [512]


@pytest.mark.slow
def test_likely_classes_are_those_of_the_model_and_a_locked_sample_is_no_item(bench):
    session = review_session.ReviewSession(bench)
    session.rescore()
    state = session.state
    probs, classes = session.scored.probs, np.array(session.scored.classes, object)
    free = state.index[~state["split"].isin(("test", "guard"))]
    for row in session.next_rows("ann's", n=5):
        p = probs[list(free).index(row["sample"])]
        want = sorted(zip(-p, classes))[:5]
        assert [c for c, _ in row["likely"]] == [c for _, c in want]
        assert [x for _, x in row["likely"]] == pytest.approx([-x for x, _ in want], abs=1e-3)
        assert row["suggested_label"] == row["likely"][0][0]
        assert review_rows.find_row(session.shown, row["sample"])["rank"] == row["rank"]
    some = session.take_sample("ann's", free[100])
    assert some["sample"] == free[100] and some["given_label"] == state.label[free[100]]
    for split in ("test",):
        with pytest.raises(assay.UserError, match="train or val"):
            session.take_sample("ann's", state.index[state["split"] == split][0])
    with pytest.raises(assay.UserError, match="train or val"):
        session.take_sample("ann's", "nothing")


@pytest.mark.browser
@pytest.mark.daily
def test_nobody_meets_a_barrier(server, chrome):
    """Each state of the page by axe-core's rules; and it is never wider than the window."""
    server.kill()
    server.start()  # it forgets which rows other browsers hold
    for scheme, width in (("light", 1440), ("dark", 390)):
        visit_states(server, chrome, scheme, width)


def visit_states(server, chrome, scheme, width):
    size = dict(width=width, height=844)
    page = server.page(chrome, f"/review?who={scheme}", viewport=size, color_scheme=scheme)
    look(page)
    for part in ("suggested", "given", "unsure", "drop", "undo"):
        inside = page.locator(f'[data-is="do-{part}"]').bounding_box()
        assert inside["y"] + inside["height"] < 844, "the main acts are there without scrolling"
    press(page, "n")
    until(page, "document.querySelectorAll('.strip li').length > 5")
    page.locator(".viewer-tools summary").click()
    page.keyboard.press("e")
    page.locator(".told .probs").wait_for()
    assert find_barriers(page) == []
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= innerWidth")
    page.keyboard.press("?")
    page.locator("dialog.keys table").wait_for()
    assert find_barriers(page) == []
    page.keyboard.press("Escape")
    page.locator(".near button").first.click()
    page.locator("dialog.viewer-window").wait_for()
    assert find_barriers(page) == []
    page.keyboard.press("Escape")
    page.context.close()


@pytest.mark.browser
def test_stop_is_said_below_ones_own_limit(bench, server, page, request):
    """The limit is typed in the panel, and is the bench's."""
    first = list(random_order(bench.state()))[:40]
    bench.edit(pd.DataFrame(dict(sample=first, verdict="confirm")), request.node.name)
    press(page, "n")  # with a decision come its effects, and those of all before it
    limit = page.locator('[data-is="stop-below"]')
    limit.wait_for()
    for points, words in (("50", "you may stop"), ("0.0001", "go on")):
        limit.fill(points)
        limit.press("Enter")
        page.locator('[data-is="stop"]', has_text=words).wait_for()
        assert bench.rules()["stop"]["below"] == pytest.approx(float(points) / 100)
    assert (
        "more probability for the right class" in page.locator('[data-is="next-gain"]').inner_text()
    )
    assert find_barriers(page) == []
