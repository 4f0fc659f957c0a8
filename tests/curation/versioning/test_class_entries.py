"""What a class has besides its name: a place, a key, exemplars; and what a split moves."""

import re

import pandas as pd
import pytest

from assay.app.server.class_effect import measure_change, tally_classes
from assay.curation.errors import UserError
from assay.curation.label_quality.live import label_scores
from assay.curation.review.exemplars import find_typical
from assay.curation.tasks.classification import TASK
from assay.curation.versioning.class_entries import REVIEW_KEYS
from assay.curation.versioning.class_order import place_class
from tests.helpers import ROOT, bench_of, copied, digits, run_assay


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return bench_of(digits(120), tmp_path_factory.mktemp("small"))


@pytest.fixture
def own(small, tmp_path):
    return copied(small, tmp_path / "own")


def test_a_class_moves_between_two_others_and_back(own):
    was = list(own.classes().name)
    own.move_class("7", before="2", who="ann")
    moved = ["0", "1", "7", "2", "3", "4", "5", "6", "8", "9"]
    assert list(own.classes().name) == moved
    for name, before in [("2", "0"), ("7", "2"), ("0", None)]:  # against a plain list
        out = own.move_class(name, before, "ann")
        moved.remove(name)
        moved.insert(moved.index(before) if before else len(moved), name)
        assert list(own.classes().name) == moved and out["place"] == moved.index(name) + 1
    for _ in range(4):
        own.undo(who="ann")
    assert list(own.classes().name) == was
    with pytest.raises(UserError, match="found 'cow'"):
        own.move_class("cow", who="ann")


def test_a_move_says_one_place_until_there_is_no_room():
    """A class that is put between the same two again and again: most moves are one edit."""
    names, edits = list("abc"), 0
    entries = {name: dict(order=i) for i, name in enumerate(names)}
    for _ in range(200):
        names = [names[0], names[2], names[1]]
        for name, order in (said := place_class(names, 1, entries)).items():
            entries[name] = dict(order=order)
        edits += len(said)
        assert sorted(names, key=lambda n: entries[n]["order"]) == names
    assert 200 <= edits <= 215


def test_a_key_is_one_that_nothing_else_has(own):
    own.edit_class("3", "ann", key="X")
    assert own.classes().set_index("name").key["3"] == "x"
    for key, words in [("x", "the key of '3'"), ("s", "Review leaves free"), ("ab", "one key")]:
        with pytest.raises(UserError, match=words):
            own.edit_class("4", "ann", key=key)
    own.edit_class("3", "ann", key="")
    own.edit_class("4", "ann", key="x")


def test_review_and_the_log_know_the_same_keys():
    """The keys that keys.js and viewer.js give to acts are those that no class may have."""
    found = set()
    for file in ("review/keys.js", "viewer.js"):
        text = (ROOT / "app/components" / file).read_text()
        part = text[text.index("ACTS = [") :].split("];")[0]
        for keys in re.findall(r'", \[([^\]]*)\]', part):
            found |= {key for key in re.findall(r'"([^"]+)"', keys) if len(key) == 1}
        found |= set(*re.findall(r'\[\.\.\."(\w+)"\]\.map', part)[:1] or [""])
    assert found - {"0"} == REVIEW_KEYS  # 0 is of the tenth class before it is of the viewer


def test_exemplars_are_of_the_class_and_never_of_test(own):
    state = own.state()
    name = state.label[state["split"] == "test"].iloc[0]
    is_mine, train = state.label == name, state["split"] == "train"
    mine = state.index[is_mine & train][:2]
    own.edit_class(name, "ann", exemplars=mine)
    assert own.exemplars()[name] == list(mine)
    test = state.index[is_mine & (state["split"] == "test")][:1]
    for wrong in (test, state.index[~is_mine & train][:1], ["nobody"], state.index[train][:7]):
        with pytest.raises(UserError, match="exemplars"):
            own.edit_class(name, "ann", exemplars=wrong)
    typical = {s for other, ids in own.exemplars().items() if other != name for s in ids}
    assert typical and (state["split"][sorted(typical)] == "train").all()
    other = state.label[~is_mine].iloc[0]
    own.edit(pd.DataFrame(dict(sample=mine[:1], label=other)), "ann")
    assert own.exemplars()[name] == list(mine[1:])  # what is another class now shows it no longer
    own.edit_class(name, "ann", exemplars="")
    assert len(own.exemplars()[name]) > 2


def test_typical_samples_are_the_likeliest_that_nobody_doubts(scanned):
    state, scores = scanned.state(), label_scores(scanned)
    found = find_typical(state, scores)
    for name, ids in found.items():
        rows = scores.loc[ids]
        assert (rows.label == name).all() and not rows.flagged.any() and len(ids) == 6
        fit = scores[(scores.label == name) & ~scores.flagged & (state["split"] == "train")]
        assert set(rows.score) == set(fit.score.nlargest(6))


def test_a_split_moves_what_fits_as_one_batch(own):
    state = own.state()
    fit = state.index[(state.label == "2") & state["split"].isin(["val", "test"])]
    val = state.index[(state.label == "2") & (state["split"] == "val")]
    planned = own.split_off("2", "two", fit, dry=True)
    assert planned["samples"] == len(val) and planned["locked"] == len(fit) - len(val)
    status, out, _ = run_assay(
        "classes", "split", "2", "two", "--where", "split = 'val'", "--who", "ann", "-b", own.path
    )
    assert status == 0 and f"{len(val)} sample" in out
    assert list(own.state().label[lambda x: x == "two"].index) == list(val)
    own.undo(who="ann")
    assert (own.state().label == state.label).all()
    with pytest.raises(UserError, match="found none"):
        own.split_off("2", "two", state.index[state.label == "3"], "ann")


def test_a_change_of_names_alone_is_no_gain(small):
    """By hand: of four val samples one was wrong between the two classes that are merged."""
    state = small.state()
    ids = list(state.index[state["split"] == "val"][:4])
    state = state.assign(label=state.label.astype(object), keep=True)
    state.loc[ids, "label"] = ["a", "a", "a", "c"]
    before = dict(zip(ids, ["a", "b", "c", "c"]))
    after = dict(zip(ids, ["a", "a", "a", "b"]))
    found = measure_change(state, before, after, {"b": "a"})
    assert (found["n"], found["better"], found["worse"]) == (4, 1, 1)
    assert measure_change(state, before, before, {"b": "a"})["gain"][0] == 0
    assert tally_classes(state, after, TASK) == {"a": (3, 3), "c": (0, 1)}
