"""Stories of hostile input: text that means something to a terminal, a spreadsheet, a shell, a path, SQL or HTML comes back exactly, or is refused."""

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import assay
from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.text import (
    MAX_NAME,
    defuse_formulas,
    escape_controls,
    find_flaw,
    restore_formula,
    safe_name,
    write_csv,
)
from assay.curation.versioning import states
from assay.curation.versioning.decision_cells import read_decisions
from assay.pipelines.indexing.ingest import ingest
from tests.helpers import png, run_assay

NASTY = [
    *(
        "nan",
        "NaN",
        "None",
        "null",
        "NA",
        " ",
        "  x  ",
        "\t",
        "\n",
        "\r",
        "a\r\nb",
        "a\rb",
        "1.0",
        "007",
        "1e5",
        "-1",
        "true",
        "-",
        "--help",
    ),
    *(
        '"',
        "'",
        '""',
        "','",
        "a,b;c\td",
        "\\",
        "\\n",
        "%",
        "%2e",
        "a/b",
        "a%2fb",
        ".",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        ".hidden",
        "__MACOSX",
    ),
    *(
        "=1+1",
        '=HYPERLINK("http://x","y")',
        "@SUM(A1)",
        "+1+1",
        "'=1",
        "''=1",
        "'-1",
        "-2+3+cmd|' /C calc'!A0",
        "\t=1",
    ),
    *(
        "x'; drop table edits; --",
        '"; attach "x',
        "$upto",
        "?",
        "{0}",
        "%s",
        "a*.png",
        "[x].png",
        "x.parquet::3",
        "C:\\con",
        "train",
        "pool",
    ),
    *(
        "🐈",
        "👩‍🔬",
        "\u202egnp.exe",
        "\u200b",
        "e\u0301",
        "é",
        "\ufeff",
        "\u2028",
        "\x1b[2J\x1b]0;title\x07",
        "\x7f",
        "\x85",
        "\ue000",
        "😀" * 50,
    ),
    *("</script><img src=x onerror=alert(1)>", "&amp;", "[red]", "x" * MAX_NAME, "漢" * 60),
]
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from(
    "\"',;=+-@%/\\.\n\r\t \x1b$*[]:|<>é漢🐈\u202e"
)
TEXT = st.text(LETTERS, min_size=1, max_size=20) | st.sampled_from(NASTY)
CHECKS, PHASES = (
    list(HealthCheck),
    (Phase.explicit, Phase.generate),
)  # a failing example that is not shrunk is short enough
FEW = settings(
    max_examples=2, deadline=None, suppress_health_check=CHECKS, phases=PHASES, database=None
)
BIG = "x" * 10_000_000


def bench_of(folder, n=6, keys=None):
    """A bench of n grey images from a Parquet of bytes, a third of them test."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    table = dict(
        id=keys or [f"k{i}" for i in range(n)],
        image=[png(rng.integers(0, 255, (4, 4))) for _ in range(n)],
    )
    table |= dict(
        label=["cat", "dog"] * (n // 2) + ["cat"] * (n % 2),
        split=["train", "train", "test"] * (n // 3) + ["train"] * (n % 3),
    )
    pq.write_table(pa.table(table), folder / "p.parquet")
    bench = assay.create(folder / "bench")
    ingest(bench, folder / "p.parquet", "ann")
    return bench


def relabelled(bench, folder, labels):
    """Give these labels to train samples as a person would: by a CSV and the command line."""
    samples = list(bench.frame(split="train").index[: len(labels)])
    write_csv(
        defuse_formulas(pd.DataFrame(dict(sample=samples, label=labels, why=labels))),
        folder / "e.csv",
    )
    new = [f"--new-class={label}" for label in labels]
    status, _, err = run_assay("edit", folder / "e.csv", "--who", labels[0], *new, "-b", bench.path)
    assert status == 0, err
    return samples


def through(bench, folder, labels, samples):
    """Whether log, state and manifest, CSV and Parquet, say the same."""
    state = bench.state()
    assert list(state.label[samples]) == labels
    said = bench.query("select who, why from edits where batch like 'edit-%' order by seq")
    assert set(said.who) == {labels[0]} and list(said.why) == labels
    for i, manifest in enumerate(("manifest.csv", "manifest.parquet")):
        assert run_assay("export", "-o", folder / f"out{i}", "-b", bench.path)[0] == 0
        again = assay.create(folder / f"again{i}")
        ingest(again, folder / f"out{i}" / manifest, "bob")
        assert states.hash_tree(again.state()) == states.hash_tree(state), manifest
        assert list(again.state().key) == list(state[state.keep].key)


@pytest.mark.slow
def test_nasty_text_comes_back_from_edit_to_import(tmp_path):
    bench = bench_of(tmp_path, 3 * len(NASTY), [f"{text}#{i}" for i in range(3) for text in NASTY])
    through(bench, tmp_path, NASTY, relabelled(bench, tmp_path, NASTY))


@pytest.mark.daily
@FEW
@given(labels=st.lists(TEXT, min_size=8, max_size=20, unique=True))
def test_any_text_comes_back_from_edit_to_import(tmp_path_factory, labels):
    folder = tmp_path_factory.mktemp("any")
    bench = bench_of(folder, 39)
    through(bench, folder, labels, relabelled(bench, folder, labels))


@settings(FEW, max_examples=300)
@given(a=TEXT, b=TEXT)
@example(a="a/b", b="a%2fb")
@example(a=" a", b="a")
@example(a="x" * 201, b="x" * 202)
def test_a_folder_name_says_its_label_and_leads_nowhere(a, b):
    from urllib.parse import unquote

    name = safe_name(a)
    assert unquote(name) == a and (a == b or safe_name(b) != name)
    assert (
        name == os.path.basename(name)
        and name not in ("", ".", "..")
        and name[0] != "."
        and name.isprintable()
    )


@pytest.mark.slow
@settings(FEW, max_examples=300)
@given(text=TEXT)
@example(text="'-1")
@example(text="-1\n")
def test_no_cell_is_a_formula_and_the_label_is_still_itself(text):
    cell = defuse_formulas(pd.DataFrame(dict(x=[text]))).x[0]
    assert restore_formula(cell) == text
    assert cell[0] not in "=+-@\t\r" or re.fullmatch(r"[+-]?[\d.]+", cell)


def test_a_queue_that_went_through_a_spreadsheet_is_applied(tmp_path):
    odd = ["=1+1", "'=1+1", "-1", "+x", "@a", "x\ry"]
    bench = bench_of(tmp_path, 20)
    samples = relabelled(bench, tmp_path, odd)
    with open(
        tmp_path / "s.csv", "w", newline=""
    ) as f:  # as spreadsheets of many countries save it
        csv.writer(f, delimiter=";").writerows(
            [["sample", "label"], *zip(samples, ["'+x", "''=1+1", "'=1+1", "-1", "=1+1", "@a"])]
        )
    assert list(read_decisions(tmp_path / "s.csv").label) == [
        "+x",
        "'=1+1",
        "=1+1",
        "-1",
        "=1+1",
        "@a",
    ]
    assert run_assay("edit", tmp_path / "s.csv", "-b", bench.path)[0] == 0
    assert list(bench.state().label[samples]) == ["+x", "'=1+1", "=1+1", "-1", "=1+1", "@a"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["folders", "source"])
def test_class_folders_never_leave_their_folder_and_come_back(tmp_path, how):
    rng, labels = (
        np.random.default_rng(1),
        [label for label in NASTY if len(safe_name(label).encode()) < 255],
    )
    for i in range(len(labels)):
        place = tmp_path / "deep" / "src" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i} [x]*.png").write_bytes(png(rng.integers(0, 255, (4, 4))))
    bench = assay.create(tmp_path / "deep" / "bench")
    ingest(bench, tmp_path / "deep" / "src", "ann")
    frame = bench.frame()
    with bench.transaction() as con:  # also of test samples, which no edit may touch
        bench.append(
            con,
            pd.DataFrame(
                dict(sample=frame.index, field="label", value=list(map(json.dumps, labels)))
            ),
            "edit-x",
            "eve",
        )
    before = set(tmp_path.rglob("*"))
    assert (
        run_assay("export", "--format", how, "-o", tmp_path / "deep" / "out", "-b", bench.path)[0]
        == 0
    )
    made = set(tmp_path.rglob("*")) - before
    assert made and all(tmp_path / "deep" / "out" in (p, *p.parents) for p in made)
    again = assay.create(tmp_path / "again")
    ingest(again, tmp_path / "deep" / "out" / ("" if how == "folders" else "src"), "bob")
    state = bench.state()
    # folders of somebody else are read as they are called: an export says so in a note
    want = state.label if how == "folders" else state.label.map(foreign_name)
    assert dict(zip(again.state().content_hash, again.state().label)) == dict(
        zip(state.content_hash, want)
    )


def foreign_name(label):
    """A folder of somebody else may have a % in its name; what no system takes is written as %xx."""
    name = safe_name(label)
    return label if name.replace("%25", "%") == label else name


@pytest.mark.slow
def test_a_table_that_would_say_something_else_is_refused(tmp_path):
    bench = bench_of(tmp_path)
    for label in ("nan", " "):
        relabelled(bench, tmp_path, [label])
        refused(bench, ["export", "--format", "source", "-o", tmp_path / "x"], "--format manifest")
        assert not (tmp_path / "x").exists()


def refused(bench, command, *words):
    """Exit status 2, an error that one can read, and a bench as it was."""
    before, rows = bench.state(), bench.rows("select count(*) from edits")
    status, out, err = run_assay(*command, "-b", bench.path)
    assert (
        status == 2
        and not out
        and err.startswith("error: ")
        and "\nhint: " in err
        and "Traceback" not in err
    ), err[:3000]
    assert all(word in err for word in words), err[:3000]
    assert len(err) < 5_000 and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", err)
    assert bench.rows("select count(*) from edits") == rows
    pd.testing.assert_frame_equal(bench.state(), before)


LONG = {
    "a label": ("label", BIG, "10,000,000 characters"),
    "a why": ("why", "y" * 100_000, "100,000 characters"),
    "a tag": ("tag", "t" * 301, "301 characters"),
    "a sample": ("sample", "s" * 100_000, "no such sample"),
    "a split": ("split", "s" * 100_000, "expected split"),
    "a number": ("seconds", "9" * 100_000 + "x", "seconds"),
    "an unknown label": ("label", "l" * 100_000, "100,000 characters"),
    "a NUL": ("tag", "a\0b", "NUL"),
    "an escape": ("label", "\x1b[2J", "\\x1b[2J"),
    "a column": ("label" + "c" * 100_000, "x", "expected columns"),
    "an open quote": ("label", '"open', "expected a CSV"),
}


@pytest.mark.parametrize("name", LONG)
def test_what_no_log_should_hold_is_refused_whole(tmp_path, name):
    column, text, word = LONG[name]
    bench = bench_of(tmp_path)
    a, b = bench.frame(split="train").index[:2]
    row = dict(sample=a, label="dog") | {column: text}
    cells = [f'"{c}"' if c[0] != '"' else c for c in row.values()]
    (tmp_path / "e.csv").write_text(
        f"{','.join(row)}\n{b}{',dog' * (len(row) - 1)}\n{','.join(cells)}\n", newline=""
    )
    refused(bench, ["edit", tmp_path / "e.csv"], word)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["w" * 301, "half \ud83d", "\udcff"])
def test_no_option_carries_it_in(tmp_path, text):
    bench = bench_of(tmp_path)
    (tmp_path / "e.csv").write_text(f"sample,keep\n{bench.frame(split='train').index[0]},false\n")
    refused(bench, ["edit", tmp_path / "e.csv", "--who", text], "--who")
    refused(bench, ["edit", tmp_path / "e.csv", "--new-class", text], "--new-class")
    refused(bench, ["commit", "-m", text * 20], "--message")
    refused(bench, ["import", tmp_path / "p.parquet", "--as", text], "--as")
    with pytest.raises(UserError, match="source's name"):
        ingest(bench, tmp_path / "p.parquet", "ann", ImportOptions(name=text))
    frame = pd.DataFrame(
        [dict(sample=bench.frame(split="train").index[0], keep="false", why=text * 20)],
        dtype=object,
    )
    with pytest.raises(UserError, match="its why"):
        bench.edit(frame, "ann")


@pytest.mark.slow
@pytest.mark.parametrize("column", ["label", "key"])
@pytest.mark.parametrize("text", [BIG, "a\0b"])
def test_a_source_may_not_bring_it_either(tmp_path, column, text):
    bench = bench_of(tmp_path / "old")
    rng = np.random.default_rng(5)
    table = dict(
        id=list("abcde"),
        image=[png(rng.integers(0, 255, (4, 4))) for _ in "abcde"],
        label=list("xyxxy"),
        split=["pool"] * 5,
    )
    table["id" if column == "key" else column][1] = text
    pq.write_table(pa.table(table), tmp_path / "q.parquet")
    refused(bench, ["import", tmp_path / "q.parquet"], "row 1", f"{column} that", "--skip-bad")
    (tmp_path / "long.csv").write_text(f"path,label\n{BIG},x\n")
    refused(bench, ["import", tmp_path / "long.csv"], "10,000,000 characters")
    (tmp_path / "split.csv").write_text(
        f"path,label,split\na.png,x,{'s' * 100_000}\nb.png,y,train\n"
    )
    refused(bench, ["import", tmp_path / "split.csv"])
    assert run_assay("import", tmp_path / "q.parquet", "--skip-bad", "-b", bench.path)[0] == 0
    assert (
        bench.state().source.eq("q.parquet").sum() == 4
        and max(map(len, bench.query("select * from left_out").iloc[0])) < 1200
    )


@pytest.mark.slow
def test_keys_and_file_names_mean_nothing(tmp_path):
    """Names that are patterns, SQL, or look like a row of a Parquet file are files like any other."""
    rng, src = np.random.default_rng(2), tmp_path / "src"
    names = [
        "a*",
        "[x]",
        "x'; drop table edits; --",
        "p.parquet::3",
        "$(reboot)",
        "-rf",
        "\x1b[2J",
        "a\nb",
        "🐈\u202e",
    ]
    names = [f"{name}.png" for name in names]
    for i, name in enumerate(names):
        (src / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        (src / "ab"[i % 2] / name).write_bytes(png(rng.integers(0, 255, (4, 4))))
    (src / "a" / "secret.png").symlink_to("/etc/passwd")
    status, _, err = run_assay("import", src, "-b", tmp_path / "bench")
    assert status == 2 and "secret.png: is not an image" in err
    (src / "a" / "secret.png").unlink()
    status, out, _ = run_assay("import", src, "-b", tmp_path / "bench")
    assert status == 0 and "\x1b" not in out
    bench = assay.open(tmp_path / "bench")
    assert {Path(k).name for k in bench.state().key} == set(names) and bench.rows(
        "select count(*) from edits"
    )[0][0] > 18
    for how in ("manifest", "folders", "source"):
        out = tmp_path / how
        assert run_assay("export", "--format", how, "--copy", "-o", out, "-b", bench.path)[0] == 0
        again = assay.create(tmp_path / f"from {how}")
        ingest(again, out / "src" if how == "source" else out, "bob")
        assert sorted(again.state().content_hash) == sorted(bench.state().content_hash)


@pytest.mark.slow
def test_a_manifest_row_called_like_a_parquet_row_is_a_file(tmp_path):
    bench = bench_of(tmp_path)
    assert run_assay("export", "-o", tmp_path / "out", "--copy", "-b", bench.path)[0] == 0
    table = pd.read_csv(tmp_path / "out" / "manifest.csv")
    for i, path in enumerate(table.path):
        os.rename(tmp_path / "out" / path, tmp_path / "out" / f"x.parquet::{i}")
    table.assign(path=[f"x.parquet::{i}" for i in table.index]).to_csv(
        tmp_path / "out" / "m.csv", index=False
    )
    assert run_assay("import", tmp_path / "out" / "m.csv", "-b", tmp_path / "b")[0] == 0
    assert states.hash_tree(assay.open(tmp_path / "b").state()) == states.hash_tree(bench.state())


@pytest.mark.slow
@pytest.mark.parametrize("meta", ["[" * 60_000, "not json", '{"key": "../../x", "label": "y"}'])
def test_a_forged_manifest_says_nothing_but_its_rows(tmp_path, meta):
    bench = bench_of(tmp_path)
    run_assay("export", "-o", tmp_path / "out", "--copy", "-b", bench.path)
    table = pd.read_csv(tmp_path / "out" / "manifest.csv").assign(
        meta=meta, key="../../etc/passwd", source="'; --"
    )
    table.to_csv(tmp_path / "out" / "manifest.csv", index=False)
    assert run_assay("import", tmp_path / "out", "-b", tmp_path / "b")[0] == 0
    assert states.hash_tree(assay.open(tmp_path / "b").state()) == states.hash_tree(bench.state())
    for how in ("folders", "source", "manifest"):
        assert (
            run_assay(
                "export", "--format", how, "-o", tmp_path / "x" / "y" / how, "-b", tmp_path / "b"
            )[0]
            == 0
        )
    assert {p.name for p in (tmp_path / "x").iterdir()} == {"y"} and len(
        list((tmp_path / "x" / "y").iterdir())
    ) == 3


@pytest.mark.slow
def test_the_terminal_shows_control_characters_and_obeys_none(tmp_path):
    evil = "\x1b]0;owned\x07\x9b2J\u202egnp.exe"
    bench = bench_of(tmp_path, keys=[f"{evil}{i}" for i in range(6)])
    relabelled(bench, tmp_path, [evil])
    for verb in ("status", "log"):
        status, out, err = run_assay(verb, "-b", bench.path)
        assert status == 0 and not set("\x1b\x07\x9b\u202e") & set(out + err)
    assert (
        "\\x1b]0;owned"
        in run_assay("import", tmp_path / "p.parquet", "--as", evil, "-b", tmp_path / "b")[1]
    )
    assert "\\x1b]0;owned\\x07\\x9b2J\\u202egnp.exe" in run_assay("status", "-b", bench.path)[1]
    assert evil in json.loads(run_assay("status", "--json", "-b", bench.path)[1])["classes"], (
        "data are exact"
    )
    (tmp_path / "e.csv").write_text(f"sample,label\n{evil},x\n")
    refused(bench, ["edit", tmp_path / "e.csv"], "no such sample", "\\x1b]0;owned")
    assert escape_controls("👩‍🔬 ok\n") == "👩‍🔬 ok\n"


def test_the_report_escapes_what_it_is_told():
    from markupsafe import Markup

    from assay.pipelines.reports.templates import PARTS

    evil = '</script><img src=x onerror="alert(1)">\'&'
    figure = dict(jpeg=b"x", name=evil, was=evil, now=evil, text=evil)
    page = (
        PARTS.about(evil)
        + PARTS.part(evil, evil, evil)
        + PARTS.terms("cards", [(evil, evil)])
        + PARTS.table([evil], [[evil, evil]])
        + PARTS.folded(evil, evil)
        + PARTS.figures([figure], Markup("{} {}"))
        + PARTS.strip([figure])
    )
    assert "<img src=x" not in page and "</script" not in page and 'onerror="' not in page


def test_a_readable_error_is_short():
    e = UserError(f"expected x, found {BIG}\n  {BIG}", BIG)
    assert len(str(e)) < 4_000 and "9,999,0" in str(e) and len(str(e).splitlines()) == 3
    assert [
        find_flaw(t) is None for t in ("x" * 300, "x" * 301, "\0", "\ud800", "\udfff", "\x1b", "")
    ] == [
        True,
        False,
        False,
        False,
        False,
        True,
        True,
    ]
