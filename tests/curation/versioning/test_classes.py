"""Classes that are renamed, merged, split and declared: what is read, what comes back, and what two copies make of it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import assay
from assay.curation.errors import UserError
from assay.curation.tasks.multilabel import make_set
from assay.curation.versioning.class_names import ClassNames, SchemaEdit, list_standing
from assay.curation.versioning.states import hash_tree
from tests.helpers import bench_of, copied, digits, run_assay

QUIET = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = st.sampled_from([str(i) for i in range(10)])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return bench_of(digits(60), tmp_path_factory.mktemp("small"))


@pytest.fixture
def own(small, tmp_path):
    return copied(small, tmp_path / "own")


def labels(bench, version="HEAD"):
    return bench.state(version).label


def say(bench, samples, label, who="ann"):
    rows = pd.DataFrame(dict(sample=list(samples), label=label))
    return bench.edit(rows, who, new_classes=[label])["batch"]


# ---- what a rename is


def test_a_rename_is_one_edit_over_all_splits_and_no_review(own):
    before, edits = own.state(), len(own.query("select 1 from edits"))
    out = own.rename_class("3", "three", "ann")
    after = own.state()
    assert len(own.query("select 1 from edits")) == edits + 1
    assert (after.label == before.label.replace("3", "three")).all()
    assert (after.given_label == before.given_label.replace("3", "three")).all()
    assert sum(out["splits"].values()) == out["samples"] == (before.label == "3").sum()
    assert not after.reviewed.any() and own.status()["review"]["reviewed"] == 0
    assert own.reviewers()[0].empty
    assert (after[["who", "verdict", "split"]] == before[["who", "verdict", "split"]]).all(
        axis=None
    )


def test_old_versions_keep_old_names_and_diff_tells_a_rename_from_a_relabelling(own):
    own.commit(name="before")
    own.rename_class("3", "three", "ann")
    threes = own.state().index[labels(own) == "three"]
    trained = [s for s in threes if own.state().split[s] == "train"]
    say(own, trained[:2], "8")
    found = own.diff("before")
    assert "three" not in set(labels(own, "before")) and "3" in set(labels(own, "before"))
    assert found["renamed"].to_dict("records") == [{"from": "3", "to": "three", "n": len(threes)}]
    assert found["matrix"].to_dict("records") == [{"from": "three", "to": "8", "n": 2}]
    back = own.diff("HEAD", "before")
    assert len(back["relabelled"]) == 2 and back["renamed"]["to"].tolist() == ["3"]
    status, out, _ = run_assay("diff", "before", "-b", own.path)
    assert status == 0 and f"renamed: 3 -> three ({len(threes)})" in out


def test_a_blame_tells_the_rename(own):
    sample = own.state().index[labels(own) == "3"][0]
    own.rename_class("3", "three", "bob")
    life = own.blame(sample).edits
    assert life[life.field == "label"].value.tolist() == ["3", "three"]
    assert life[life.stands & (life.field == "label")].who.tolist() == ["bob"]


@QUIET
@given(st.lists(st.tuples(NAMES, st.sampled_from(["a", "b", "1", "2"])), max_size=4))
@pytest.mark.daily
def test_renames_then_as_many_undos_give_the_equal_tree(small, tmp_path_factory, steps):
    bench = copied(small, tmp_path_factory.mktemp("undo"))
    tree, done = hash_tree(bench.state()), 0
    for old, new in steps:
        if old != new and old in set(labels(bench)):
            bench.rename_class(old, new, "ann")
            done += 1
    renamed = hash_tree(bench.state())
    for _ in range(done):
        bench.undo(who="ann")
    assert hash_tree(bench.state()) == tree and not list(bench.damages())
    for _ in range(done):
        bench.redo(who="ann")
    assert hash_tree(bench.state()) == renamed


@pytest.mark.daily
@settings(QUIET, max_examples=6)
@given(st.permutations([str(i) for i in range(10)]), st.integers(1, 10))
def test_renames_to_disjoint_names_are_a_bijection(small, tmp_path_factory, order, n):
    bench = copied(small, tmp_path_factory.mktemp("disjoint"))
    before, table = labels(bench), {name: f"class {name}" for name in order[:n]}
    for old, new in table.items():
        bench.rename_class(old, new, "ann")
    after = labels(bench)
    assert (after == before.map(lambda name: table.get(name, name))).all()
    assert after.nunique() == before.nunique()


RENAMES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.booleans()), max_size=8
)


@settings(max_examples=300, deadline=None)
@given(RENAMES, st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=12))
def test_labels_are_read_through_every_rename_after_them(steps, said):
    """Against the plain way: walk the log, and rename what there is."""
    edits = [
        SchemaEdit(10 * i + 10, str(i), str(i), {"name": f"rename {i}", "from": a, "to": b})
        for i, (a, b, _) in enumerate(steps)
        if a != b
    ]
    names = ClassNames(edits)
    for label, place in said:
        expected = label
        for edit in edits:
            if edit.seq > 10 * place + 5 and edit.value["from"] == expected:
                expected = edit.value["to"]
        assert names.find(label, 10 * place + 5) == expected
        rows = [r for r in names.rows([label]) if r[0] == label and r[1] <= 10 * place + 5 < r[2]]
        assert (json.loads(rows[0][3]) if rows else label) == expected and len(rows) < 2
    many = np.array([label for label, _ in said], object)
    seqs = np.array([10 * place + 5 for _, place in said], "i8")
    one_by_one = [names.find(a, s) for a, s in zip(many, seqs)]
    codes = np.array([ord(a) for a in many], "i8")
    assert names.find_many(many, seqs, codes).tolist() == one_by_one
    sets = ClassNames(edits, several=True)
    for label, place in said:  # of a set each member is read so
        whole = sets.find_label(make_set([label, "d"]), 10 * place + 5)
        assert whole == make_set(names.find(name, 10 * place + 5) for name in (label, "d"))


@settings(max_examples=300, deadline=None)
@given(RENAMES)
def test_every_name_means_one_class_and_every_class_has_one_name(steps):
    classes, edits = set("abcd"), []
    for i, (old, new, _) in enumerate(steps):
        if old != new and old in classes:
            value = {"name": f"rename {i}", "from": old, "to": new, "merges": new in classes}
            edits.append(SchemaEdit(i + 1, str(i), str(i), value))
            classes = classes - {old} | {new}
    names = ClassNames(edits)
    identities = {name: names.find_class(name) for name in classes}
    assert len(set(identities.values())) == len(classes)
    assert all(names.find_name(identity) == name for name, identity in identities.items())


def test_what_is_said_since_a_rename_keeps_its_name_when_it_is_undone(own):
    threes = own.state().index[(labels(own) == "3") & (own.state().split == "train")]
    eights = own.state().index[(labels(own) == "8") & (own.state().split == "train")]
    batch = own.rename_class("3", "8", "ann")["batch"]
    say(own, eights[:1], "3")  # a new class, by an old name
    assert own.undo(batch, "ann")["renames"] == ["3 -> 8"]
    assert (labels(own)[threes] == "3").all() and labels(own)[eights[0]] == "3"
    assert (labels(own)[eights[1:]] == "8").all()


def test_an_old_name_that_is_added_again_is_another_class(own):
    was = own.state().index[(labels(own) == "3") & (own.state().split == "train")]
    own.rename_class("3", "three", "ann")
    own.add_class("3", "ann", guideline="another thing")
    say(own, was[:1], "3")
    own.rename_class("3", "drei", "ann")
    assert labels(own)[was[0]] == "drei" and (labels(own)[was[1:]] == "three").all()
    listed = own.classes().set_index("name")
    assert listed.guideline["drei"] == "another thing" and listed.guideline["three"] is None


def test_an_edit_before_a_rename_is_undone_through_it(own):
    sample = own.state().index[(labels(own) == "3") & (own.state().split == "train")][0]
    batch = say(own, [sample], "8")
    own.rename_class("3", "three", "ann")
    own.undo(batch, "ann")
    assert labels(own)[sample] == "three"
    own.redo("ann")
    assert labels(own)[sample] == "8"


def test_votes_are_counted_through_a_merge(own):
    state = own.state()
    sample = state.index[(state.label == "3") & (state.split == "train")][0]
    for who, label in (("ann", "8"), ("bob", "9"), ("cyn", "3")):
        say(own, [sample], label, who)
    own.set_rule("majority", "ann")
    own.rename_class("9", "8", "ann")
    assert labels(own)[sample] == "8"
    assert len(own.issues("reviewer_disagreement")) == 0
    pairs = own.reviewers()[1].set_index(["a", "b"])
    assert pairs.agree["ann", "bob"] == 1 and pairs.agree["ann", "cyn"] == 0


# ---- copies


@pytest.mark.parametrize("here", [True, False], ids=["renamed here", "renamed there"])
def test_a_rename_in_one_copy_reaches_the_labels_of_the_other(own, tmp_path, here):
    shutil.copytree(own.path, tmp_path / "copy")
    copy = assay.open(tmp_path / "copy")
    state = own.state()
    twos = state.index[(state.label == "2") & (state.split == "train")]
    renamed, other = (own, copy) if here else (copy, own)
    renamed.rename_class("3", "three", "ann")
    renamed.edit(pd.DataFrame(dict(sample=[twos[1]], label=["three"])), "ann")
    say(other, twos[:2], "3", "bob")
    out = own.merge(copy.path, "cyn")
    assert "3" not in set(labels(own)) and labels(own)[twos[0]] == "three"
    assert out["conflicts"] == [] and labels(own)[twos[1]] == "three"
    assert own.merge(copy.path, "cyn")["edits"] == 0
    rename = own.query("select batch from edits where kind = 'schema'").batch[0]
    own.undo(rename, "ann")
    assert (labels(own)[(state.label == "3").to_numpy()] == "3").all()


def test_two_copies_that_rename_one_class_differently_conflict_and_ours_stands(own, tmp_path):
    shutil.copytree(own.path, tmp_path / "copy")
    copy = assay.open(tmp_path / "copy")
    n = (labels(own) == "3").sum()
    own.rename_class("3", "three", "ann")
    copy.rename_class("3", "drei", "bob")
    out = own.merge(copy.path, "cyn")
    assert [(c["ours"]["to"], c["theirs"]["to"]) for c in out["conflicts"]] == [("three", "drei")]
    assert (labels(own) == "three").sum() == n and "drei" not in set(labels(own))


# ---- what a merged, exported or older log says


def test_a_rename_of_a_name_that_nobody_has_is_refused_with_the_way_on(own):
    own.rename_class("3", "three", "ann")
    for old, word in (
        ("3", "called 'three' now"),
        ("tree", "did you mean three"),
        ("8", "the same"),
    ):
        with pytest.raises(UserError) as e:
            own.rename_class(old, "8", "ann")
        assert word in str(e.value)
    with pytest.raises(UserError, match="nobody could see"):
        own.rename_class("8", "  ", "ann")


def test_a_sheet_from_before_a_rename_is_read_by_the_new_name_and_says_so(own, tmp_path):
    state = own.state()
    sample = state.index[(state.label == "2") & (state.split == "train")][0]
    (tmp_path / "e.csv").write_text(f"sample,label\n{sample},3\n")
    own.rename_class("3", "three", "ann")
    status, out, _ = run_assay("edit", tmp_path / "e.csv", "-b", own.path)
    assert status == 0 and "note: 3 was renamed: it is read as three" in out
    assert labels(own)[sample] == "three"


def test_standing_schema_edits_are_those_that_sql_says():
    rows = [
        (1, "u1", "schema-1", "schema-1", "schema", '{"name": "a", "x": 1}', None),
        (2, "u2", "schema-2", "schema-2", "schema", '{"name": "a", "x": 2}', None),
        (3, "u3", "undo-1", "schema-1", "undo", '{"name": "a"}', '{"undo": ["schema-2"]}'),
        (4, "u4", "schema-3", "schema-3", "schema", '{"name": "b"}', None),
        (5, "u5", "redo-1", "schema-2", "redo", '{"name": "a"}', '{"redo": ["schema-2"]}'),
    ]
    assert [e.value.get("x") for e in list_standing(rows[:3])] == [1]
    assert [e.seq for e in list_standing(rows)] == [2, 4]
