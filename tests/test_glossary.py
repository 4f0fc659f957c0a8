"""The glossary has every word that is used in a sense of its own, once, in order."""

import re

import pytest

from assay.pipelines.cli.main import make_parser
from tests.docs import list_pages, read_page

GLOSSARY = "docs/reference/glossary.md"
# words of the field, and of ours, that some page or message uses
TERMS = """abstain, agreement, architecture, audit, average precision, balanced accuracy, batch, bench, blind,
    calibration, cluster, commit, confident joint, confident learning, conflict, consensus, control, CROWDLAB,
    Dawid-Skene, difference estimator, drift, edit, embedder, embedding, facet, F1, flagged, fold, gap, gate,
    given label, guard, HEAD, Holm's correction, influence, interaction, interval, issue, kernel, label noise,
    labeller, leakage, leave-one-out, leverage, log, look, margin, multiplicity, near duplicate, noise matrix,
    opinion, out of fold, out of sample, outlier, P(wrong), paired, plan, policy, pool, probe, proposal, queue,
    random control, random stratum, recall, regression set, rename, run, sample, scan, score, seed, self-confidence,
    shard, slice, source, split, stratum, suggestion, tag, task, test lock, tree, trigger, unsure, verdict, version,
    view, vote, weak labels"""
# verbs that are no nouns of ours, or whose everyday sense is meant
EVERYDAY = set(
    """app assign blame card check classes compare demo diff disagreements docs duplicates estimate experiment
    explain export fiftyone gc import label lesson map mcp merge redo relocate report restore revert similar status
    suggest undo""".split()
)


def read_words():
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.*?) ?\|$", read_page(GLOSSARY), re.M)
    return {word: meaning for word, meaning, _ in rows if word not in ("word", "---")}, rows


def test_it_is_sorted_and_has_no_word_twice():
    words = [row[0] for row in read_words()[1] if row[0] != "word"]
    assert words == sorted(words, key=str.lower) and len(words) == len(set(words))


def test_every_coined_word_is_there():
    words, _ = read_words()
    assert {" ".join(term.split()) for term in TERMS.split(",")} - set(words) == set()


@pytest.mark.parametrize("place", ["splits", "verdicts", "verbs"])
def test_what_the_program_says_is_there(place):
    words, _ = read_words()
    said = " ".join([*words, *words.values()]).lower()
    if place == "splits":
        expected = {"train", "val", "test", "pool", "guard"}
    elif place == "verdicts":
        expected = {"helps", "hurts", "too small to matter", "no evidence either way"}
    else:
        (verbs,) = (a.choices for a in make_parser()._actions if a.choices and not a.option_strings)
        expected = {re.sub(r"s$", "", verb) for verb in set(verbs) - EVERYDAY}
    assert {word for word in expected if word not in said} == set()


def test_every_word_is_used_somewhere_else():
    """Else nobody needs to look it up."""
    pages = [p for p in [*list_pages(), "CHANGELOG.md"] if p != GLOSSARY]
    text = " ".join(read_page(page) for page in pages).lower()
    text = re.sub(r"\s+", " ", text)
    # `v1 - flagged` is one of these, and seldom called so
    unused = [w for w in read_words()[0] if w.lower() not in text and w != "counterfactual"]
    assert unused == []
