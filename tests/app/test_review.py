"""The workbench in a real browser: what is pressed is stored, in order, once, whatever happens; and nobody else gets in."""

import json
import shutil
import subprocess
import sys
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

import assay
from assay.app.server import live_effect, review_session
from assay.curation.predictions import model_errors
from assay.curation.review import audit, progress
from assay.curation.versioning import incoming
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import look, look_through, stored, until, workbench
from tests.helpers import ROOT, bench_of, copied, digits, open_copy, truth_of

REVIEW = "/review?who=ann"


@pytest.fixture(scope="module")
def big_once(tmp_path_factory):
    """1,797 digits, 8 % of the train and val labels wrong, scanned; one is called by a script."""
    table = digits(1797)
    table.loc[0, "id"] = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
    bench = bench_of(table, tmp_path_factory.mktemp("app"), audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    return bench


@pytest.fixture
def big(big_once, tmp_path):
    shutil.copytree(big_once.path, tmp_path / "bench")
    return open_copy(tmp_path / "bench")


@pytest.fixture(scope="module")
def crowded(big_once, tmp_path_factory):
    """(a bench on which several stories go on, each with its own people, its workbench)"""
    bench = copied(big_once, tmp_path_factory.mktemp("crowded"))
    with workbench(bench.path) as server:
        yield bench, server


@pytest.fixture
def session(big):
    with closing(review_session.ReviewSession(big)) as session:
        session.rescore()
        yield session


def shown(page):
    return (
        page.locator('[data-is="name"]').inner_text(),
        page.locator('[data-is="suggested"]').inner_text(),
        page.locator('[data-is="given"]').inner_text(),
    )


def press(page, keys, pause=60):
    """Press keys, and say what was on the screen at each: (key, name, suggested, given)."""
    out = []
    for key in keys:
        look(page)
        out.append((key, *shown(page)))
        page.keyboard.press(key)
        page.wait_for_timeout(pause)
    return out


def decided(bench, who="ann"):
    """What the log says of a person's decisions, in order: (key of the sample, field, value, verdict)."""
    rows = bench.rows(
        "select s.key, e.field, e.value ->> '$', e.verdict from edits e join samples s on s.id = e.sample where who = ? order by seq",
        [who],
    )
    return [tuple(r) for r in rows]


@pytest.mark.browser
def test_keys_are_stored_in_order_and_the_effect_follows(big, chrome):
    with workbench(big.path) as server:
        page = server.page(chrome, REVIEW)
        look(page)
        said = press(page, ["Enter", " ", "n", "d", "7"] * 4)
        stored(page)
        want = {
            "Enter": lambda s, g: ("label", s, "set"),
            " ": lambda s, g: ("label", g, "confirm"),
            "n": lambda s, g: ("label", g, "unsure"),
        }
        want |= {
            "d": lambda s, g: ("keep", "false", "set"),
            "7": lambda s, g: ("label", "7", "confirm" if g == "7" else "set"),
        }
        assert decided(big) == [(name, *want[key](s, g)) for key, name, s, g in said]
        assert (
            big.rows(
                "select count(*) from edits where who = 'ann' and seconds is null or seconds < 0"
            )[0][0]
            == 0
        )

        until(
            page,
            f"+document.querySelector('.assay-review').dataset.seq >= {big.rows('select max(seq) from edits')[0][0]}",
        )
        assert page.locator('[data-is="reviewed"]').inner_text().startswith("20 reviewed")

        look(page)  # ten quick answers may be asked about, and until then no other key counts
        page.keyboard.press("e")
        page.locator(".told .probs").wait_for()
        assert "fitted without this sample" in page.locator(".told").inner_text()
        assert "score = p[label]" in page.locator(".told .number code").first.inner_text()
        assert "assay/curation/label_quality/scoring.py:" in page.locator(".told").inner_text()
        lesson = page.locator(".told .number a").first.get_attribute("href")
        assert lesson == "/lessons?lesson=2"
        before = shown(page)
        page.keyboard.press("u")
        page.wait_for_timeout(100)
        assert shown(page)[0] == said[-1][1], "undo shows what it took back"
        stored(page)
        assert big.state().reviewed.sum() == 19
        look(page)
        page.keyboard.press("Enter")
        page.wait_for_timeout(100)
        assert shown(page)[0] == before[0] and page.foreign == [] and page.failed == []
        assert page.evaluate("window.ran") is None


@pytest.mark.daily
def test_ten_presses_are_ten_decisions_and_a_class_can_be_typed(big, chrome):
    with workbench(big.path) as server:
        page = server.page(chrome, REVIEW)
        look(page)
        said = press(page, ["Enter"] * 10)
        look(page)
        page.keyboard.press("/")
        page.keyboard.type("4")
        page.keyboard.press("Enter")
        stored(page)
        found = decided(big)
        assert (
            [name for name, *_ in found[:10]] == [name for _, name, *_ in said]
            and len(set(found)) == 11
            and found[10][2] == "4"
        )
        look(page)
        page.keyboard.press("ArrowLeft")
        assert page.locator('[data-is="said"]').inner_text() == "you said: 4"
        page.keyboard.press("ArrowRight")
        assert page.locator('[data-is="said"]').inner_text() == ""


@pytest.mark.daily
def test_a_killed_server_and_a_closed_tab_lose_nothing(big, chrome):
    with workbench(big.path) as server:
        page = server.page(chrome, REVIEW)
        look(page)
        said = press(page, ["Enter"] * 5)
        stored(page)
        server.kill()
        said += press(page, ["n", " ", "n"])
        until(page, "document.querySelector('.assay-review').dataset.waiting === '3'")
        assert "cannot be reached" in page.locator('[data-is="problem"]').inner_text()
        page.close()
        assert len(decided(big)) == 5, "what was acknowledged is there"
        server.start()
        again = page.context.new_page()
        again.goto(server.url + REVIEW)
        look(again)
        stored(again)
        assert [name for name, *_ in decided(big)] == [name for _, name, *_ in said], (
            "what was pending arrived, once"
        )
        names = [name for _, name, *_ in said]
        assert shown(again)[0] not in names


@pytest.mark.daily
def test_two_browsers_lose_and_double_nothing(big, chrome):
    with workbench(big.path) as server:
        pages = {who: server.page(chrome, f"/review?who={who}") for who in ("ann", "bob")}
        for page in pages.values():
            look(page)
        said = {who: [] for who in pages}
        for _ in range(50):
            for who, page in pages.items():
                said[who] += press(page, ["Enter"], pause=5)
        for page in pages.values():
            stored(page)
        for who in pages:
            assert [name for name, *_ in decided(big, who)] == [
                name for _, name, *_ in said[who]
            ], who
        assert big.chain_breaks() == []


@pytest.mark.browser
def test_nobody_else_gets_in(crowded):
    big, server = crowded
    some = big.state().index[0]
    assert server.ask("/")[0] == 200
    for headers, word in (
        (dict(Cookie=None), "token"),
        (dict(Cookie=f"assay-{server.port}=wrong"), "token"),
        (dict(Host="evil.example"), "not called"),
        (dict(Host=f"evil.example:{server.port}"), "not called"),
    ):
        for path in ("/", f"/assay/image/{some}", "/_stcore/health", "/static/index.html"):
            status, text = server.ask(path, **headers)
            assert status == 403 and word in text, (headers, path)
    sent = json.dumps(
        dict(
            who="eve",
            sent=[dict(batch="edit-0123456789ab", decision=dict(sample=some, verdict="unsure"))],
        )
    ).encode()
    assert server.ask("/assay/decisions", sent, Origin="http://evil.example")[0] == 403
    assert server.ask("/assay/decisions", sent, Origin=None)[0] == 403
    assert server.ask("/assay/decisions", sent, Content_Type="text/plain")[0] == 403
    assert (
        server.ask("/assay/decisions", b"[1]")[0] == 400
        and server.ask("/assay/decisions", b"{" * 70_000)[0] == 400
    )
    assert decided(big, "eve") == []
    status, text = server.ask("/assay/decisions", sent)
    assert status == 200 and json.loads(text)["refused"] == {} and len(decided(big, "eve")) == 1
    server.ask("/assay/decisions", sent)
    assert len(decided(big, "eve")) == 1, "sent twice, stored once"
    for path in (
        "/assay/image/..%2f..%2fassay.duckdb",
        "/assay/image/%2fetc%2fpasswd",
        "/assay/image/nothing",
    ):
        status, text = server.ask(path)
        assert status in (400, 404) or '<div id="root"' in text, "at most Streamlit's own page"
    assert_no_websocket(server)


def assert_no_websocket(server):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    address = f"ws://127.0.0.1:{server.port}/_stcore/stream"
    for origin, cookie in (
        (server.url, None),
        ("http://evil.example", server.cookie),
        (None, server.cookie),
    ):
        with pytest.raises(InvalidStatus):
            connect(
                address, origin=origin, additional_headers={"Cookie": cookie} if cookie else {}
            ).close()
    connect(address, origin=server.url, additional_headers={"Cookie": server.cookie}).close()


@pytest.mark.browser
def test_everybody_may_look_and_the_name_is_asked_with_the_first_decision(crowded, chrome):
    big, server = crowded
    page = server.page(chrome, "/review")
    look(page)
    first = shown(page)
    page.keyboard.press("Enter")
    name = page.locator(".assay-review form input")
    name.wait_for()
    assert shown(page) == first and decided(big) == [], "it still waits to be decided"
    name.fill("ann")
    name.press("Enter")
    until(page, f"document.querySelector('[data-is=name]').innerText !== '{first[0]}'")
    stored(page)
    assert decided(big) == [(first[0], "label", first[1], "set")] and "who=ann" in page.url
    mine = page.get_by_placeholder("your name").first
    mine.fill("bob")
    mine.press("Enter")
    until(page, "document.querySelector('.assay-review').who === 'bob'")
    (_, second, *_) = press(page, [" "], pause=500)[0]
    stored(page)
    assert [key for key, *_ in decided(big, "bob")] == [second] and len(decided(big)) == 1
    assert page.failed == []


@pytest.mark.daily
@pytest.mark.browser
def test_a_grid_asks_for_the_name_too(big, chrome):
    with workbench(big.path) as server:
        page = server.page(chrome, "/review")
        page.get_by_text("grid review").click()
        look_through(page)
        page.locator(".assay-grid .many button").first.click()
        page.get_by_role("button", name="drop (1)").click()
        name = page.locator(".assay-grid form input")
        name.fill("ann")
        assert decided(big) == []
        name.press("Enter")
        page.get_by_text("stored as one batch").wait_for()
        assert [(field, value) for _, field, value, _ in decided(big)] == [("keep", "false")]


@pytest.mark.daily
@pytest.mark.browser
def test_the_grid_shows_what_a_second_opinion_doubts(big, chrome):
    doubted = big.frame(split="train").query("label == '3'").index[:4]
    rows = pd.DataFrame(index=doubted).assign(is_label_issue=True, label_score=0.1)
    big.add_opinion(rows.assign(predicted_label="8"), "other", progress=False)
    with workbench(big.path) as server:
        page = server.page(chrome, "/review?who=ann")
        page.get_by_text("grid review").click()
        page.get_by_text("other", exact=True).click()
        page.get_by_text("select all 4").wait_for()
        look_through(page)
        page.locator(".assay-grid .many button").first.click()
        page.get_by_role("button", name="drop").click()
        page.get_by_text("stored as one batch").wait_for()
        assert page.failed == []
    assert {key for key, *_ in decided(big)} <= set(big.state().key[doubted]) and decided(big)


@pytest.mark.browser
def test_the_link_is_exchanged_for_a_cookie_that_no_script_reads(crowded, chrome):
    _, server = crowded
    page = server.page(chrome)
    page.wait_for_selector(".assay-cards", timeout=120_000)
    assert "token" not in page.url and f"assay-{server.port}" not in page.evaluate(
        "document.cookie"
    )
    cookie = next(c for c in page.context.cookies() if c["name"] == f"assay-{server.port}")
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert "1,797" in page.locator(".assay-cards").inner_text() and page.foreign == []
    page.goto(server.url + "/?who=ann")
    page.get_by_role("link", name="Review →").click()  # the next step, which knows who comes
    look(page)


@pytest.mark.daily
def test_the_first_page_has_its_name_in_the_address_too(crowded, chrome):
    _, server = crowded
    page = server.page(chrome, "/overview?who=ann")
    page.locator(".assay-cards").wait_for(timeout=120_000)
    assert page.url == f"{server.url}/?who=ann" and not page.get_by_text("Page not found").count()


@pytest.mark.daily
def test_a_blind_audit_shows_no_label_and_outlives_its_page(big, chrome):
    from assay.app.server import audit_sheet

    truth, of = truth_of(big), {}
    name = audit_sheet.begin_sheet(big, "ann", 12)
    rule = big.rules()[f"audit:{name}"]
    of = dict(enumerate(audit.draw_sheet(big, rule), 1))
    with workbench(big.path) as server:
        page = server.page(chrome, "/audit?who=ann")
        for turn in range(len(of)):
            page.wait_for_selector(f'.assay-blind[data-left="{len(of) - turn}"]')
            look(page, ".assay-blind")
            row = int(
                page.locator(".assay-blind .picture img").get_attribute("alt").removeprefix("row ")
            )
            assert (
                of[row] not in page.content()
                and "probab" not in page.locator(".assay-blind").inner_text()
            )
            page.keyboard.press("n" if turn == 0 else truth[of[row]])
            if turn == 5:
                page.wait_for_selector(f'.assay-blind[data-left="{len(of) - turn - 1}"]')
                page.reload()
        page.get_by_text("Read the answers").click()
        page.get_by_text("labels audited").wait_for()
        assert page.foreign == [] and page.failed == []
    found = audit.find_audited(big)
    assert len(found) == 12 and (found.verdict == "unsure").sum() == 1
    sure = found[found.verdict != "unsure"]
    assert (sure.label == truth[sure.index]).all() and big.commits().name.iloc[-1] == "audit-1"


@pytest.mark.daily
def test_many_alike_are_accepted_but_for_the_exceptions(big, chrome):
    with workbench(big.path) as server:
        page = server.page(chrome, REVIEW)
        page.get_by_text("grid review").click()
        pictures = page.locator(".assay-grid .many button")
        pictures.nth(1).wait_for()
        n, out = pictures.count(), pictures.nth(1).get_attribute("title").split("\n")[0]
        assert page.get_by_text("the suggestion is right (0)").is_disabled(), (
            "nothing is selected before somebody selects it"
        )
        page.get_by_text(f"select all {n}").click()
        look_through(page)
        pictures.nth(1).click()
        page.get_by_text(f"the suggestion is right ({n - 1})").click()
        page.locator(".assay-grid em", has_text="stored as one batch").wait_for()
    found = decided(big)
    assert (
        len(found) == n - 1
        and {f for _, f, _, _ in found} == {"label"}
        and len({v for _, _, v, _ in found}) == 1
    )
    assert (
        out not in {name for name, *_ in found}
        and big.rows("select count(distinct batch) from edits where who = 'ann'")[0][0] == 1
    )


# ---- the review session by itself


@pytest.mark.daily
def test_what_the_session_rescored_is_what_a_new_process_says(big, session):
    """Decisions of every kind, ours and another process's: after each the queue, reasons and validation answers are those of a bench read afresh."""
    state, other = big.state(), assay.open(big.path)
    train = state.index[state.split == "train"]
    class_of = dict(zip(train, "1234567890"))
    for ours, rows in (
        (False, [dict(sample=s, label=c) for s, c in class_of.items()]),
        (True, [dict(sample=train[20], keep="false"), dict(sample=train[21], verdict="unsure")]),
        (False, [dict(sample=train[20], keep=True), dict(sample=train[22], split="val")]),
        (True, [dict(sample=train[i], verdict="confirm") for i in range(30, 80)]),
    ):
        if ours:
            assert not incoming.receive_batches(big, [(f"edit-{len(rows):012x}", rows)], "ann")[
                "refused"
            ]
        else:
            other.edit(pd.DataFrame(rows), "script")
        session.rescore()
        shutil.copytree(big.path, big.path.with_name("copy"), dirs_exist_ok=True)
        copy = assay.open(big.path.with_name("copy"))
        copy.rescore()
        want = copy.queue(review_session.AHEAD)
        assert [(r["sample"], r["reason"], r["random"]) for r in session.rows] == list(
            zip(want["sample"], want.reason, want.random)
        )
        probed = model_errors.find_model_errors(copy)
        assert {s: session.predicted[s] for s in probed.index} == dict(probed.said) and len(
            probed
        ) > 300
        assert session.reviewed == progress.summarize_reviews(copy)
    assert session.write_scores() and not session.write_scores(), "written down once"
    kept = np.load(big.arrays / "opinion.npz")
    assert int(kept["upto"]) == session.seq and np.array_equal(
        kept["pred_probs"], session.scored.probs.astype("f4")
    )


@pytest.mark.slow
def test_a_corrected_validation_label_is_no_gain(big, session):
    session.live_effect("0123456789abcdef", patience=0)
    state, truth = big.state(), truth_of(big)
    wrong = state.index[(state.split == "val") & (state.label != truth)]
    big.edit(pd.DataFrame(dict(sample=wrong, label=truth[wrong])), "ann")
    session.rescore()
    live = session.live_effect("0123456789abcdef", patience=0)
    assert (
        live["validation_changed"] == len(wrong) > 10
        and live["gain"][0] == 0
        and not live["measurable"]
    )
    wrong = state.index[(state.split == "train") & (state.label != truth)]
    big.edit(pd.DataFrame(dict(sample=wrong, label=truth[wrong])), "ann")
    session.rescore()
    with closing(review_session.ReviewSession(big)) as again:
        live = again.live_effect("0123456789abcdef", patience=0)
    assert live["gain"][0] > 0 and live["validation_changed"] > 10, "a session outlives the server"


def test_the_live_effect_counts_what_turned_and_holds_at_every_look():
    """200 validation labels; the model turns 19 answers right and 1 wrong, one label was corrected and one sample dropped meanwhile."""
    ids = [f"s{i:03d}" for i in range(200)]
    then, now = dict.fromkeys(ids, "a"), dict.fromkeys(ids, "a")
    state = pd.DataFrame(dict(label="a", keep=True), index=ids)
    for s in ids[:19]:
        then[s] = "b"
    for s in ids[19:20]:
        now[s] = "b"
    state.loc[ids[50], "label"], state.loc[ids[51], "keep"] = "b", False
    began = dict(
        ids=np.array(ids, "S32"), said=np.array(list(then.values())), labels=np.array(["a"] * 200)
    )
    live = live_effect.measure_effect(state, now, began)
    assert (
        live["n"],
        live["better"],
        live["worse"],
        live["validation_changed"],
        live["measurable"],
    ) == (
        199,
        19,
        1,
        1,
        True,
    )
    assert live["gain"] == pytest.approx(
        [18 / 199, (18 - 16.352) / 199, (18 + 16.352) / 199], abs=1e-5
    )
    now |= dict.fromkeys(ids[16:19], "b")
    assert not live_effect.measure_effect(state, now, began)["measurable"], (
        "15 of 199 is not enough for somebody who looks after every decision"
    )
    assert live_effect.measure_effect(state.iloc[:0], now, began)["gain"] is None


@pytest.mark.browser
def test_evidence_is_never_a_test_sample_and_items_are_not_given_twice(big, session, monkeypatch):
    split, seen = big.state().split, []
    for _ in range(5):
        some = session.next_rows("ann's", seen)
        seen += [i["sample"] for i in some]
        assert {split[i["sample"]] for i in some} <= {"train", "val"}
        assert {split[n["sample"]] for i in some for n in i["near"]} <= {"train", "val"}
    assert len(seen) == len(set(seen)) >= 200
    assert not set(seen) & {i["sample"] for i in session.next_rows("bob's")}, (
        "two people do not judge the same one unasked"
    )
    monkeypatch.setattr(review_session, "HELD_FOR", -1)
    session.next_rows("ann's")
    assert set(seen) & {i["sample"] for i in session.next_rows("bob's")}, (
        "what a browser has held for too long goes to another"
    )


@pytest.mark.slow
def test_one_act_on_many_is_for_what_was_picked_of_what_was_shown(big, session):
    state = big.state()
    train = list(state.index[state.split == "train"][:9])
    session.choices.remember("these", dict(zip(train, "123456789")))

    def send(n, **more):
        return session.store_decisions([dict(batch=f"edit-{n:012x}", of="these", **more)], "ann")[
            "refused"
        ]

    assert not send(1, decision=dict(keep=False), only=train[:2]) and not send(
        2, decision=dict(keep=False), but=train[1:8]
    )
    assert list(big.state().keep[train]) == [False, False, *[True] * 6, False]
    assert not send(3, decision=dict(suggested=True), only=train[2:5]) and list(
        big.state().label[train[2:5]]
    ) == ["3", "4", "5"]
    for wrong in (
        dict(only=[train[0], "another"]),
        dict(only=train[0]),
        dict(),
        dict(of="those", only=train[:1]),
    ):
        with pytest.raises(assay.UserError):
            session.store_decisions(
                [dict(batch="edit-000000000004", of="these", decision=dict(keep=True)) | wrong],
                "ann",
            )
    assert len(decided(big)) == 6


@pytest.mark.slow
def test_a_bad_decision_is_refused_and_the_others_are_stored(big, session):
    state = big.state()
    train, test = (state.index[state.split == s] for s in ("train", "test"))
    sent = [
        dict(
            batch="edit-000000000001",
            decision=dict(sample=train[0], verdict="confirm", seconds=1.5),
        ),
        dict(batch="edit-000000000002", decision=dict(sample=test[0], label="3")),
        dict(batch="edit-000000000003", decision=dict(sample=train[1], label="no such class")),
        dict(batch="nonsense", decision=dict(sample=train[1], verdict="confirm")),
        dict(batch="edit-000000000004", decision=dict(sample=train[1], split="test")),
        dict(batch="edit-000000000005", decision=dict(sample=train[2], keep=False)),
    ]
    out = session.store_decisions(sent, "ann")
    assert set(out["refused"]) == {
        "edit-000000000002",
        "edit-000000000003",
        "nonsense",
        "edit-000000000004",
    }
    assert decided(big) == [
        (state.key[train[0]], "label", state.label[train[0]], "confirm"),
        (state.key[train[2]], "keep", "false", "set"),
    ]
    for _ in range(2):
        session.store_decisions([dict(batch="edit-000000000005")], "ann")
    now = big.state()
    assert now.keep[train[2]] and len(decided(big)) == 3, "taken back, once"
    assert np.array_equal(now.label, state.label)


@pytest.mark.daily
def test_others_votes_are_seen_after_ones_own_or_it_is_noted(big, chrome):
    first = big.queue(1, 0)["sample"][0]
    big.edit(pd.DataFrame(dict(sample=[first], verdict=["unsure"])), "eve")
    with workbench(big.path) as server:
        page = server.page(chrome, REVIEW)
        look(page)
        sample = (
            page.locator(".assay-review .picture img")
            .get_attribute("src")
            .split("/")[-1]
            .split("?")[0]
        )
        big.edit(pd.DataFrame(dict(sample=[sample], label=["7"])), "<b>bob</b>")
        box = page.locator('[data-is="votes"]')
        assert box.is_hidden(), "nobody is told what others think before the own decision"
        page.keyboard.press("n")
        stored(page)
        page.keyboard.press("ArrowLeft")
        page.get_by_text("<b>bob</b>: 7").wait_for()
        page.keyboard.press("ArrowRight")
        assert box.is_hidden()
        page.keyboard.press("v")
        page.get_by_text("Nobody else has decided about this one.").wait_for()
        sample = (
            page.locator(".assay-review .picture img")
            .get_attribute("src")
            .split("/")[-1]
            .split("?")[0]
        )
        big.edit(pd.DataFrame(dict(sample=[sample], keep=["false"])), "bob")
        page.keyboard.press("v")
        page.get_by_text("bob: drop").wait_for()
        page.keyboard.press(" ")
        stored(page)
        look(page)
        page.keyboard.press("Enter")
        stored(page)
        assert page.failed == [] and page.foreign == []
    reasons = [
        r
        for (r,) in big.rows(
            "select suggested ->> 'reason' from edits where who = 'ann' order by seq"
        )
    ]
    assert [str(r).endswith("saw the votes of others first") for r in reasons] == [
        False,
        True,
        False,
    ]


@pytest.mark.slow
def test_under_a_majority_ones_own_vote_comes_first(big):
    from assay.curation.review.reviewers import list_other_votes

    state = big.state()
    train, test = (state.index[state.split == s][0] for s in ("train", "test"))
    for who, row in (
        ("ann", dict(label="7")),
        ("bob", dict(verdict="unsure")),
        ("ann", dict(label="8")),
    ):
        big.edit(pd.DataFrame([dict(sample=train) | row]), who)
    both = [dict(who="bob", said="not sure"), dict(who="ann", said="8")]
    assert (
        list_other_votes(big, train, "eve") == dict(votes=both, hidden=0)
        and list_other_votes(big, train, "ann")["votes"] == both[:1]
    )
    big.set_rule("majority", "ann")
    assert (
        list_other_votes(big, train, "eve") == dict(votes=[], hidden=2)
        and list_other_votes(big, train, "bob")["votes"] == both[1:]
    )
    assert (
        list_other_votes(big, test, "ann")
        == dict(votes=[], hidden=0)
        == list_other_votes(big, "nothing", "ann")
    )
    big.undo(who="ann")
    assert list_other_votes(big, train, "bob")["votes"] == [dict(who="ann", said="7")], (
        "what is taken back is no vote"
    )


@pytest.mark.daily
def test_a_picture_that_does_not_come_is_not_waited_for(big, chrome):
    """The picture of the second item hangs: the third is shown in its place at once, and the second when it is there."""
    queue = big.queue(10, 0)
    names, late, held = list(queue.source_id), queue["sample"][1], []
    with workbench(big.path) as server:
        page = server.page(chrome, "/")
        page.route(f"**/assay/image/{late}?side=512", lambda route: held.append(route))
        page.goto(server.url + REVIEW)
        look(page)
        assert shown(page)[0] == names[0]
        page.wait_for_timeout(1500)
        assert len(held) == 1, "it was asked for ahead"
        page.keyboard.press("n")
        page.wait_for_timeout(100)
        assert shown(page)[0] == names[2] and page.evaluate(
            "document.querySelector('.assay-review .picture img').complete"
        )
        held[0].continue_()
        page.wait_for_timeout(1000)
        page.keyboard.press("n")
        page.wait_for_timeout(100)
        assert shown(page)[0] == names[1]


@pytest.mark.daily
def test_the_server_holds_its_bench_once(big):
    """Started as a script it is a module of another name than the one that the pages import; a bench held by both would cost its memory twice."""
    code = """
import runpy, sys, uvicorn
uvicorn.run = lambda app, **more: print("held", len(sys.modules["assay.app.server.review_session"].SESSIONS), "by the module of the pages")
sys.argv = ["assay.app.server", sys.argv[1], "--no-browser"]
runpy.run_module("assay.app.server", run_name="__main__")
"""
    out = subprocess.run(
        [sys.executable, "-c", code, big.path], cwd=ROOT, capture_output=True, text=True
    )
    assert "held 1 by the module of the pages" in out.stdout, out.stderr
