"""The table of a large bench answers what that of a small one answers, and reads what it is asked for."""

import numpy as np
import pandas as pd
import pytest

from assay.curation.filtering.sample_rows import SampleRows
from assay.curation.filtering.table import SampleTable
from assay.curation.versioning import state_building, state_parts
from tests.helpers import copied

SCORED = ("score", "confidence", "suggestion", "flagged", "issues")


@pytest.fixture
def pair(odd_once, tmp_path, monkeypatch):
    """The table of a bench in parts, and that of its twin in one frame."""
    monkeypatch.setattr(state_parts, "ROWS", 70)
    small = SampleTable(copied(odd_once, tmp_path / "small"))
    monkeypatch.setattr(state_building, "LARGE", 1)
    large = SampleTable(copied(odd_once, tmp_path / "large"))
    assert isinstance(large.snapshot.state, SampleRows)
    yield large, small
    monkeypatch.setattr(state_building, "LARGE", 1)


def assert_same_rows(large, small, names, at=None):
    at = np.arange(len(small)) if at is None else at
    for name in names:
        found, expected = (table.rows(at, [name]) for table in (large, small))
        pd.testing.assert_frame_equal(found, expected, check_index_type=False)


def test_every_column_is_the_same(pair):
    large, small = pair
    assert list(large.columns) == list(small.columns) and len(large) == len(small)
    assert_same_rows(large, small, large.columns)
    assert large.facets() == small.facets()


def test_conditions_orders_words_and_notes_are_the_same(pair):
    large, small = pair
    for where in (
        "label = '7'", "label <> suggestion", "score < 0.4", "reviewed and split = 'train'", "key like '%7_'",
        "decision = 'relabelled'", "has(tags, 'to do')", "has(reviewers, 'ann')", "age >= 20 and night",
        "locked", "not keep", "has(issues, 'label')", "has(issues, 'reviewer_disagreement')", "other_suggestion is not null",
        "width = 8", "duplicate_group is not null", "label = 'no such class'",
    ):  # fmt: skip
        assert list(large.select(where)) == list(small.select(where)), where
        assert large.check(where) == small.check(where), where
        assert large.facets(where, ["split", "label", "decision", "score"]) == small.facets(
            where, ["split", "label", "decision", "score"]
        )
    for sort in ("score desc, key", "label, key desc", "confidence"):
        assert list(large.select("keep", sort)) == list(small.select("keep", sort)), sort
    assert list(large.select(search="zurich")) == list(small.select(search="zurich"))
    sample = large.rows(np.array([1]), []).index[0]
    assert list(large.select(like=[sample])) == list(small.select(like=[sample]))


def test_a_page_reads_no_column_that_it_does_not_show(pair):
    large, small = pair
    at = np.array([250, 3, 71])
    assert_same_rows(large, small, ["key", "path", "label"], at)
    assert {"label"} == set(large.snapshot.parts["state"])


def test_edits_are_seen_and_fixed_columns_stay(pair, monkeypatch):
    large, small = pair
    large.snapshot.array("key")
    state = small.bench.state()
    free = state.index[(state.split == "train")][20:30]
    for table in (large, small):
        monkeypatch.setattr(state_building, "LARGE", 1 if table is large else 10**9)
        table.bench.edit(pd.DataFrame(dict(sample=free, label="Café")), "eve")
        table.bench.edit(pd.DataFrame(dict(sample=free[:3], tag="new")), "eve")
        assert table.refresh()
    assert set(large.snapshot.parts["state"]) == {"key"}
    names = [name for name in small.columns if name not in SCORED]
    assert_same_rows(large, small, names)
    monkeypatch.setattr(state_building, "LARGE", 1)
    scored = large.rows(state.index.get_indexer(free), ["score"])
    assert scored.score.isna().all(), "what was edited has no score until a scan"
    others = np.setdiff1d(np.arange(len(state)), state.index.get_indexer(free))
    assert large.rows(others, ["score"]).score.notna().sum() > 100
