"""Texts in the browser: read whole, decided by one key, never run, and words marked that a brute-force count marks too."""

import numpy as np
import pandas as pd
import pytest

import assay
from assay.app.server.browse_view import Asked, BrowseView
from assay.app.server.review_session import ReviewSession
from assay.app.server.speaking_words import find_speaking_words, weigh_words
from assay.curation.filtering.likeness import Words
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import find_barriers, stored, until
from tests.helpers import silent

READY = '.assay-review[data-seen="yes"] .picture article.text'
HOSTILE = "<img src=x onerror=\"document.title='run'\"> striker scored a goal مباراة 🐈"
SPORT = "match striker goal team keeper season league coach penalty stadium fans crowd".split()
MONEY = (
    "shares profit market bank quarter dividend investor revenue merger stock price debt".split()
)


def write_texts(n=160, wrong=8):
    """Texts of made-up sentences on two subjects; the first few of train have the other's label."""
    rng, rows = np.random.default_rng(0), []
    for i in range(n):
        words = (SPORT, MONEY)[i % 2]
        split = ("train", "train", "train", "val", "test")[i // 2 % 5]
        text = f"{' '.join(rng.permutation(words)[:7])} number{i}"
        rows.append(dict(id=f"t{i}", text=text, label=("sport", "money")[i % 2], split=split))
    table = pd.DataFrame(rows)
    table.loc[table.index[0], "text"] = HOSTILE
    swapped = table.index[table["split"] == "train"][:wrong]
    table["truth"] = table.label
    table.loc[swapped, "label"] = table.label[swapped].map(dict(sport="money", money="sport"))
    return table


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    place = tmp_path_factory.mktemp("texts")
    write_texts().to_csv(place / "texts.csv", index=False)
    found = assay.create(place / "bench").add(place / "texts.csv", progress=False)
    scan(found, ScanOptions(embedder="tfidf"), say=silent)
    return found


def test_what_a_browser_gets_is_the_text_and_test_has_no_words(bench):
    session = ReviewSession(bench)
    session.rescore()
    rows = session.next_rows("0" * 16)
    table = write_texts().set_index("id")
    assert {row["name"] for row in rows[:12]} >= {"t1", "t3"}, "the wrong ones come first"
    for row in rows:
        assert row["text"] == table.text[row["name"]] and row["cut"] == 0
        assert all(near["text"] for near in row["near"])
    state = bench.state()
    with pytest.raises(assay.UserError, match="test or guard"):
        find_speaking_words(session, state.index[state["split"] == "test"][0])
    session.close()


def test_the_words_that_speak_are_those_of_the_subject(bench):
    session = ReviewSession(bench)
    session.rescore()
    state, hits = bench.state(), []
    for row in session.next_rows("0" * 16)[:8]:
        said = find_speaking_words(session, row["sample"])
        of = SPORT if said["toward"] == "sport" else MONEY
        for start, end, weight in said["words"]:
            if weight > 0:
                hits.append(row["text"][start:end] in of)
    assert len(hits) > 15 and np.mean(hits) > 0.9
    assert state["split"].isin(["train", "val", "test"]).all()
    session.close()


def test_a_words_weight_is_what_leaving_it_out_takes_away():
    """A score that counts words, so that each weight is known."""
    worth = dict(good=2.0, bad=-3.0, so=0.1)

    def score(texts):
        sums = [sum(worth.get(word, 0) for word in text.split()) for text in texts]
        return np.stack([np.array(sums), np.zeros(len(sums))], 1)

    found = weigh_words(score, "so good, good and bad 🐈 so", 0, 1)
    assert [(w.start, w.end, round(w.weight, 6)) for w in found] == [(18, 21, -3.0), (9, 13, 2.0)]
    assert weigh_words(score, "nothing here", 0, 1) == []


def test_pictures_of_texts_are_drawn_where_pages_show_pictures(bench):
    session = ReviewSession(bench)
    session.rescore()
    assert session.thumbnail(bench.state().index[0], 128).startswith(b"\xff\xd8"), "a JPEG"
    session.close()


@pytest.mark.browser
@pytest.mark.slow
def test_a_text_is_read_and_decided_by_one_key_and_never_run(bench, server, chrome):
    sample = bench.state().index[bench.state().key == "t0"][0]
    page = server.page(chrome, f"/review?who=ann&sample={sample}")
    page.wait_for_selector(READY, timeout=120_000)
    until(page, "document.querySelector('.picture article mark.for') !== null")
    shown = page.locator(".picture article p").inner_text()
    names = {row.text: row.id for row in write_texts().itertuples()}
    assert shown in names, "whole, as it came"
    assert "run" not in page.title() and not page.locator(".picture img").count()
    assert find_barriers(page) == []
    before = set(bench.state().index[bench.state().reviewed])
    page.keyboard.press("Enter")
    stored(page)
    decided = set(bench.state().index[bench.state().reviewed]) - before
    assert [bench.state().key[s] for s in decided] == [names[shown]]
    assert not page.failed and not page.foreign
    page.context.close()


def names_of(view, asked):
    """The keys of the samples that a page is given, in order."""
    positions = view.choose(asked).positions
    return view.table.rows(positions, ["key"]).key.tolist()


def test_a_search_finds_words_in_texts_whatever_their_capitals_and_accents(bench):
    view, table = BrowseView(ReviewSession(bench)), write_texts()
    found = names_of(view, Asked(search="STRÍKER keeper"))
    both = table.text.str.contains("striker") & table.text.str.contains("keeper")
    assert both.sum() > 5 and sorted(found) == sorted(table.id[both])
    assert names_of(view, Asked(search="مباراة")) == ["t0"]
    assert names_of(view, Asked(search="striker merger")) == []


def test_words_find_texts_by_what_they_mean_without_any_option(bench):
    view, table = BrowseView(ReviewSession(bench)), write_texts().set_index("id")
    reader = view.words_embedder()
    assert view.describe()["words"] == "tfidf" and view.describe()["medium"] == "text"
    first = names_of(view, Asked(like=(Words("a goal in the stadium", reader),)))[:60]
    assert table.truth[first].eq("sport").mean() > 0.95
    with pytest.raises(assay.UserError, match="none of them"):
        view.choose(Asked(like=(Words("qwxyz", reader),)))


def test_before_a_scan_texts_are_found_by_their_words_alone(tmp_path):
    write_texts(20, 2).to_csv(tmp_path / "texts.csv", index=False)
    view = BrowseView(
        ReviewSession(assay.create(tmp_path / "bench").add(tmp_path / "texts.csv", progress=False))
    )
    view.refresh()
    assert view.describe()["words"] is None
    assert names_of(view, Asked(search="number7")) == ["t7"]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.daily
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browse_finds_texts_by_words_and_by_meaning(server, chrome, scheme):
    page = server.page(chrome, "/browse?who=ann", color_scheme=scheme)
    field = page.get_by_label("search texts")
    field.wait_for(timeout=60_000)
    field.press_sequentially("goal")
    page.get_by_text("texts about “goal”").wait_for()
    assert find_barriers(page) == []
    field.press("Shift+Enter")
    until(page, "location.search.includes('words=goal')")
    page.get_by_role("listitem").filter(has_text="goal").wait_for()
    assert not page.failed and not page.foreign
    page.context.close()
