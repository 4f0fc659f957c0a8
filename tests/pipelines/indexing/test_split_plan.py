"""Splits drawn anew: shares, groups, classes and times, counted by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.curation.errors import UserError
from assay.curation.formats.split_shares import Shares, parse_shares
from assay.pipelines.indexing.split_columns import as_groups, as_times
from assay.pipelines.indexing.split_plan import Rows, plan_splits


def rows_of(labels, groups=None, splits=None, drawn=None, times=None):
    n = len(labels)
    return Rows(
        ids=[f"s{i:06}" for i in range(n)],
        labels=list(labels),
        splits=list(splits) if splits is not None else ["train"] * n,
        drawn=np.ones(n, bool) if drawn is None else np.asarray(drawn, bool),
        traits=[groups] if groups is not None else [],
        times=None if times is None else np.asarray(times, float),
    )


def shares_of(splits):
    return {split: n / len(splits) for split, n in Counter(splits).items()}


@pytest.mark.parametrize("text", ["80/10/10", "0.8/0.1/0.1", "80 / 10 / 10", "80%/10%/10%"])
def test_shares_are_read_in_percent_and_fractions(text):
    assert parse_shares(text) == pytest.approx(parse_shares("80/10/10"))
    assert (parse_shares(text).val, parse_shares(text).test) == pytest.approx((0.1, 0.1))


def test_shares_without_test():
    assert parse_shares("80/20", no_test=True) == Shares(0.2, 0.0)
    assert parse_shares("80/20/0", no_test=True) == parse_shares("80/20/0")
    assert parse_shares(None, no_test=True).test == 0 and str(parse_shares(None)) == "70/10/20"
    assert str(parse_shares("33.4/33.3/33.3")) == "33.4/33.3/33.3"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "found ''"),
        ("eighty", "found 'eighty'"),
        ("8/1/1", "makes 10"),
        ("80/10", "found 2 shares"),
        ("80/10/5/5", "found 4 shares"),
        ("110/-5/-5", "0 or more"),
        ("nan/1/1", "makes nan"),
        ("inf/0/0", "makes inf"),
        ("0/50/50", "a share for train"),
        ("100/0/0", "a share for val or test"),
    ],
)
def test_nonsense_is_refused_in_words(text, word):
    with pytest.raises(UserError, match=word) as e:
        parse_shares(text)
    assert "80/10/10" in str(e.value)


def test_two_shares_are_asked_about():
    with pytest.raises(UserError) as e:
        parse_shares("80/20")
    assert "--no-test" in e.value.hint
    with pytest.raises(UserError, match="expected 2 shares"):
        parse_shares("80/10/10", no_test=True)


def test_each_class_has_its_share_even_at_a_hundred_to_one():
    labels = ["common"] * 5000 + ["rare"] * 50
    splits = plan_splits(rows_of(labels), Shares(0.1, 0.1)).splits
    got = Counter(zip(labels, splits))
    assert [got["common", s] for s in ("train", "val", "test")] == [4000, 500, 500]
    assert [got["rare", s] for s in ("train", "val", "test")] == [40, 5, 5]


def test_one_class_alone_is_drawn_too():
    assert Counter(plan_splits(rows_of(["a"] * 50), Shares(0.2, 0.2)).splits) == {
        "train": 30,
        "val": 10,
        "test": 10,
    }


def test_the_whole_comes_right_where_every_class_is_tiny():
    labels = [f"c{i // 4}" for i in range(2000)]  # 0.4 of a sample in test, each
    splits = plan_splits(rows_of(labels), Shares(0.1, 0.1)).splits
    assert abs(splits.count("test") - 200) <= 1 and abs(splits.count("val") - 200) <= 1
    assert {c for c, s in zip(labels, splits) if s == "train"} == set(labels)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 25)), min_size=30, max_size=200),
    st.integers(0, 5),
)
def test_groups_never_cross_and_shares_are_within_a_group(pairs, seed):
    labels = [f"c{label}" for label, _ in pairs]
    groups = [f"g{group}" if group else None for _, group in pairs]
    try:
        splits = plan_splits(rows_of(labels, groups), Shares(0.2, 0.2), seed).splits
    except UserError:  # some group is all of a class, and too large
        return
    assert all(len({s for s, g in zip(splits, groups) if g == name}) == 1 for name in set(groups) - {None})  # fmt: skip
    assert {c for c, s in zip(labels, splits) if s == "train"} == set(labels)
    largest = max([1, *Counter(g for g in groups if g).values()])
    lonely = sum(n for n in Counter(labels).values() if n <= largest)
    for split in ("val", "test"):
        assert abs(splits.count(split) - 0.2 * len(labels)) <= largest + lonely


def test_groups_get_the_class_mix_of_the_whole():
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 10, 5000), rng.integers(0, 500, 5000)
    splits = np.array(plan_splits(rows_of([str(c) for c in labels], [str(g) for g in groups]), Shares(0.1, 0.1)).splits)  # fmt: skip
    for split in ("val", "test"):
        mine = labels[splits == split]
        assert abs(len(mine) - 500) <= 10
        assert abs(np.bincount(mine, minlength=10) / len(mine) - np.bincount(labels) / 5000).max() < 0.005  # fmt: skip


def test_a_group_larger_than_a_split_stays_in_train():
    labels, groups = ["a", "b"] * 100, ["big"] * 120 + [None] * 80
    splits = plan_splits(rows_of(labels, groups), Shares(0.1, 0.1)).splits
    assert set(splits[:120]) == {"train"} and splits.count("test") == splits.count("val") == 20
    with pytest.raises(UserError, match="the largest of 200"):
        plan_splits(rows_of(labels, ["all"] * 200), Shares(0.1, 0.1))


def test_the_draw_knows_the_seed_and_not_the_order_of_rows():
    rows = rows_of([str(i % 5) for i in range(300)], [f"g{i % 90}" for i in range(300)])
    once = dict(zip(rows.ids, plan_splits(rows, Shares()).splits))
    order = np.random.default_rng(3).permutation(300)
    turned = Rows(*[[column[i] for i in order] for column in (rows.ids, rows.labels, rows.splits)], rows.drawn, [[rows.traits[0][i] for i in order]])  # fmt: skip
    assert dict(zip(turned.ids, plan_splits(turned, Shares()).splits)) == once
    assert dict(zip(rows.ids, plan_splits(rows, Shares(), seed=1).splits)) != once


def test_what_belongs_to_what_stays_goes_with_it():
    splits = ["test", "train", "val", "train", "guard", "train", *["train"] * 10]
    groups = ["t", "t", "v", "v", "g", "g", *[None] * 10]
    drawn = [s == "train" for s in splits]
    plan = plan_splits(rows_of("ab" * 8, groups, splits, drawn), Shares(0.4, 0.0))
    assert plan.splits[:6] == ["test", "pool", "val", "val", "guard", "pool"] and plan.bound == 2
    assert Counter(plan.splits[6:]) == {"train": 6, "val": 4}


def test_the_smallest_group_is_val_where_all_are_too_large():
    labels, groups = ["a", "b"] * 20, [f"g{min(i // 9, 3)}" for i in range(40)]  # of 9, 9, 9 and 13
    splits = plan_splits(rows_of(labels, groups), Shares(0.05, 0.0)).splits
    assert Counter(splits) == {"train": 31, "val": 9}


# ---- times


def test_the_newest_go_to_test_and_the_next_to_val():
    times = np.random.default_rng(0).permutation(100)
    splits = np.array(plan_splits(rows_of(["a", "b"] * 50, times=times), Shares(0.1, 0.2)).splits)
    assert set(times[splits == "test"]) == set(range(80, 100))
    assert set(times[splits == "val"]) == set(range(70, 80))


def test_groups_are_as_new_as_their_newest_and_stay_whole():
    times, groups = list(range(100)), [f"g{i % 20}" for i in range(100)]
    splits = np.array(plan_splits(rows_of(["a"] * 100, groups, times=times), Shares(0.1, 0.1)).splits)  # fmt: skip
    assert {g for g, s in zip(groups, splits) if s == "test"} == {"g18", "g19"}
    newest = {split: max(np.array(times)[splits == split]) for split in ("train", "val", "test")}
    assert newest["train"] < newest["val"] < newest["test"]


def test_ties_are_drawn_by_lot_and_no_older_one_passes_them():
    times = [2024] * 30 + [2023] * 70
    plan = plan_splits(rows_of(["a"] * 100, times=times), Shares(0.1, 0.1))
    splits = np.array(plan.splits)
    assert splits[:30].tolist().count("test") == 10 and set(splits[30:]) == {"train"}
    assert plan.cut == {"test": 2024, "val": 2024}


def test_what_has_no_time_stays_in_train():
    times = [np.nan] * 60 + list(range(40))
    splits = plan_splits(rows_of(["a", "b"] * 50, times=times), Shares(0.1, 0.1)).splits
    assert set(splits[:60]) == {"train"} and splits.count("test") == 10
    with pytest.raises(UserError, match="none with a time"):
        plan_splits(rows_of(["a"] * 9, times=[np.nan] * 9), Shares())


def test_a_class_that_is_all_new_stays_in_train_and_is_named():
    plan = plan_splits(rows_of(["old"] * 99 + ["new"], times=range(100)), Shares(0.1, 0.1))
    assert plan.splits[99] == "train" and plan.late == {"new": 1}
    assert plan.splits[89:99] == ["test"] * 10


def test_the_newest_group_that_is_too_large_is_an_error():
    groups = [f"g{i}" for i in range(20)] + ["last"] * 80
    with pytest.raises(UserError, match="the largest of 80"):
        plan_splits(rows_of(["a"] * 100, groups, times=range(100)), Shares(0.1, 0.1))


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 10, None],
        ["2023-12-31", "2024-01-01T10:00", "2024-01-01 12:00:00", None],
        ["2024:01:01 10:00:00", "2024:01:01 10:00:01", "2024:02:01 00:00:00", ""],
        ["20231231", "20240101", "20240102", float("nan")],
        ["2024-01-01T10:00+02:00", "2024-01-01T09:00Z", "2024-01-01T10:00", None],
        ["1.5", "2", "1e3", " "],
    ],
)
def test_times_keep_their_order(values):
    times = as_times(values, "day")
    assert (np.diff(times[:3]) > 0).all() and np.isnan(times[3])


@pytest.mark.parametrize("value", ["03/04/2024", "March", "24-1-1", "2024-13-01", True])
def test_what_could_be_two_times_is_refused(value):
    with pytest.raises(UserError, match="expected times in the column day"):
        as_times(["2024-01-01", value], "day")


def test_values_are_groups_as_people_mean_them():
    assert as_groups([3, 3.0, "3", " ", None, float("nan"), ["a"]]) == ["3", "3", "3", None, None, None, '["a"]']  # fmt: skip
