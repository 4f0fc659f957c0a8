"""The routes of Browse against pandas: which samples a filter chooses, what an act stores, and that nothing of a locked sample is said."""

import base64
import io
import json
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

import assay
from assay.app.server import sprites
from assay.app.server.browse_routes import make_browse_routes
from assay.app.server.review_session import ReviewSession
from tests.helpers import bench_of, digits


class Page:
    """A client of the routes, as the page is."""

    def __init__(self, bench):
        self.session = ReviewSession(bench)
        routes = make_browse_routes(lambda: self.session)
        self.client = TestClient(Starlette(routes=routes))

    def get(self, path, status=200, **query):
        answer = self.client.get(f"/assay/{path}?{urlencode(query, doseq=True)}")
        assert answer.status_code == status, answer.text
        return answer

    def order(self, **query):
        """(header, positions) of a filter."""
        data = self.get("samples", **query).content
        length = int(np.frombuffer(data, "<u4", 1)[0])
        return json.loads(data[4 : 4 + length]), np.frombuffer(data, "<i4", offset=4 + length)

    def act(self, positions=None, status=200, **asked):
        """An act on rows of the table, or on all of an order but some."""
        if positions is not None:
            table = self.order()[0]["table"]
            asked |= dict(table=table, only=[int(p) for p in positions])
        answer = self.client.post("/assay/act", json=dict(who="ann") | asked)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def page(scanned):
    page = Page(scanned)
    yield page
    page.session.close()


def test_a_filter_chooses_what_pandas_chooses_and_a_sort_orders_it(page, scanned):
    state = scanned.state()
    shown = state.label.where(state.split != "test")
    header, found = page.order(q=["label = '3'", "split = 'train'"])
    want = np.flatnonzero((shown == "3") & (state.split == "train"))
    assert found.tolist() == want.tolist() and header["total"] == len(want)
    assert header["all"] == len(state)
    _, by_score = page.order(q="split = 'val'", sort="score desc")
    scores = scanned.findings().label_score.reindex(state.index[by_score])
    assert scores.is_monotonic_decreasing and len(by_score) == (state.split == "val").sum()
    header, grouped = page.order(group="label")
    names = [name for name, n in header["groups"] for _ in range(n)]
    labels = shown.iloc[grouped].where(shown.iloc[grouped].notna(), "none")
    assert names == labels.tolist() and sorted(grouped) == list(range(len(state)))
    for name, n in header["groups"]:  # within a group the order of import stays
        assert (np.diff(grouped[np.array(names) == name]) > 0).all(), (name, n)


def test_a_wrong_condition_says_which_of_them_and_where(page):
    wrong = page.get("samples", 400, q=["label = '3'", "scor < 0.5"]).json()
    assert wrong["condition"] == 1 and "scor < 0.5"[slice(*wrong["place"])] == "scor"
    assert "score" in wrong["error"] + wrong["hint"]
    for hostile in ("1=1); attach 'x", "label = (select 1)", "read_csv('/etc/passwd') is null"):
        assert page.get("samples", 400, q=hostile).json()["error"].startswith("expected ")
    assert page.get("samples", 400, group="uri").json()["error"].startswith("expected ")
    assert page.get("tiles/0123456789/0", 400).json()["error"].startswith("expected ")
    unknown = page.order(q="label = 'no such class'")[0]
    assert unknown["total"] == 0 and unknown["notes"], "what no sample has is said, and no error"


def test_nothing_of_a_locked_sample_is_said_by_any_route(page, scanned):
    state = scanned.state()
    test = np.flatnonzero(state.split == "test")
    ids = list(state.index[test])
    header, found = page.order(q="split = 'test'")
    assert found.tolist() == test.tolist()
    tiles = page.get(f"tiles/{header['of']}/0").json()
    told = {c: [v["values"][k] for k in v["codes"]] for c, v in tiles["rows"].items()}
    assert tiles["ids"] == ids and told["key"] == state.key.iloc[test].tolist()
    for name in ("label", "suggestion", "flagged", "reviewed"):
        assert set(told[name]) == {None}, name
    for condition in (
        "label is not null",
        "score >= 0",
        "flagged or not flagged",
        "given_label = '3'",
    ):
        assert not set(page.order(q=condition)[1]) & set(test), condition
    for sort in ("score", "score desc", "label", "label desc"):
        assert set(page.order(sort=sort)[1][-len(test) :]) == set(test), sort
    groups, _ = page.order(q="split = 'test'", group="label")
    assert groups["groups"] == [["none", len(test)]]
    assert page.order(q="split = 'test'", group="pair")[0]["groups"] == [["none", len(test)]]
    for facet in page.get("facets", q="split = 'test'", name=["label", "score", "issues"]).json():
        assert not facet["values"] and not sum(facet["counts"]) and facet["locked"] == len(test)
    one = page.get(f"sample/{ids[0]}").json()
    assert one["locked"] and dict(one["meta"]).keys() == {"truth"}
    assert not set(one) & {"label", "row", "issues", "votes", "edits", "near", "tags"}
    near = page.get(f"sample/{state.index[state.split == 'train'][0]}").json()["near"]
    assert all(n["label"] is None for n in near if n["locked"])
    assert page.get("samples", 400, like=ids[0]).json()["error"].startswith("expected ")


def test_an_act_stores_once_skips_what_is_locked_and_is_taken_back(page, scanned):
    state = scanned.state()
    rows = [*np.flatnonzero(state.split == "train")[:7], *np.flatnonzero(state.split == "test")[:4]]
    asked = dict(batch="edit-00000000000a", decision=dict(label="5"))
    for _ in range(2):  # a page that heard no answer sends it again
        out = page.act(rows, **asked)
        assert (out["samples"], out["skipped"]) == (7, dict(locked=4))
    after = scanned.state()
    assert set(after.label.iloc[rows[:7]]) == {"5"}
    assert after.label.iloc[rows[7:]].equals(state.label.iloc[rows[7:]])
    assert scanned.rows("select count(*) from edits where batch = ?", [asked["batch"]]) == [(7,)]
    page.act(batch=asked["batch"], undo=True)
    assert scanned.state().label.equals(state.label)


def test_an_act_on_all_of_a_filter_but_some_is_for_these_alone(page, scanned):
    state = scanned.state()
    header, found = page.order(q="label = '3'")
    but = found[:2].tolist()
    out = page.act(batch="edit-00000000000b", of=header["of"], but=but, decision=dict(tag="odd"))
    tagged = scanned.state().tags.map(lambda t: "odd" in t)
    assert set(np.flatnonzero(tagged)) == set(found[2:]) and out["samples"] == len(found) - 2
    new = dict(label="a new class", new_class=True)
    refused = page.act(found[:3], 400, batch="edit-00000000000c", decision=dict(label="unheard of"))
    assert "unheard of" in refused["error"] and scanned.state().label.equals(state.label)
    page.act(found[:3], batch="edit-00000000000d", decision=new)
    assert set(scanned.state().label.iloc[found[:3]]) == {"a new class"}


def test_suggestions_are_accepted_each_and_confirmations_mean_what_was_seen(page, scanned):
    _, doubted = page.order(q="flagged")
    ids = scanned.state().index[doubted]
    suggestion = scanned.findings().predicted_label[ids]
    page.act(doubted[:5], batch="edit-0000000000a1", decision=dict(suggested=True))
    assert scanned.state().label[ids[:5]].tolist() == suggestion[:5].tolist()
    seen = scanned.state().label[ids[5]]
    page.order()
    scanned.edit(dict_frame(ids[5], label="0" if seen != "0" else "1"), "bob")
    page.session.bench.states.clear()
    page.act(doubted[6:9], batch="edit-0000000000a2", decision=dict(verdict="confirm"))
    now = scanned.state()
    assert now.reviewed[ids[6:9]].all() and set(now.verdict[ids[6:9]]) == {"confirm"}


def dict_frame(sample, **decision):
    import pandas as pd

    return pd.DataFrame([dict(sample=sample) | decision])


@pytest.mark.parametrize(
    "asked",
    [
        dict(decision=dict(label="3")),
        dict(batch="edit-00000000000e", decision=dict(sample="x")),
        dict(batch="edit-00000000000e", decision=[]),
        dict(batch="edit-00000000000e", decision=dict(label=["3"])),
        dict(batch="nonsense", decision=dict(label="3")),
        dict(batch="edit-00000000000e", decision=dict(split="test")),
        dict(batch="edit-00000000000e", decision=dict(tag="guard:mine")),
        dict(batch="edit-00000000000e", undo=True),
    ],
)
def test_what_is_no_act_is_refused_in_words_and_stores_nothing(page, scanned, asked):
    before = scanned.rows("select count(*) from edits")
    said = page.act([0], 400 if "undo" not in asked else 200, **asked)
    assert "undo" in asked or said["error"]
    for rows in ([-1], [10**9], ["0"], [True], [0.5], {}):
        page.client.post("/assay/act", json=dict(who="ann", only=rows, **asked))
    page.act([0], 400, who="", batch="edit-00000000000f", decision=dict(label="3"))
    stale = dict(table="of another time", only=[0], batch="edit-00000000000f")
    assert "again" in page.act(None, 400, **stale, decision=dict(label="3"))["hint"]
    assert scanned.rows("select count(*) from edits") == before


def test_a_sprite_shows_every_picture_whole_in_its_cell(tmp_path):
    table = digits(40)
    wide = Image.new("RGB", (120, 30), (250, 10, 10))
    out = io.BytesIO()
    wide.save(out, "PNG")
    table.loc[0, "image"] = out.getvalue()
    bench = bench_of(table, tmp_path)
    page = Page(bench)
    header, found = page.order()
    answer = page.get("sprite/0", of=header["of"])
    sheet = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    assert sheet.shape == (-(-len(found) // 16) * 64, 1024, 3) and "immutable" in str(
        answer.headers
    )
    at = list(bench.state().key).index(table.id[0])
    cell = sheet[at // 16 * 64 : at // 16 * 64 + 64, at % 16 * 64 : at % 16 * 64 + 64]
    red = cell[..., 0] > 150
    assert red.any(0).all() and 14 <= red.any(1).sum() <= 19, "as wide as the cell, and not cropped"
    assert abs(cell[2, 2] - sprites.GROUND).max() < 12, "the ground is around it"


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_there(tmp_path):
    bench = bench_of(digits(20), tmp_path)
    state = bench.state()
    with bench.transaction() as con:
        con.execute("update samples set content_hash = 'gone' where id = ?", [state.index[3]])
        con.execute("update samples set uri = '/no/such/file.png', width = 900")
    bench.states.clear()
    page = Page(bench)
    header, _ = page.order()
    answer = page.get("sprite/0", of=header["of"])
    assert json.loads(answer.headers["x-unreadable"]) == [3] and "no-store" in str(answer.headers)


def test_who_changed_the_bench_meanwhile_is_said_and_the_set_follows(page, scanned):
    header, _ = page.order()
    some = scanned.state().query("split == 'train'").index[:3]
    import pandas as pd

    scanned.edit(pd.DataFrame(dict(sample=some, label="7")), "bob <b>")
    said = page.get("position", since=header["seq"]).json()
    assert ["bob <b>", 3] in said["by"] and said["seq"] > header["seq"]
    later, found = page.order(q="label = '7'")
    want = scanned.state()
    assert found.tolist() == np.flatnonzero((want.label == "7") & (want.split != "test")).tolist()
    assert later["table"] == header["table"], "what is selected still means the same samples"
    assert page.get("position", since=later["seq"]).json()["by"] == []


def test_saved_views_are_the_benchs_own(page, scanned):
    asked = dict(who="ann", name="threes", conditions=["label = '3'", "score < 0.5"], sort="score")
    said = page.client.post("/assay/view", json=asked).json()
    assert [v["name"] for v in said["views"]] == ["threes"]
    where = scanned.views()["where"][0]
    assert page.order(q=where)[1].tolist() == page.order(q=asked["conditions"])[1].tolist()
    wrong = page.client.post("/assay/view", json=asked | dict(conditions=["nonsense ="]))
    assert wrong.status_code == 400


def test_a_picture_that_is_dropped_in_brings_its_likes_first(page, scanned):
    table = digits()
    row = scanned.state().query("split == 'train'").iloc[5]
    blob = table.image[list(table.id).index(row.key)]
    asked = dict(picture=base64.b64encode(blob).decode())
    like = page.client.post("/assay/picture", json=asked).json()["like"]
    _, found = page.order(like=like)
    assert scanned.state().content_hash.iloc[found[0]] == row.content_hash
    for bad in ("", "%%%", base64.b64encode(b"no picture").decode()):
        wrong = page.client.post("/assay/picture", json=dict(picture=bad))
        assert wrong.status_code == 400 and wrong.json()["error"].startswith("expected ")


def test_a_chosen_queue_is_asked_through_once_in_its_order_and_nothing_of_it_is_random(
    page, scanned
):
    state, session = scanned.state(), page.session
    chosen = [*state.index[state.split == "train"][10:14], state.index[state.split == "test"][0]]
    name = session.queues.remember(chosen)
    session.keep_fresh()
    rows = session.next_rows("0" * 16, queue=name)
    assert [r["sample"] for r in rows] == chosen[:4] and not any(r["random"] for r in rows)
    page.act(
        batch="edit-0000000000b1",
        positions=[state.index.get_loc(chosen[1])],
        decision=dict(keep=False),
    )
    session.rescore()
    left = session.next_rows("0" * 16, queue=name)
    assert [r["sample"] for r in left] == [chosen[0], *chosen[2:4]]
    page.act(batch="edit-0000000000b1", undo=True)
    session.rescore()
    assert len(session.next_rows("0" * 16, queue=name)) == 4
    with pytest.raises(assay.UserError, match="queue"):
        session.next_rows("0" * 16, queue="no such queue")
