"""One contract for all media and tasks: the whole loop on real samples whose errors are known.

Import, scan, queue, decide by file, history and undo, commit, diff, gaps, experiment, report, export, import again.
The sets of data are a table in tests/loops/; a medium or task without one fails here.
"""

import json

import pandas as pd
import pytest

import assay
from assay.curation.media.base import media_of, media_types
from assay.curation.tasks.base import find_task, list_tasks, task_of
from tests.helpers import run_assay
from tests.loops.base import as_stored, list_loops, plant_errors, write_source

PLANTED = 12
LOOPS = {loop.name: loop for loop in list_loops()}
EACH = [pytest.param(n, marks=() if LOOPS[n].plain else pytest.mark.daily) for n in LOOPS]
PLAN = """question = "did it help?"
versions = ["v1", "v2"]
architectures = ["{}"]
seeds = [0, 1]
margin = 1
"""


class Walk:
    """A bench of a set of data, and what is known of it."""

    def __init__(self, loop, folder):
        self.loop, self.folder, self.path = loop, folder, folder / "bench"
        self.table = plant_errors(loop.make(), PLANTED).set_index("id", drop=False)
        source = write_source(loop, self.table.reset_index(drop=True), folder)
        self.do("import", source, *loop.options)
        self.bench = assay.open(self.path)

    def do(self, *words, of=None):
        """What a verb prints; it must end well."""
        status, out, err = run_assay(*words, "-b", of or self.path)
        assert status == 0, (words, err)
        return out

    def read(self, *words):
        return json.loads(self.do(*words, "--json"))

    def labels(self, column):
        """The labels of all samples, by key, of a column of the table."""
        return {key: as_stored(self.loop, cell) for key, cell in self.table[column].items()}

    def now(self):
        state = self.bench.state()
        return dict(zip(state.key, state.label))

    def wrong(self):
        return set(self.table.index[self.table.label != self.table.truth])


@pytest.mark.parametrize("members, field", [(media_types, "media"), (list_tasks, "task")])
def test_every_medium_and_task_has_data_to_walk_on(members, field):
    names = {getattr(member, "name", member) for member in members()}
    assert names == {getattr(loop, field) for loop in LOOPS.values()}, "add one to tests/loops"


@pytest.mark.parametrize("name", EACH)
def test_the_whole_loop(name, tmp_path, data):
    walk = Walk(LOOPS[name], tmp_path)
    assert (media_of(walk.bench).name, task_of(walk.bench).name) == (
        walk.loop.media,
        walk.loop.task,
    )
    assert walk.now() == walk.labels("label"), "as they came"
    walk.do("scan", *LOOPS[name].scan)
    find_errors(walk)
    decide_by_sheet(walk)
    take_back_and_commit(walk)
    look_around(walk)
    prove(walk)
    come_back(walk)


def find_errors(walk):
    """The queue's head holds more planted errors than chance."""
    head = walk.bench.queue(n=PLANTED, random=0)
    hits, open_rows = sum(head.source_id.isin(walk.wrong())), sum(walk.table["split"] != "test")
    assert hits >= 2 and hits > 2 * PLANTED * PLANTED / open_rows, f"{hits} of {PLANTED}"
    assert head.suggested_label.notna().all() and head.reason.str.len().gt(3).all()


def decide_by_sheet(walk):
    """Who knows the truth fills the sheet; every planted error in it is mended, and nothing else changes."""
    sheet, before = walk.folder / "queue.csv", walk.now()
    walk.do("queue", "-n", 60, "--csv", sheet)
    rows = pd.read_csv(sheet, dtype=str, keep_default_na=False)
    rows["label"] = [walk.table.truth[key] or "[]" for key in rows.source_id]
    rows.to_csv(sheet, index=False)
    walk.do("edit", sheet, "--who", "ann")
    mended = dict(zip(rows.source_id, (walk.labels("truth")[key] for key in rows.source_id)))
    assert walk.now() == before | mended and walk.now() != before


def take_back_and_commit(walk):
    """Undo gives the tree that came, redo the one that was decided; history and diff name what changed."""
    first = walk.bench.commit("again", who="ann")["tree"]
    changed = {key for key, label in walk.now().items() if label != walk.labels("label")[key]}
    walk.do("undo", "--who", "ann")
    assert walk.now() == walk.labels("label")
    walk.do("redo", "--who", "ann")
    assert walk.bench.commit("mended", who="ann")["tree"] == first
    diff = walk.read("diff", "v1", "HEAD")
    assert len(diff["relabelled"]) == len(changed) > 0, diff
    assert "ann" in walk.do("log")


def look_around(walk):
    """Every look at the bench works, or says in words that it is not for several labels; nothing in it is unknown."""
    assert walk.read("check")["findings"] == []
    for verb in ("status", "issues", "duplicates", "gaps", "log", "runs", "check"):
        status, _, err = run_assay(verb, "-b", walk.path)
        assert status == 0 or find_task(walk.loop.task).noun in err and "hint:" in err, (verb, err)


def prove(walk):
    """The experiment's effect has an interval, and the report is written."""
    plan, page = walk.folder / "plan.toml", walk.folder / "report.html"
    plan.write_text(PLAN.format(walk.loop.architecture))
    walk.do("experiment", plan, "-o", page)
    report = walk.read("report", plan)
    for cell in report["matrix"]:
        assert cell["accuracy"]["low"] <= cell["accuracy"]["estimate"] <= cell["accuracy"]["high"]
    assert page.stat().st_size > 10_000 and "did it help?" in page.read_text()


def come_back(walk):
    """What is exported is the same tree in a new bench."""
    out = json.loads(walk.do("export", "-o", walk.folder / "out", "--json"))
    other = walk.folder / "other"
    walk.do("import", walk.folder / "out" / "manifest.csv", of=other)
    again = json.loads(walk.do("export", "-o", walk.folder / "out2", "--json", of=other))
    assert again["tree"] == out["tree"]
