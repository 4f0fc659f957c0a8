"""Labellers of texts and of rows, by a function and by a file; of label sets they are refused."""

import json

import pandas as pd
import pytest

import assay
from tests.app.test_rows import write_rows
from tests.app.test_texts import write_texts
from tests.helpers import run_assay
from tests.label_sets import write_sets

HABITS = "tests.pipelines.indexing.labeller_habits"


def add_table(table, place, label="label"):
    """A bench of a table, nothing scanned."""
    table.drop(columns="truth").to_parquet(place / "made.parquet")
    columns = dict(label=label)
    return assay.create(place / "bench").add(
        place / "made.parquet", columns=columns, progress=False
    )


@pytest.mark.parametrize(
    ("table", "column", "habit"),
    [(write_texts(), "label", "by_a_word"), (write_rows(), "loan", "by_income")],
    ids=["texts", "rows"],
)
def test_a_function_and_a_file_say_the_same_of_texts_and_rows(tmp_path, table, column, habit):
    bench = add_table(table, tmp_path, column)
    status, out, err = run_assay(
        "label", "--with", f"{HABITS}:{habit}", "--as", "rule", "--json", "-b", bench.path
    )
    assert status == 0, err
    found, truth = json.loads(out), table.set_index("id").truth
    locked = table["split"] == "test"
    known = table.income.notna() if "income" in table else ~table.text.isna()
    assert (found["locked"], found["abstained"]) == (locked.sum(), (~locked & ~known).sum())
    changes = bench.proposal_changes("p1")
    keys = bench.state().key[changes["sample"]].to_numpy()
    said = pd.Series(list(map(json.loads, changes.value)), keys)
    assert len(said) == found["votes"] == (~locked & known).sum()
    assert (said == truth[said.index]).all(), "made so that the rule is right"
    votes = said.rename("label").rename_axis("key").reset_index()
    votes.to_csv(tmp_path / "votes.csv", index=False)
    words = ("--predictions", tmp_path / "votes.csv", "--as", "file", "--json")
    status, out, err = run_assay("label", *words, "-b", bench.path)
    assert status == 0, err
    assert {k: json.loads(out)[k] for k in ("votes", "agree", "differ")} == {
        k: found[k] for k in ("votes", "agree", "differ")
    }
    assert bench.state().label.equals(bench.state("HEAD").given_label), "no label has changed"
    compared = bench.compare_labellers("rule", "file")
    assert compared["both"] == found["votes"] and compared["estimate"] is None


def test_of_label_sets_the_refusal_says_what_to_do_and_that_works(tmp_path):
    table = write_sets(60)
    table.to_parquet(tmp_path / "sets.parquet")
    bench = assay.create(tmp_path / "bench").add(tmp_path / "sets.parquet", progress=False)
    rows = bench.frame(split="train").index[:3]
    votes = pd.DataFrame(dict(sample=rows, label=json.dumps(["food", "sport"])))
    votes.to_csv(tmp_path / "votes.csv", index=False)
    words = ("--predictions", tmp_path / "votes.csv", "--as", "rule", "-b", bench.path)
    status, _, err = run_assay("label", *words)
    assert status == 2 and "several labels a sample" in err
    assert "assay proposal open FILE --labeller NAME" in err and not bench.proposals()
    words = (tmp_path / "votes.csv", "--labeller", "rule", "--title", "sets", "-b", bench.path)
    status, out, err = run_assay("proposal", "open", *words)
    assert status == 0 and "3 changes" in out, err
    status, _, err = run_assay("labellers", "-b", bench.path)
    assert status == 2 and "assay status" in err
