"""Samples found, sorted and read, against pandas and by hand."""

import json

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.filtering.table import SampleTable
from assay.curation.label_quality import live
from tests.curation.filtering.conftest import NAMES, odd_digits
from tests.helpers import bench_of, scanned_bench

LOCKED = ("test", "guard")


@pytest.fixture(scope="module")
def truth(odd_once):
    """What pandas makes of the bench: a frame by sample, null where nobody may see."""
    frame = odd_once.state().join(live.label_scores(odd_once)[["score", "suggestion", "flagged"]])
    frame = frame.join(
        pd.DataFrame(list(frame.meta.map(json.loads)), frame.index)[["age"]].astype(float)
    )
    hidden = frame.split.isin(LOCKED)
    for name in ("label", "score", "suggestion", "flagged", "reviewed"):
        frame[name] = frame[name].astype(object).where(~hidden, None)
    return frame


def atoms(frame):
    """(SQL, what pandas says: a nullable mask) of single conditions."""
    text = lambda name: frame[name].astype("string")  # noqa: E731
    number = lambda name: frame[name].astype("Float64")  # noqa: E731
    truth = lambda name: frame[name].astype("boolean")  # noqa: E731
    for name in NAMES.values():
        quoted = name.replace("'", "''")
        yield f"label = '{quoted}'", text("label") == name
        yield f"suggestion <> '{quoted}'", text("suggestion") != name
    yield "label = suggestion", text("label") == text("suggestion")
    yield "label is null", frame.label.isna().astype("boolean")
    yield "score < 0.3", number("score") < 0.3
    yield "score between 0.2 and 0.9", (number("score") >= 0.2) & (number("score") <= 0.9)
    yield "age >= 20", number("age") >= 20
    yield "age % 2 = 0", number("age") % 2 == 0
    yield "split in ('val', 'pool')", text("split").isin(["val", "pool"]).astype("boolean")
    yield "reviewed", truth("reviewed")
    yield "flagged = false", ~truth("flagged")
    yield "keep", truth("keep")
    yield "key like '%7_'", text("key").str.contains("7.$", regex=True)
    yield "locked", frame.split.isin(LOCKED).astype("boolean")
    yield "has(tags, 'to do')", frame.tags.map(lambda t: "to do" in t).astype("boolean")


def test_random_conditions_find_what_pandas_finds(table_once, truth):
    single, rng = [(a, m.astype("boolean")) for a, m in atoms(truth)], np.random.default_rng(0)
    for sql, mask in single:
        assert list(table_once.select(sql)) == list(np.flatnonzero(mask.fillna(False))), sql
    for _ in range(150):
        (a, x), (b, y), (c, z) = (single[i] for i in rng.integers(0, len(single), 3))
        for sql, mask in (
            (f"{a} and not ({b}) or {c}", (x & ~y) | z),
            (f"not ({a} or {b}) and ({c} or {a})", ~(x | y) & (z | x)),
        ):
            found = table_once.select(sql)
            assert list(found) == list(np.flatnonzero(mask.fillna(False))), sql


def test_an_order_is_that_of_pandas_and_what_is_equal_stays(table_once, truth):
    frame = truth.assign(at=np.arange(len(truth)), score=truth.score.astype(float))
    for sort, by, up in (
        ("score", ["score"], [True]),
        ("score desc", ["score"], [False]),
        ("split, age desc", ["split", "age"], [True, False]),
    ):
        asked = frame[frame.age > 5].sort_values([*by, "at"], ascending=[*up, True])
        assert list(table_once.select("age > 5", sort)) == list(asked["at"]), sort
    first = table_once.select(sort="score desc nulls first")[0]
    assert np.isnan(table_once.rows([first], ["score"]).score.iloc[0])
    shortest = table_once.select(sort="length(key), key desc")
    keys = table_once.rows(shortest, ["key"]).key
    assert list(keys) == sorted(sorted(keys, reverse=True), key=len)


def test_names_are_data_wherever_they_stand(table_once):
    names = {name for name in NAMES.values() if name}
    for name in names:
        quoted = name.replace("'", "''")
        rows = table_once.rows(table_once.select(f"label = '{quoted}'"), ["label"])
        assert set(rows.label) == {name} and table_once.check(f"label = '{quoted}'") == []
    place = '"the ""place""" = \'زيورخ\''
    assert set(table_once.rows(table_once.select(place), ['the "place"']).iloc[:, 0]) == {"زيورخ"}
    facet = {f.name: dict(f.values) for f in table_once.facets(names=["label", 'the "place"'])}
    assert set(facet["label"]) == names and facet['the "place"']["<b>x</b>"] == 75


def test_metadata_are_columns_of_their_kind(table_once):
    kinds = {c.name: c.kind for c in table_once.columns.values() if c.source == "metadata"}
    assert (
        kinds["age"] == "number" and kinds["night"] == "bool" and kinds["temperature"] == "number"
    )
    assert kinds["code"] == "text", "007 is no number"
    assert kinds["meta.score"] == "number" and table_once.columns["score"].source == "scores"
    assert len(table_once.select("meta.score >= 290 and not night")) == 7
    assert len(table_once.select("temperature is null")) == 60
    assert len(table_once.select("AGE = 3")) == len(table_once.select("age = '3'")) == 9


def test_words_are_found_without_accents_and_capitals(table_once):
    rows = table_once.rows(table_once.select(search="zURICH d00"), ["key", 'the "place"'])
    assert len(rows) and set(rows.iloc[:, 1]) == {"Zürich"} and rows.key.str.contains("d00").all()
    assert len(table_once.select(search="زيورخ")) == 75
    assert len(table_once.select("night", search="%")) == 0, "no pattern"
    assert len(table_once.select(search="place")) == 0, "values, and not what they are called"


def test_decisions_people_tags_and_opinions_are_columns(table_once):
    count = lambda where: len(table_once.select(where))  # noqa: E731
    facet = dict(table_once.facets(names=["decision"])[0].values)
    assert facet["confirmed"] >= 8 and facet["unsure"] == 5 and facet["dropped"] == 6
    assert facet["relabelled"] + facet["confirmed"] == 20 and sum(facet.values()) == 31
    assert count("has(reviewers, 'Bób')") == 8 and count("has(reviewers, 'ann')") == 23
    assert count("has(tags, 'it''s') and has(tags, 'to do')") == 5
    assert count("other_label_score < 0.5") == 25 and count("has('other_label')") >= 5


def test_the_likest_come_first(table_once):
    state = table_once.snapshot.state
    seed = state.index[~state.split.isin(LOCKED)][0]
    found = table_once.select("split <> 'pool'", like=[seed])
    rows = table_once.rows(found, ["similarity", "split"], like=[seed])
    assert rows.index[0] == seed and rows.similarity.iloc[0] == pytest.approx(1, abs=1e-3)
    assert rows.similarity.is_monotonic_decreasing and "pool" not in set(rows.split)
    half = table_once.select("similarity > 0.5", "key", like=[seed])
    assert 0 < len(half) < len(found)
    locked = state.index[state.split == "test"][0]
    with pytest.raises(assay.UserError, match="test or guard"):
        table_once.select(like=[locked])


@pytest.mark.slow
def test_labels_of_test_change_no_answer(tmp_path):
    """Permute all test labels: whatever is asked, the answer is the same."""
    seen = []
    for seed in (0, 1):
        table = odd_digits(240)
        test = table["split"] == "test"
        order = np.random.default_rng(seed).permutation(int(test.sum()))
        table.loc[test, "label"] = table.label[test].to_numpy()[order]
        table.loc[test, "truth"] = ""
        mine = SampleTable(scanned_bench(table, tmp_path / str(seed)))
        hidden = [c.name for c in mine.columns.values() if c.hidden_for_test]
        rows = mine.rows(mine.select("locked"), hidden)
        assert rows.isna().all(axis=None) and len(rows) == test.sum()
        answers = [repr(facet) for facet in mine.facets()]
        for name in mine.columns:
            answers += [mine.select(sort=f'"{name}"'.replace('"the "place""', '"the ""place"""'))]
        for where in (
            "label = '7'",
            "not (label = '7')",
            "label is distinct from '7'",
            "label is null",
            "coalesce(label, 'x') < 'y'",
            "has('label')",
        ):
            answers += [mine.select(where)]
        seen.append([np.asarray(a).tolist() for a in answers])
    assert seen[0] == seen[1]


def test_a_decision_shows_after_a_refresh(odd):
    table = odd.sample_table()
    before = table.select("label = '7'")
    assert not table.refresh()
    free = table.rows(table.select("split = 'train' and label <> '7' and keep"), []).index[:3]
    odd.edit(pd.DataFrame(dict(sample=free, label="7")), "eve")
    assert len(table.select("label = '7'")) == len(before), "as of the last refresh"
    assert table.refresh() and not table.refresh()
    assert len(table.select("label = '7'")) == len(before) + 3
    assert len(table.select("has(reviewers, 'eve')")) == 3
    odd.undo(who="eve")
    assert len(odd.samples("label = '7'")) == len(before)
    assert len(odd.samples("has(reviewers, 'eve')")) == 0, "who took it back has decided nothing"


@pytest.mark.daily
def test_after_many_decisions_it_says_what_one_made_anew_says(odd):
    """What is brought forward equals what is read afresh, column by column."""
    rng, table = np.random.default_rng(0), odd.sample_table()
    for name in table.columns:
        table.snapshot.array(name)
    state = odd.state()
    free = state.index[~state.split.isin(LOCKED)]
    for i, cells in enumerate(
        (
            dict(label="7"),
            dict(verdict="unsure"),
            dict(keep="false"),
            dict(tag="new"),
            dict(split="pool"),
            dict(keep="true"),
        )
    ):
        some = rng.choice(free, 5, replace=False)
        odd.edit(pd.DataFrame(dict(sample=some) | cells), f"p{i % 2}")
        table.refresh()
        fresh, every = SampleTable(odd), np.arange(len(table))
        for name in table.columns:
            a, b = table.rows(every, [name])[name], fresh.rows(every, [name])[name]
            assert a.equals(b), (cells, name)
            assert repr(table.facets(names=[name])) == repr(fresh.facets(names=[name]))


def test_before_a_scan_what_is_missing_is_said(tmp_path):
    bench = bench_of(odd_digits(60), tmp_path)
    rows = bench.samples("split = 'train'", "score", columns=["label", "score", "cluster"])
    assert rows.score.isna().all() and rows.label.notna().all()
    notes = " ".join(rows.attrs["notes"])
    assert "score: empty" in notes and "assay scan" in notes and "cluster: empty" in notes
    assert len(bench.samples("score is null")) == 60 and bench.samples("flagged").empty


def test_an_empty_bench_has_no_samples(tmp_path):
    bench = assay.create(tmp_path / "bench")
    assert bench.samples().empty and bench.samples("label = 'x'", "score").empty
    assert SampleTable(bench).facets(names=["label", "width"])[1].missing == 0


def test_a_session_gives_newer_scores_than_the_files(odd):
    """The workbench holds the scores in memory: they are shown, and nothing is computed or written again."""
    session = live.LiveScores(odd)
    state = odd.state()
    session.load_probe(state)
    held = [session.score(1, state)]
    table = SampleTable(odd, scores=lambda: (held[-1].upto, held[-1].found))
    table.select("has('label') and score < 2", "score")
    free = state.index[(state.split == "train") & ~state.reviewed][:40]
    odd.edit(pd.DataFrame(dict(sample=free, label="7")), "ann")
    written = (odd.arrays / "opinion.npz").stat().st_mtime_ns
    held.append(session.score(2, odd.state()))
    assert table.refresh()
    every = np.arange(len(table))
    now = table.rows(every, ["score", "flagged", "issues"])
    expected = held[-1].found.score.reindex(now.index)
    assert np.allclose(now.score.astype(float), expected, equal_nan=True)
    flagged = now.index[now.flagged == True]  # noqa: E712
    assert set(now.index[now.issues.map(lambda kinds: "label" in (kinds or ()))]) == set(flagged)
    assert set(flagged) == set(held[-1].found.index[held[-1].found.flagged])
    assert (odd.arrays / "opinion.npz").stat().st_mtime_ns == written


def test_threads_ask_while_the_log_moves_on(odd):
    from concurrent.futures import ThreadPoolExecutor

    table = odd.sample_table()
    free = table.rows(table.select("split = 'train' and keep and not reviewed"), []).index

    def ask(i):
        if i % 5 == 0:
            odd.edit(pd.DataFrame(dict(sample=[free[i]], verdict="confirm")), "ann")
            table.refresh()
        found = table.select("score < 0.5 and keep", "score desc, key", search="d")
        rows = table.rows(found, ["score"])
        table.facets("reviewed or score > 0.5", ["label", "decision", "score", "issues"])
        return rows.score.is_monotonic_decreasing and (rows.score < 0.5).all()

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(ask, range(40)))
    table.refresh()
    assert len(table.select("decision = 'confirmed' and has(reviewers, 'ann')")) >= 8


def test_a_renamed_class_is_called_by_its_new_name(odd):
    before = len(odd.samples("label = 'Café'"))
    odd.rename_class("Café", "Coffee", "ann")
    assert len(odd.samples("label = 'Coffee'")) == before > 0
    found = odd.samples("label = 'Café'")
    assert found.empty and "no sample has label 'Café'" in found.attrs["notes"][0]
