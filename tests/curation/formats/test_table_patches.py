"""Stories about tables that come back: text differs in the changed cells alone, files keep all else."""

import csv
import io
import json
from zipfile import ZipFile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Font, PatternFill

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from assay.curation.formats.tables import FORMAT
from assay.curation.formats.text_patches import (
    patch_csv,
    patch_json,
    patch_json_lines,
    rewrite_text,
)
from tests.curation.formats.test_read import folder, refused, table

CELLS = st.text("ab\"\n\r,;\t|' é🐈", max_size=6)
NEW = st.one_of(st.none(), st.text('ab"\n,;é ', min_size=1, max_size=4))


def quote(cell):
    return '"' + cell.replace('"', '""') + '"'


@st.composite
def csv_texts(draw):
    """(the raw cells of each line, separator, line end): quoted where they must be, or by chance."""
    separator, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n"]))
    header = ["image", "label", "other"]
    lines = [[quote(h) if draw(st.booleans()) else h for h in header]]
    for i in range(draw(st.integers(0, 5))):
        cells = [f"{i}.png", draw(CELLS), draw(CELLS)]
        must = [bool(set(cell) & set('"\r\n' + separator)) for cell in cells]
        quoted = [quote(c) if m or draw(st.booleans()) else c for c, m in zip(cells, must)]
        lines.append(quoted)
    return lines, separator, end


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(csv_texts(), st.data())
def test_a_csv_differs_in_the_changed_cells_alone(made, data):
    raw, separator, end = made
    blanks = [data.draw(st.sampled_from(["", end])) for _ in raw]
    last = data.draw(st.sampled_from(["", end]))
    first, at = [], 1
    for line, blank in zip(raw, blanks):
        at += bool(blank)
        first.append(at)
        row = separator.join(line)
        # as Python's text files count lines: \r, \n and \r\n end one
        at += len(io.StringIO(row + end, newline="").readlines())
    blanks[0], first = "", [f - bool(blanks[0]) for f in first]

    def text_of(lines):
        rows = [blank + separator.join(line) for blank, line in zip(blanks, lines) if line]
        return end.join(rows) + last

    rows = range(1, len(raw))
    gone = {i for i in rows if data.draw(st.booleans()) and i < len(raw) - 1 and not blanks[i]}
    cells = {i: data.draw(NEW) for i in rows if data.draw(st.booleans())}
    want = [None if i in gone else list(line) for i, line in enumerate(raw)]
    for i, cell in cells.items():
        if i not in gone:
            must = raw[i][1].startswith('"') or set(cell or "") & set('"\r\n' + separator)
            want[i][1] = quote(cell or "") if must else cell or ""
    changes = {first[i]: {"label": cell} for i, cell in cells.items()}
    assert patch_csv(text_of(raw), changes, {first[i] for i in gone}) == text_of(want)
    assert patch_csv(text_of(raw), {}, set()) == text_of(raw)


VALUES = st.sampled_from(
    [
        "1",
        "-0",
        "1.50e3",
        "NaN",
        '"a\\u00e9"',
        '"é"',
        '"\\/"',
        "null",
        "[1 ,2]",
        '{"a" : {} }',
        "true",
    ]
)
SPACE = st.sampled_from(["", " ", "\n  "])


@st.composite
def json_objects(draw, names=("image", "label", "x")):
    """The raw pieces of an object: [(before, name, colon, value)], and what closes it."""
    names = draw(st.permutations(names))
    members = [
        (draw(SPACE), f'"{n}"', draw(SPACE) + ":" + draw(SPACE), draw(VALUES)) for n in names
    ]
    return members, draw(SPACE)


def write_object(made, new=None):
    members, close = made
    parts = [
        before + name + colon + (new if name == '"label"' and new is not None else value)
        for before, name, colon, value in members
    ]
    return "{" + ",".join(parts) + close + "}"


@given(st.lists(json_objects(), min_size=1, max_size=5), st.data())
def test_json_differs_in_the_changed_values_alone(objects, data):
    before = data.draw(st.sampled_from(["", " ", "\n\n"]))
    labels = {i: data.draw(NEW) for i in range(len(objects)) if data.draw(st.booleans())}

    def text_of(new):
        inside = ("," + before).join(write_object(o, new.get(i)) for i, o in enumerate(objects))
        return f'{{"info": [1.0], "rows":[{before}{inside}\n] }}'

    text = text_of({})
    dumped = {i: json.dumps(v, ensure_ascii=text.isascii()) for i, v in labels.items()}
    from assay.curation.formats.json_tables import Shape

    cells = {i: {"label": v} for i, v in labels.items()}
    assert patch_json(text, Shape("rows", "rows"), cells, set()) == text_of(dumped)
    gone = {i for i in range(len(objects)) if data.draw(st.booleans())}
    left = json.loads(patch_json(text, Shape("rows", "rows"), cells, gone))["rows"]
    assert [row["image"] for row in left if row["image"] == row["image"]] == [
        row["image"]
        for i, row in enumerate(json.loads(text)["rows"])
        if i not in gone and row["image"] == row["image"]
    ]


@given(st.lists(json_objects(), min_size=1, max_size=5), st.data())
def test_json_lines_differ_in_the_changed_values_alone(objects, data):
    end = data.draw(st.sampled_from(["\n", "\r\n", "\n\n"]))
    raw = [write_object(o).replace("\n", " ") for o in objects]
    labels = {i: data.draw(NEW) for i in range(len(objects)) if data.draw(st.booleans())}
    gone = {i for i in range(len(objects)) if data.draw(st.booleans())}
    plain = end.join(raw).isascii()
    want = [
        write_object(o, json.dumps(labels[i], ensure_ascii=plain) if i in labels else None).replace(
            "\n", " "
        )
        for i, o in enumerate(objects)
    ]
    step = 2 if end == "\n\n" else 1
    cells = {1 + step * i: {"label": v} for i, v in labels.items()}
    text = "".join(line + end for line in raw)
    out = patch_json_lines(text, cells, {1 + step * i for i in gone})
    blank = "\n" if step == 2 else None
    kept = [line + end if i not in gone else blank for i, line in enumerate(want)]
    assert out == "".join(line for line in kept if line)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_encoding_and_mark_stay(mark, tmp_path):
    codec = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(mark, "utf-8")
    text = 'image,label\r\n"ä.png",cat\r\nb.png,"dög"'
    (tmp_path / "a.csv").write_bytes(mark + text.encode(codec))
    change = lambda t: patch_csv(t, {3: {"label": "katze"}}, set())  # noqa: E731
    rewrite_text(tmp_path / "a.csv", tmp_path / "b.csv", change)
    want = mark + text.replace("dög", "katze").encode(codec)
    assert (tmp_path / "b.csv").read_bytes() == want


# ---- plans


def changes_of(*rows):
    """Changes as the bench lists them: key, given label, label, split, removed."""
    columns = ["key", "given_label", "label", "split", "removed"]
    return (
        pd.DataFrame(rows, columns=columns).astype(object).assign(uri="").astype({"removed": bool})
    )


def patched(path, *rows, **options):
    patch = FORMAT.patch(path, changes_of(*rows), ImportOptions(**options))
    target = path.with_name(f"new{path.suffix}")
    patch.rewritten[""](target)
    return target, patch.notes


def test_whole_numbers_stay_as_they_were_written(tmp_path):
    rows = [("path", "target"), ("1.png", "3.0"), ("2.png", "4.0"), ("3.png", "")]
    out, notes = patched(table(tmp_path, rows), ("1.png", "3", "4", None, False))
    assert [r[1] for r in csv.reader(open(out))] == ["target", "4.0", "4.0", ""] and notes == []
    folder(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "m.jsonl").write_text(
        '{"image":"a.png","y":1}\n{"image":"b.png","y":2}\n{"image": "c.png"}'
    )
    out, _ = patched(
        tmp_path / "m.jsonl", ("a.png", "1", "2", None, False), ("c.png", None, "1", None, False)
    )
    want = '{"image":"a.png","y":2}\n{"image":"b.png","y":2}\n{"image": "c.png", "y": 1}'
    assert out.read_text() == want


def test_a_new_class_gets_the_next_number(tmp_path):
    rows = [
        ("path", "label", "label_name"),
        *((f"{i}.png", str(i % 2), "ab"[i % 2]) for i in range(4)),
    ]
    out, notes = patched(table(tmp_path, rows), ("1.png", "b", "new", None, False))
    assert list(csv.reader(open(out)))[2] == ["1.png", "2", "new"] and "new is 2" in notes[0]


def test_splits_are_said_in_the_sources_own_words(tmp_path):
    rows = [
        ("path", "label", "subset"),
        ("1.png", "a", "training_set"),
        ("2.png", "b", "training_set"),
        ("3.png", "a", "eval"),
        ("4.png", "b", ""),
    ]
    moves = ("1.png", "a", "a", "val", False), ("3.png", "a", "a", "test", False)
    out, notes = patched(table(tmp_path, rows), *moves, ("4.png", "b", "b", "train", False))
    assert [r[2] for r in csv.reader(open(out))][1:] == [
        "eval",
        "training_set",
        "test",
        "training_set",
    ]
    flags = [
        ("path", "label", "is_test"),
        ("1.png", "a", "no"),
        ("2.png", "b", "yes"),
        ("3.png", "b", "no"),
    ]
    out, notes = patched(
        table(tmp_path, flags),
        ("1.png", "a", "a", "test", False),
        ("3.png", "b", "a", "val", False),
    )
    assert [r[1:] for r in csv.reader(open(out))][1:] == [["a", "yes"], ["b", "yes"], ["a", "no"]]
    assert "is_test knows no val" in notes[0]
    bare = [("path", "label"), ("1.png", "a"), ("2.png", "b")]
    patch = FORMAT.patch(
        table(tmp_path, bare), changes_of(("1.png", "a", "a", "test", False)), ImportOptions()
    )
    assert patch.rewritten == {} and "no column of splits" in patch.notes[0]


def test_a_source_that_says_something_else_by_now_is_refused(tmp_path):
    path = table(tmp_path, [("path", "label"), ("1.png", "a"), ("2.png", "b")])
    for key, given_label, word in (("1.png", "b", "label a"), ("9.png", "b", "no row 9.png")):
        with pytest.raises(UserError, match=word):
            patched(path, (key, given_label, "c", None, False))
    done = FORMAT.patch(path, changes_of(("1.png", "x", "a", None, False)), ImportOptions())
    assert done.rewritten == {}, "it says so already"


def test_corrections_are_a_small_file_of_its_kind(tmp_path):
    path = table(
        tmp_path, [("path", "label"), *((f"{i}.png", "ab"[i % 2]) for i in range(6))], delimiter=";"
    )
    changes = changes_of(("1.png", "b", "a", None, False), ("4.png", "a", "a", None, True))
    FORMAT.write_corrections(path, changes, ImportOptions(), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b"path;label\r\n1.png;a\r\n"
    assert (tmp_path / "out.removed.csv").read_bytes() == b"path;label\r\n4.png;a\r\n"
    rows = [{"image": f"{i}.png", "label": "ab"[i % 2]} for i in range(6)]
    (tmp_path / "m.json").write_text(json.dumps(rows))
    FORMAT.write_corrections(tmp_path / "m.json", changes, ImportOptions(), tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == [{"image": "1.png", "label": "a"}]


# ---- binary files


def write_parquet(path):
    schema = pa.schema(
        [
            pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            pa.field("label", pa.int32(), nullable=False, metadata={b"unit": b"class"}),
            pa.field("when", pa.timestamp("ms", "UTC")),
            pa.field("tags", pa.list_(pa.large_string())),
        ],
        metadata={b"made by": b"me", b"notes": b"{}"},
    )
    rows = [
        dict(
            image=dict(bytes=bytes([i]) * 50, path=None), label=i % 3, when=i, tags=["x"] * (i % 2)
        )
        for i in range(20)
    ]
    codecs = {"image.bytes": "NONE", "image.path": "NONE", "label": "ZSTD", "when": "GZIP"}
    table = pa.Table.from_pylist(rows, schema)
    pq.write_table(
        table, path, row_group_size=6, compression=codecs | {"tags.list.element": "SNAPPY"}
    )


def describe_parquet(path):
    meta = pq.ParquetFile(path).metadata
    groups = [meta.row_group(g) for g in range(meta.num_row_groups)]
    columns = [[g.column(i) for i in range(g.num_columns)] for g in groups]
    return (
        [g.num_rows for g in groups],
        [
            [(c.path_in_schema, c.compression, c.encodings, c.is_stats_set) for c in g]
            for g in columns
        ],
        meta.format_version,
        {k: v for k, v in meta.metadata.items() if k != b"ARROW:schema"},
    )


def test_parquet_keeps_schema_metadata_groups_and_compression(tmp_path):
    path = tmp_path / "p.parquet"
    write_parquet(path)
    old = pq.read_table(path)
    out, _ = patched(path, ("7", "1", "2", None, False), ("19", "1", "0", None, False))
    new = pq.read_table(out)
    assert new.schema.equals(old.schema, check_metadata=True)
    assert describe_parquet(out) == describe_parquet(path)
    want = old["label"].to_pylist()
    want[7], want[19] = 2, 0
    assert new["label"].to_pylist() == want
    assert new.drop_columns("label").equals(old.drop_columns("label"))
    with pytest.raises(UserError, match="int32"):
        patched(path, ("7", "1", "cat", None, False))
    out, notes = patched(path, ("6", "0", "0", None, True), ("0", "0", "0", None, True))
    assert describe_parquet(out)[0] == [5, 5, 6, 2] and not notes, "the bench follows the rows"


@pytest.mark.parametrize("codec", [None, "lz4", "zstd"])
@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_keeps_batches_and_compression(codec, kind, tmp_path):
    paths = folder(tmp_path, *(f"{i}.png" for i in range(20)))
    schema = pa.schema([("path", pa.string()), ("label", pa.string())], metadata={b"a": b"b"})
    parts = [
        pa.record_batch(
            [[f"{i}.png" for i in part], ["cat" if i % 2 == 0 else "dog" for i in part]], schema
        )
        for part in (range(8), range(8, 16), range(16, 20))
    ]
    rows = pa.Table.from_batches(parts)
    options = pa.ipc.IpcWriteOptions(compression=codec)
    make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with make(str(paths / "r.arrow"), schema, options=options) as out:
        for part in parts:
            out.write_batch(part)
    new, _ = patched(paths / "r.arrow", ("9.png", "dog", "cat", None, False))
    source = pa.memory_map(str(new))
    read = pa.ipc.open_file(source) if kind == "file" else pa.ipc.open_stream(source)
    found = read.read_all()
    assert found.schema.equals(schema, check_metadata=True)
    assert [len(c) for c in found["label"].chunks] == [8, 8, 4]
    want = rows["label"].to_pylist()
    want[9] = "cat"
    assert found["label"].to_pylist() == want
    back, _ = patched(new, ("9.png", "cat", "dog", None, False))
    if codec:  # else padding differs
        assert back.read_bytes() == (paths / "r.arrow").read_bytes(), "there and back is the same"


def write_workbook(path, formula=False):
    book = Workbook()
    sheet = book.active
    sheet.title = "Images & labels"
    rows = [("path", "label", "n"), *((f"{i}.png", "ab"[i % 2], i) for i in range(6))]
    for row in rows:
        sheet.append(row)
    sheet["A1"].font, sheet["B3"].fill = Font(bold=True), PatternFill("solid", "FFFF00")
    if formula:
        sheet["D2"] = "=SUM(C2:C7)"
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=3, min_row=1, max_row=7))
    sheet.add_chart(chart, "F2")
    book.create_sheet("Empty")
    book.save(path)
    return rows


def cells_of(path):
    sheet = load_workbook(path)["Images & labels"]
    return [row[:3] for row in sheet.iter_rows(values_only=True)], sheet


def test_a_workbook_keeps_styles_charts_and_other_sheets(tmp_path):
    folder(tmp_path, *(f"{i}.png" for i in range(6)))
    path = tmp_path / "book.xlsx"
    want = write_workbook(path)
    assert len(read_source(path).frame) == 6
    changes = ("1.png", "b", "a", None, False), ("2.png", "a", "<new> & 'x'", None, False)
    out, _ = patched(path, *changes, ("4.png", "a", "a", None, True))
    want[2], want[3] = ("1.png", "a", 1), ("2.png", "<new> & 'x'", 2)
    del want[5]
    found, sheet = cells_of(out)
    assert found == want and sheet["A1"].font.bold and sheet["B3"].fill.fgColor.rgb == "00FFFF00"
    with ZipFile(path) as old, ZipFile(out) as new:
        assert old.namelist() == new.namelist()
        other = [n for n in old.namelist() if old.read(n) != new.read(n)]
    assert other == ["xl/worksheets/sheet1.xml"]


def test_a_row_that_a_formula_may_name_stays_empty(tmp_path):
    folder(tmp_path, *(f"{i}.png" for i in range(6)))
    want = write_workbook(tmp_path / "book.xlsx", formula=True)
    out, _ = patched(tmp_path / "book.xlsx", ("4.png", "a", "a", None, True))
    want[5] = (None, None, None)
    found, sheet = cells_of(out)
    assert found == want and sheet["D2"].value == "=SUM(C2:C7)"


def test_several_sheets_are_asked_about(tmp_path):
    folder(tmp_path, "1.png", "2.png")
    with pd.ExcelWriter(tmp_path / "b.xlsx") as book:
        for i, name in enumerate(("first", "my second")):
            rows = dict(path=["1.png", "2.png"], label=[["a", "b"], ["c", "d"]][i])
            pd.DataFrame(rows).to_excel(book, sheet_name=name, index=False)
    refused(tmp_path / "b.xlsx", "found 2", hint="--sheet 'my second'")
    source = read_source(tmp_path / "b.xlsx", ImportOptions(sheet="my second"))
    assert list(source.frame.label) == ["c", "d"] and "first" in source.notes[0]


@pytest.mark.parametrize("label", ["nan", " ", "1.0"])
def test_a_label_that_would_be_read_as_another_is_refused(label, tmp_path):
    path = table(tmp_path, [("path", "label"), ("1.png", "a"), ("2.png", "2.0")])
    with pytest.raises(UserError, match="would be read as"):
        patched(path, ("1.png", "a", label, None, False))
