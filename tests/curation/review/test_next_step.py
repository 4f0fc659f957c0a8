"""What to do next: one bench from empty to measured, each step with the figures that a person can count, and none that knows a test label."""

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.predictions import run_predictions, runs
from assay.curation.review import next_step
from assay.curation.statistics import estimates
from assay.curation.times import now
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.app_test import AppTest
from tests.helpers import bench_of, digits, run_assay, truth_of


def step(bench, later=None, monkeypatch=None):
    if later:
        monkeypatch.setattr("assay.curation.review.next_step.now", lambda: now() + later)
    said = assay.open(bench.path).status()["advice"]
    if later:
        monkeypatch.undo()
    return said["do"], said["why"], said["page"]


def quiet(line):
    pass


def trained(bench, version, arch="probe", seed=0, wrong=0):
    """A finished run that predicts every label of val as it stands now but for the first `wrong` by id."""
    state = bench.frame()
    ids = run_predictions.predicted_ids(state)
    classes = sorted(set(state.label.dropna()))
    at = np.array([classes.index(state.label[i]) for i in ids])
    val = [k for k, i in enumerate(ids) if state.split[i] == "val"][:wrong]
    at[val] = (at[val] + 1) % len(classes)
    probs = np.eye(len(classes))[at]
    cell = dict(
        key=f"{version}{arch}{seed}",
        train_tree="t",
        arch=arch,
        seed=seed,
        config={},
        at=version,
        n_train=100,
    )
    run_predictions.store_run(
        bench, cell, 1, "code", 1.0, run_predictions.Predictions(ids, probs, classes)
    )


@pytest.mark.daily
@pytest.mark.slow
def test_a_bench_from_empty_to_measured(tmp_path, monkeypatch):
    assert step(assay.create(tmp_path / "empty")) == (
        "Import a data set",
        "This bench holds no samples yet.",
        "overview",
    )
    table = digits(300)
    val = table[table.split == "val"].iloc[0]
    table.loc[len(table)] = dict(val, id="copy", split="train")
    bench = bench_of(table, tmp_path)
    truth = truth_of(bench)
    assert step(bench)[:2] == ("Scan", "None of its 301 images is judged yet.")

    scan(bench, ScanOptions(embedder="pixels", hold_out=False), say=quiet)
    do, why, _ = step(bench)
    leaks = len(bench.issues("leakage"))
    assert (
        do == "Hold out leakage"
        and why.startswith("1 sample (181 in train) equals or nearly equals")
        and leaks == 1
    )
    assert bench.status()["next"] == "bench.scan(embedder='pixels')", "as it was scanned before"
    scan(bench, ScanOptions(embedder="pixels"), say=quiet)
    flagged = bench.issues("label")["sample"]
    do, why, page = step(bench)
    assert (
        (do, page) == ("Review", "review")
        and why.startswith(f"{len(flagged):,} of ")
        and len(flagged) >= 10
    )

    state = bench.state()
    wrong = [s for s in state.index if state.split[s] == "val" and state.label[s] != truth[s]][:2]
    right = [s for s in state.index if state.split[s] == "val" and state.label[s] == truth[s]][:3]
    bench.edit(pd.DataFrame(dict(sample=wrong + right, label=truth[wrong + right])), "ann")
    bench.edit(
        pd.DataFrame(dict(sample=right[:1], label=["0" if truth[right[0]] != "0" else "1"])), "bob"
    )
    assert step(bench) == (
        "Settle where people disagree",
        "1 label has no majority: what has none comes first in the queue.",
        "review",
    )
    bench.undo(who="bob")
    do, why, _ = step(bench)
    assert do == "Review" and "Of 5 reviewed so far 2 were wrong." in why
    do, why, page = step(bench, timedelta(hours=3), monkeypatch)
    assert (do, page) == ("Commit", "history") and why.startswith(
        "5 samples were decided about since v1, the last one 3 hours ago"
    )

    bench.commit("five", "ann")
    assert step(bench)[:2] == (
        "Measure the gain",
        "5 samples were decided about between the import and v2, and what that gained is not known.",
    )
    trained(bench, "v2")
    do, why, page = step(bench)
    tests = (bench.state().split == "test").sum()
    assert (do, page) == ("Audit the test labels", "audit") and why.startswith(
        f"2 of 5 reviewed val labels were wrong, and nobody has looked at the {tests}"
    )

    shuffled = assay.open(bench.path)
    test = state.index[state.split == "test"]
    with shuffled.transaction() as con:
        for sample, label in zip(test, np.random.default_rng(1).permutation(state.label[test])):
            con.execute(
                "update edits set value = ? where sample = ? and field = 'label'",
                [json.dumps(label), sample],
            )
    assert step(bench) == (do, why, page), "no test label is in a reason"
    monkeypatch.setattr(
        "assay.curation.review.label_noise.estimate_noise",
        lambda *a: dict(wrong=0, n=20, of=60, unsure=0, share=None, share_between=None),
    )
    assert step(bench)[0] == "Review", "once somebody has looked, there is more to review"
    bench.edit(pd.DataFrame(dict(sample=bench.issues("label")["sample"], verdict="confirm")), "ann")
    assert step(bench)[0] == "Commit"
    bench.commit("all", "ann")
    assert step(bench)[1].endswith("between v2 and v3, and what that gained is not known.")
    trained(bench, "v3")
    status, out, _ = run_assay("status", "-b", bench.path, "--json")
    last = json.loads(out)
    assert status == 0 and last["advice"]["do"] in (
        "Look at the gaps",
        "Review random samples",
        "Review",
    )
    assert last["next"] == last["advice"]["command"]


@pytest.mark.slow
def test_accuracy_by_version_is_that_of_the_versions_own_runs(bench):
    n = int((bench.state().split == "val").sum())
    bench.commit("one", "ann")
    assert not len(runs.tabulate_versions(bench))
    trained(bench, "v1", wrong=12)
    for seed, wrong in enumerate((6, 8, 10)):
        trained(bench, "v1", "mlp", seed, wrong)
    trained(
        bench, "v1 - random(3, seed=0)", wrong=20
    )  # a control, which only an experiment compares with
    cell = dict(key="lost", train_tree="t", arch="cnn", seed=0, config={}, at="v1", n_train=100)
    run_predictions.store_run(bench, cell, 1, "code", 1.0, None, failed="diverged")
    out = runs.tabulate_versions(bench).set_index("arch")
    assert list(out.index) == ["mlp", "probe"] and set(out.n) == {n}
    assert out.accuracy["probe"] == pytest.approx(1 - 12 / n) and out.accuracy[
        "mlp"
    ] == pytest.approx(1 - 8 / n)
    assert (out.low["probe"], out.high["probe"]) == pytest.approx(
        estimates.wilson_interval(n - 12, n)
    ), "one seed: this model alone"
    narrow = estimates.wilson_interval(n - 8, n)
    assert (
        out.low["mlp"] < narrow[0] + 0.01
        and out.high["mlp"] > narrow[1] - 0.02
        and out.seeds["mlp"] == 3
    )
    val = bench.state().index[bench.state().split == "val"].sort_values()
    bench.edit(
        pd.DataFrame(
            dict(
                sample=val[:12],
                label=[str((int(bench.state().label[s]) + 1) % 10) for s in val[:12]],
            )
        ),
        "ann",
    )
    assert runs.tabulate_versions(bench).set_index("arch").accuracy["probe"] == 1, (
        "it is judged by the labels as they stand now"
    )

    def script(path):
        import assay
        from assay.app.ui.page import draw_page

        draw_page("overview", assay.open(path))

    at = AppTest.from_function(script, kwargs=dict(path=str(bench.path)), default_timeout=60).run()
    said = " ".join(h.proto.body for h in at.get("html"))
    assert (
        not at.exception
        and "<b>100.0</b>" in said
        and "3 seeds" in said
        and "1 seed: this model alone" in said
    )


@pytest.mark.slow
def test_decisions_that_were_taken_back_are_no_work_and_what_is_damaged_is_mended_by_its_own_command(
    scanned,
):
    samples = scanned.state().query("split == 'train'").index
    kept = scanned.edit(pd.DataFrame(dict(sample=samples[:3], label="7")), "ann")
    back = scanned.edit(pd.DataFrame(dict(sample=samples[2:8], label="5")), "ann")
    assert next_step.count_decisions(scanned).open == 8
    scanned.undo(back["batch"], "ann")
    assert next_step.count_decisions(scanned).open == 3 == kept["samples"]
    scanned.redo("ann")
    assert next_step.count_decisions(scanned).open == 8
    scanned.commit("", "ann")
    (scanned.arrays / "opinion.npz").write_bytes(b"")
    assert scanned.status()["next"] == "bench.check(repair=True)"
