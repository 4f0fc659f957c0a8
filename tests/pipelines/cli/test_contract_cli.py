"""What every group of verbs does: it adds verbs that say what they are for, and adding one touches no other file."""

import argparse
import inspect

import pytest

from assay.curation import plugins
from assay.curation.review import audit
from assay.curation.selection import similarity
from assay.curation.slicing import clusters
from assay.curation.versioning import votes
from assay.pipelines.cli import audit as audit_group
from assay.pipelines.cli import gaps, main, reviewers, selection
from assay.pipelines.cli.verbs import Verbs

GROUPS = main.list_groups()


def verbs_of(group):
    """{verb: its parser} of one group."""
    parsers = argparse.ArgumentParser().add_subparsers()
    group.add(Verbs(parsers))
    return parsers.choices


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__.split(".")[-1])
def test_a_group_adds_verbs_that_say_what_they_are_for(group):
    verbs = verbs_of(group)
    assert verbs and inspect.getdoc(group)
    for name, parser in verbs.items():
        first = parser.description.splitlines()[0]
        assert name.islower() and first[0].isupper() and first.endswith("."), name
        assert len(first.split()) <= 12 and first.count(". ") == 0, f"{name}: one short sentence"
        options = {option for action in parser._actions for option in action.option_strings}
        assert {"-b", "--bench", "--json", "--help"} <= options
        assert callable(parser.get_default("run"))
        unsaid = [a.dest for a in parser._actions if a.option_strings and a.help == ""]
        assert unsaid == []


def test_the_verbs_are_one_list_in_the_order_of_the_work():
    names = [name for group in GROUPS for name in verbs_of(group)]
    assert len(set(names)) == len(names) >= 37
    assert names[:8] == "demo import export split scan estimate status queue".split()
    assert {group.__name__.split(".")[-1] for group in GROUPS} == set(main.ORDER), "all are placed"


def test_the_help_lists_each_verb_with_its_sentence(capsys):
    with pytest.raises(SystemExit):
        main.main(["--help"])
    said = capsys.readouterr().out
    assert "Import a source of samples into a new or existing bench." in said


def test_a_plug_in_adds_a_verb_after_ours(tmp_path, monkeypatch, capsys):
    code = '''
def count_pixels(args):
    """Count the pixels of a bench."""
    print(f"counting in {args.bench}")

def add(verbs):
    verbs.add("pixels", count_pixels)
'''
    (tmp_path / "my_verbs.py").write_text(code)
    info = tmp_path / "my_verbs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-verbs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[assay.pipelines.cli]\nmine = my_verbs\n")
    monkeypatch.syspath_prepend(tmp_path)
    made = plugins.discover, main.make_parser
    for cached in made:
        cached.cache_clear()
    try:
        assert main.main(["pixels", "-b", "somewhere"]) == 0
        assert capsys.readouterr().out == "counting in somewhere\n"
        assert main.list_groups()[-1].__name__ == "my_verbs"
    finally:
        for cached in made:
            cached.cache_clear()


def test_choices_are_those_of_the_code_that_is_loaded_later():
    assert gaps.LEVELS == clusters.LEVELS
    assert tuple(reviewers.RULE_WORDS) == votes.RULES
    assert selection.MINED == similarity.SEARCHED
    assert audit_group.SPLITS == audit.SPLITS
