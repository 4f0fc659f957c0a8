"""Browse and Map on label sets, without a browser: one label is added or taken away, and colours say who has a class."""

import json

import numpy as np
import pandas as pd
import pytest

import assay
from assay.app.server import map_data
from assay.app.server.browse_view import open_view
from tests.app.test_browse_routes import Page
from tests.app.test_map_data import unpack

SETS = [["cat"], ["cat", "dog"], [], None, ["dog"], ["cat", "emu"]]


@pytest.fixture
def page(tmp_path):
    """A client of six texts; the fourth has no label, the last is a test sample."""
    rows = [dict(text=f"text {i}", label=names) for i, names in enumerate(SETS)]
    splits = ["train", "train", "val", "train", "train", "test"]
    pd.DataFrame(rows).assign(split=splits).to_parquet(tmp_path / "s.parquet")
    bench = assay.create(tmp_path / "b")
    bench.add(tmp_path / "s.parquet", progress=False)
    found = Page(bench)
    yield found
    found.session.close()


def read_sets(page):
    return [v if v is None else json.loads(v) for v in page.session.bench.state().label]


def test_a_label_is_added_to_a_selection_and_undone(page):
    asked = dict(batch="edit-00000000000a", decision=dict(add_label="dog"))
    out = page.act(range(6), **asked)
    assert (out["samples"], out["skipped"]) == (3, {"locked": 1, "with it already": 2})
    after = [["cat", "dog"], ["cat", "dog"], ["dog"], ["dog"], ["dog"], ["cat", "emu"]]
    assert read_sets(page) == after
    page.act(batch=asked["batch"], undo=True)
    assert read_sets(page) == SETS


def test_a_label_is_taken_away_and_the_others_stay(page):
    out = page.act(range(6), batch="edit-00000000000b", decision=dict(remove_label="cat"))
    assert (out["samples"], out["skipped"]) == (2, {"locked": 1, "without it": 3})
    assert read_sets(page) == [[], ["dog"], [], None, ["dog"], ["cat", "emu"]]


def test_one_label_for_all_is_refused_and_an_unknown_one_asks_for_the_new_class(page):
    refused = page.act([0], 400, batch="edit-00000000000c", decision=dict(label="dog"))
    assert "add a label" in refused["hint"]
    page.act([0], 400, batch="edit-00000000000d", decision=dict(add_label="yak"))
    page.act([0], batch="edit-00000000000e", decision=dict(add_label="yak", new_class=True))
    assert read_sets(page)[0] == ["cat", "yak"]


def test_the_map_colours_by_one_class_and_hides_test(page):
    view = open_view(page.session)
    header, codes = unpack(map_data.pack_colours(view, "label:cat"), "<u2")
    assert (header["by"], header["one"], header["sets"]) == ("label", "cat", True)
    assert codes.tolist() == [0, 0, 1, map_data.NONE, 1, map_data.LOCKED]
    header, codes = unpack(map_data.pack_colours(view, "label"), "<u2")
    assert [json.loads(v) for v in np.array(header["values"], object)[codes[:3]]] == SETS[:3]
