"""The scan and its queue: planted errors are found, test labels are never read, what is there is not computed again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pandas as pd
import psutil
import pytest

import assay
from assay import UserError
from assay.curation.features import scan_settings
from assay.curation.label_quality import judges, live, scoring
from assay.curation.statistics import sampling
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.shards import Shards
from assay.pipelines.indexing.own_files import read_own_file
from assay.pipelines.indexing.own_model import OwnModel
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.simulation.reviewer import review_queue, true_decisions
from tests.helpers import ROOT, bench_of, digits, png, run_assay, truth_of

silent = lambda line: None  # noqa: E731


def wrong_ids(bench):
    state = bench.state()
    return set(state.index[(state.given_label != truth_of(bench)) & (state["split"] != "test")])


def test_planted_errors_lead_the_queue(scanned):
    wrong = wrong_ids(scanned)
    queue = scanned.queue(n=len(wrong), random=0)
    found = len(wrong & set(queue["sample"]))
    assert found >= 0.8 * len(wrong), (
        f"{found} of {len(wrong)}; by chance {len(wrong) ** 2 / 480:.1f}"
    )
    first = queue.iloc[0]
    assert first.suggested_label == truth_of(scanned)[first["sample"]]
    assert (
        re.match(r"a model that has not seen it: \d+%", first.reason)
        and f"nearest neighbours labelled {first.suggested_label}" in first.reason
    )
    assert queue.score.is_monotonic_increasing and queue.score.between(0, 1).all()


def test_every_train_and_val_sample_has_probabilities_and_no_test_sample(scanned):
    opinion, state = load_arrays(scanned.arrays / "opinion.npz"), scanned.state()
    assert set(opinion["ids"].astype(str)) == set(state.index[state["split"] != "test"])
    assert np.allclose(opinion["pred_probs"].sum(1), 1, atol=1e-5)
    assert json.loads(str(opinion["classes"])) == sorted(set(state.label))


@pytest.mark.slow
def test_the_random_stratum_is_uniform_marked_and_comes_back_until_it_is_decided(scanned):
    queue = scanned.queue(100, 0.2)
    drawn, worst = set(queue["sample"][queue.random]), set(scanned.queue(100, 0)["sample"])
    assert len(drawn) == 20 and set(queue["sample"]) == worst | drawn
    some = sorted(drawn)[:1]
    scanned.edit(true_decisions(some, truth_of(scanned)), "ann")
    again = scanned.queue(100, 0.2)
    assert set(again["sample"][again.random]) > drawn - set(some), (
        "who is not decided is drawn again, and one more"
    )
    positions = [
        list(scanned.state().index).index(s)
        for s in sampling.shuffle_samples(scanned.state().index, 0)[:200]
    ]
    assert abs(np.mean(positions) / 600 - 0.5) < 0.07, "the draw does not favour the beginning"


@pytest.mark.slow
def test_errors_left_come_from_the_random_stratum_alone(scanned):
    truth, wrong = truth_of(scanned), wrong_ids(scanned)
    review_queue(scanned, truth, 30, random=0)
    seen = scanned.status()["review"]
    assert seen["errors_left"] is None and seen["sure_at_random"] < 30, (
        "thirty looks at the worst say nothing about the others"
    )
    review_queue(scanned, truth, 40, random=1.0)
    seen = scanned.status()["review"]
    left = len(wrong) - seen["wrong"]
    assert seen["sure_at_random"] >= 40 and seen["errors_left"][1] <= left <= seen["errors_left"][2]


@pytest.mark.slow
def test_an_unsure_look_is_no_sure_one_and_counts_both_ways(scanned):
    drawn = sampling.shuffle_samples(scanned.state().query("split in ('train', 'val')").index, 0)[
        :3
    ]
    scanned.edit(pd.DataFrame(dict(sample=drawn, verdict=["confirm", "unsure", "confirm"])), "ann")
    seen = scanned.status()["review"]
    assert (seen["reviewed"], seen["unsure"], seen["sure_at_random"]) == (3, 1, 2), (
        "nobody knows whether an unsure label is wrong"
    )
    assert (seen["unsure_at_random"], seen["share"]) == (1, None)
    rest = list(sampling.random_order(scanned.state()))[3:40]
    scanned.edit(pd.DataFrame(dict(sample=rest, verdict=["unsure"] * 10 + ["confirm"] * 27)), "ann")
    seen = scanned.status()["review"]
    assert (seen["sure_at_random"], seen["unsure_at_random"], seen["hits"]) == (29, 11, 0) and seen[
        "share_between"
    ] == (0, 11 / 40)
    assert (
        seen["share"][1] == 0
        and seen["share"][2] > 11 / 40
        and seen["errors_left"][2] > 11 / 40 * 480
    )
    status, out, _ = run_assay("status", "-b", scanned.path)
    assert (
        status == 0
        and "0 of 29, 11 more unsure, 0.0% to 27.5% [" in out
        and "nobody is sure of: 0 to 132 [" in out
    )


@pytest.mark.slow
def test_a_relabelling_moves_scores_at_once_and_embeds_nothing(scanned):
    before = live.label_scores(scanned)
    files = sorted(p.name for p in (scanned.arrays / "embeddings").rglob("*.npy"))
    queue, truth = scanned.queue(30, 0), truth_of(scanned)
    done = scanned.edit(true_decisions(queue["sample"], truth), "ann")
    after = live.label_scores(scanned)
    assert (
        done["rescored"]
        and sorted(p.name for p in (scanned.arrays / "embeddings").rglob("*.npy")) == files
    )
    assert not set(queue["sample"]) & set(scanned.queue(30, 0)["sample"])
    others = before.index.difference(queue["sample"])
    assert (after.score[others] != before.score[others]).mean() > 0.9
    scanned.undo(who="ann")
    assert np.allclose(live.label_scores(scanned).score[before.index], before.score, atol=1e-6), (
        "undone, the scores are what they were"
    )


@pytest.mark.slow
def test_dropping_and_moving_update_the_factorisation_as_a_fresh_scan_would(scanned):
    train = scanned.state().query("split == 'train'").index
    scanned.edit(pd.DataFrame(dict(sample=train[:5], keep="false")), "ann")
    scanned.edit(pd.DataFrame(dict(sample=train[5:9], split="val")), "ann")
    kept = load_arrays(scanned.arrays / "probe.npz")
    fitted = judges.fit_probe(scanned, scanned.state())
    part, X = fitted.part, fitted.X
    Z = (X[np.arange(len(X))] - kept["mean"]) / kept["scale"]
    Z = np.c_[Z, np.ones(len(Z))]
    fitted = Z[kept["y"] >= 0]
    assert (kept["y"] >= 0).sum() == (part["split"] == "train").sum() - 5
    assert np.allclose(
        kept["inverse"],
        np.linalg.inv(fitted.T @ fitted + kept["lam"] * np.eye(Z.shape[1])),
        atol=1e-8,
    )


@pytest.mark.slow
def test_test_labels_change_nothing(tmp_path):
    """Permute all test labels: queue, reasons, issues are the same to the byte."""
    table = digits(400)
    shuffled = table.copy()
    test = shuffled["split"] == "test"
    shuffled.loc[test, "label"] = np.random.default_rng(1).permutation(
        shuffled.label[test].to_numpy()
    )
    assert (shuffled.label != table.label).sum() > 40
    seen = []
    for name, t in (("a", table), ("b", shuffled)):
        bench = bench_of(t, tmp_path / name)
        scan(bench, ScanOptions(embedder="pixels"), say=silent)
        seen.append(
            [
                bench.queue(50).drop(columns="path").to_csv(),
                bench.issues().drop(columns="path").to_csv(),
            ]
        )
    assert seen[0] == seen[1]


@pytest.mark.slow
def test_one_new_image_costs_one_image(scanned, tmp_path):
    """Import one more row of the same source: one is embedded, and nothing is twice."""
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    table = pd.concat([digits(), digits(601).tail(1)])
    table.to_parquet(tmp_path / "digits.parquet")
    ingest(
        scanned,
        tmp_path / "digits.parquet",
        "tester",
        ImportOptions(columns=dict(label="label"), refreeze_test=True),
    )
    lines = []
    scan(scanned, ScanOptions(embedder="pixels"), say=lines.append)
    assert lines[0].startswith("embed       1 of 601")
    lines.clear()
    scan(scanned, ScanOptions(embedder="pixels"), say=lines.append)
    assert lines[0].startswith("embed       0 of 601")


@pytest.mark.slow
def test_leakage_is_held_out_and_a_person_may_disagree(tmp_path):
    table = digits(300)
    test = table[table["split"] == "test"].head(3).assign(split="train", id=["c1", "c2", "c3"])
    bench = bench_of(pd.concat([table, test]), tmp_path)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    state = bench.state().reset_index().set_index("key")
    assert not state.keep[["c1", "c2", "c3"]].any() and state.keep.sum() == 300
    found = bench.issues("leakage")
    assert (
        set(found.source_id) == {"c1", "c2", "c3"}
        and found.why.str.startswith("equals the test sample").all()
    )
    twins = bench.issues("exact_duplicates")
    assert (twins.split == "test").sum() == 3 and twins.label[twins.split == "test"].isna().all(), (
        "named, without their labels"
    )
    assert bench.commits().name.tolist() == ["v1"], "the first version is what a review starts from"
    bench.edit(pd.DataFrame([dict(sample=state["sample"]["c1"], keep="true")]), "ann")
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    assert bench.state().reset_index().set_index("key").keep[["c1", "c2", "c3"]].tolist() == [
        True,
        False,
        False,
    ]


@pytest.mark.slow
def test_importing_again_does_not_bring_leakage_back(tmp_path):
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    table = digits(300)
    copy = table[table["split"] == "test"].head(1).assign(split="train", id="copy")
    bench = bench_of(pd.concat([table, copy]), tmp_path)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    before = len(bench.batches())
    ingest(bench, tmp_path / "digits.parquet", "tester", ImportOptions(columns=dict(label="label")))
    assert bench.state().keep.sum() == 300 and len(bench.batches()) == before, (
        "an unchanged source is no edit"
    )


@pytest.mark.slow
def test_copies_with_different_labels_are_shown(tmp_path):
    table = digits(300, wrong=0)
    train = table[table["split"] == "train"]
    twin = train.head(1).assign(id="twin", label="7" if train.label.iloc[0] != "7" else "1")
    bench = bench_of(pd.concat([table, twin]), tmp_path)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    found = bench.issues("conflicting_duplicates")
    assert set(found.source_id) == {"twin", train.id.iloc[0]}
    assert len(bench.issues("exact_duplicates")) == 2


@pytest.mark.slow
def test_a_rare_class_is_not_judged(tmp_path):
    table = digits(300, wrong=0)
    rare = table[table.label == "3"].index[3:]
    bench = bench_of(table.drop(rare), tmp_path)
    lines = []
    found = scan(bench, ScanOptions(embedder="pixels"), say=lines.append)
    assert "3" not in set(found.label) and any("too few samples to judge" in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 12])
def test_tiny_benches_scan(tmp_path, n):
    table = digits(n, wrong=0)
    table["split"] = "train"
    table["label"] = ["a", "b"] * (n // 2) + ["a"] * (n % 2)
    bench = bench_of(table, tmp_path)
    assert len(scan(bench, ScanOptions(embedder="pixels"), say=silent)) <= n
    bench.queue(5, 0.5), bench.status()


@pytest.mark.slow
def test_a_persons_own_model_is_checked_and_used(scanned, tmp_path):
    state = scanned.state()
    part = state[state["split"] != "test"]
    classes = sorted(set(part.label))
    own = pd.DataFrame(0.01, index=part.index, columns=classes)
    truth = truth_of(scanned)
    for s in part.index:
        own.loc[s, truth[s]] = 1 - 0.09
    own.rename_axis("sample").reset_index().to_parquet(tmp_path / "own.parquet")
    scan(
        scanned,
        ScanOptions(
            embedder="pixels",
            own=OwnModel(
                read_own_file(tmp_path / "own.parquet", scanned, "probabilities"), None, True
            ),
        ),
        say=silent,
    )
    wrong = wrong_ids(scanned)
    assert set(scanned.queue(len(wrong), 0)["sample"]) == wrong, (
        "a model that knows the truth finds all"
    )
    bad = own[classes[::-1]]
    scan(scanned, ScanOptions(embedder="pixels", own=OwnModel(bad, None, True)), say=silent)
    assert set(scanned.queue(len(wrong), 0)["sample"]) == wrong, (
        "columns are taken by name, in any order"
    )
    with pytest.raises(UserError, match="sum to 1"):
        scan(scanned, ScanOptions(embedder="pixels", own=OwnModel(own * 2, None, True)), say=silent)
    np.save(tmp_path / "e.npy", np.random.default_rng(0).normal(size=(len(state), 7)))
    scan(
        scanned,
        ScanOptions(
            own=OwnModel(None, read_own_file(tmp_path / "e.npy", scanned, "embeddings"), True)
        ),
        say=silent,
    )
    assert load_arrays(scanned.arrays / "probe.npz")["inverse"].shape == (8, 8)
    np.save(tmp_path / "short.npy", np.zeros((5, 7)))
    with pytest.raises(UserError, match="600 rows"):
        read_own_file(tmp_path / "short.npy", scanned, "embeddings")


@pytest.mark.slow
def test_an_embedder_of_ones_own(bench, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "def thumb(x):\n    return x[:, ::2, ::2, 0].reshape(len(x), -1).astype('f4')\nthumb.side = 8\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    scan(bench, ScanOptions(embedder="mine:thumb"), say=silent)
    assert Shards(
        bench.arrays / "embeddings" / scan_settings.read_settings(bench)["folder"]
    ).arrays[0].shape == (600, 16)
    with pytest.raises(UserError, match="package.module:function"):
        scan(bench, ScanOptions(embedder="mine:missing"), say=silent)


BAD = """
import os, time
def crashes(x):
    os.kill(os.getpid(), 11)
def hangs(x):
    time.sleep(60)
def breaks(x):
    raise ValueError("no such weights")
def prints(x):
    print('{"out": [0, "nowhere"]}', flush=True)
    return x.reshape(len(x), -1).astype("f4")[:, :16]
"""


@pytest.mark.daily
def test_an_embedder_that_kills_or_hangs_its_process_is_named(bench, tmp_path, monkeypatch):
    (tmp_path / "bad.py").write_text(BAD)
    monkeypatch.syspath_prepend(tmp_path)
    for name, patience, how in (
        ("bad:crashes", 60, r"its process crashed \(signal 11, SIGSEGV\)"),
        ("bad:hangs", 1, r"its process stuck \(no step for 1 s\)"),
        ("bad:breaks", 60, "ValueError: no such weights"),
    ):
        with pytest.raises(UserError, match=how):
            scan(bench, ScanOptions(embedder=name, patience=patience), say=silent)
        assert not bench.rows("select 1 from meta where key = 'scan'")
    scan(bench, ScanOptions(embedder="bad:prints"), say=silent)
    assert scan_settings.read_settings(bench)["folder"].startswith("bad-prints-"), (
        "what it prints is no answer"
    )


LOST = [
    ("SIGSEGV", 60, "crashed (signal 11, SIGSEGV)"),
    pytest.param("SIGSTOP", 1, "stuck (no step for 1 s)", marks=pytest.mark.daily),
]


@pytest.mark.slow
@pytest.mark.parametrize("sign, patience, how", LOST)
@pytest.mark.daily
def test_a_network_of_the_scan_that_is_lost_leaves_the_judgement_to_the_probe(
    bench, sign, patience, how
):
    lines, me = [], psutil.Process()

    def hit(*step):
        for child in me.children():
            with suppress(psutil.Error):  # one that has ended
                if "assay.pipelines.jobs.isolated" in child.cmdline():
                    child.send_signal(getattr(signal, sign))

    others = set(me.children())  # of other tests of this process
    found = scan(
        bench,
        ScanOptions(embedder="pixels", effort=3, patience=patience),
        say=lines.append,
        progress=hit,
    )
    assert (
        f"network     there is no second opinion: its process {how}; the probe judges alone"
        in lines
    )
    assert found.flagged.any() and not (bench.arrays / "second.npz").exists()
    assert set(me.children()) <= others


@pytest.mark.slow
def test_the_engine_is_chosen_said_and_stored(tmp_path, monkeypatch):
    bench, lines, rng = bench_of(digits(60), tmp_path), [], np.random.default_rng(0)
    for engine in ("int8", "fp32"):
        monkeypatch.setenv("ASSAY_ENGINE", engine)
        done = Shards(
            bench.arrays / "embeddings" / f"lite0-128-{engine}"
        )  # as if it had run here before
        done.append(
            np.array(bench.state().content_hash, "S32"), rng.normal(size=(60, 9)).astype("f4")
        )
        scan(bench, say=lines.append)
        assert [line for line in lines if line.startswith("embed")][
            -1
        ] == f"embed       0 of 60 images were new to lite0 ({engine}), 9 numbers each"
        asked = scan_settings.read_settings(bench)
        assert (asked["engine"], asked["folder"]) == (engine, f"lite0-128-{engine}")
    for wrong in ("vnni", "FP32"):
        monkeypatch.setenv("ASSAY_ENGINE", wrong)
        with pytest.raises(UserError, match=f"ASSAY_ENGINE to be fp32 or int8, found '{wrong}'"):
            scan(bench, say=silent)


@pytest.mark.daily
def test_a_killed_scan_resumes(tmp_path):
    """Killed after the first shard of embeddings is on disk; the second run embeds only the others."""
    bench = bench_of(digits(300), tmp_path)
    (tmp_path / "slow.py").write_text(
        "import time\ndef slow(x):\n    time.sleep(0.2)\n    return x[:, :, :, 0].reshape(len(x), -1).astype('f4')\nslow.side = 8\n"
    )
    code = "import sys, assay, assay.pipelines.embedders.embed as e; from assay.pipelines.indexing.scan import ScanOptions, scan; e.SHARD = 64"
    code += "; scan(assay.open(sys.argv[1]), ScanOptions(embedder='slow:slow'))"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(bench.path)],
        cwd=ROOT,
        env=os.environ | dict(PYTHONPATH=str(tmp_path)),
    )
    until = time.monotonic() + 60
    while (
        not list((bench.arrays / "embeddings").glob("*/*.index.npy")) and time.monotonic() < until
    ):
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    done = sum(len(np.load(p)) for p in (bench.arrays / "embeddings").glob("*/*.index.npy"))
    assert 0 < done < 300
    out = subprocess.run(
        [sys.executable, "-c", code, str(bench.path)],
        cwd=ROOT,
        env=os.environ | dict(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
    )
    assert f"embed       {300 - done} of 300" in out.stdout, out.stdout + out.stderr


@pytest.mark.daily
def test_imbalance_does_not_turn_rare_classes_into_suspects(data, tmp_path):
    """CIFAR-10, 5,000 train images thinned to 100:1 with 10 % planted noise: precision of the queue, and clean samples flagged per class."""
    import duckdb

    table = duckdb.sql(
        f"select id, image, split, true_label from '{data / 'cifar10n.parquet'}' where split = 'train' limit 12000"
    ).df()
    rng = np.random.default_rng(0)
    names = sorted(set(table.true_label))
    sizes = np.geomspace(1000, 10, 10).astype(int)
    rows = np.concatenate([np.flatnonzero(table.true_label == c)[:n] for c, n in zip(names, sizes)])
    table = table.iloc[rows].assign(split=None)
    wrong = rng.random(len(table)) < 0.1
    table["label"] = np.where(
        wrong, rng.choice(names, len(table), p=sizes / sizes.sum()), table.true_label
    )
    table["wrong"] = (table.label != table.true_label).astype(str)
    table = table.drop(columns="true_label")
    bench = bench_of(table, tmp_path)
    scan(bench, say=silent)
    state = bench.state()
    planted = state.meta.map(lambda m: json.loads(m)["wrong"] == "True") & (
        state["split"] != "test"
    )
    queue = bench.queue(int(planted.sum()), 0)
    precision = planted[queue["sample"]].mean()
    assert precision > 0.5, precision  # by chance 0.09
    clean = state.label[queue["sample"][~planted[queue["sample"]].to_numpy()]].value_counts()
    rare = clean.reindex(names[-3:]).fillna(0).sum() / len(queue)
    assert rare < 0.18, (
        "clean samples of the three rarest classes, 2 % of the data, were 24 % of the suspects with one temperature"
    )


def test_the_public_names_work(scanned):
    assert assay.open(scanned.path).sql("select count(*) as n from samples").n[0] == 600
    images = scanned.dataset("HEAD", "train", arrays=True)
    image, label = images[0]
    assert (
        image.shape == (8, 8, 3)
        and image.dtype == np.uint8
        and images.classes[label] == scanned.frame("HEAD", "train").label.iloc[0]
    )
    assert png(image)[:4] == b"\x89PNG"


def test_only_kept_labelled_train_samples_are_fitted():
    state = pd.DataFrame(
        dict(
            label=list("abcabab") + [None],
            split=["train", "train", "val", "val", "test", "guard", "pool", "train"],
            keep=True,
        )
    )
    state.loc[8] = ["d", "train", False]
    classes, y = scoring.find_targets(state)
    assert classes == ["a", "b"] and y.tolist() == [0, 1, *[-1] * 7], (
        "who is only predicted lends no class, no label and no scale"
    )
