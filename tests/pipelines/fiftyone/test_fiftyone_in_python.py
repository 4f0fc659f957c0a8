"""FiftyOne from Python: shown, changed, pulled, exported, each in a process of its own."""

import subprocess
import sys
from urllib.request import urlopen

import pandas as pd
import pytest

import assay
from assay import UserError
from assay.pipelines.fiftyone import mongod
from tests.browser import free_port
from tests.docs import list_blocks, read_page
from tests.helpers import ROOT
from tests.json_outputs import check_json

PAGE = "docs/how-to/use-fiftyone.md"
CHANGE = """import sys
import assay
from assay.pipelines.fiftyone import dataset
bench = assay.open(sys.argv[1])
fo, _ = dataset.connect_database(bench)
shown = dataset.open_dataset(bench, fo)
for n, sample in enumerate(shown.match_tags("train")):
    if n == 0:
        sample.tags.append("torn")
    if n == 1:
        sample.ground_truth.label = "no such class"
    sample.save()
"""


@pytest.fixture
def shown(scanned):
    try:
        mongod.find_binary()
    except UserError as e:
        pytest.skip(e.problem)
    return assay.open(scanned.path)


@pytest.mark.daily
def test_a_notebook_shows_a_bench_and_brings_changes_home(shown):
    some = list(shown.frame(split="train").index[:20])
    with pytest.raises(UserError, match="never was") as refused:
        shown.pull_fiftyone("ann")
    assert "bench.fiftyone()" in refused.value.hint
    assert shown.push_fiftyone(some)["samples"] == 20
    with shown.fiftyone(some, port=free_port()) as opened:
        assert urlopen(opened.url.split("/datasets")[0]).status == 200
        assert opened.pushed["unchanged"] == 20 and opened.url in opened._repr_html_()
        subprocess.run([sys.executable, "-c", CHANGE, shown.path], check=True, cwd=ROOT)
        out = shown.pull_fiftyone("ann", "seen in the App")
    assert opened.process.poll() is not None and "stopped" in repr(opened)
    assert out["edits"] == 1 and list(out["applied"].field) == ["tag"]
    assert isinstance(out["left"], pd.DataFrame) and "new_classes" in out["left"].why[0]
    assert shown.blame(out["applied"]["sample"][0]).edits.why.iloc[-1] == "seen in the App"
    assert len(shown.pull_fiftyone("ann", take="bench")["left"]) == 1
    assert len(shown.pull_fiftyone("ann")["left"]) == 0, "what the bench says stands again"


@pytest.mark.daily
def test_a_notebook_exports_to_the_users_own_fiftyone(shown, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FIFTYONE_DATABASE_DIR", str(tmp_path / "db"))
    monkeypatch.delenv("FIFTYONE_DATABASE_URI", raising=False)
    monkeypatch.delenv("FIFTYONE_CONFIG_PATH", raising=False)
    some = list(shown.frame(split="val").index[:7])
    assert shown.export_fiftyone("mine", some) == dict(dataset="mine", samples=7, lost=[])
    with pytest.raises(UserError, match="'mine' taken"):
        shown.export_fiftyone("mine", some)
    words = ["fiftyone", "--export", "all", "--json", "-b", shown.path]
    done = subprocess.run([sys.executable, "-m", "assay", *words], capture_output=True, text=True)
    assert check_json(done.stdout)["samples"] == int(shown.state().keep.sum())
    # FiftyOne keeps the database that a process met first: another story of this one may need another
    add = "import assay, sys; assay.create(sys.argv[1]).add('fiftyone:mine', progress=False)"
    subprocess.run([sys.executable, "-c", add, tmp_path / "again"], check=True, cwd=tmp_path)
    assert len(assay.open(tmp_path / "again").state()) == 7


@pytest.mark.daily
def test_what_is_wrong_is_told_as_a_user_error(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_MONGOD", str(tmp_path / "nowhere"))
    bench = assay.open(bench.path)
    for ask in (bench.fiftyone, bench.push_fiftyone, lambda: bench.export_fiftyone("x")):
        with pytest.raises(UserError, match="expected mongod|FiftyOne"):
            ask()
    assert not (bench.path / "fiftyone").exists()


@pytest.mark.daily
def test_what_the_page_shows_in_python_runs(shown, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FIFTYONE_DATABASE_DIR", str(tmp_path / "db"))
    (block,) = [b for b in list_blocks(read_page(PAGE)) if b.language == "python"]
    names = dict(bench=shown, sample_ids=list(shown.frame(split="train").index[:5]))
    exec(block.text, names)
    assert names["out"]["edits"] == 0 and not names["opened"].is_open()
