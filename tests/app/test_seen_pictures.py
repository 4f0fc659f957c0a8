"""Nothing is decided about a picture that nobody saw: real keys and clicks, pictures that do not come, answers that come late."""

import time

import pytest

from assay.curation.features import image_map
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import look, stored, until
from tests.helpers import bench_of, digits


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    table, words = digits(900), "zero one two three four five six seven eight nine".split()
    table["label"] = [
        f"{words[int(c)]}, open" if c in "89" and i % 2 else words[int(c)]
        for i, c in enumerate(table.label)
    ]  # twelve classes
    bench = bench_of(table, tmp_path_factory.mktemp("seen"), audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    image_map.sketch_map(bench)
    return bench


@pytest.fixture
def review(server, chrome, request):
    """Review, opened by somebody of the test's own name, and its routes that tell what was asked."""
    page = server.page(chrome, f"/overview?who={request.node.name}")
    page.locator(".assay-cards").wait_for()
    yield page
    page.context.close()


def decided(bench, who):
    """What the log says of a person's decisions, in order: (sample, verdict, seconds)."""
    return bench.rows(
        "select sample, coalesce(verdict, field), seconds from edits where who = ? order by seq",
        [who],
    )


def dwell(page, kinds, ms=1200):
    """Send the key N to the page every 10 ms for a while, as a hand that is quicker than any; how often it was sent."""
    return page.evaluate(
        """async ([kinds, ms]) => { const end = performance.now() + ms;
        for (var n = 0; performance.now() < end; n++) {
            for (const kind of kinds) document.body.dispatchEvent(new KeyboardEvent(kind, { key: 'n', code: 'KeyN', bubbles: true, composed: true }));
            await new Promise(r => setTimeout(r, 10));
        } return n; }""",
        [kinds, ms],
    )


DOWN, UP = ["keydown"], ["keyup"]


@pytest.mark.browser
@pytest.mark.daily
def test_who_has_said_their_name_decides_with_the_next_key(bench, server, chrome):
    page = server.page(chrome, "/review")
    page.get_by_placeholder("your name").fill("zoe")
    page.keyboard.press("Enter")
    until(page, "!document.activeElement.matches('input')")  # the name is taken
    look(page)
    page.keyboard.press("n")
    stored(page)
    assert [verdict for _, verdict, _ in decided(bench, "zoe")] == ["unsure"]
    page.context.close()


@pytest.mark.daily
@pytest.mark.browser
def test_a_picture_that_is_withheld_or_broken_is_not_decided(bench, server, review, request):
    held, gone, who = [], [], request.node.name

    def withhold(route):
        if route.request.url in gone:
            route.fulfill(status=404)
        else:
            held.append(route)

    review.route("**/assay/image/*?side=512", withhold)
    review.goto(f"{server.url}/review?who={who}")
    review.locator(".assay-review:not(.empty) .classes button").first.wait_for()
    for key in ("Enter", " ", "n", "d", "7"):
        review.keyboard.press(key)
    review.locator(".assay-review .classes button").nth(3).click()
    review.locator('[data-is="do-drop"]').click()
    review.keyboard.press("/")
    review.keyboard.type("four")
    review.keyboard.press("Enter")
    review.keyboard.press("Escape")
    review.get_by_text("The picture is not here yet").wait_for()
    assert review.evaluate("document.querySelector('.assay-review').dataset.done") == "0"
    gone.append(server.url + review.locator(".picture img").get_attribute("src"))
    next(r for r in held if r.request.url in gone).fulfill(status=404)
    review.get_by_text("This picture cannot be shown").wait_for()
    broken = review.locator('[data-is="name"]').inner_text()
    review.keyboard.press("Enter")
    review.keyboard.press("7")
    assert review.locator('[data-is="name"]').inner_text() == broken, (
        "no label for what cannot be seen"
    )
    for route in held:
        if route.request.url not in gone:
            route.continue_()
    review.keyboard.press("ArrowRight")
    look(review)
    assert review.locator('[data-is="name"]').inner_text() != broken, "it can be passed by"
    review.keyboard.press("ArrowLeft")
    review.get_by_text("This picture cannot be shown").wait_for()
    review.wait_for_timeout(200)
    review.keyboard.press("n")
    stored(review)
    found = decided(bench, who)
    assert [v for _, v, _ in found] == ["unsure"] and bench.state().key[found[0][0]] == broken, (
        "or be marked, knowingly"
    )


@pytest.mark.browser
@pytest.mark.daily
def test_a_key_counts_once_however_long_it_is_held(bench, server, review, request):
    review.goto(f"{server.url}/review?who={request.node.name}")
    look(review)
    for _ in range(6):  # as the operating system repeats it
        review.keyboard.down("n")
        review.wait_for_timeout(200)
    review.keyboard.up("n")
    stored(review)
    assert len(decided(bench, request.node.name)) == 1
    look(review)
    dwell(review, DOWN)  # as a remote desktop does: neither repeat nor keyup
    stored(review)
    assert len(decided(bench, request.node.name)) == 2
    review.wait_for_timeout(1100)
    dwell(review, DOWN, 5)
    stored(review)
    assert len(decided(bench, request.node.name)) == 3, (
        "a keyup that was lost does not kill the key"
    )


@pytest.mark.daily
@pytest.mark.browser
def test_a_picture_is_seen_for_a_moment_and_ten_quick_answers_are_asked_about(
    bench, server, review, request
):
    def all_done():
        stored(review)
        return decided(bench, request.node.name)

    review.goto(f"{server.url}/review?who={request.node.name}")
    look(review)
    since = time.monotonic()
    pressed = dwell(review, DOWN + UP, 600)
    found = all_done()
    assert 0 < len(found) <= (time.monotonic() - since) / 0.15 and pressed > 2 * len(found)
    dwell(review, DOWN + UP, 4000)
    question = review.locator(".assay-review .pause")
    question.get_by_text("Ten decisions in ").wait_for()
    found = all_done()
    assert min(s for *_, s in found) >= 0.15 and all(s < 0.4 for *_, s in found[-10:])
    for key in ("n", "Enter", " ", "u", "ArrowLeft", "7"):
        review.keyboard.press(key)
    review.locator('[data-is="do-drop"]').click()
    assert all_done() == found and question.is_visible(), "nothing else answers it"
    review.keyboard.press("t")
    question.wait_for(state="hidden")
    stored(review)
    assert bench.state().reviewed[[s for s, *_ in found]].sum() == len(found) - 10, (
        "the ten are taken back"
    )
    look(review)
    dwell(review, DOWN + UP, 4000)
    question.wait_for()
    n = len(all_done())
    review.keyboard.press("y")
    look(review)
    assert len(all_done()) == n and bench.state().reviewed[[s for s, *_ in found]].sum() == len(
        found
    ), "the same ten, decided anew"


@pytest.mark.daily
def test_what_is_decided_while_the_queue_is_fetched_does_not_come_again(
    bench, server, review, request
):
    held, names = [], []
    review.goto(f"{server.url}/review?who={request.node.name}")
    look(review)

    def late(route):
        answer = route.fetch()  # asked now, answered later
        held.append((route, answer)) if len(names) < 9 else route.fulfill(response=answer)

    review.route("**/assay/items", late)
    for n in range(12):
        look(review)
        names.append(review.locator('[data-is="name"]').inner_text())
        review.keyboard.press("n")
        end = time.monotonic() + 60
        while (
            n == 2 and not held and time.monotonic() < end
        ):  # the model's new opinion asks for the queue anew
            review.wait_for_timeout(50)
        if n == 8:
            assert held
            for route, answer in held:
                route.fulfill(response=answer)
    stored(review)
    review.unroute_all(behavior="ignoreErrors")  # the next answer belongs to no story
    assert len(set(names)) == 12 and len(decided(bench, request.node.name)) == 12


@pytest.mark.daily
@pytest.mark.browser
def test_an_audit_has_a_key_for_every_class_and_a_way_back(bench, server, chrome, request):
    from assay.app.server import audit_sheet
    from assay.curation.review import audit

    name = audit_sheet.begin_sheet(bench, "eve", 6)
    classes, rows = audit.list_classes(bench), sorted(audit_sheet.row_images(bench, name))
    page = server.page(chrome, "/audit?who=eve")

    def at(n):
        page.wait_for_selector(f".assay-blind[data-left='{n}']")
        look(page, ".assay-blind")

    for n, key in enumerate(("9", "0", "a", "b")):
        at(len(rows) - n)
        page.keyboard.press(key)
    at(len(rows) - 4)
    page.keyboard.down("n")  # held: one answer
    for _ in range(4):
        page.wait_for_timeout(200)
        page.keyboard.down("n")
    page.keyboard.up("n")
    at(len(rows) - 5)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.get_by_text(f"you said: {classes[11]}").wait_for()
    look(page, ".assay-blind")
    page.keyboard.press("1")
    page.get_by_text("you said: not sure").wait_for()
    page.keyboard.press("u")  # the newest answer, not the last row
    at(len(rows) - 4)
    page.reload()
    at(len(rows) - 4)
    for n in range(4, len(rows)):
        at(len(rows) - n)
        page.keyboard.press("/")
        page.keyboard.type(classes[7])
        page.keyboard.press("Enter")
    page.get_by_text("Read the answers").wait_for()
    page.keyboard.press("u")
    page.get_by_text("Read the answers").wait_for(state="hidden")
    at(1)
    page.keyboard.press("/")
    page.keyboard.type("brand new")
    page.keyboard.press("Enter")
    page.get_by_text("Shift and Enter adds it as a new class").wait_for()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("Read the answers").wait_for()
    page.get_by_role("button", name="brand new").wait_for()
    assert page.failed == []
    page.context.close()
    said = {row: a["label"] for row, a in audit_sheet.load_answers(bench, name).items()}
    assert (
        said == dict(zip(rows, [*classes[8:11], classes[7], "", classes[7], "brand new"]))
        and len(rows) == 7
    )
    out = audit_sheet.finish_sheet(bench, name, "eve")
    assert out["audited"] == 6 and "brand new" in audit.list_classes(bench)
    assert "brand new" in set(audit.find_audited(bench).label)


# ---- the map: one answer at a time, and all of what is circled
