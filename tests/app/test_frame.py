"""The bar above all pages: what it says, assignments, one stream for many windows. (Undo from anywhere, two people: test_ten_tasks.)"""

import re
import signal
import socket

import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import assay
from assay.app.server.frame_routes import make_frame_routes
from assay.app.server.frame_state import FrameState
from assay.app.server.review_session import ReviewSession
from assay.pipelines.jobs import job_files
from tests.browser import find_barriers, look, stored, until, workbench
from tests.helpers import digits, scanned_bench

BAR = ".assay-frame"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return scanned_bench(digits(400), tmp_path_factory.mktemp("frame"), audited_test=True)


@pytest.fixture
def client(scanned):
    session = ReviewSession(scanned)
    state = FrameState(lambda: session)
    client = TestClient(Starlette(routes=make_frame_routes(lambda: session, state)))
    client.state = state
    yield client
    session.close()


def post(client, path, status=200, **asked):
    answer = client.post(f"/assay/{path}", json=asked)
    assert answer.status_code == status, answer.text
    return answer.json()


def read(client):
    client.state.at = 0
    return client.get("/assay/status").json()


def label(bench, sample, value, who):
    bench.edit(pd.DataFrame([dict(sample=sample, label=value)]), who)


def test_the_state_says_who_is_here_what_is_open_and_what_runs(client, scanned):
    train = scanned.state().query("split == 'train'").index
    before = read(client)
    name = '<img src=x onerror="1">قطة'
    post(client, "here", window="a", who=name, page="review")
    post(client, "here", window="b", who=name, page="browse")
    label(scanned, train[0], "7", name)
    with job_files.claim_job(scanned, "errand-scan") as job:
        job.tell(often=False, share=0.25, text="embedding")
        said = read(client)
    assert said["people"] == [dict(who=name, page="browse")] and said["today"] == {name: 1}
    assert said["edits"] == before["edits"] + 1 and said["seq"] == before["seq"] + 1
    (one,) = said["jobs"]
    assert (one["words"], one["stage"], one["share"]) == ("scanning", "embedding", 0.25)
    assert read(client)["jobs"] == [], "what is done goes"
    for window in "ab":
        post(client, "here", window=window, gone=True)
    assert read(client)["people"] == []
    assert post(client, "commit", who="ann", message="x")["name"] == said["next"]
    assert read(client)["edits"] == 0
    assert post(client, "stop", 400, job="errand-scan")["error"]


def test_undo_by_the_route_is_once_and_ones_own(client, scanned):
    train = scanned.state().query("split == 'train'").index
    before = scanned.state().label
    label(scanned, train[0], "7", "ann")
    label(scanned, train[1], "7", "ben")
    body = dict(who="ann", name="undo-0123456789ab")
    first, again = post(client, "undo", **body), post(client, "undo", **body)
    assert first["samples"] == again["samples"] == [train[0]]
    assert (
        scanned.state().label[train[1]] == "7"
        and scanned.state().label[train[0]] == before[train[0]]
    )
    post(client, "undo", who="ann", redo=True, name="redo-0123456789ab")
    assert scanned.state().label[train[0]] == "7"
    for wrong in (dict(), dict(who="zoe"), dict(who="ann", redo=1), dict(who="ann", name="x")):
        assert post(client, "undo", 400, **wrong)["error"]


def test_what_is_assigned_is_told_and_becomes_a_queue(client, scanned):
    out = scanned.assign("ann", "label = '3'", who="ben")
    (told,) = read(client)["assigned"]
    assert told == dict(name=out["name"], to="ann", samples=out["samples"], reviewed=0)
    assert post(client, "queue", view=out["name"])["samples"] == out["samples"]
    assert "reviewed" not in post(client, "queue", 400, view="nothing")["error"]


# ---- in a browser


def opened(server, chrome, path, seen, **options):
    page = server.page(chrome, path, **options)
    page.set_default_timeout(90_000)
    page.locator(f"{BAR} nav a", has_text="History").wait_for(timeout=60_000)
    page.wait_for_selector(seen, timeout=60_000)
    return page


def to(page, title, seen):
    """Go to a page by its name in the bar."""
    page.locator(f"{BAR} nav a", has_text=title).click()
    page.wait_for_selector(seen, timeout=60_000)


@pytest.mark.browser
@pytest.mark.daily
def test_what_is_assigned_waits_in_the_bar_and_open_work_is_committed_there(bench, server, chrome):
    page = opened(server, chrome, "/browse?who=zoe", ".assay-browse[data-painted]")
    page.locator(".tile .picture").nth(10).click()
    page.keyboard.down("Shift")
    page.locator(".tile .picture").nth(19).click()
    page.keyboard.up("Shift")
    page.get_by_label("more to do with the selection").select_option("assign")
    page.get_by_label(re.compile("assign 10 samples to")).fill("zoe")
    page.keyboard.press("Enter")
    n = bench.assign("zoe", samples=list(bench.state().index[10:20]), name="again", who="b")[
        "samples"
    ]
    page.locator(".says", has_text=f"{n} samples assigned to zoe").wait_for()
    page.locator(f"{BAR} .mine summary").click()
    page.locator(f"{BAR} .mine li", has_text=f"0 of {n} reviewed").first.wait_for()
    page.get_by_role("button", name=re.compile("^review zoe")).click()
    look(page)
    page.keyboard.press("n")
    stored(page)
    page.locator(f"{BAR} .mine summary").click()
    page.locator(f"{BAR} .mine li", has_text=f"1 of {n} reviewed").first.wait_for()
    page.locator(f"{BAR} .work summary").click()
    page.get_by_label("what changed").fill("<b>some</b>")
    page.keyboard.press("Enter")
    page.locator(f"{BAR} .said", has_text="is committed").wait_for()
    assert bench.commits().message.iloc[-1] == "<b>some</b>"
    page.locator(f"{BAR} .work").wait_for(state="hidden")
    assert page.failed == [] and page.foreign == []
    page.context.close()


@pytest.mark.browser
@pytest.mark.daily
def test_eight_windows_share_one_stream_and_another_takes_over(bench, server, chrome):
    first = opened(server, chrome, "/browse?who=many", ".assay-browse[data-painted]")
    asked = []
    first.context.on("request", lambda r: asked.append(r.url) if "/assay/events" in r.url else None)
    pages = [first]
    for _ in range(7):
        page = first.context.new_page()
        page.goto(f"{server.url}/browse?who=many")
        page.wait_for_selector(".assay-browse[data-painted]", timeout=60_000)
        pages.append(page)
    assert asked == [], "a second stream would take a connection from the pictures"
    label(bench, bench.state().query("split == 'train'").index[50], "1", "other")
    for page in pages:
        page.locator(".says", has_text="other: 1 sample").wait_for(timeout=30_000)
    first.close()
    until(pages[1], "true")
    label(bench, bench.state().query("split == 'train'").index[51], "1", "another")
    for page in pages[1:]:
        page.locator(".says", has_text="another: 1 sample").wait_for(timeout=30_000)
    assert len(asked) == 1
    pages[1].context.close()


@pytest.mark.browser
@pytest.mark.daily
@pytest.mark.parametrize("way", ["a stream that says nothing", "no locks"])
def test_without_a_stream_the_server_is_asked(bench, server, chrome, way):
    page = server.page(chrome, "/history?who=asker")
    if way == "no locks":
        page.add_init_script("delete Navigator.prototype.locks")
    else:
        page.route("**/assay/events", lambda route: None)  # as a proxy that keeps it back
    page.goto(f"{server.url}/browse?who=asker")
    page.wait_for_selector(".assay-browse[data-painted]", timeout=60_000)
    label(bench, bench.state().query("split == 'train'").index[60], str(len(way) % 10), "other")
    page.locator(".says", has_text="other: 1 sample").wait_for(timeout=40_000)
    page.context.close()


@pytest.mark.browser
@pytest.mark.daily
def test_a_stream_ends_with_its_server_and_comes_back_with_it(scanned, chrome):
    with workbench(scanned.path) as server:
        page = opened(server, chrome, "/history?who=ann", "h1")
        with socket.create_connection(("127.0.0.1", server.port)) as line:
            head = f"Host: 127.0.0.1:{server.port}\r\nCookie: {server.cookie}\r\n\r\n"
            line.sendall(f"GET /assay/events HTTP/1.1\r\n{head}".encode())
            assert b"text/event-stream" in line.recv(4096)
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(60)  # a server that waits for its streams never ends
        server.process.stdout.close()
        page.locator(f"{BAR} .lost").wait_for(timeout=30_000)
        server.start()
        page.locator(f"{BAR} .lost").wait_for(state="hidden", timeout=60_000)
        page.context.close()


@pytest.mark.browser
@pytest.mark.daily
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_and_reach_the_bar(bench, server, chrome, scheme):
    bench.assign("ann", "split = 'val'", who="ben")
    with job_files.claim_job(bench, "errand-scan") as job:
        job.tell(often=False, share=0.25, text="embedding")
        for width in (390, 820, 1440, 2560):
            view = dict(viewport=dict(width=width, height=900), color_scheme=scheme)
            other = server.page(chrome, "/history?who=ben")
            page = server.page(chrome, "/history?who=ann", **view)
            page.locator(f"{BAR} .people:visible, {BAR} .jobs:visible").first.wait_for(
                timeout=60_000
            )
            for name in ("menu", "mine", "jobs", "work", "people"):
                part = page.locator(f"{BAR} .{name} summary")
                if part.is_visible():
                    part.focus()
                    page.keyboard.press("Enter")
                    assert not find_barriers(page), (width, name)
                    page.keyboard.press("Escape")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.locator(BAR).evaluate("e => e.scrollWidth <= e.clientWidth + 1"), width
            page.context.close()
            other.context.close()


def test_a_bench_of_before_opens_and_names_its_views(scanned):
    scanned.save_view("old", "keep", who="ann")
    again = assay.open(scanned.path)
    assert again.views().to.tolist() == [""] and again.assignments().empty


@pytest.mark.browser
@pytest.mark.daily
def test_the_filter_goes_along_from_page_to_page_and_words_go_to_browse(bench, server, chrome):
    address = "/browse?who=ann&q=split+%3D+%27val%27&sort=score"
    page = opened(server, chrome, address, ".assay-browse[data-painted]")
    n = int(page.locator(".assay-browse").get_attribute("data-total"))
    to(page, "Review", ".assay-review")
    page.get_by_text(f"{n} samples of the filter: split = 'val'").wait_for(timeout=60_000)
    look(page)
    to(page, "Browse", ".assay-browse[data-painted]")
    assert page.locator(".assay-browse").get_attribute("data-total") == str(n)
    to(page, "History", "h1")
    page.keyboard.press("/")
    page.keyboard.type("d00 <b>")
    page.keyboard.press("Enter")
    page.locator(".assay-browse .empty button").wait_for(timeout=60_000)
    assert "s=d00+%3Cb%3E" in page.url and page.failed == []
    page.context.close()
