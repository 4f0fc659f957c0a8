"""What --json prints: of every verb, done and refused, on a real small bench, against the documented schema."""

import ast
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.errors import UserError
from assay.pipelines.cli.main import list_parsers, make_parser
from assay.pipelines.cli.output import SCHEMA_VERSION
from assay.pipelines.cli.schemas import page
from assay.pipelines.cli.schemas.catalog import OUTPUTS
from tests.helpers import ROOT, filled, run_assay, table, truth_of
from tests.json_outputs import check_json

VERBS = list_parsers(make_parser())
# run where they have a test of their own, which checks the same
ELSEWHERE = {
    "demo": "its stories take minutes",
    "fiftyone": "tests/pipelines/fiftyone",
    "fiftyone-pull": "tests/pipelines/fiftyone",
    "fiftyone-export": "tests/pipelines/fiftyone",
    "mcp": "tests/pipelines/agents",
}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """{schema: [(exit status, object)]} of one bench's life, from import to restore."""
    place, found = tmp_path_factory.mktemp("story"), {}
    home, places = place / "bench", place / "digits.parquet"
    table(700).to_parquet(places)

    def do(*words, bench=home):
        status, out, err = run_assay(*words, "--json", "-b", bench)
        told = check_json(out)
        assert told["schema"] != "error", (words, err)
        found.setdefault(told["schema"], []).append((status, told))
        return told

    def write(name, text):
        (place / name).write_text(text)
        return place / name

    do("import", places, "--label-column", "label", "--id-column", "id")
    do("split", "60/40", "--no-test", "--dry-run")
    do("scan", "--embedder", "pixels", "--shards", 2)
    do("estimate", "--samples", "1e6")
    do("estimate", "--write-prices", place / "prices.toml")
    do("scan", "--embedder", "pixels", "--shard", "1/2")
    do("split", "60/40", "--no-test", "--seed", 1, "--dry-run")
    do("status")
    do("queue", "-n", 5, "--csv", place / "q.csv")
    do("queue", "-n", 5, "--html", place / "q.html")
    do("queue", "-n", 5, "--where", "split = 'train'")
    do("samples", "--where", "score < 0.5", "--sort", "score desc")
    do("samples", "--columns")
    do("samples", "--count", "label,score,tags,flagged", "--where", "keep")
    do("views", "--save", "low", "--where", "score < 0.2")
    do("views")
    do("views", "--remove", "low")
    do("assign", "--to", "ann", "--where", "flagged")
    do("assign")
    bench = assay.open(home)
    truth = truth_of(bench)
    rows = bench.queue(40)
    rows[["sample"]].assign(label=truth[rows["sample"]].to_numpy()).to_csv(place / "e.csv")
    pd.read_csv(place / "e.csv", dtype=str)[["sample", "label"]].to_csv(place / "e.csv", index=False)  # fmt: skip
    do("edit", place / "e.csv", "--who", "ann")
    unsure = bench.queue(5)[["sample"]].assign(verdict="unsure")
    unsure.to_csv(place / "u.csv", index=False)
    do("edit", place / "u.csv", "--who", "bob")
    do("edit", write("none.csv", "sample,label\n"))
    changed = bench.frame(split="train").query("label != '7' and reviewed").index[:3]
    pd.DataFrame(dict(sample=changed, label="7")).to_csv(place / "c.csv", index=False)
    do("edit", place / "c.csv", "--who", "ann")
    do("commit", "-m", "first")
    do("commit")
    do("issues")
    do("export", "-o", place / "findings", "--format", "cleanlab")
    do("export", "-o", place / "tensors", "--format", "torch")
    do("opinion", place / "findings" / "datalab.csv", "--as", "before")
    do("opinion")
    do("issues", "--kind", "before_label")
    do("opinion", "--remove", "before")
    do("duplicates")
    do("duplicates", "--keep-best")
    do("duplicates", "--keep-best", "--exact")
    do("duplicates", "--not-copies", *bench.state().index[:2])
    do("audit", "-n", 20, "-o", place / "audit", "--who", "ann")
    sheet = place / "audit" / "worksheet.csv"
    frame = pd.read_csv(sheet, dtype=str)
    filled(bench, bench.rules()[f"audit:{frame.audit[0]}"], frame).to_csv(sheet, index=False)
    do("audit", sheet, "--who", "ann")
    for words in (["reviewers"], ["log"], ["log", "--batches"], ["diff", "v1", "v2"]):
        do(*words)
    votes = bench.frame(split="train").label.rename("label").reset_index()
    votes.to_csv(place / "votes.csv", index=False)
    do("label", "--predictions", place / "votes.csv", "--as", "model")
    do("labellers")
    do("labellers", "--compare", "model", "ann")
    do("labellers", "--consensus", "majority")
    do("blame", rows["sample"].iloc[0])
    do("undo")
    do("redo")
    do("revert", "--who", "bob", "--dry-run")
    do("revert", "--who", "bob")
    slices = "[slices]\nlow = \"select id from samples where key like 'd00%'\"\n"
    plan = write("p.toml", f'versions = ["v1", "v2"]\narchitectures = ["probe", "mlp"]\nseeds = 2\nepochs = 2\n{slices}')  # fmt: skip
    do("experiment", plan, "--dry-run")
    do("experiment", plan)
    do("report")
    do("report", "--markdown")
    do("runs")
    do("compare", "v1/probe", "v2/probe")
    test = assay.open(home).frame(split="test")
    for name, wrong in (("a", 9), ("b", 2)):
        said = test.label.where(range(len(test)) >= np.int64(wrong), "0")
        pd.DataFrame(dict(key=test.key, label=said)).to_csv(place / f"{name}.csv", index=False)
    do("compare", place / "a.csv", place / "b.csv", "--audit-list", place / "differ.csv")
    do("explain", rows["sample"].iloc[0])
    do("explain", "gain")
    do("explain", "--list")
    do("card")
    do("card", "--output", place / "card.html")
    do("gate", "--min-gain", 90)
    do("gate", "--min-gain", -90)
    do("experiment", "--init", place / "init.toml")
    gap = do("gaps")["rows"][0]["gap"]
    cluster = do("clusters")["rows"][0]["cluster"]
    do("clusters", "--rename", cluster, "tidy", "--who", "ann")
    do("map")
    do("similar", "c1", "-n", 5)
    do("suggest", "-n", 5, "--csv", place / "s.csv")
    do("disagreements", "v2/probe", "v2/mlp", "--in", "val")
    do("trigger", "add", "low", "--confidence-below", 0.3)
    do("trigger", "add", "alike", "--similar", "c1", "c2")
    do("trigger", "list")
    do("trigger", "run")
    do("trigger", "list", "low")
    do("trigger", "remove", "low")
    do("lesson")
    do("lesson", "1", "--notebook", place / "lesson.ipynb")
    small = "# %% [markdown]\n# # T\n# %%\nprint(1)\n# %%\n# check\nassert {}, 'so'\n"
    do("lesson", write("holds.py", small.format(1)), "--check")
    do("lesson", write("fails.py", small.format(0)), "--check")
    do("classes", "rename", "7", "seven", "--dry-run")
    do("classes", "rename", "7", "seven")
    do("diff", "v2")
    do("undo")
    do("classes", "add", "ten", "--colour", "#fff")
    do("classes", "edit", "ten", "--guideline", "two digits", "--parent", "1")
    do("classes", "split", "1", "thin", "thick")
    do("classes", "split", "2", "two", "--where", "split = 'val'", "--dry-run")
    do("classes", "move", "ten", "0")
    do("queue", "--class", "1", "-n", 3)
    do("classes", "--csv", place / "classes.csv")
    do("classes", "--import", place / "classes.csv")
    do("classes")
    do("check")
    do("gc", "--dry-run")
    do("export", "-o", place / "out")
    do("import", places, "--label-column", "label", "--dry-run")
    do("export", "--patch", place / "corrections")
    shutil.copytree(home, place / "copy")
    copy = assay.open(place / "copy")
    copy.edit(pd.DataFrame([dict(sample=changed[0], label="5")]), "zoe")
    bench.edit(pd.DataFrame([dict(sample=changed[0], label="6")]), "ann")
    do("merge", place / "copy")
    do("merge", place / "copy")
    few = bench.frame(split="train").query("label != '3'").index[:4]
    pd.DataFrame(dict(sample=few, label="3")).to_csv(place / "p.csv", index=False)
    do("proposal", "open", place / "p.csv", "--title", "threes", "--who", "ann")
    do("proposal", "list")
    do("proposal", "comment", "p1", "why?", "--who", "bob")
    do("proposal", "show", "p1", "--html", place / "p.html", "--markdown", place / "p.md")
    do("proposal", "check", "p1", "--who", "bob")
    do("proposal", "reject", "p1", "--samples", few[0], "--who", "bob")
    do("proposal", "merge", "p1", "--who", "bob")
    do("proposal", "approve", "p1", "--samples", *few[1:], "--who", "bob")
    do("proposal", "merge", "p1", "--who", "bob")
    do("proposal", "policy", "--look-at", 10)
    do("proposal", "open", place / "p.csv", "--title", "again", "--who", "ann")
    do("proposal", "close", "p2")
    do("guard", "thin", "--from-gap", gap, "--who", "ann")
    do("experiment", plan, "--detach")
    places.rename(place / "moved.parquet")
    do("relocate", place / "moved.parquet")
    do("restore", "v2")
    next((home / "arrays" / "pixels").glob("*.npy")).write_bytes(b"spoiled")
    do("check")
    return found


@pytest.mark.slow
def test_every_verb_prints_one_object_of_its_schema(story):
    assert set(OUTPUTS) - set(story) - set(ELSEWHERE) == {"app", "docs"}, (
        "which have their test below"
    )
    verbs = {verb.split()[0].strip(",") for verb, _ in OUTPUTS.values()} | {"report"}
    assert verbs == set(VERBS), "every verb is documented"
    for schema, told in story.items():
        for status, one in told:
            assert (status, one["code"]) in ((0, "done"), (1, "check_failed")), schema
    assert {one["code"] for _, one in story["gate"]} == {"done", "check_failed"}
    assert {one["code"] for _, one in story["check"]} == {"done", "check_failed"}


@pytest.mark.slow
def test_the_story_had_something_to_tell(story):
    """An empty list fits any schema: what should hold rows holds some."""
    for schema in "queue issues log log-batches gaps clusters map similar suggest disagreements trigger trigger-run".split():
        assert story[schema][0][1]["rows"], schema
    assert story["diff"][0][1]["relabelled"] and story["merge"][0][1]["conflicts"]
    assert story["report"][0][1]["effects"] and story["report"][0][1]["where"]
    assert story["check"][-1][1]["findings"] and story["revert"][0][1]["plan"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_refused_with_an_object(verb, tmp_path):
    """Where there is no bench, or, of those that make one, no such source."""
    actions = [a for a in VERBS[verb]._actions if not a.option_strings and a.nargs != "?"]
    words = [next(iter(a.choices)) if a.choices else "x" for a in actions if a.nargs != "*"]
    words += ["x"] if verb == "similar" else []
    words += {
        "demo": ["a", "b"],
        "export": ["-o", "x"],
        "app": ["--link"],
        "docs": ["--port", "99999"],
        "estimate": ["--samples", "1e6"],
        "explain": ["errors-left"],
        "mcp": ["--http"],
        "lesson": ["99"],
    }.get(verb, [])
    status, out, err = run_assay(verb, *words, "--json", "-b", tmp_path / "none")
    told = json.loads(out)
    assert status == 2 and told["schema"] == "error" and told["problem"] in err, err
    codes = dict(demo={"bad_command"}, app={"no_bench"}, docs={"bad_input"})
    codes |= {"import": {"no_file"}, "lesson": {"unknown_lesson"}}
    assert told["code"] in codes.get(verb, {"no_bench", "bad_path"}), told


def test_a_question_has_its_code(bench, tmp_path):
    """--yes, --refreeze-test and the like are answers to a question: a script can tell."""
    from tests.helpers import bench_of, digits

    few = tmp_path / "few" / "digits.parquet"
    few.parent.mkdir()
    digits(300).to_parquet(few)
    other = bench_of(digits(600), tmp_path / "all")
    status, out, _ = run_assay("import", few, "--label-column", "label", "--json", "-b", other.path)
    assert status == 2 and json.loads(out)["code"] == "question"
    words = ("scan", "--pred-probs", tmp_path / "p.npy", "--json", "-b", other.path)
    assert json.loads(run_assay(*words)[1])["code"] == "question"


def test_an_error_class_has_a_code_of_its_own():
    """Found in the source, so that none is forgotten; all are on the page."""
    kinds, found = {"UserError"}, []
    for room in ("curation", "pipelines", "app"):
        for file in sorted((ROOT / room).rglob("*.py")):
            nodes = ast.walk(ast.parse(file.read_text()))
            found += [(file, node) for node in nodes if isinstance(node, ast.ClassDef)]
    for _ in range(3):  # kinds of kinds
        for file, node in found:
            if {getattr(b, "id", None) for b in node.bases} & kinds:
                kinds.add(node.name)
                own = [s.targets[0].id for s in node.body if isinstance(s, ast.Assign)]
                assert "code" in own, f"{node.name} in {file}"
    codes = page.list_codes()
    assert len(codes) == len(kinds) >= 21 and UserError.code in codes
    assert all(code == code.lower() and " " not in code for code in codes)


def test_the_page_is_what_the_models_say():
    """Written by `python -m assay.pipelines.cli.schemas.page > docs/reference/json.md`."""
    assert (ROOT / "docs" / "reference" / "json.md").read_text() == page.write_page()
    schema = page.make_schema()
    assert set(schema) == {*OUTPUTS, "error"} and schema["status"]["properties"]["schema_version"]


def test_what_the_page_says_of_version_1_is_gone_and_of_version_2_is_there():
    told = json.dumps(page.make_schema())
    for old in ("looks", "unsure_looks", "ruler_corrected", "cells", "shadow"):
        assert f'"{old}"' not in told, old
    changed = page.HEAD.split("## From version 1 to 2")[1].split("##")[0]
    for line in (line for line in changed.splitlines() if "`code`" in line):
        codes = re.findall(r"`(\w+)`", line.split("|")[2])
        assert codes and set(codes) <= set(page.list_codes())


def test_the_check_would_see_a_field_that_is_wrong_missing_or_not_documented():
    good = dict(schema="relocate", schema_version=SCHEMA_VERSION, code="done")
    good |= dict(gone=2, found=1, left=1, first="a.png")
    assert check_json(json.dumps(good)) == good
    for bad in (
        good | dict(gone="many"),
        good | dict(extra=1),
        good | dict(schema_version=SCHEMA_VERSION + 1),
        {k: v for k, v in good.items() if k != "found"},
        good | dict(gone=float("nan")),
    ):
        with pytest.raises((ValueError, AssertionError)):
            check_json(json.dumps(bad))


@pytest.mark.slow
@pytest.mark.parametrize("verb, part", [("app", "token="), ("docs", "http://127.0.0.1:")])
def test_the_link_of_what_stays_open_is_an_object(bench, verb, part):
    from tests.browser import free_port

    command = [sys.executable, "-P", "-m", "assay", verb, "--no-browser", "--json"]
    command += ["-b", str(bench.path), "--port", str(free_port())]
    app = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(app.stdout.readline())
            assert lines[-1], "it ended without an object"
        assert part in check_json("".join(lines))["url"]
    finally:
        app.terminate()
        app.wait()
        app.stdout.close()
