"""A mistyped verb, option, choice, class, version, kind or column is answered with what was meant, and with no long list."""

import json

import pandas as pd
import pytest

from assay.curation.errors import UnknownName
from assay.pipelines.cli.main import list_parsers, make_parser
from assay.pipelines.cli.parser import parse_words
from tests.helpers import bench_of, digits, run_assay

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
    assert status == 2 and told["schema"] == "error" and told["code"] == "unknown_name", words
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
    bench = bench_of(digits(60), tmp_path)
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
    assert "-o/--output" in err and "assay export --help" in err
    assert run_assay()[0] == 2 and run_assay("queue", "-n", "many")[0] == 2
