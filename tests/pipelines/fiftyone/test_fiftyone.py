"""FiftyOne, both ways: the real App in a real browser on a real mongod; what a person changes there comes back as one batch, and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from playwright import sync_api as playwright

import assay
from assay import UserError
from assay.pipelines.fiftyone import dataset, mongod, sync
from assay.pipelines.fiftyone import samples as bridge
from assay.pipelines.jobs import tasks
from tests.browser import browser
from tests.helpers import ROOT, bench_of, digits
from tests.json_verbs import run_assay


class App:
    """`assay fiftyone` as a page's button starts it: an errand, without a terminal; a SIGTERM ends it."""

    def __init__(self, bench, home):
        self.bench, self.log = bench, bench.path / "jobs" / "errand-fiftyone.err"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(home))
            self.process = tasks.start_task(bench, "fiftyone")
        while "said" not in (job := (tasks.list_tasks(bench) or [{}])[0]):
            assert self.process.poll() is None and job.get("state") != "failed", (
                job,
                self.log.read_text(),
            )
            time.sleep(0.1)
        self.told = job["said"]
        self.port = mongod.running_port(dataset.fiftyone_folder(bench) / "db")
        self.fo, self.mine = dataset.connect_database(bench)
        self.dataset = dataset.open_dataset(bench, self.fo)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    try:
        mongod.find_binary()
    except UserError as e:
        pytest.skip(e.problem)
    from assay.pipelines.indexing.scan import ScanOptions, scan

    folder = tmp_path_factory.mktemp("fiftyone")
    bench = bench_of(digits(300), folder, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    app = App(bench, folder)
    yield app
    if app.process.poll() is None:
        app.process.kill()


def sample_of(app, id):
    return app.dataset.match(app.fo.ViewField("assay_id") == id).first()


def by_split(app, split, n):
    state = app.bench.state()
    return list(state.index[(state["split"] == split) & state.keep][:n])


@pytest.mark.daily
def test_a_person_at_the_page_sees_every_sample_and_tags_one(app, capsys):
    """In the browser, offline but for this machine: the count, the map in the embeddings panel, and a tag that the pull brings home."""
    assert app.told["added"] == 300 and not app.mine, (
        "the second process joins the first one's mongod"
    )
    with browser() as running:
        page = running.new_page(viewport=dict(width=1500, height=900))
        page.route(
            "**/*",
            lambda route: (
                route.continue_() if "//127.0.0.1" in route.request.url else route.abort()
            ),
        )
        page.goto(app.told["url"])
        page.wait_for_selector("text=300 samples", timeout=120_000)
        page.wait_for_selector("text=label_score")
        with suppress(playwright.TimeoutError):
            page.click("text=Dismiss", timeout=5_000)  # what FiftyOne would like to sell
        page.wait_for_selector("[data-cy=looker] canvas, [data-cy=looker] img")
        page.wait_for_timeout(2_000)
        boxes = [tile.bounding_box() for tile in page.locator("[data-cy=looker]").all()]
        inside = [
            (round(b["y"]), b["x"]) for b in boxes if b and b["x"] > 300 and 200 < b["y"] < 500
        ]
        y, x = min(inside)  # the seventh image is of train: the splits of digits go round in fives
        page.mouse.move(x + 60, y + 60)
        page.mouse.click(x + 14, y + 14)
        page.click('[data-cy="action-tag-sample-labels"]')
        page.fill('input[placeholder*="tag selected"]', "seen by eye")
        page.press('input[placeholder*="tag selected"]', "Enter")
        page.click("text=Apply")
        page.click('[title="New panel"]')
        page.click("text=Embeddings")
        page.wait_for_selector("text=1 visualization")
    out = run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "eve")[1]
    state = app.bench.state()
    assert out["edits"] == 1 and [s for s in state.index if state.tags[s] == ("seen by eye",)] == [
        out["applied"][0]["sample"]
    ]


@pytest.mark.daily
@pytest.mark.slow
def test_what_stands_there_is_what_the_bench_says(app):
    """Every sample beside the bench's own tables, read back through FiftyOne's API."""
    rows, state, found = (
        bridge.sample_rows(app.bench),
        app.bench.state(),
        app.bench.queue(n=300, random=0),
    )
    fields = [
        "assay_id",
        "ground_truth.label",
        "tags",
        "prediction.label",
        "label_score",
        "mistakenness",
        "is_label_issue",
        "cluster",
    ]
    there = (
        pd.DataFrame(dict(zip(fields, app.dataset.values(fields))))
        .set_index("assay_id")
        .loc[state.index]
    )
    assert (there["ground_truth.label"] == state.label).all() and there.tags.map(
        lambda t: t[0]
    ).tolist() == list(state["split"])
    scored = found.set_index("sample")
    assert np.allclose(there.label_score[scored.index].astype(float), scored.score)
    assert np.allclose(there.label_score[scored.index] + there.mistakenness[scored.index], 1)
    assert (there["prediction.label"][scored.index] == scored.suggested_label).all()
    test = state.index[state["split"] == "test"]
    assert (
        there.loc[
            test, ["prediction.label", "label_score", "mistakenness", "is_label_issue", "cluster"]
        ]
        .isna()
        .all(axis=None)
    )
    assert set(app.dataset.list_brain_runs()) == {"map", "similar"}
    points = app.dataset.load_brain_results("map").points
    assert np.allclose(
        points, bridge.map_points(app.bench, state.loc[app.dataset.values("assay_id")])
    )
    assert rows.flagged.sum() == sum(map(bool, app.dataset.values("is_label_issue"))) > 10
    like = app.dataset.sort_by_similarity(app.dataset.first().id, k=2, brain_key="similar")
    assert like.first().id == app.dataset.first().id


@pytest.mark.daily  # as all of them: FiftyOne's App takes a minute of two cores to start
@pytest.mark.slow
def test_labels_tags_splits_and_deletions_come_back_as_one_batch(app, capsys):
    relabelled, tagged, moved, gone = by_split(app, "train", 4)
    locked = by_split(app, "test", 1)[0]
    before = app.bench.state()
    wanted = "1" if before.label[relabelled] != "1" else "7"
    for id, change in (
        (relabelled, lambda s: setattr(s.ground_truth, "label", wanted)),
        (tagged, lambda s: s.tags.extend(["blurry", "torn"])),
        (moved, lambda s: setattr(s, "tags", ["val"])),
        (locked, lambda s: setattr(s.ground_truth, "label", "x")),
    ):
        sample = sample_of(app, id)
        change(sample)
        sample.save()
    app.dataset.delete_samples([sample_of(app, gone).id])
    status, out, _ = run_assay(
        capsys,
        "fiftyone",
        "--pull",
        "-b",
        app.bench.path,
        "--who",
        "ann",
        "--why",
        "seen in the App",
    )
    now = assay.open(app.bench.path).state()
    assert status == 0 and out["edits"] == 5
    assert (now.label[relabelled], now.tags[tagged], now["split"][moved], now.keep[gone]) == (
        wanted,
        ("blurry", "torn"),
        "val",
        False,
    )
    assert now.drop([relabelled, tagged, moved, gone]).equals(
        before.drop([relabelled, tagged, moved, gone])
    )
    rows = app.bench.rows("select distinct who, why from edits where batch = ?", [out["batch"]])
    assert rows == [("ann", "seen in the App")]
    assert [(r["sample"], r["verdict"]) for r in out["left"]] == [
        (locked, "refused")
    ] and "locked" in out["left"][0]["why"]
    status, out, _ = run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "ann")
    assert (out["batch"], out["edits"], len(out["left"])) == (None, 0, 1), (
        "the second time there is nothing to pull"
    )
    status, out, _ = run_assay(
        capsys, "fiftyone", "--pull", "-b", app.bench.path, "--take", "bench"
    )
    assert sample_of(app, locked).ground_truth.label == before.label[locked] and out["edits"] == 0
    assert run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path)[1]["left"] == []


@pytest.mark.daily
def test_pushing_again_updates_and_spares_what_is_not_yet_pulled(app, capsys):
    fixed, theirs = by_split(app, "val", 6)[-2:]
    label = "2" if app.bench.state().label[fixed] != "2" else "5"
    app.bench.edit(pd.DataFrame([dict(sample=fixed, label=label)]), "bob")
    sample = sample_of(app, theirs)
    sample.tags.append("mine")
    sample.save()
    status, out, _ = run_assay(capsys, "fiftyone", "--no-app", "-b", app.bench.path)
    assert (
        status == 0
        and out["waiting"] == 1
        and out["added"] == out["removed"] == 0
        and out["url"] == app.told["url"]
    )
    app.dataset.reload()
    assert (
        sample_of(app, fixed).ground_truth.label == label and "mine" in sample_of(app, theirs).tags
    )
    again = run_assay(capsys, "fiftyone", "--no-app", "-b", app.bench.path)[1]
    assert (again["updated"], again["unchanged"]) == (0, 298), (
        "what is there as it should be is not written again"
    )
    out = run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "ann")[1]
    assert out["edits"] == 1 and app.bench.state().tags[theirs] == ("mine",)


@pytest.mark.daily
def test_who_changed_it_on_both_sides_is_asked(app, capsys):
    one, two = by_split(app, "train", 10)[-2:]
    run_assay(capsys, "fiftyone", "--no-app", "-b", app.bench.path)
    for id in (one, two):
        sample = sample_of(app, id)
        sample.ground_truth.label = "8"
        sample.save()
    app.bench.edit(pd.DataFrame([dict(sample=one, label="9"), dict(sample=two, label="8")]), "bob")
    out = run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "ann")[1]
    left = [(r["sample"], r["verdict"], r["value"], r["stands"]) for r in out["left"]]
    assert (
        out["edits"] == 0
        and left == [(one, "conflict", "8", "9")]
        and app.bench.state().label[one] == "9"
    )
    pushed = run_assay(capsys, "fiftyone", "--no-app", "-b", app.bench.path)[1]
    app.dataset.reload()
    assert pushed["waiting"] == 1 and sample_of(app, one).ground_truth.label == "8", (
        "a push settles no conflict by itself"
    )
    out = run_assay(
        capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "ann", "--take", "fiftyone"
    )[1]
    assert out["edits"] == 1 and app.bench.state().label[one] == "8"
    sample = sample_of(app, one)
    sample.ground_truth.label = "ten"
    sample.save()
    app.bench.edit(pd.DataFrame([dict(sample=one, tag="from here")]), "bob")
    out = run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "ann")[1]
    assert out["edits"] == 0 and "--new-class 'ten'" in out["left"][0]["why"]
    out = run_assay(
        capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "ann", "--new-class", "ten"
    )[1]
    assert out["edits"] == 1 and app.bench.state().label[one] == "ten"
    assert (
        run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "ann")[1]["edits"]
        == 0
    )
    assert app.bench.state().tags[one] == ("from here",), (
        "bob's tag, which ann never saw, is no tag that she took away"
    )
    app.bench.undo(out["batch"], "ann")


@pytest.mark.daily
def test_a_selection_and_back_loses_no_sample(app, capsys, monkeypatch):
    """A query leaves the others out of FiftyOne, which is no deletion, not even for a push that is killed: all come again."""
    kept = int(app.bench.state().keep.sum())
    query = "select sample from issues where kind = 'label'"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sync, "write_samples", killed)  # the others have left by now
        sync.push_samples(app.bench, app.fo, app.dataset, by_split(app, "val", 20))
    assert len(app.dataset) == 20
    assert (
        run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "ann")[1]["edits"]
        == 0
    )
    assert run_assay(capsys, "fiftyone", "--no-app", "-b", app.bench.path)[1]["samples"] == kept
    status, out, err = run_assay(
        capsys, "fiftyone", "--no-app", "-b", app.bench.path, "--query", query
    )
    assert status == 0, err
    flagged = int(
        app.bench.query("select count(distinct sample) n from issues where kind = 'label'").n[0]
    )
    assert 10 < out["samples"] <= flagged and out["removed"] == kept - out["samples"]
    assert (
        run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path, "--who", "ann")[1]["edits"]
        == 0
    )
    assert (
        run_assay(capsys, "fiftyone", "--no-app", "-b", app.bench.path)[1]["samples"]
        == kept
        == int(app.bench.state().keep.sum())
    )


def page_of(app, who):
    """(the part of a page that is about FiftyOne, as `who` sees it; what draws it)."""
    from tests.app_test import AppTest

    def script(path):
        import assay
        from assay.app.ui import fiftyone_button

        fiftyone_button.draw_fiftyone_button(assay.open(path))

    def drawn():
        before = sys.modules["__main__"]
        at.run()
        sys.modules["__main__"] = before  # Streamlit leaves a script of its own there

    at = AppTest.from_function(script, kwargs=dict(path=str(app.bench.path)), default_timeout=120)
    at.session_state["who"] = who
    return at, drawn


@pytest.mark.daily
@pytest.mark.slow
def test_a_page_shows_the_app_and_opens_a_part_of_the_bench(app, capsys, tmp_path):
    """The link and the stop of what runs; and what is listed in a file is what is shown."""
    from assay.app.ui.fiftyone_button import write_selection

    at, drawn = page_of(app, "")
    drawn()
    assert not at.exception and [(b.label, b.disabled) for b in at.button] == [
        ("Stop", False),
        ("Import changes", True),
    ]
    assert [link.proto.url for link in at.get("link_button")] == [app.told["url"]] and app.told[
        "url"
    ].startswith("http://127.0.0.1:")
    some = by_split(app, "val", 7)
    status, out, err = run_assay(
        capsys,
        "fiftyone",
        "--no-app",
        "-b",
        app.bench.path,
        "--samples",
        write_selection(app.bench, some),
    )
    app.dataset.reload()
    assert status == 0 and set(app.dataset.values("assay_id")) == set(some), err
    (tmp_path / "bad.csv").write_text("name\nx\n")
    assert (
        "column sample"
        in run_assay(
            capsys, "fiftyone", "--no-app", "-b", app.bench.path, "--samples", tmp_path / "bad.csv"
        )[2]
    )
    assert run_assay(capsys, "fiftyone", "--no-app", "-b", app.bench.path)[1]["removed"] == 0


@pytest.mark.daily
def test_a_page_brings_changes_home_and_asks_where_both_sides_changed(app, capsys):
    def press(label):
        next(b for b in at.button if b.label == label).click()
        drawn()

    one, two = by_split(app, "train", 12)[-2:]
    for id in (one, two):
        sample = sample_of(app, id)
        sample.ground_truth.label = "7"
        sample.save()
    app.bench.edit(pd.DataFrame([dict(sample=one, label="6")]), "bob")
    at, drawn = page_of(app, "ann")
    drawn()
    press("Import changes")
    assert at.success[0].value.startswith("1 edit came") and list(
        at.dataframe[0].value["sample"]
    ) == [one], "bob's is asked about"
    assert list(app.bench.state().label[[one, two]]) == ["6", "7"]
    press("FiftyOne is right")
    assert not at.exception and list(app.bench.state().label[[one, two]]) == ["7", "7"]
    assert app.bench.rows("select who from edits order by seq desc limit 1") == [("ann",)]
    press("Import changes")
    assert at.success[0].value.startswith("Nothing") and not at.dataframe


@pytest.mark.daily
def test_a_mass_deletion_wants_a_second_word(app, capsys):
    app.dataset.reload()
    app.dataset.delete_samples(app.dataset.match_tags("train").limit(60))
    status, _, err = run_assay(capsys, "fiftyone", "--pull", "-b", app.bench.path)
    assert status == 2 and "found 60 of" in err and "--yes" in err
    status, out, _ = run_assay(
        capsys, "fiftyone", "--pull", "-b", app.bench.path, "--take", "bench", "--yes"
    )
    assert out["edits"] == 60
    app.bench.undo(out["batch"], "ann")
    assert run_assay(capsys, "fiftyone", "--no-app", "-b", app.bench.path)[1]["added"] == 60


@pytest.mark.daily
def test_a_data_set_of_the_users_own_goes_out_and_comes_in(app, tmp_path):
    """Another database, another process: labels and splits by image are the same on both sides."""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "FIFTYONE_DATABASE_DIR": str(tmp_path / "db"),
    }
    env = {
        name: value
        for name, value in env.items()
        if name not in ("FIFTYONE_DATABASE_URI", "FIFTYONE_CONFIG_PATH")
    }

    story = "import sys; from assay.pipelines.cli.main import main; sys.exit(main(sys.argv[1:6]) or main(sys.argv[6:]))"
    first = ["fiftyone", "--export", "mine", "-b", app.bench.path]
    second = ["import", "fiftyone:mine", "-b", tmp_path / "other"]
    run = subprocess.run(
        [sys.executable, "-c", story, *map(str, first + second)],
        env=env,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    a, b = app.bench.frame(), assay.open(tmp_path / "other").frame()
    pairs = [sorted(zip(f.content_hash, f.label, f["split"])) for f in (a, b)]
    assert pairs[0] == pairs[1] and len(b) == len(a)


@pytest.mark.daily
def test_nothing_runs_on_when_we_are_gone(app):
    """The last story: a SIGTERM ends the App, its server and its mongod; the bench says what is still to be pulled."""
    import psutil

    theirs = [p for p in psutil.Process(app.process.pid).children(recursive=True)]
    seen = [c for p in theirs for c in p.net_connections("inet")]
    assert {c.laddr.ip for c in seen} | {c.raddr.ip for c in seen if c.raddr} == {"127.0.0.1"}, (
        "nobody else can reach it, and it nobody else"
    )
    assert (
        any("mongod" in p.name() for p in theirs)
        and mongod.running_port(dataset.fiftyone_folder(app.bench) / "db") == app.port
    )
    app.process.send_signal(signal.SIGTERM)
    assert (
        app.process.wait(60) == 0
        and "the App is closed; 0 changes to be pulled" in app.log.read_text()
    )
    until = time.monotonic() + 30
    while (
        any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in theirs)
        and time.monotonic() < until
    ):
        time.sleep(0.1)
    assert [p for p in theirs if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert mongod.running_port(dataset.fiftyone_folder(app.bench) / "db") is None
