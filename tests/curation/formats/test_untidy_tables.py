"""Tables as people have them: decimal commas, headers that come again, quotes that never close."""

import csv
import json

import duckdb
import pandas as pd
import pytest

import assay
from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.decimal_commas import choose_marks, read_commas
from assay.curation.formats.read import read_source

TEN = [0.5, 1234.56, -3.0, 2.25, None, 7.125, 0.1, 1e6, 12.0, 99.99]  # checked by eye


def read_price(path, **options):
    source = read_source(path, ImportOptions(**options))
    return [json.loads(text).get("price") for text in source.frame.text], source.notes


def frame_of(prices, **more):
    labels = ["ab"[i % 2] for i in range(len(prices))]
    kinds = ["xyz"[i % 3] for i in range(len(prices))]
    return pd.DataFrame(dict(price=prices, kind=kinds, label=labels, **more))


def test_pandas_with_decimal_commas_comes_back_as_numbers(tmp_path):
    frame_of(TEN).to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    prices, notes = read_price(tmp_path / "t.csv")
    assert prices == TEN
    assert any("price: '-3,0' is read as -3" in note for note in notes)


def test_duckdb_and_csv_writers_agree(tmp_path):
    """1,234.56 in quotes, as a report of a database has it; and the same in a European spreadsheet."""
    english = ["" if v is None else f"{v:,.3f}" for v in TEN]
    frame = frame_of(english)  # noqa: F841  read by the query
    duckdb.sql(f"copy frame to '{tmp_path / 'us.csv'}' (header, force_quote *)")
    swapped = [text.translate(str.maketrans(",.", ".,")) for text in english]
    with open(tmp_path / "eu.csv", "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerows([frame.columns, *frame.assign(price=swapped).to_numpy()])
    assert read_price(tmp_path / "us.csv")[0] == read_price(tmp_path / "eu.csv")[0] == TEN


def test_a_comma_that_can_be_both_is_asked_about_and_the_answer_is_kept(tmp_path):
    path, thousands = tmp_path / "t.csv", [f"{1 + i},{100 + i}" for i in range(9)]
    frame_of(thousands).to_csv(path, index=False)
    with pytest.raises(AmbiguousSource, match="'1,100'") as asked:
        read_source(path)
    assert [reading.option for reading in asked.value.readings] == ["--decimal ,", "--decimal ."]
    assert read_price(path, decimal=".")[0][:2] == [1100, 2101]
    bench = assay.create(tmp_path / "b").add(path, decimal=",", no_test=True, progress=False)
    assert json.loads(bench.state().sort_values("key").meta.iloc[0])["price"] == 1.1
    sample = bench.state().query("key == '0'").index
    bench.edit(pd.DataFrame(dict(sample=sample, label="b")), who="ann")
    bench.export(tmp_path / "out", format="source")
    assert (tmp_path / "out" / "t.csv").read_text().splitlines()[1] == '"1,100",x,b'


@pytest.mark.parametrize(
    "other, read",
    [(["0.5", "1.25"], 1100), (["0,5", "1,25"], 1.1), (["a", "b"], None)],
    ids=["points", "commas", "words"],
)
def test_the_other_columns_tell_how_a_comma_is_read(other, read):
    columns = dict(sales=["1,100", "2,200"] * 9, other=other * 9)
    if read is None:
        with pytest.raises(AmbiguousSource):
            choose_marks(columns, None, "t.csv")
        return
    marks, notes = choose_marks(columns, None, "t.csv")
    assert read_commas(columns["sales"], marks["sales"])[0] == read
    assert any(note.startswith("sales: '1,100'") and "--decimal" in note for note in notes)


def test_numbers_written_both_ways_stay_words_and_are_named():
    marks, notes = choose_marks(dict(n=["1.234,5", "1,234.5", "7"] * 9), None, "t.csv")
    assert marks == {} and "n is written both ways, '1.234,5' and '1,234.5'" in notes[0]


@pytest.mark.parametrize(
    "cells",
    [["1.5", "2.25", "1.234"], ["a, b", "c"], ["31,12", "dog", "x"], ["192.168.100.200", "10.0.0.1"]],
    ids=["points", "words", "few", "addresses"],
)  # fmt: skip
def test_what_holds_no_decimal_comma_is_left_as_it_is(cells):
    assert choose_marks(dict(n=cells * 9), None, "t.csv") == ({}, [])


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_header_that_comes_again_is_no_row(tmp_path, suffix):
    """Two files put together, as people do: the second's header stands in the middle."""
    path, part = tmp_path / f"t{suffix}", frame_of([1, 2, 3, 4] * 3)
    whole = pd.concat([part, pd.DataFrame([part.columns], columns=part.columns), part])
    whole.to_csv(path, index=False) if suffix == ".csv" else whole.to_excel(path, index=False)
    with pytest.raises(UserError, match="14: says the columns' names again"):
        assay.create(tmp_path / "b").add(path, progress=False)
    bench = assay.create(tmp_path / "b").add(path, skip_bad=True, no_test=True, progress=False)
    assert len(bench.state()) == 24
    sample = bench.state().sort_values("key", key=lambda keys: keys.astype(int)).index[-1]
    bench.edit(pd.DataFrame(dict(sample=[sample], label="a")), who="ann")
    bench.export(tmp_path / "out", format="source")
    read = pd.read_csv if suffix == ".csv" else pd.read_excel
    back, came = read(tmp_path / "out" / path.name), read(path)
    assert [tuple(at) for at in zip(*(back != came).to_numpy().nonzero())] == [(24, 2)]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_two_columns_of_one_name_are_refused_or_the_first_is_read(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    frame = frame_of([5, 6] * 6, again=[7] * 12).rename(columns=dict(again="label"))
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_excel(path, index=False)
    with pytest.raises(UserError, match="two columns named label"):
        read_source(path)
    source = read_source(path, ImportOptions(skip_bad=True, media="row"))
    assert set(source.frame.label) == {"a", "b"}
    assert "not read, for an earlier column has their name: label (column 4)" in source.notes


def test_a_quote_that_never_closes_costs_its_own_line_alone(tmp_path):
    path, rows = tmp_path / "t.csv", [f"{i % 7},{'xyz'[i % 3]},{'ab'[i % 2]}" for i in range(30)]
    rows[4], rows[20], rows[29] = '"4,x,a', '3,"y"z,a', '9,"x'
    path.write_text("\n".join(["price,kind,label", *rows]))
    with pytest.raises(UserError, match="line 6") as refused:
        read_source(path)
    assert "--skip-bad" in refused.value.hint
    bench = assay.create(tmp_path / "b").add(path, skip_bad=True, no_test=True, progress=False)
    assert {place for place, _ in bench.rows("select key, reason from left_out")} == {"line 6", "line 22", "line 31"}  # fmt: skip
    assert len(bench.state()) == 27
    sample = bench.state().sort_values("key", key=lambda keys: keys.astype(int)).index[-1]
    bench.edit(pd.DataFrame(dict(sample=[sample], label="b")), who="ann")
    bench.export(tmp_path / "out", format="source")
    rows[28] = rows[28][:-1] + "b"
    assert (tmp_path / "out" / "t.csv").read_text().splitlines()[1:] == rows
