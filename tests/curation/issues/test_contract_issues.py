"""What every issue finder does: ours, those of others, and the one that the page for contributors writes."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.issues import finders
from assay.curation.issues.base import Issue, ScanView
from assay.curation.issues.finders import list_finders, list_kinds
from assay.curation.issues.listing import view_scan
from assay.pipelines.fiftyone import samples
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import ROOT, bench_of, digits, png

OURS = (
    "merge_conflict reviewer_disagreement label conflicting_duplicates exact_duplicates near_duplicate leakage outlier truncated dark light "
    "blurry low_information grayscale odd_size odd_aspect_ratio empty_text short_text long_text other_script other_language broken_encoding "
    "markup boilerplate personal_data missing_values impossible_value extreme_value misspelt_category rare_category odd_type class_imbalance similar_class_names spurious_correlations drift non_iid revealing_column identifier_column constant_column"
).split()
PAGE = (ROOT / "docs" / "contributing" / "add-an-issue-finder.md").read_text()


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """Digits with something of most kinds: copies in other splits and of other labels, a dim picture, a class with two, a property that tells."""
    table = digits(300)
    one, two, locked = (table[table["split"] == s].iloc[0] for s in ("train", "val", "test"))
    more = [
        one.to_dict() | dict(id="again", label=str((int(one.label) + 1) % 10)),
        two.to_dict() | dict(id="val-in-train", split="train"),
        locked.to_dict() | dict(id="test-in-train", split="train"),
        one.to_dict() | dict(id="dim", image=png(np.eye(8) * 40)),
    ]
    table = table.drop(table.index[(table.label == "3").to_numpy()][2:])
    table["image"] = [
        png(np.eye(8) * 9 + int(c)) if s == "val" else b
        for b, s, c in zip(table.image, table["split"], table.label)
    ]
    bench = bench_of(pd.concat([table, pd.DataFrame(more)]), tmp_path_factory.mktemp("issues"))
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    for who, label in (("ann", "1"), ("bob", "2")):
        bench.edit(pd.DataFrame(dict(sample=bench.state().index[:1], label=label)), who)
    return bench


# a text of each kind that texts alone can have; personal data are of nobody
PLANTED = dict(
    empty_text="?!",
    short_text="go",
    long_text="the match went on and on " * 60,
    other_script="кошка играет с мячом во дворе",
    broken_encoding="the cafÃ© was closed when the team came and the fans were there",
    markup="<b>the team</b> won the match &amp; the fans went home",
    personal_data="write to nobody@example.com if the team loses the match again",
)


@pytest.fixture(scope="module")
def scanned_texts(tmp_path_factory):
    """Sixty plain sentences, and one of most kinds."""
    place, rng = tmp_path_factory.mktemp("texts"), np.random.default_rng(0)
    words = "the team won a match and the fans of the club were glad when it was over".split()
    texts = [" ".join(rng.permutation(words)) + f" {i}" for i in range(60)] + list(PLANTED.values())
    table = pd.DataFrame(dict(id=[*map(str, range(60)), *PLANTED], text=texts))
    table["label"] = np.where(np.arange(len(table)) % 2, "a", "b")
    table["split"] = np.where(np.arange(len(table)) % 5 == 4, "test", "train")
    table.loc[60:, "split"] = "train"
    table.to_csv(place / "t.csv", index=False)
    bench = assay.create(place / "b").add(place / "t.csv", progress=False)
    scan(bench, ScanOptions(embedder="tfidf"), say=lambda line: None)
    return bench


# a cell of each kind that a row alone can have
ODD = dict(
    missing_values=dict(city=None, income=None, kids=None),
    impossible_value=dict(age=-3),
    extreme_value=dict(income=9e9),
    misspelt_category=dict(city="Kölnn"),
    rare_category=dict(city="Timbuktu"),
    odd_type=dict(age="old"),
)


@pytest.fixture(scope="module")
def scanned_rows(tmp_path_factory):
    """Two hundred plain rows, a row of each kind, and a column of each kind."""
    place, rng, n = tmp_path_factory.mktemp("rows"), np.random.default_rng(0), 206
    table = pd.DataFrame(dict(age=rng.integers(20, 60, n), income=rng.integers(900, 9000, n)))
    table = table.assign(city=rng.choice(["Bonn", "Köln"], n), kids=rng.integers(0, 3, n))
    table = table.astype(object).assign(row=[f"a{i}" for i in range(n)], land="here", wave="x")
    table["label"] = rng.choice(["a", "b"], n)
    table["told"] = table.label + " is the answer"
    for i, cells in enumerate(ODD.values()):
        table.loc[200 + i, list(cells)] = list(cells.values())
    table["split"] = np.where(np.arange(n) % 5 == 4, "test", "train")
    table.loc[200:, "split"] = "train"
    table.to_csv(place / "t.csv", index=False)
    bench = assay.create(place / "b").add(place / "t.csv", progress=False)
    scan(bench, ScanOptions(), say=lambda line: None)
    return bench


@pytest.fixture
def of_its_medium(request, kind):
    """The bench that a kind can be found in."""
    finder = next(f for f in list_finders() if kind in f.kinds)
    first = finder.media[0] if finder.media else "image"  # None: of every medium
    fixtures = dict(image="scanned", text="scanned_texts", row="scanned_rows")
    return request.getfixturevalue(fixtures[first])


def ask(bench, kind, threshold=None):
    """The rows of one kind, as its finder gives them."""
    finder = next(f for f in list_finders() if kind in f.kinds)
    look = finder.when == "look"
    view = ScanView(bench, bench.state()) if look else view_scan(bench, "HEAD")
    return list(finder.find(view, kind, threshold)), view.state


# ---- over all members


def test_lists_have_our_kinds_in_their_order_and_others_after_them():
    assert list(list_kinds())[: len(OURS)] == OURS


@pytest.mark.slow
@pytest.mark.parametrize("kind", list_kinds())
def test_rows_say_what_they_are_about(of_its_medium, kind):
    about = list_kinds()[kind]
    rows, state = ask(of_its_medium, kind)
    assert about.words and len(about.words.split()) <= 16
    for row in rows:
        assert isinstance(row, Issue) and row.kind == kind
        assert (row.sample is None) == about.whole and (about.whole or row.sample in state.index)
        assert 0 <= row.score <= 1 and (about.threshold is None or row.score < about.threshold)
        assert row.suggestion is None or isinstance(row.suggestion, str)
        assert row.why and "\n" not in row.why


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [k for k, about in list_kinds().items() if about.threshold is not None]
)
def test_a_higher_threshold_finds_more(of_its_medium, kind):
    usual, every = (
        {r.sample or r.why for r in ask(of_its_medium, kind, t)[0]} for t in (None, 1.0)
    )
    assert usual <= every
    for threshold in (0.0, 0.5):
        assert all(row.score <= threshold for row in ask(of_its_medium, kind, threshold)[0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", list_kinds())
def test_the_labels_of_test_do_not_matter(of_its_medium, kind):
    finder = next(f for f in list_finders() if kind in f.kinds)
    state = of_its_medium.state()
    other = state.assign(label=state.label.where(state["split"] != "test", "0"))
    assert list(finder.find(ScanView(of_its_medium, state), kind, None)) == list(
        finder.find(ScanView(of_its_medium, other), kind, None)
    )


@pytest.mark.slow
def test_every_kind_that_was_planted_is_found(scanned):
    found = set(scanned.issues().kind)
    assert found >= set(
        "reviewer_disagreement label conflicting_duplicates exact_duplicates leakage class_imbalance drift".split()
    )


def test_each_planted_text_is_found_and_no_plain_one(scanned_texts):
    found, keys = scanned_texts.issues(), scanned_texts.state().key
    for kind in PLANTED:
        named = set(keys[found["sample"][found.kind == kind]])
        assert kind in named and not any(key.isdigit() for key in named), kind


def test_a_kind_of_another_medium_is_refused(scanned, scanned_texts):
    with pytest.raises(UserError, match="for texts"):
        scanned.issues("markup", threshold=0.9)
    with pytest.raises(UserError, match="for images"):
        scanned_texts.issues("blurry", threshold=0.9)
    assert "is_blurry_issue" not in scanned_texts.findings()


# ---- a finder of somebody else


FINDER = '''
"""Samples whose key begins with a 1, by a distribution that Assay knows nothing of."""
from assay.curation.issues.base import Issue, IssueFinder, Kind

def find(scan, kind, threshold):
    for sample, key in scan.state.key[scan.is_open].items():
        if key.startswith("train-1"):
            yield Issue(kind, sample, 0.25, None, f"{key} begins with a one")

FINDER = IssueFinder({"first_one": Kind("its key begins with a one")}, find)
'''


def install(folder, name, code):
    """Lay a module and its distribution into a folder of sys.path, as pip would; the environment that has it."""
    (folder / f"{name}.py").write_text(code)
    about = folder / f"{name}-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[assay.curation.issues]\n{name} = {name}\n")
    return os.environ | dict(PYTHONPATH=str(folder))


def run(environment, *words, cwd=None):
    done = subprocess.run(
        [sys.executable, *map(str, words)], env=environment, cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.daily
def test_a_finder_of_another_distribution_is_in_every_list(tmp_path):
    bench = bench_of(
        digits(200, wrong=0).assign(id=lambda t: [f"{s}-{i}" for i, s in enumerate(t["split"])]),
        tmp_path,
    )
    there = install(tmp_path, "first_one", FINDER)
    assert re.search(
        r"issues .*\d+ first_one",
        run(there, "-m", "assay", "scan", "-b", bench.path, "--embedder", "pixels"),
    )
    rows = json.loads(
        run(there, "-m", "assay", "issues", "-b", bench.path, "--kind", "first_one", "--json")
    )["rows"]
    wanted = {key for key in bench.state().key if key.startswith("train-1")}
    assert {row["source_id"] for row in rows} == wanted and len(wanted) > 10
    assert (
        list(json.loads(run(there, "-m", "assay", "status", "-b", bench.path, "--json"))["issues"])[
            -1
        ]
        == "first_one"
    )
    code = (
        "import assay, sys; print(len(assay.open(sys.argv[1]).issues('first_one', version='v1')))"
    )
    assert int(run(there, "-c", code, bench.path)) == len(wanted)
    shown = samples.sample_rows(bench).issues
    assert sum("first_one" in kinds for kinds in shown if kinds) == len(wanted), (
        "FiftyOne shows what is in the bench"
    )


def test_two_finders_of_one_kind_are_refused(monkeypatch):
    from types import SimpleNamespace

    module = SimpleNamespace(FINDER=list_finders()[0])
    monkeypatch.setattr(finders, "discover", lambda package: [module, module])
    with pytest.raises(UserError, match="merge_conflict.* from two"):
        finders.list_finders.__wrapped__()


# ---- the page for contributors


@pytest.mark.slow
@pytest.mark.daily
def test_the_page_for_contributors_is_right_word_for_word(tmp_path):
    """Its commands, run in order with its finder installed, print what it says."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.S | re.M)
    make, code = (text for language, text in blocks if language == "python")
    assert len(code.splitlines()) < 60
    (tmp_path / "make_digits.py").write_text(make)
    there = install(tmp_path, "flat_images", code)
    printed = ""
    for block in (text for language, text in blocks if language in ("", "sh")):
        for line in block.splitlines():
            if line.startswith(".venv/bin/assay"):
                printed = run(there, "-m", "assay", *line.split()[1:], cwd=tmp_path)
            elif line.startswith(".venv/bin/python make"):
                run(there, *line.split()[1:], cwd=tmp_path)
            elif line.startswith((".venv", "make")):
                continue  # the environment, and this test
            else:
                assert line in [one.rstrip() for one in printed.splitlines()]
    assert "0.4%" in printed and "0.8%" not in printed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ODD)
def test_the_planted_row_is_found_and_hardly_another(scanned_rows, kind):
    rows, state = ask(scanned_rows, kind)
    planted = state.index[state.key == str(200 + list(ODD).index(kind))][0]
    assert planted in {row.sample for row in rows}
    assert len({row.sample for row in rows}) <= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, column",
    [("revealing_column", "told"), ("identifier_column", "row"), ("constant_column", "land")],
)
def test_a_column_is_named(scanned_rows, kind, column):
    rows, _ = ask(scanned_rows, kind)
    assert rows and any(row.why.startswith(f"{column} ") for row in rows)
