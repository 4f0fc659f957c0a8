"""Tables and folders as a shop, a hospital, a camera and a Windows user have them."""

import os

import pandas as pd
import pytest

import assay
from assay.curation import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version
from tests.layouts.base import make_pictures


def place(folder, names):
    for name, picture in zip(names, make_pictures(len(names))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture.png)


def write_rows(folder, rows, ends="\n"):
    (folder / "list.csv").write_bytes("".join(f"{row}{ends}" for row in rows).encode())
    return folder / "list.csv"


def returned(bench, folder):
    notes = export_version(bench, folder, format="source", copy=True)["notes"]
    (path,) = [p for p in folder.iterdir() if p.name != "assay.json"]
    return path, notes


def give(bench, key, **decision):
    (sample,) = bench.frame().query("key == @key").index
    bench.edit(pd.DataFrame(dict(sample=[sample], **decision)), who="ann")


def test_the_line_that_tells_excel_the_separator_is_no_row(tmp_path):
    place(tmp_path, [f"img/{i}.png" for i in range(8)])
    rows = [f"img/{i}.png;{'ab'[i % 2]};{i},5" for i in range(8)]
    path = write_rows(tmp_path, ["sep=;", "file;label;price", *rows], "\r\n")
    assert list(read_source(path).frame.label) == list("abababab")
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False, no_test=True)
    give(bench, "img/0.png", label="b")
    give(bench, "img/2.png", keep="false")
    out, _ = returned(bench, tmp_path / "out")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b"img/0.png;b;0,5\r\n"
    assert out.read_bytes() == b"".join([*lines[:4], *lines[5:]])


def test_names_as_an_address_writes_them_are_found(tmp_path):
    place(tmp_path, [f"my photos/a b{i}.png" for i in range(6)])
    path = write_rows(
        tmp_path, ["file,label", *(f"my%20photos/a%20b{i}.png,{'ab'[i % 2]}" for i in range(6))]
    )
    source = read_source(path)
    assert sorted(map(os.path.basename, source.frame.uri)) == [f"a b{i}.png" for i in range(6)]
    assert "%20" in source.notes[0]


def test_a_name_that_holds_a_percent_sign_is_found_first(tmp_path):
    place(tmp_path, ["a%20b.png", "a b.png", "c.png"])
    path = write_rows(tmp_path, ["file,label", "a%20b.png,x", "a b.png,y", "c.png,x"])
    found = read_source(path).frame
    assert [os.path.basename(uri) for uri in found.uri] == ["a%20b.png", "a b.png", "c.png"]


def test_every_row_of_an_image_is_changed_and_goes(tmp_path):
    place(tmp_path, [f"{i}.png" for i in range(6)])
    rows = [f"{i}.png,{'ab'[i % 2]}" for i in range(6)]
    path = write_rows(tmp_path, ["file,label", *rows, "0.png,a", "1.png,b", "2.png,b"])
    with pytest.raises(UserError, match="another label, b"):
        assay.create(tmp_path / "refused").add(path, who="ann", progress=False, no_test=True)
    bench = assay.create(tmp_path / "bench")
    bench.add(path, who="ann", progress=False, no_test=True, skip_bad=True)
    give(bench, "0.png", label="b")
    give(bench, "1.png", keep="false")
    out, _ = returned(bench, tmp_path / "out")
    left = [f"{i}.png,{'ab'[i % 2]}" for i in range(2, 6)]
    assert out.read_text().split() == ["file,label", "0.png,b", *left, "0.png,b", "2.png,b"]


def test_a_table_of_another_encoding_is_refused_with_a_way_for_windows(tmp_path):
    place(tmp_path, ["0.png", "1.png"])
    (tmp_path / "l.csv").write_bytes("file;label\r\n0.png;Hüte\r\n1.png;Röcke\r\n".encode("cp1252"))
    with pytest.raises(UserError, match="CSV UTF-8") as refused:
        read_source(tmp_path / "l.csv")
    assert "iconv" in str(refused.value)


def test_words_for_no_label_and_dates_as_classes_are_said(tmp_path):
    place(tmp_path, [f"{i}.png" for i in range(6)])
    labels = ["cat", "dog", "N/A", "none", "NaN", "cat"]
    path = write_rows(
        tmp_path, ["file,label", *(f"{i}.png,{name}" for i, name in enumerate(labels))]
    )
    (said,) = [note for note in read_source(path).notes if "no label" in note]
    assert "'N/A' (1)" in said and "'none' (1)" in said and "cat" not in said
    for name, days in (("days", ["2024-01-05", "2024-01-06"]), ("card", ["100CANON", "101CANON"])):
        place(tmp_path / name, [f"{day}/{i}.png" for day in days for i in range(3)])
        assert any("--pictures-only" in note for note in read_source(tmp_path / name).notes)
    place(tmp_path / "plain", [f"{c}/{i}.png" for c in ("cat", "2024 model") for i in range(3)])
    assert read_source(tmp_path / "plain").notes == []


@pytest.mark.parametrize("name", ["50% off", "cat.", "do\tg", "a:b"])
def test_an_image_joins_the_folder_that_its_class_has(name, tmp_path):
    place(tmp_path / "in", [f"{c}/{i}.png" for c in (name, "dog") for i in range(5)])
    bench = assay.create(tmp_path / "bench").add(
        tmp_path / "in", who="ann", progress=False, no_test=True
    )
    give(bench, "dog/0.png", label=name)
    out, notes = returned(bench, tmp_path / "out")
    assert read_source(out).frame.label.value_counts().to_dict() == {name: 6, "dog": 4}
    assert notes == []
    bench.mend_sources()
    again = read_source(tmp_path / "in").frame.label.value_counts()
    assert again.to_dict() == {name: 6, "dog": 4}


def test_links_that_lead_up_or_nowhere_break_no_export(tmp_path):
    place(tmp_path / "in", [f"{c}/{i}.png" for c in ("cat", "dog") for i in range(4)])
    (tmp_path / "in" / "up").symlink_to("..")
    (tmp_path / "in" / "cat" / "gone.png").symlink_to("/nowhere/x.png")
    with pytest.raises(UserError, match="gone.png"):
        assay.create(tmp_path / "no").add(tmp_path / "in", who="ann", progress=False, no_test=True)
    bench = assay.create(tmp_path / "bench")
    bench.add(tmp_path / "in", who="ann", progress=False, no_test=True, skip_bad=True)
    assert set(bench.frame().label) == {"cat", "dog"}, "a folder above is no class"
    give(bench, "dog/0.png", label="cat")
    out, _ = returned(bench, tmp_path / "out")
    assert os.readlink(out / "cat" / "gone.png") == "/nowhere/x.png"
    assert len(os.listdir(out / "cat")) == 6


def test_a_workbook_with_empty_rows_above_its_header_and_a_second_sheet_is_read(tmp_path):
    place(tmp_path, [f"img/{i}.png" for i in range(4)])
    frame = pd.DataFrame(
        dict(Bild=[f"img/{i}.png" for i in range(4)], Befund=["gut", "schlecht"] * 2)
    )
    with pd.ExcelWriter(tmp_path / "l.xlsx") as book:
        frame.to_excel(book, sheet_name="Tabelle1", index=False, startrow=2)
        pd.DataFrame(dict(note=["x"])).to_excel(book, sheet_name="Notizen", index=False)
    with pytest.raises(UserError, match="--sheet Tabelle1"):
        read_source(tmp_path / "l.xlsx")
    options = ImportOptions(sheet="Tabelle1", columns=dict(image="Bild", label="Befund"))
    assert list(read_source(tmp_path / "l.xlsx", options).frame.label) == ["gut", "schlecht"] * 2
