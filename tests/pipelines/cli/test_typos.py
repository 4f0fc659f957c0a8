"""A mistyped verb, option, choice, class, version, kind or column is answered with what was meant, and with no long list."""

import json
import shutil

import pandas as pd
import pytest

import assay
from assay.curation.errors import UnknownName
from assay.pipelines.cli.main import list_parsers, make_parser
from assay.pipelines.cli.parser import parse_words
from tests.helpers import bench_of, digits, digits_bench, folders, run_assay

PARSER = make_parser()
PARSERS = list_parsers(PARSER)


def mistype(word):
    """The word with one letter dropped, doubled, changed or swapped, at each place."""
    for i, letter in enumerate(word):
        yield word[:i] + letter + word[i:]
        yield word[:i] + word[i + 1 : i + 2] + letter + word[i + 2 :]
        if len(word) > 3:
            yield word[:i] + word[i + 1 :]
            yield word[:i] + "x" + word[i + 1 :]


def answer(*words):
    """(what was suggested, what was said) of a command line that is refused."""
    status, out, err = run_assay(*words, "--json")
    told = json.loads(out)
    assert status == 2 and told["schema"] == "error" and told["code"].startswith("unknown_"), words
    assert err == f"error: {told['problem']}\nhint: {told['hint']}\n" and len(err) < 400
    assert all(name in told["hint"] for name in told["suggestions"])
    return told["suggestions"], err


@pytest.mark.parametrize("verb", PARSERS)
def test_a_mistyped_verb(verb):
    words = set(mistype(verb)) - set(PARSERS) - {"cg"}  # two letters swapped are like nothing
    for word in sorted(words)[:: max(1, len(words) // 3)]:
        suggested, said = answer(word, "-b", "nowhere")
        assert verb in suggested and "did you mean" in said, word
        assert sum(name in said for name in PARSERS) < 10, "no list of all verbs"


@pytest.mark.parametrize("verb", PARSERS)
def test_a_mistyped_option(verb):
    options = [name for name in PARSERS[verb]._option_string_actions if name.startswith("--")]
    assert {"--json", "--quiet", "--bench"} <= set(options)
    for option in options:
        words = sorted({f"--{word}" for word in mistype(option[2:])} - set(options))
        for word in (words[0], words[-1], f"{words[len(words) // 2]}=value"):
            with pytest.raises(UnknownName) as refused:
                parse_words(PARSER, PARSERS, [verb, word, "value"])
            assert option in refused.value.suggestions, word
    assert option in answer(verb, words[0], "value")[0]


@pytest.mark.parametrize(
    "words, meant",
    [
        (["audit", "--split", "tset"], "test"),
        (["clusters", "--level", "corse"], "coarse"),
        (["trigger", "lst"], "list"),
        (["edit", "x.csv", "--to", "vall"], "val"),
        (["status", "--version", "frist"], "first"),
        (["diff", "fist"], "first"),
        (["experiment", "PLAN"], "probe"),
        (["export", "-o", "OUT", "--format", "folder"], "folders"),
        (["import", "SOURCE", "--label-column", "lable"], "label"),
        (["edit", "COLUMNS"], "label"),
    ],
)
def test_a_mistyped_name(words, meant, tmp_path):
    bench = digits_bench(60, tmp_path)
    bench.commit("x", "ann", "first")
    places = dict(
        PLAN=tmp_path / "p.toml",
        OUT=tmp_path / "out",
        SOURCE=tmp_path / "digits.parquet",
        COLUMNS=tmp_path / "c.csv",
    )
    places["PLAN"].write_text('versions = ["first"]\narchitectures = ["prob"]\n')
    places["COLUMNS"].write_text("sample,lable\nx,3\n")
    suggested, said = answer(*(places.get(w, w) for w in words), "-b", bench.path)
    assert meant in suggested and "did you mean" in said


@pytest.mark.slow
def test_a_mistyped_kind_of_issue(scanned):
    words = ("issues", "--kind", "near_duplicates", "-b", scanned.path)
    assert answer(*words)[0] == ["near_duplicate"]


def test_a_mistyped_class(tmp_path):
    table = digits(60)
    table["label"] = table.label.replace({"3": "three", "8": "eight"})
    bench = bench_of(table, tmp_path)
    sample = bench.frame(split="train").index[0]
    pd.DataFrame([dict(sample=sample, label="thre")]).to_csv(tmp_path / "e.csv", index=False)
    status, _, err = run_assay("edit", tmp_path / "e.csv", "-b", bench.path)
    assert status == 2 and "did you mean three?" in err


def test_an_abbreviation_is_no_option():
    """What is one option's beginning today may be two options' tomorrow, and a script should not hang on that."""
    assert "--version" in answer("status", "--versio", "v1")[0]


def test_a_command_line_that_lacks_something():
    status, out, err = run_assay("export", "--json")
    assert status == 2 and json.loads(out)["code"] == "bad_command"
    assert "-o FOLDER" in err and "--in-place" in err
    assert run_assay()[0] == 2 and run_assay("queue", "-n", "many")[0] == 2


@pytest.mark.slow
def test_each_kind_of_name_has_its_code(scanned, tmp_path):
    """And a near name is suggested: a script can tell a missing file from an unknown version."""
    (tmp_path / "plan.toml").write_text('versions = ["v1", "HEAD"]\n')
    (tmp_path / "sets.toml").write_text("")
    batch = scanned.batches().name[0]
    sample, key = scanned.state().index[0], scanned.state().key.iloc[0]
    sheet = tmp_path / "sheet.csv"
    pd.DataFrame([dict(sample=sample, label="33")]).to_csv(sheet, index=False)
    pd.DataFrame([dict(smaple=sample, label="3")]).to_csv(tmp_path / "odd.csv", index=False)
    near = tmp_path / "seet.csv"
    cases = [
        ("no_file", ["edit", near], str(sheet)),
        ("no_file", ["audit", near], str(sheet)),
        ("no_file", ["experiment", tmp_path / "pan.toml"], str(tmp_path / "plan.toml")),
        ("no_file", ["report", tmp_path / "pan.toml"], str(tmp_path / "plan.toml")),
        ("no_file", ["guard", tmp_path / "set.toml"], str(tmp_path / "sets.toml")),
        ("no_file", ["scan", "--embeddings", near], str(sheet)),
        ("no_file", ["scan", "--pred-probs", near, "--out-of-sample", "no"], str(sheet)),
        ("no_file", ["import", near], str(sheet)),
        ("no_file", ["relocate", near], str(sheet)),
        ("unknown_embedder", ["scan", "--embedder", "pixel"], "pixels"),
        ("unknown_embedder", ["scan", "--embedder", "no.module:f"], None),
        ("unknown_batch", ["undo", batch[:-1]], batch),
        ("unknown_batch", ["revert", batch[:-1]], batch),
        ("unknown_version", ["status", "--version", "v11"], "v1"),
        ("unknown_version", ["export", "-o", tmp_path / "o", "--version", "v11"], "v1"),
        ("unknown_class", ["edit", sheet], "3"),
        ("unknown_column", ["edit", tmp_path / "odd.csv"], "sample"),
        ("unknown_sample", ["blame", key + "x"], key),
        ("unknown_sample", ["similar", key + "x"], key),
        ("unknown_run", ["compare", "v1/prob", "v1/probe"], None),
    ]
    for code, words, meant in cases:
        status, out, err = run_assay(*words, "--json", "-b", scanned.path)
        told = json.loads(out)
        assert (status, told["code"]) == (2, code), (words, err)
        assert meant is None or meant in told["suggestions"] and "did you mean" in err, (words, err)


# ---- a mistyped folder


@pytest.mark.parametrize("verb", sorted(set(PARSERS) - {"docs", "demo", "lesson"}))
def test_a_mistyped_bench_is_not_made(verb, tmp_path):
    """Nothing is left behind, and a bench beside it is named; import makes one, but not for a source that is not there."""
    assay.create(tmp_path / "cells")
    actions = [a for a in PARSERS[verb]._actions if not a.option_strings and a.nargs != "?"]
    words = [next(iter(a.choices)) if a.choices else "x" for a in actions if a.nargs != "*"]
    words += {
        "similar": ["x"],
        "explain": ["errors-left"],
        "export": ["-o", str(tmp_path / "out")],
        "app": ["--no-browser"],
        "estimate": ["--samples", "1e6"],
    }.get(verb, [])
    status, out, err = run_assay(verb, *words, "-b", tmp_path / "deep" / "cels", "--json")
    assert status == 2 and [p.name for p in tmp_path.iterdir()] == ["cells"], err
    status, out, err = run_assay(verb, *words, "-b", tmp_path / "cels", "--json")
    assert status == 2 and [p.name for p in tmp_path.iterdir()] == ["cells"], err
    if verb not in ("import", "merge"):
        assert json.loads(out)["code"] == "no_bench" and json.loads(out)["suggestions"] == ["cells"]
    assert "--new" in err or verb != "app"


def test_a_bench_in_python_that_was_not_filled(tmp_path):
    """The same variable can be filled once the path is right; what was there before stays."""
    photos = folders(tmp_path / "photos", digits(30))
    (tmp_path / "mine").mkdir()
    for place in ("a/b/c", "mine"):
        bench = assay.create(tmp_path / place)
        for source, code in ((tmp_path / "photso", "no_file"), (pd.DataFrame({"x": [1]}), None)):
            with pytest.raises(assay.UserError) as refused:
                bench.add(source, progress=False)
            assert code in (None, refused.value.code)
            assert not (tmp_path / "a").exists() and not list((tmp_path / "mine").iterdir())
        assert len(bench.add(photos, progress=False).state()) == 30
        assert len(assay.open(tmp_path / place).state()) == 30
        with pytest.raises(assay.UserError):
            bench.add(tmp_path / "photso", progress=False)
        assert len(bench.state()) == 30, "what is in it stays"
        shutil.rmtree(tmp_path / place.split("/")[0])
        (tmp_path / "mine").mkdir(exist_ok=True)
