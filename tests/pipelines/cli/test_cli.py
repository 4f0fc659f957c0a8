"""The command line as a person meets it: one sample's story from folder to report, and every bad input refused in plain words."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import assay
from tests.helpers import ROOT, bench_of, digits, digits_bench, folders, png, run_assay


@pytest.mark.daily
def test_the_story_of_one_sample(tmp_path):
    """A three that was filed under eight: imported, suspected, corrected, committed, retrained on, reported, exported, imported elsewhere."""
    table = digits(500, wrong=0)
    victim = table[(table.truth == "3") & (table["split"] == "train")].index[0]
    table.loc[victim, "label"] = "8"
    name = f"train/8/{table.id[victim]}.png"
    src, bench = folders(tmp_path / "digits", table), tmp_path / "bench"
    status, out, _ = run_assay("import", src, "-b", bench, "--who", "ann", "--audited-test")
    added, *read, then = out.splitlines()
    assert status == 0 and added == (
        "digits: 500 samples added; the bench holds 500 in 10 classes (300 train, 100 val, 100 test)"
    )
    assert read[0].startswith("read as: ") and then == f"next: assay scan -b {bench}"
    assert run_assay("scan", "-b", bench, "--embedder", "pixels")[0] == 0

    queue = tmp_path / "queue.csv"
    assert run_assay("queue", "-n", "20", "--csv", queue, "-b", bench)[0] == 0
    rows = list(csv.DictReader(queue.open()))
    mine = next(r for r in rows if r["source_id"] == name)
    assert (
        (mine["given_label"], mine["suggested_label"]) == ("8", "3")
        and int(mine["rank"]) <= 3
        and "not seen it" in mine["reason"]
    )

    with queue.open(
        "w", newline=""
    ) as f:  # as a spreadsheet saves it: a column label, filled for one row
        out = csv.DictWriter(f, list(rows[0]))
        out.writeheader()
        out.writerows(r | dict(label="3" if r is mine else "") for r in rows)
    status, out, _ = run_assay("edit", queue, "--who", "ann", "--why", "it is a three", "-b", bench)
    assert status == 0 and "1 edit on 1 sample by ann" in out and "re-scored" in out
    assert run_assay("commit", "-m", "one fixed", "--who", "ann", "-b", bench)[1].startswith(
        "v2: tree "
    )
    log = json.loads(run_assay("log", "--batches", "--json", "-b", bench)[1])["rows"]
    assert [r["kind"] for r in log] == ["batch", "commit", "batch", "commit"] and log[2][
        "why"
    ] == "it is a three"

    plan = tmp_path / "plan.toml"
    plan.write_text('versions = ["v1", "v2"]\narchitectures = ["probe"]\nseeds = 2\n')
    status, out, _ = run_assay("experiment", plan, "-b", bench)
    assert status == 0 and "no evidence either way" in out and "100 test" in out
    assert "no evidence either way" in (bench / "report.html").read_text(), (
        "beside the data it is about"
    )
    found = json.loads(
        run_assay("report", "--json", "-o", tmp_path / "report.html", "-b", bench)[1]
    )
    (bench / "plan.json").write_text('{"versions": ["v1"')
    for verb in (["report"], ["gate", "--min-gain", "1"]):
        status, _, err = run_assay(*verb, "-b", bench)
        assert (
            status == 2
            and "plan.json, found it damaged" in err
            and "hint: assay experiment PLAN.toml writes it anew" in err
        )
    assert {"interval", "interaction", "control", "verdict", "n_test", "seeds", "tree"} <= set(
        found
    ) and found["n_test"] == 100

    out = tmp_path / "out"
    tree = json.loads(run_assay("export", "--version", "v2", "-o", out, "--json", "-b", bench)[1])[
        "tree"
    ]
    assert tree == found["tree"]["v2"]
    line = next(r for r in csv.DictReader((out / "manifest.csv").open()) if r["key"] == name)
    assert (line["label"], line["given_label"]) == ("3", "8") and list(line)[0] == "sample_id"
    assert run_assay("import", out / "manifest.csv", "-b", tmp_path / "elsewhere")[0] == 0
    again = json.loads(
        run_assay("export", "-o", tmp_path / "out2", "--json", "-b", tmp_path / "elsewhere")[1]
    )
    assert again["tree"] == tree, "the same data elsewhere have the same tree"
    run_assay("export", "--format", "source", "-o", tmp_path / "fixed", "-b", bench)
    fixed = tmp_path / "fixed" / "digits" / "train" / "3" / f"{table.id[victim]}.png"
    assert fixed.read_bytes() == table.image[victim], (
        "its own layout, with the file in the right folder"
    )
    run_assay("export", "--format", "folders", "-o", tmp_path / "classes", "--copy", "-b", bench)
    assert len(list((tmp_path / "classes" / "train").glob("*/*.png"))) == 300
    status, out, _ = run_assay("status", "-b", bench)
    assert status == 0 and "reviewed 1, of which 1 were wrong" in out
    now = assay.open(bench).frame()
    counts = now.label[now["split"] != "test"].value_counts()
    assert "classes  without test: " in out and all(
        f"{label} {n}" in out for label, n in counts.items()
    )


@pytest.mark.slow
def test_importing_again_is_a_set_of_edits(tmp_path):
    table = digits(100, wrong=0)
    src, bench = folders(tmp_path / "src", table), tmp_path / "bench"
    run_assay("import", src, "-b", bench)
    assert "0 samples added" in run_assay("import", src, "-b", bench)[1]
    first = table[table["split"] == "train"].iloc[0]
    file = src / "train" / first.label / f"{first.id}.png"
    file.write_bytes(
        png(255 - np.asarray(Image.open(io.BytesIO(first.image))))
    )  # changed bytes at a known key
    removed = table[table["split"] == "train"].iloc[1]
    (src / "train" / removed.label / f"{removed.id}.png").unlink()
    status, out, _ = run_assay("import", src, "-b", bench, "--json")
    found = json.loads(out)
    assert (found["added"], found["removed"], found["samples"]) == (1, 2, 99)
    state = assay.open(bench).state()
    new = state[state.parent.notna()].iloc[0]
    assert new.label == first.label and not state.keep[new.parent]
    other = folders(tmp_path / "other" / "src", table.head(30))
    assert run_assay("import", other, "-b", bench, "--as", "second", "--refreeze-test")[0] == 0
    assert assay.open(bench).state().keep.sum() == 129, (
        "the same names in another source are other samples"
    )
    for split in ("val", "train"):
        for path in list((src / split).rglob("*.png"))[:15]:
            path.unlink()
    status, _, err = run_assay("import", src, "-b", bench)
    assert status == 2 and "gone" in err and "--yes" in err
    assert run_assay("import", src, "-b", bench, "--yes")[0] == 0


@pytest.mark.slow
def test_a_correction_survives_a_new_import(tmp_path):
    """A person relabelled a sample; the source says something new about it: the person's word stands, and is reported."""
    table = digits(60, wrong=0)
    (tmp_path / "img").mkdir()
    for row in table.itertuples():
        (tmp_path / "img" / f"{row.id}.png").write_bytes(row.image)
    manifest, bench = tmp_path / "m.csv", tmp_path / "bench"
    rows = table.assign(path="img/" + table.id + ".png")[["id", "path", "label", "split"]]
    rows.to_csv(manifest, index=False)
    run_assay("import", manifest, "-b", bench)
    b = assay.open(bench)
    train = b.state().query("split == 'train'")
    mine, theirs = train.index[0], train.index[1]
    b.edit(pd.DataFrame([dict(sample=mine, label=train.label.iloc[2])]), "ann")
    rows.loc[rows.id.isin([train.key[mine], train.key[theirs]]), "label"] = "9"
    rows.to_csv(manifest, index=False)
    out = json.loads(run_assay("import", manifest, "-b", bench, "--json")[1])
    state = b.state()
    assert state.label[mine] == train.label.iloc[2] and state.label[theirs] == "9"
    assert out["relabelled"] + out["left_alone"] == 2 - (train.label[theirs] == "9") - (
        train.label[mine] == "9"
    )


BAD = {
    "an empty folder": (lambda d: (d / "x").mkdir() or d / "x", "expected images"),
    "no such path": (lambda d: d / "nowhere", "nothing at"),
    "one class only": (lambda d: folders(d / "x", digits(20).assign(label="a")), "two classes"),
    "a broken image": (lambda d: spoil(d, lambda f: f.write_bytes(b"no image")), "is not an image"),
    "a truncated image": (
        lambda d: spoil(d, lambda f: f.write_bytes(f.read_bytes()[:60])),
        "truncated",
    ),
    "an empty file": (lambda d: spoil(d, lambda f: f.write_bytes(b"")), "is empty"),
    "a zip bomb of a picture": (lambda d: spoil(d, bomb), "megapixels"),
    "no label column": (lambda d: table_in(d, "path,colour\na.png,red\nb.png,blue\n"), "label"),
    "two rows with one id": (
        lambda d: table_in(d, "id,path,label\n1,a.png,x\n1,b.png,y\n2,c.png,y\n"),
        "same id",
    ),
    "a path that leaves the folder": (
        lambda d: table_in(d, "path,label\n../../etc/passwd,x\na.png,y\nb.png,x\n"),
        "leaves",
    ),
    "another encoding": (
        lambda d: table_in(d, "path,label\na.png,Käse\nb.png,x\n".encode("latin-1")),
        "UTF-8",
    ),
    "a missing file": (
        lambda d: table_in(d, "path,label\na.png,x\nb.png,y\nmissing.png,x\n"),
        "not there",
    ),
}


def spoil(d, how):
    root = folders(d / "x", digits(30, wrong=0))
    how(next((root / "train").rglob("*.png")))
    return root


def bomb(file):
    """A PNG of a few kilobytes that declares 30,000 x 30,000 pixels."""
    Image.new("1", (30_000, 30_000)).save(file)


def table_in(d, text):
    for name in "abc":
        Image.fromarray(np.full((9, 9), ord(name), "u1")).save(d / f"{name}.png")
    (d / "m.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return d / "m.csv"


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_whole(tmp_path, name):
    make, word = BAD[name]
    status, out, err = run_assay("import", make(tmp_path), "-b", tmp_path / "bench")
    assert (
        status == 2 and word in err and err.startswith("error: ") and "\nhint: " in err and not out
    ), err
    assert "Traceback" not in err and not (tmp_path / "bench" / "assay.duckdb").exists(), (
        "nothing half-made stays behind"
    )


@pytest.mark.slow
def test_the_good_part_can_be_imported_and_what_was_left_out_is_kept(tmp_path):
    src, bench = spoil(tmp_path, lambda f: f.write_bytes(b"no image")), tmp_path / "bench"
    assert run_assay("import", src, "-b", bench, "--skip-bad")[0] == 0
    found = json.loads(run_assay("status", "--json", "-b", bench)[1])
    assert (
        found["samples"] == 29
        and len(found["left_out"]) == 1
        and "is not an image" in found["left_out"][0]["reason"]
    )


def test_a_message_says_which_column_and_no_number_of_the_system(tmp_path):
    bench = bench_of(digits(20), tmp_path)
    (tmp_path / "e.csv").write_text("sample_id,label,price\nx,3,1\n")
    status, _, err = run_assay("edit", tmp_path / "e.csv", "-b", bench.path)
    assert status == 2 and "rename or remove: sample_id; the column of ids is called sample" in err
    for verb in (
        ["experiment", tmp_path / "none.toml"],
        ["guard", tmp_path / "none.toml"],
        ["scan", "--embeddings", tmp_path / "none.npy"],
    ):
        status, _, err = run_assay(*verb, "-b", bench.path)
        assert (
            status == 2 and re.search("No such file|found nothing at", err) and "Errno" not in err
        ), verb


@pytest.mark.slow
def test_errors_before_there_is_anything(tmp_path):
    for verb in (
        ["status"],
        ["queue"],
        ["log"],
        ["undo"],
        ["commit"],
        ["scan"],
        ["report"],
        ["edit", "x.csv"],
    ):
        status, _, err = run_assay(*verb, "-b", tmp_path)
        assert status == 2 and "found no assay.duckdb" in err and "assay import" in err, verb
    src = folders(tmp_path / "src", digits(60, wrong=0))
    run_assay("import", src, "-b", tmp_path / "bench")
    status, _, err = run_assay("queue", "-b", tmp_path / "bench")
    assert status == 2 and f"assay scan -b {tmp_path / 'bench'}" in err
    assert run_assay("edit", tmp_path / "missing.csv", "-b", tmp_path / "bench")[0] == 2
    status, _, err = run_assay("export", "-o", src, "-b", tmp_path / "bench")
    assert status == 2 and "empty folder" in err


@pytest.mark.daily
def test_a_killed_import_leaves_nothing_half_done_and_resumes(tmp_path):
    import signal
    import time

    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        dict(
            image=[png(rng.integers(0, 255, (64, 64, 3))) for _ in range(9000)],
            label=["a", "b"] * 4500,
        )
    )
    table.to_parquet(tmp_path / "t.parquet")
    bench = tmp_path / "bench"
    command = [
        sys.executable,
        "-m",
        "assay",
        "import",
        str(tmp_path / "t.parquet"),
        "-b",
        str(bench),
    ]
    child = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while not list((bench / "arrays" / "pixels").glob("*.index.npy")) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert len(assay.open(bench).state()) == 0, "an import is visible whole or not at all"
    kept = {p.name for p in (bench / "arrays" / "pixels").glob("*.index.npy")}
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "9,000 samples added" in out.stdout, out.stderr
    files = list((bench / "arrays" / "pixels").glob("*.index.npy"))
    assert kept < {p.name for p in files} and sum(len(np.load(p)) for p in files) == 9000, (
        "what was decoded is not decoded again"
    )


@pytest.mark.daily
def test_real_data_with_other_split_names(data, tmp_path):
    """Roman numerals: label_book to the pool, test_hidden to test; cifar10n lists its four label columns."""
    status, _, err = run_assay("import", data / "cifar10n.parquet", "-b", tmp_path / "c")
    assert status == 2 and all(
        c in err for c in ("true_label", "aggre", "rand1", "worst", "--label-column")
    )
    status, _, err = run_assay("import", data / "roman_numerals.parquet", "-b", tmp_path / "r")
    assert status == 2 and "label_book" in err and "--split-map" in err
    status, out, _ = run_assay(
        "import",
        data / "roman_numerals.parquet",
        "-b",
        tmp_path / "r",
        "--split-map",
        "label_book=pool,test_hidden=test",
        "--json",
    )
    assert status == 0 and json.loads(out)["splits"] == dict(
        train=2067, val=813, test=2420, pool=52
    )


# ---- whatever the bench holds, whatever is typed, whenever it is stopped


VERBS = """status|queue|issues|map|clusters|gaps|log|log --batches|diff HEAD HEAD|reviewers|runs|check|gc --dry-run|undo|redo|report|suggest
similar nobody|blame nobody|trigger list|gate|audit -n 5 -o SHEET|guard PLAN --who ann|experiment PLAN|compare a b|export -o OUT|commit|revert --who bob
disagreements a b|restore|relocate OUT|app --help|scan --embedder pixels""".replace("\n", "|")


@pytest.mark.slow
@pytest.mark.parametrize("n", [0, pytest.param(2, marks=pytest.mark.daily), 20])
def test_every_verb_answers_on_a_bench_with_little_in_it(n, tmp_path):
    """Done, not passed, or an error with a hint: never a traceback."""
    table = digits(n or 1)
    bench = (
        bench_of(table.assign(label=["a", "b"]) if n == 2 else table, tmp_path)
        if n
        else assay.create(tmp_path / "bench")
    )
    (tmp_path / "plan.toml").write_text(
        'question = "?"\nversions = ["HEAD"]\narchitectures = ["probe"]\nseeds = 1\n'
    )
    places = dict(SHEET=tmp_path / "sheet", PLAN=tmp_path / "plan.toml", OUT=tmp_path / "out")
    for verb in VERBS.split("|"):
        try:
            status, out, err = run_assay(
                *(places.get(w, w) for w in verb.split()), "-b", bench.path
            )
        except SystemExit as e:  # argparse
            status, out, err = e.code, "usage", "hint:"
        assert status in (0, 1) or status == 2 and "hint:" in err, (verb, status, out, err)


@pytest.mark.parametrize("words", [["status", "-b", "x" * 300], ["import", "y" * 300], ["edit", "z" * 5000], ["import", "a/" * 2400],
    ["export", "-o", "w" * 300], ["report", "-o", "v" * 300 + ".html"], ["experiment", "p" * 300], ["status", "-b", "/dev/null/x"]])  # fmt: skip
def test_a_path_that_cannot_be_is_an_error_in_words(words, tmp_path):
    status, _, err = run_assay(
        *words, *([] if "-b" in words else ["-b", digits_bench(10, tmp_path).path])
    )
    assert status == 2 and err.startswith("error: ") and "hint:" in err, err


@pytest.mark.parametrize(
    "version", ["half(" * 300 + "v1" + ")" * 300, "v1" + " - flagged" * 2000, "part(" * 5000]
)
def test_an_expression_without_end_is_refused(version, tmp_path):
    bench = digits_bench(10, tmp_path)
    bench.commit("first", "ann", "v1")
    status, _, err = run_assay("status", "--version", version[:4900], "-b", bench.path)
    assert status == 2 and "at most 20 operations" in err
    plan = tmp_path / "plan.toml"
    plan.write_text("seeds = " + "[" * 4000 + "]" * 4000)
    status, _, err = run_assay("experiment", plan, "-b", bench.path)
    assert status == 2 and "hint:" in err


SELDOM = [pytest.param(after, marks=pytest.mark.daily) for after in (60, 200, 450)]


@pytest.mark.parametrize("milliseconds", [120, 300, *SELDOM])
def test_a_ctrl_c_at_any_time_is_no_traceback(milliseconds, tmp_path):
    """The program is stopped while it loads itself: at most the interpreter's own start is before our time."""
    import signal
    import time

    program = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "print('here', flush=True); from assay.pipelines.cli.start import entry; entry()",
            "status",
            "-b",
            tmp_path,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    program.stdout.readline()
    time.sleep(milliseconds / 1000)
    program.send_signal(signal.SIGINT)
    _, err = program.communicate(timeout=60)
    # a shell calls both 130: while Python itself ends, the signal ends it
    ended = (130, -signal.SIGINT, 2)
    assert "Traceback" not in err and program.returncode in ended, err


def test_names_of_two_columns_a_character_keep_the_table_straight(capsys):
    from rich.cells import cell_len

    from assay.pipelines.cli.output import draw_table

    draw_table(pd.DataFrame(dict(label=["cat", "日本語", "שלום"], n=[1, 22, 333])), ["label", "n"])
    lines = capsys.readouterr().out.splitlines()
    assert (
        len({cell_len(line[: line.index(n)]) for line, n in zip(lines[1:], ("1", "22", "333"))})
        == 1
    )
    assert "\u2068שלום\u2069" in lines[3], (
        "it is read from right to left, and its neighbours are not"
    )


def test_a_bench_does_not_lie_among_the_pictures(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "pictures" / name / "1.png").write_bytes(png(np.eye(8) * 255))
    status, _, err = run_assay("import", tmp_path / "pictures", "-b", tmp_path / "pictures")
    assert status == 2 and "a folder of its own" in err
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == ["cat", "dog"]
