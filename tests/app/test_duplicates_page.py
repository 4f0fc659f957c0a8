"""Duplicates against planted copies: what its routes say and store, and the page as people use it, by keys alone."""

import numpy as np
import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import assay
from assay.app.server.browse_routes import make_browse_routes
from assay.app.server.duplicates_routes import make_duplicates_routes
from assay.app.server.review_session import ReviewSession
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import find_barriers, until
from tests.helpers import bench_of, digits, nearly, silent

ROOT = ".assay-duplicates"
HOSTILE = "<img src=x onerror=alert(1)> قطة 猫 🐈 " + "long " * 50
PLANTED = 30
BATCH = "edit-{:012x}"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Digits of which 30 have a near copy each, of some in another split, one under another label, and an equal one of test."""
    table = digits(200, wrong=0).drop(columns="truth")
    train = table[table["split"] == "train"].head(PLANTED)
    copies = train.assign(id="copy-" + train.id, image=train.image.map(nearly))
    copies["split"] = np.where(np.arange(PLANTED) % 3 == 0, "val", "train")
    copies.iloc[1, copies.columns.get_loc("label")] = HOSTILE.strip()
    test = table[table["split"] == "test"].head(1)
    table = pd.concat([table, copies, test.assign(id="seen", split="train"), test.assign(id="twice")], ignore_index=True)  # fmt: skip
    found = bench_of(table, tmp_path_factory.mktemp("copies"), audited_test=True)
    scan(found, ScanOptions(embedder="pixels", hold_out=False), say=silent)
    return assay.open(found.path)


@pytest.fixture
def page(bench):
    session = ReviewSession(bench)
    routes = [*make_browse_routes(lambda: session), *make_duplicates_routes(lambda: session)]
    client = TestClient(Starlette(routes=routes))
    client.batches = iter(range(1, 99))
    client.sent = []
    yield client
    for batch in client.sent[::-1]:
        client.post("/assay/act", json=dict(who="ann", batch=batch, undo=True))
    session.close()
    assert bench.state().keep.all()


def groups(page, status=200, **query):
    answer = page.get("/assay/duplicates", params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def act(page, route, status=200, **asked):
    batch = asked.pop("batch", None) or f"edit-{np.random.default_rng().integers(16**12):012x}"
    query = asked.pop("query", {})
    sent = dict(who="ann", batch=batch) | asked
    answer = page.post(f"/assay/duplicates/{route}", params=query, json=sent)
    assert answer.status_code == status, answer.text
    page.sent.append(batch)
    return answer.json()


@pytest.mark.slow
def test_all_groups_come_by_pages_the_contradicting_one_first(page, bench):
    first = groups(page)
    want = bench.duplicates()
    assert first["total"] == len(want) > len(first["groups"]) == first["page"]
    rest = groups(page, after=first["page"])["groups"]
    found = [g["group"] for g in [*first["groups"], *rest]]
    assert found[: first["page"] + len(rest)] == want.group.tolist()[: len(found)]
    assert first["groups"][0]["conflict"] and first["conflict"] == 1
    assert first["across"] == want.across.sum() and first["samples"] == want.samples.sum()
    ids = [m["id"] for m in first["groups"][0]["members"]]
    assert ids == want.members[0], "the best first"


@pytest.mark.slow
def test_of_a_test_sample_nothing_but_picture_key_and_size_is_said(page, bench):
    state = bench.state()
    every = [g for after in (0, 20, 40) for g in groups(page, after=after)["groups"]]
    locked = [m for g in every for m in g["members"] if m["locked"]]
    assert {m["key"] for m in locked} >= {"twice"} and len(locked) == 2
    for m in locked:
        assert m["label"] is None and not m["reviewed"] and state["split"][m["id"]] == "test"


@pytest.mark.slow
def test_the_best_of_one_stays_or_the_one_that_is_chosen_and_undo_brings_all_back(page, bench):
    first = groups(page)["groups"][0]
    best, other = (m["id"] for m in first["members"])
    batch = BATCH.format(7)
    out = act(page, "keep", group=first["group"], batch=batch)
    assert out["samples"] == 1 and not bench.state().keep[other] and bench.state().keep[best]
    again = act(page, "keep", group=first["group"], batch=batch)
    assert again["samples"] == 1, "sent twice, stored once"
    assert first["group"] not in [g["group"] for g in groups(page)["groups"]]
    page.post("/assay/act", json=dict(who="ann", batch=batch, undo=True))
    act(page, "keep", group=first["group"], keep=other)
    assert bench.state().keep[other] and not bench.state().keep[best]


@pytest.mark.slow
def test_the_best_of_all_of_a_filter_is_said_before_and_done_as_it_was_said(page, bench):
    query = dict(q="split = 'val'")
    plan = page.get("/assay/duplicates/plan", params=query).json()
    assert plan["all"] == bench.plan_keep_best("split = 'val'")
    wrong = act(page, "keep", 400, of="0" * 16, query=query)
    assert "meanwhile" in wrong["error"] and bench.state().keep.all()
    out = act(page, "keep", of=plan["of"], query=query)
    assert out["dropped"] == (~bench.state().keep).sum() == plan["all"]["dropped"] > 5
    gone = bench.state()["split"][~bench.state().keep]
    assert (gone == "train").all(), "of equals the val copy stays"


@pytest.mark.slow
def test_all_but_the_contradicting_ones_and_nothing_of_test(page, bench):
    plan = page.get("/assay/duplicates/plan").json()
    assert plan["agreeing"]["groups"] == plan["all"]["groups"] - 1
    first = groups(page)["groups"][0]
    act(page, "keep", of=plan["of"], agreeing=True)
    state = bench.state()
    assert state.keep[[m["id"] for m in first["members"]]].all()
    assert state.keep[state["split"] == "test"].all() and not state.keep[state.key == "seen"].any()


@pytest.mark.slow
def test_what_is_no_copy_leaves_the_list_and_comes_back_by_undo(page, bench):
    before = groups(page)
    ids = [m["id"] for m in before["groups"][2]["members"]]
    batch = act(page, "apart", samples=ids)["batch"]
    after = groups(page)
    assert after["total"] == before["total"] - 1
    assert bench.samples(where=f"sample = '{ids[0]}'", columns=["duplicate_group"]).duplicate_group.isna().all()  # fmt: skip
    page.post("/assay/act", json=dict(who="ann", batch=batch, undo=True))
    assert groups(page)["total"] == before["total"]


@pytest.mark.slow
def test_what_is_wrong_is_refused_in_words(page, bench):
    assert "scor" in str(groups(page, 400, q="scor < 1"))
    for route, asked in (
        ("keep", dict(group=-5)),
        ("keep", dict(group=1, batch="x")),
        ("keep", dict(group=1, who="")),
        ("apart", dict(samples=[])),
        ("apart", dict(samples=[3, 4])),
        ("apart", dict(samples=["nobody", "else"])),
    ):
        assert act(page, route, 400, **asked)["error"].startswith("expected"), asked


# ---- the page


def opened(server, chrome, **options):
    page = server.page(chrome, "/duplicates?who=ann", **options)
    page.wait_for_selector(f"{ROOT}[data-total]", timeout=120_000)
    page.locator(f"{ROOT} .copy img").first.wait_for()
    return page


def shows(page, n):
    until(page, f"document.querySelector('{ROOT}').dataset.total === '{n}'")


@pytest.mark.browser
def test_keys_alone_blink_keep_tell_apart_and_take_back(bench, server, chrome):
    page, total = opened(server, chrome), len(bench.duplicates())
    until(page, f"document.activeElement.closest('{ROOT} .copy') !== null")
    shows(page, total)
    first = bench.duplicates().members[0]
    assert HOSTILE.strip() in page.locator(".copy .label span").all_text_contents()
    page.keyboard.down("c")
    page.locator(f".copy .other[src*='{first[1]}']").wait_for()
    page.keyboard.up("c")
    page.locator(".copy .other").wait_for(state="detached")
    page.keyboard.press("b")
    shows(page, total - 1)
    state = bench.state()
    assert state.keep[first[0]] and not state.keep[first[1]]
    page.locator(".says", has_text="dropped 1 sample").wait_for()
    until(page, f"document.activeElement.closest('{ROOT} .copy') !== null")
    page.keyboard.press("Control+z")
    shows(page, total)
    page.locator(".says", has_text="undone").wait_for()
    assert bench.state().keep.all()
    page.locator(".copy .picture").first.focus()
    page.keyboard.press("n")
    shows(page, total - 1)
    page.reload()
    shows(page, total - 1)
    assert not any(set(first) <= set(m) for m in bench.duplicates().members)
    assert not page.failed and not page.foreign
    page.context.close()
    bench.undo(who="ann")


@pytest.mark.browser
@pytest.mark.daily
def test_the_best_of_all_says_first_what_it_would_do(bench, server, chrome):
    page, plan = opened(server, chrome), bench.plan_keep_best()
    page.get_by_role("button", name="keep the best of all").click()
    says = page.locator(f"{ROOT} .says")
    says.get_by_text(f"Drops {plan['dropped']} of {len(bench.state())} samples").wait_for()
    assert "1 group with test or guard copies keeps its" in says.inner_text()
    assert bench.state().keep.all(), "nothing is done before the second word"
    says.get_by_role("button", name="keep the best of all").click()
    shows(page, 0)
    page.get_by_text("No copies are left").wait_for()
    assert (~bench.state().keep).sum() == plan["dropped"]
    page.get_by_role("button", name="Undo").click()
    page.locator(f"{ROOT} .group").first.wait_for()
    until(page, "document.querySelector('.says').innerText.includes('undone')")
    assert bench.state().keep.all() and not page.failed
    page.context.close()


@pytest.mark.browser
@pytest.mark.daily
def test_a_filter_of_the_address_chooses_groups_and_a_number_leads_to_browse(bench, server, chrome):
    page = server.page(chrome, "/duplicates?who=ann&q=split+%3D+'val'")
    shows(page, len(bench.duplicates("split = 'val'")))
    page.locator(f"{ROOT} .group .name").first.click()
    page.wait_for_selector(".assay-browse[data-painted]", timeout=60_000)
    assert page.locator(".assay-browse").get_attribute("data-total") == "2"
    page.context.close()


@pytest.mark.browser
@pytest.mark.daily
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_no_barrier_in_either_theme(bench, server, chrome, scheme, width):
    page = opened(server, chrome, color_scheme=scheme, viewport=dict(width=width, height=844))
    assert not find_barriers(page)
    page.locator(".copy .picture").first.click()
    page.locator("dialog img").first.wait_for()
    assert not find_barriers(page)
    page.keyboard.press("Escape")
    page.goto(f"{server.url}/gaps?who=ann")
    page.get_by_role("tab", name="Label these next").wait_for()
    assert not find_barriers(page)
    page.context.close()
