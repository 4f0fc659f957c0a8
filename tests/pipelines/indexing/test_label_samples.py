"""Labellers: what a function or a file says becomes a proposal of votes, and bad habits are named."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.curation.errors import UnknownClass, UserError
from assay.pipelines.indexing.label_answers import read_answers
from tests.helpers import bench_of, digits, digits_bench, png, run_assay

HABITS = "tests.pipelines.indexing.labeller_habits"
CLASSES = [str(i) for i in range(10)]


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """(A bench of 80 digits, of which one is white alone; its id)."""
    table = digits(80)
    at = table.index[table["split"] == "train"][40]
    table.at[at, "image"] = png(np.full((8, 8), 255))
    bench = bench_of(table, tmp_path_factory.mktemp("marked"))
    white = [
        s for s, meta in bench.state().meta.items() if json.loads(meta).get("id") == table.id[at]
    ]
    white = white or list(bench.state().index[bench.state().key.str.contains(table.id[at])])
    return bench, white[0]


@pytest.mark.parametrize(
    ("habit", "problem"),
    [
        ("one_short", "32 labels .* found 31, in the batch from sample"),
        ("unknown", "found 'cat' of sample"),
        ("nan_label", "found nan of sample"),
        ("nan_probability", "found nan of sample"),
        ("too_sure", "found 1.5 of sample"),
        ("a_word", "a list of labels .* found str"),
        ("nothing", "abstains on"),
        ("missing", "package.module:function"),
    ],
)
def test_a_bad_habit_is_named_and_nothing_is_stored(marked, habit, problem):
    bench, _ = marked
    before = bench.rows("select count(*) from edits")
    with pytest.raises(UserError, match=problem):
        bench.label(f"{HABITS}:{habit}", progress=False)
    assert bench.rows("select count(*) from edits") == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("habit", "problem"),
    [
        ("raises", "ValueError: I do not like it"),
        pytest.param("crashes", "crashed", marks=pytest.mark.daily),
        pytest.param("hangs", "stuck", marks=pytest.mark.daily),
    ],
)
def test_the_sample_at_which_a_function_fails_is_named(marked, habit, problem):
    bench, white = marked
    with pytest.raises(UserError, match=problem) as refused:
        bench.label(f"{HABITS}:{habit}", progress=False, patience=4)
    assert f"on sample {white}" in refused.value.problem


def test_votes_are_a_proposal_and_change_no_label(tmp_path):
    bench = digits_bench(80, tmp_path)
    before, state = bench.state().label, bench.state()
    out, said, _ = run_assay("label", "--with", f"{HABITS}:classify", "--as", "ink", "--json", "-b", bench.path)  # fmt: skip
    found = json.loads(said)
    assert (
        out == 0 and found["labeller"] == "ink" and found["locked"] == (state.split == "test").sum()
    )
    assert found["votes"] == found["agree"] + found["differ"]
    assert found["votes"] + found["abstained"] + found["locked"] == 80
    assert bench.state().label.equals(before) and not bench.state().reviewed.any()
    row = bench.labellers().labellers.set_index("labeller").loc["ink"]
    assert row.votes == found["votes"] and row.measured == 0
    [proposal] = bench.proposals()
    assert (proposal.name, proposal.labeller, proposal.n_changes) == ("p1", "ink", found["votes"])


def test_only_what_is_asked_for_is_labelled(tmp_path):
    bench = digits_bench(80, tmp_path)
    found = bench.label(lambda images: ["3"] * len(images), "three", where="label = '3'", split="train", progress=False)  # fmt: skip
    assert found.votes == found.agree == (bench.frame(split="train").label == "3").sum()
    with pytest.raises(UserError, match="not locked"):
        bench.label(lambda images: ["3"] * len(images), "three", split="test")


def test_the_same_labeller_votes_again_and_its_last_word_counts(tmp_path):
    bench = digits_bench(80, tmp_path)
    for digit in "37":
        bench.label(lambda images: [digit] * len(images), "one digit", progress=False)  # noqa: B023
    votes = bench.consensus("latest")
    assert set(votes.label) == {"7"} and (votes.votes == 2).all()  # the given label has a vote, too


def test_a_person_is_no_labeller(tmp_path):
    bench = digits_bench(80, tmp_path)
    bench.edit(
        pd.DataFrame(dict(sample=bench.frame(split="val").index[:2], verdict="confirm")), "ann"
    )
    with pytest.raises(UserError, match="'ann', which is a person"):
        bench.label(lambda images: ["1"] * len(images), "ann", progress=False)


def test_a_file_of_predictions(tmp_path):
    bench = digits_bench(80, tmp_path)
    state = bench.state()
    rows = pd.DataFrame(dict(key=state.key, label="4", confidence=0.7))
    rows.iloc[0, 1] = ""
    rows.to_csv(tmp_path / "votes.csv", index=False, sep=";")
    found = bench.label(predictions=str(tmp_path / "votes.csv"), name="four", progress=False)
    assert found.abstained == (state.split.iloc[0] != "test")
    assert found.votes == (state.split != "test").sum() - found.abstained
    probs = pd.DataFrame(np.tile(np.eye(10)[5], (len(state), 1)), state.index, columns=CLASSES)
    probs.iloc[:, 6] = 0.1
    found = bench.label(predictions=probs, name="five", progress=False)
    assert (
        bench.consensus("latest").label == "5"
    ).all() and "likeliest of 10 classes" in found.notes[-1]
    with pytest.raises(UnknownClass, match="found 'cat' of sample"):
        bench.label(predictions=rows.assign(label="cat"), name="cat", progress=False)
    with pytest.raises(UserError, match="a column of labels"):
        bench.label(predictions=rows[["key"]].assign(a=1), name="none", progress=False)


def test_answers_of_every_right_form():
    """Numbers are classes, two labels in a tuple are labels, a matrix of probabilities goes by the names' order."""
    ids = ["a", "b"]
    assert read_answers([3, np.int64(4)], ids, CLASSES, "f") == [("3", None), ("4", None)]
    assert read_answers(("3", "4"), ids, CLASSES, "f") == [("3", None), ("4", None)]
    assert read_answers(np.array([3.0, 4.0]), ids, CLASSES, "f") == [("3", None), ("4", None)]
    assert read_answers((["3", None], [0.2, np.nan]), ids, CLASSES, "f") == [
        ("3", 0.2),
        (None, None),
    ]
    probs = np.eye(10)[[3, 9]]
    assert read_answers((["3", "4"], probs), ids, CLASSES, "f") == [("3", 1.0), ("4", 0.0)]
    assert read_answers(None, ids, CLASSES, "f") == [(None, None)] * 2
