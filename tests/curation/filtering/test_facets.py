"""Counts of values, against pandas."""

import numpy as np
import pytest

from assay.curation.errors import UnknownColumn

EVERY = ("label", "split", "reviewed", "decision", "tags", "score", "age", "temperature")


@pytest.mark.parametrize("where", ["", "age > 10", "label = '7' or split = 'test'", "false"])
def test_counts_are_those_of_pandas_without_test(table_once, where):
    at = table_once.select(where)
    frame = table_once.rows(at, ["locked", *EVERY])
    for facet in table_once.facets(where, EVERY):
        column, hidden = frame[facet.name], table_once.columns[facet.name].hidden_for_test
        if hidden:
            assert (
                facet.locked == frame.locked.sum()
                and column[frame.locked.astype(bool)].isna().all()
            )
            column = column[~frame.locked.astype(bool)]
        else:
            assert facet.locked == 0
        if facet.name == "tags":
            column = column.map(lambda tags: tags or None).explode()
        counted = column.value_counts()
        if facet.edges:
            known = column.dropna().astype(float)
            assert facet.counts == list(np.histogram(known, facet.edges)[0])
            assert len(facet.edges) == 21
        else:
            assert dict(facet.values) == counted.to_dict() and facet.more == 0
            assert [n for _, n in facet.values] == sorted(counted, reverse=True)
        assert facet.missing == column.isna().sum()


def test_bars_stay_while_a_filter_changes(table_once):
    wide, narrow = (table_once.facets(where, ["age"])[0] for where in ("", "age between 3 and 9"))
    assert wide.edges == narrow.edges and sum(narrow.counts) < sum(wide.counts) == len(table_once)


def test_at_most_100_values_and_how_many_more(table_once):
    facet = table_once.facets(names=["key"])[0]
    assert len(facet.values) == 100 and facet.more == 200
    assert "key" not in table_once.snapshot.facet_names()


def test_words_narrow_the_counts(table_once):
    found = table_once.select(search="zürich")
    facet = table_once.facets(names=["split"], search="zürich")[0]
    assert sum(n for _, n in facet.values) == len(found) == 75


def test_a_column_that_is_none_is_refused(table_once):
    with pytest.raises(UnknownColumn, match="label"):
        table_once.facets(names=["lable"])
    with pytest.raises(UnknownColumn, match="label"):
        table_once.rows([0], ["lable"])
