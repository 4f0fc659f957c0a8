"""The whole loop on rows of a table, by command line and Python: ten rows to check by eye, and a cut of adult_income.csv."""

import json

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.errors import UserError
from assay.curation.media.base import read_texts
from tests.app.test_rows import write_rows
from tests.helpers import DATA, check_manifests, run_assay

TEN = pd.DataFrame(
    dict(
        age=[39, 50, None, 53, 28, 37, 49, 52, 31, 42],
        job=["clerk", "boss", "clerk", "boss", None, "nurse", "nurse", "boss", "clerk", "nurse"],
        since=[f"2020-0{i % 9 + 1}-15" for i in range(10)],
        zip=["01067", "01099", "01099", "01067", "01097", "01067", "01099", "01067", "01097", "01099"],
        income=["low", "high"] * 5,
    )
)  # fmt: skip


def read_table(path):
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx"])
def test_ten_rows_come_as_they_are_whatever_the_file(tmp_path, suffix):
    path = tmp_path / f"ten{suffix}"
    write = {
        ".csv": lambda: TEN.fillna("?").to_csv(path, index=False),
        ".tsv": lambda: TEN.to_csv(path, index=False, sep="\t"),
        ".jsonl": lambda: TEN.to_json(path, orient="records", lines=True),
        ".json": lambda: TEN.to_json(path, orient="records"),
        ".parquet": lambda: TEN.to_parquet(path),
        ".xlsx": lambda: TEN.to_excel(path, index=False),
    }
    write[suffix]()
    words = "--label-column", "income", "-b", tmp_path / "b"
    status, out, err = run_assay("import", path, *words)
    assert status == 0, err
    assert "row: 4 columns: 1 number (age), 2 categories (job, zip), 1 date (since); 2 values missing" in out  # fmt: skip
    bench = assay.open(tmp_path / "b")
    state = bench.state()
    assert list(state.label) == list(TEN.income)
    rows = [json.loads(text) for text in read_texts(bench, state.content_hash)]
    assert rows[0] == dict(age=39, job="clerk", since="2020-01-15", zip="01067")
    assert "age" not in rows[2] and "job" not in rows[4], "what is missing is not there"
    assert json.loads(state.meta.iloc[3]) == rows[3], "columns are metadata, too"


def test_the_label_of_a_table_is_asked_and_the_last_column_is_proposed_first(tmp_path):
    TEN.to_csv(tmp_path / "ten.csv", index=False)
    status, _, err = run_assay("import", tmp_path / "ten.csv", "-b", tmp_path / "b")
    assert status == 2 and "say which: --label-column income" in err


def test_a_list_of_images_with_a_misspelt_column_is_no_table_of_rows(tmp_path):
    for column in ("image_id", "Picture No"):
        table = pd.DataFrame({column: [f"p{i}" for i in range(30)]}).assign(age=30, label=["a", "b"] * 15)  # fmt: skip
        table.to_csv(tmp_path / "list.csv", index=False)
        status, _, err = run_assay("import", tmp_path / "list.csv", "-b", tmp_path / "b")
        assert status == 2 and "image" in err
    table.columns = ["thing", "label", "other"]
    table.to_csv(tmp_path / "list.csv", index=False)
    status, _, err = run_assay("import", tmp_path / "list.csv", "-b", tmp_path / "b")
    assert status == 2


@pytest.mark.parametrize(
    "label, words",
    [
        ([f"{i / 7:.3f}" for i in range(60)], "regression is not supported"),
        ([f"w{i}" for i in range(60)], "another value in nearly every row"),
        (["one"] * 60, "at least two classes"),
    ],
    ids=["numbers", "unique", "one"],
)
def test_a_target_that_is_no_class_is_refused_in_words(tmp_path, label, words):
    table = pd.DataFrame(dict(age=range(20, 80), job=["a", "b"] * 30, target=label))
    table.to_csv(tmp_path / "t.csv", index=False)
    status, _, err = run_assay("import", tmp_path / "t.csv", "--label-column", "target", "-b", tmp_path / "b")  # fmt: skip
    assert status == 2 and words in err
    assert not (tmp_path / "b" / "assay.duckdb").exists()


def test_a_column_that_mixes_types_and_bad_rows_are_located(tmp_path):
    rows = [f"{20 + i},{'ab'[i % 2]},{'xy'[i % 2]}" for i in range(40)]
    rows[3], rows[5], rows[7] = "old,a,x", "1,2,3,4", ",,y"
    (tmp_path / "t.csv").write_text("\n".join(["age,job,label", *rows]))
    status, _, err = run_assay("import", tmp_path / "t.csv", "-b", tmp_path / "b")
    assert status == 2 and "line 7" in err and "--skip-bad" in err
    status, out, err = run_assay("import", tmp_path / "t.csv", "--skip-bad", "-b", tmp_path / "b")
    assert status == 0, err
    assert "age holds numbers, and 1 cell is none: 'old' on line 5" in out
    assert len(assay.open(tmp_path / "b").state()) == 38


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    place = tmp_path_factory.mktemp("tables")
    write_rows().drop(columns="truth").to_csv(place / "loans.csv", index=False)
    for words in (["import", place / "loans.csv", "--label-column", "loan"], ["scan"]):
        status, out, err = run_assay(*words, "-b", place / "bench")
        assert status == 0, err
    assert "160 different rows" in out and "image" not in out
    return place


@pytest.mark.daily  # test_whole_loop.py goes round with wines
def test_find_fix_version_retrain_and_prove(scanned):
    place, table = scanned, write_rows().set_index("id")

    def do(*words):
        status, out, err = run_assay(*words, "-b", place / "bench")
        assert status == 0, (words, err)
        return out

    bench = assay.open(place / "bench")
    planted = set(table.index[table.loan != table.truth])
    do("queue", "-n", "8", "--random", "0", "--csv", place / "q.csv")
    sheet = pd.read_csv(place / "q.csv", dtype=str)
    assert len(planted & set(sheet.source_id)) >= 5, "the wrong ones come first"
    assert list(sheet["row.home"]) == list(table.home[sheet.source_id])
    sheet["label"] = list(table.truth[sheet.source_id])
    sheet.to_csv(place / "q.csv", index=False)
    do("edit", place / "q.csv", "--who", "ann")
    assert "6 relabelled" in do("diff", "v1", "HEAD")
    do("undo", "--who", "ann")
    do("edit", place / "q.csv", "--who", "ann")
    do("commit", "-m", "fixed")
    for verb in (["gaps"], ["duplicates"], ["status"], ["issues"], ["log"], ["check"]):
        do(*verb)
    do("experiment", "--init", place / "plan.toml")
    plan = (place / "plan.toml").read_text().replace('"mlp"', '"boosting"')
    (place / "plan.toml").write_text(plan)
    do("experiment", place / "plan.toml", "-o", place / "r.html")
    assert "boosting" in (place / "r.html").read_text()
    do("report", place / "plan.toml", "-o", place / "d.html")
    came = read_table(place / "loans.csv")
    do("export", "--in-place")
    back = read_table(place / "loans.csv")
    changed = came.index[came.loan != back.loan]
    assert set(came.id[changed]) == planted and list(back.loan) == list(table.truth)
    assert back.drop(columns="loan").equals(came.drop(columns="loan"))
    assert len(bench.state()) == 160


def test_a_manifest_of_rows_gives_the_same_tree(scanned, tmp_path):
    check_manifests(scanned / "bench", tmp_path)


def test_what_is_for_other_media_says_so(scanned, tmp_path):
    bench = scanned / "bench"
    run_assay("experiment", "--init", tmp_path / "plan.toml", "-b", bench)
    plan = (tmp_path / "plan.toml").read_text().replace('"mlp"', '"cnn"')
    (tmp_path / "plan.toml").write_text(plan)
    for words in (["experiment", tmp_path / "plan.toml"], ["scan", "--embedder", "tfidf"], ["export", "--format", "folders", "-o", tmp_path / "f"]):  # fmt: skip
        status, _, err = run_assay(*words, "-b", bench)
        assert status == 2 and ("for image" in err or "for texts" in err), err
    texts = pd.DataFrame(dict(text=["a b", "c d"] * 5, label=["x", "y"] * 5))
    with pytest.raises(UserError, match="expected rows"):
        assay.open(bench).add(texts, progress=False)


def test_later_columns_are_compared_with_those_of_the_first_import(scanned, tmp_path):
    more = write_rows(20).drop(columns=["truth", "city"]).assign(extra=1, id=[f"m{i}" for i in range(20)])  # fmt: skip
    more = more[more["split"] != "test"]  # the test split is frozen
    more.to_csv(tmp_path / "more.csv", index=False)
    words = "--label-column", "loan", "-b", tmp_path / "b"
    assert run_assay("import", scanned / "loans.csv", *words)[0] == 0
    status, out, _ = run_assay("import", tmp_path / "more.csv", *words)
    assert status == 0 and "not in more.csv: city" in out and "had not: extra" in out
    TEN.rename(columns=str.upper).to_csv(tmp_path / "ten.csv", index=False)
    status, _, err = run_assay("import", tmp_path / "ten.csv", "--label-column", "INCOME", "-b", tmp_path / "b")  # fmt: skip
    assert status == 2 and "expected the columns income, late" in err


def test_a_frame_is_a_table_with_dates_categories_and_gaps(tmp_path):
    frame = TEN.assign(since=pd.to_datetime(TEN.since), job=TEN.job.astype("category"))
    bench = assay.create(tmp_path / "b").add(frame, columns=dict(label="income"), progress=False)
    rows = [json.loads(text) for text in read_texts(bench, bench.state().content_hash)]
    assert rows[0] == dict(age=39, job="clerk", since="2020-01-15 00:00:00", zip="01067")
    assert "age" not in rows[2] and "job" not in rows[4]
    kinds = json.loads(dict(bench.rows("select key, value from meta"))["columns"])
    assert kinds == dict(age="number", job="category", since="date", zip="category")


@pytest.mark.daily
def test_a_census_as_people_get_it_is_mended_cell_by_cell(tmp_path):
    lines = (DATA / "adult_income.csv").read_text().splitlines(keepends=True)[:1_501]
    path = tmp_path / "adult.csv"
    path.write_text("".join(lines))
    status, out, err = run_assay("import", path, "--label-column", "income", "-b", tmp_path / "b")
    assert status == 0 and "'?'" in out, err
    bench = assay.open(tmp_path / "b")
    state = bench.state()
    assert sorted(state.label.unique()) == ["<=50K", ">50K"]
    row = state.index[(state.key == "7") & (state.label == ">50K")]
    bench.edit(pd.DataFrame(dict(sample=row, label="<=50K")), who="ann")
    status, out, err = run_assay("export", "--in-place", "-b", tmp_path / "b")
    assert status == 0, err
    now = path.read_text().splitlines(keepends=True)
    assert np.flatnonzero([a != b for a, b in zip(lines, now)]).tolist() == [8]
    assert now[8] == lines[8].replace(">50K", "<=50K"), "the blank before it stays"
