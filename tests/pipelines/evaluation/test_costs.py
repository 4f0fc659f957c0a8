"""Costs: what was paid is what was decided, a batch is worth what its fixes are worth, and a corrected validation label is no gain."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import make_interp_spline

import assay
from assay import UserError
from assay.curation.features import neighbor_graph, scan_settings
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality import scoring
from assay.curation.storage import shards
from assay.curation.versioning import pointers
from assay.pipelines.evaluation import costs, replay, review_gains
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.simulation.reviewer import true_decisions
from tests.helpers import bench_of, digits, open_copy, truth_of

silent = lambda line: None  # noqa: E731


@pytest.fixture(scope="module")
def wrong_once(tmp_path_factory):
    """700 digits with 35 % of the train labels wrong, and 12 of the val labels, scanned; v1 is as they came."""
    table = digits(700, wrong=0.35)
    clean = table.index[(table["split"] == "val") & (table.label != table.truth)][12:]
    table.loc[clean, "label"] = table.truth[clean]
    bench = bench_of(table, tmp_path_factory.mktemp("wrong"), audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


@pytest.fixture
def wrong(wrong_once, tmp_path):
    shutil.copytree(wrong_once.path, tmp_path / "bench")
    return open_copy(tmp_path / "bench")


def parts(bench):
    """(ids of train samples with a wrong label, of those with the right one, of val samples with a wrong one, truth)."""
    state, truth = bench.state(), truth_of(bench)
    bad, train = state.label != truth, state["split"] == "train"
    return (
        state.index[train & bad],
        state.index[train & ~bad],
        state.index[(state["split"] == "val") & bad],
        truth,
    )


def told(samples, labels, **more):
    return pd.DataFrame(dict(sample=list(samples), label=list(labels)) | more)


def broken(samples, truth):
    return told(samples, [str((int(truth[s]) + 1) % 10) for s in samples])


@pytest.fixture(scope="module")
def reviewed_once(wrong_once, tmp_path_factory):
    """Fixes, confirmations, damage, drops, and a batch that is undone, committed as v2: (bench, {name: batch})."""
    folder = tmp_path_factory.mktemp("reviewed") / "bench"
    shutil.copytree(wrong_once.path, folder)
    bench = assay.open(folder)
    bad, good, _, truth = parts(bench)
    half = len(bad) // 2
    out = dict(
        fixes=bench.edit(true_decisions(bad[:half], truth, seconds=3), "ann", "fix")["batch"],
        confirmed=bench.edit(told(good[:60], truth[good[:60]]), "bob", "look")["batch"],
        undone=bench.edit(
            true_decisions(good[60:100], dict.fromkeys(good, "0"), seconds=7), "eve", "vandal"
        )["batch"],
    )
    bench.undo(who="ann")
    out |= dict(
        damage=bench.edit(broken(good[100:220], truth), "eve", "vandal")["batch"],
        drops=bench.edit(
            pd.DataFrame(dict(sample=bad[half:], keep="false", seconds="5")), "ann", "drop"
        )["batch"],
    )
    bench.commit("reviewed", "ann", "v2")
    return bench, out


@pytest.fixture
def reviewed(reviewed_once, tmp_path):
    """A copy of it, and the samples that were wrong and right at v1, with the truth."""
    shutil.copytree(reviewed_once[0].path, tmp_path / "reviewed")
    bench = assay.open(tmp_path / "reviewed")
    v1, truth = bench.state("v1").query("split == 'train'"), truth_of(bench)
    return bench, reviewed_once[1], v1.index[v1.label != truth[v1.index]], truth


@pytest.mark.slow
def test_what_each_batch_bought_and_what_the_reviews_gained_one_after_another(reviewed):
    bench, names, bad, _ = reviewed
    seen = replay.Replay(bench, "v1", "v2")
    found = {b["batch"]: b for b in review_gains.gain_by_batch(seen)["batches"]}
    assert list(found) == [names[n] for n in ("fixes", "confirmed", "damage", "drops")], (
        "undone work bought nothing and is not listed"
    )
    fixes, confirmed, damage, drops = found.values()
    assert (
        fixes["estimate"] > 0
        and fixes["logloss_high"] < 0
        and fixes["changed"] == fixes["edits"] == len(bad) // 2
    )
    assert drops["logloss_high"] < 0 and drops["changed"] == len(bad) - len(bad) // 2
    assert (
        damage["verdict"] == "hurts"
        and damage["high"] < 0
        and damage["logloss_low"] > 0
        and damage["who"] == "eve"
    )
    assert [confirmed[k] for k in ("estimate", "low", "high", "logloss", "changed")] == [
        0
    ] * 5 and confirmed["reviews"] == 60
    assert confirmed["verdict"] == "changed nothing" and confirmed["p_holm"] is None

    two = review_gains.gain_by_batch(seen, most=2)
    assert [b["batch"] for b in two["batches"]] == [names["damage"], names["drops"]] and two[
        "left_out"
    ] == 2, "those that change most"

    shape = review_gains.gain_curve(seen)
    points = {p["reviews"]: p for p in shape["points"]}
    n = len(bad) + 60 + 120
    assert (
        min(points) == 0
        and max(points) == n
        and round(2 * n / 3) in points
        and 13 <= len(points) <= 14
        and shape["other"] == 0
    )
    assert [points[0][k] for k in ("estimate", "low", "high", "changed")] == [0] * 4
    gain = {k: p["estimate"] for k, p in points.items()}
    half = len(bad) // 2
    after_fixes = max(k for k in points if k <= half)
    assert gain[after_fixes] > 0, "fixes raise the curve"
    between = [p for k, p in points.items() if half <= k <= half + 60]
    assert len(between) > 1 and len({p["estimate"] for p in between}) == 1, (
        "confirmations leave it flat"
    )
    damaged = [gain[k] for k in sorted(points) if half + 60 <= k <= half + 180]
    assert damaged[-1] < damaged[0] - 0.02 and gain[n] > damaged[-1], (
        "damage lowers it, drops of wrong labels raise it"
    )
    assert shape["last_third"]["estimate"] == pytest.approx(gain[n] - gain[round(2 * n / 3)])
    assert shape["n"] == 140 and shape["validation_changed"] == 0


def ridge(probe, X, y, X_val):
    """Right or wrong aside: the probabilities of the same ridge, fitted from nothing with plain linear algebra."""
    X, X_val = (
        np.c_[(np.asarray(a, float) - probe.mean) / probe.scale, np.ones(len(a))]
        for a in (X, X_val)
    )
    rows = y >= 0
    Y = np.eye(probe.k)[y[rows]]
    gram = X[rows].T @ X[rows] + probe.lam * np.eye(X.shape[1])
    curve = make_interp_spline(probe.knots, probe.heights, k=1)
    logits = curve(X_val @ np.linalg.solve(gram, X[rows].T @ Y) * probe.stretch)
    p = np.exp(logits - logits.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


@pytest.mark.slow
def test_updates_say_what_fitting_anew_says(reviewed):
    """Labels by hand from the decisions that this test made, the ridge by a plain solve, for every point and batch."""
    bench, names, _, _ = reviewed
    seen = replay.Replay(bench, "v1", "v2")
    graph, at = neighbor_graph.load_nodes(bench, seen.part)
    X = np.asarray(
        shards.Shards(
            bench.arrays / "embeddings" / scan_settings.read_settings(bench)["folder"]
        ).rows(seen.part.content_hash),
        float,
    )
    log = bench.query("select * from edits where batch like 'edit-%' order by seq")
    log = log[log.batch != names["undone"]]
    v1 = bench.state("v1").loc[seen.part.index]
    val = ((v1["split"] == "val") & v1.keep).to_numpy()
    truth = np.array([seen.classes.index(c) for c in v1.label[val]])

    def judged(rows):
        label, keep = v1.label.to_dict(), v1.keep.to_dict()
        for e in rows.itertuples():
            (label if e.field == "label" else keep)[e.sample] = json.loads(e.value)
        y = np.array(
            [
                seen.classes.index(label[s]) if keep[s] and v1["split"][s] == "train" else -1
                for s in v1.index
            ]
        )
        p = ridge(seen.start.probe, X, y, X[val])
        return np.mean(p.argmax(1) == truth), -np.mean(np.log(p[np.arange(len(p)), truth]))

    base = judged(log[:0])
    for p in review_gains.gain_curve(seen)["points"]:
        assert p["estimate"] == pytest.approx(judged(log[: p["reviews"]])[0] - base[0], abs=1e-12)
    probe = seen.start.probe
    probe.update(X, scoring.find_targets(seen.part, seen.classes)[1])
    assert np.allclose(
        probe.predict(X[val]), seen.start.relabel(seen.y_last).predict(X[val]), atol=1e-6
    ), "the probe that scores the queue"
    whole = judged(log)
    for b in review_gains.gain_by_batch(seen)["batches"]:
        without = judged(log[log.batch != b["batch"]])
        assert b["estimate"] == pytest.approx(whole[0] - without[0], abs=1e-12)
        assert b["logloss"] == pytest.approx(whole[1] - without[1], abs=1e-5)


@pytest.mark.slow
def test_seconds_and_decisions_add_up_by_hand(reviewed):
    bench, _, bad, truth = reviewed
    both = broken(bad[:1], truth).assign(keep="false", seconds="11")
    bench.edit(
        both, "ann"
    )  # label and keep of one sample: two edits that both carry 11 s, one decision
    bench.commit("and one more", "ann", "v3")
    half, rest = len(bad) // 2, len(bad) - len(bad) // 2
    cost = costs.measure_review_cost(bench, "v1", "v3")
    assert (
        cost["decisions"] == len(bad) + 60 + 120 + 1
        and cost["samples"] == cost["decisions"] - 1
        and cost["who"] == ["ann", "bob", "eve"]
    )
    assert cost["timed"] == len(bad) + 1 and cost["seconds"] == 3 * half + 5 * rest + 11
    each = np.median([3.0] * half + [5.0] * rest + [11.0])
    assert cost["estimated"] == dict(decisions=180, seconds_each=each, seconds=180 * each)
    assert cost["minutes"] == pytest.approx((cost["seconds"] + 180 * each) / 60)
    assert (
        cost["made"]["decisions"] == cost["decisions"] + 40
        and cost["made"]["seconds"] == cost["seconds"] + 40 * 7
    ), "undone, but paid for"
    points = review_gains.gain_curve(replay.Replay(bench, "v1", "v3"))["points"]
    assert points[-1]["minutes"] == pytest.approx(cost["minutes"]) and points[0]["minutes"] == 0
    one = costs.measure_review_cost(bench, "v2", "v3")
    assert (one["decisions"], one["minutes"], one["estimated"]) == (1, 11 / 60, None)


@pytest.mark.slow
def test_without_seconds_no_minutes_are_made_up(wrong):
    _, good, _, truth = parts(wrong)
    wrong.edit(told(good[:5], truth[good[:5]]), "bob")
    wrong.commit("looked", "bob", "v2")
    cost = costs.measure_review_cost(wrong, "v1", "v2")
    assert (
        cost["minutes"] is None
        and cost["reason"] == "no decision carries seconds"
        and cost["decisions"] == 5
    )
    shape = review_gains.gain_curve(replay.Replay(wrong, "v1", "v2"))
    assert {p["minutes"] for p in shape["points"]} == {None} and [
        p["reviews"] for p in shape["points"]
    ] == [0, 1, 2, 3, 4, 5]
    assert shape["last_third"]["verdict"] == "changed nothing"


@pytest.mark.slow
def test_a_corrected_validation_label_is_no_gain(wrong):
    _, _, val, truth = parts(wrong)
    wrong.edit(true_decisions(val[:-1], truth), "ann")
    wrong.edit(pd.DataFrame([dict(sample=val[-1], keep="false")]), "ann")
    wrong.commit("validation labels", "ann", "v2")
    seen = replay.Replay(wrong, "v1", "v2")
    shape = review_gains.gain_curve(seen)
    assert {p[k] for p in shape["points"] for k in ("estimate", "low", "high", "changed")} == {0}
    assert (
        shape["validation_changed"] == len(val)
        and shape["n"] == 139
        and shape["points"][-1]["reviews"] == len(val)
    )
    assert [
        (b["estimate"], b["logloss"], b["changed"])
        for b in review_gains.gain_by_batch(seen)["batches"]
    ] == [(0, 0, 0)] * 2


@pytest.mark.daily
def test_what_somebody_confirms_stays_the_work_of_who_fixed_it_and_a_redo_is_no_second_review(
    wrong,
):
    bad, _, _, truth = parts(wrong)
    fix = wrong.edit(true_decisions(bad[:80], truth), "ann")["batch"]
    wrong.undo(who="ann")
    wrong.commit("undone", "ann", "v2")
    wrong.redo(who="ann")
    look = wrong.edit(true_decisions(bad[:80], truth), "bob")["batch"]
    wrong.commit("twice", "ann", "v3")
    for first, made in (("v1", 160), ("v2", 80)):
        seen = replay.Replay(wrong, first, "v3")
        found = {b["batch"]: b for b in review_gains.gain_by_batch(seen)["batches"]}
        assert list(found) == [fix, look] and (found[fix]["changed"], found[look]["changed"]) == (
            80,
            0,
        )
        assert found[fix]["logloss_high"] < 0 and found[look]["estimate"] == 0
        cost = costs.measure_review_cost(wrong, first, "v3")
        assert (cost["decisions"], cost["samples"], cost["made"]["decisions"]) == (160, 80, made)
    with pytest.raises(UserError, match="none that stand"):
        replay.Replay(wrong, "v1", "v2")


@pytest.mark.slow
def test_a_class_that_reviewers_add_is_learnt_from_its_first_sample_on(wrong):
    _, good, val, truth = parts(wrong)
    wrong.edit(
        told([*good[:20], val[0]], ["odd"] * 20 + ["rare"]), "ann", new_classes=("odd", "rare")
    )
    wrong.commit("two more", "ann", "v2")
    seen = replay.Replay(wrong, "v1", "v2")
    assert seen.classes == [*map(str, range(10)), "odd"], (
        "a class of validation alone is never learnt, and always wrong"
    )
    shape, (batch,) = review_gains.gain_curve(seen), review_gains.gain_by_batch(seen)["batches"]
    assert (
        [p["changed"] for p in shape["points"]][:2] == [0, 2]
        and batch["changed"] == 20
        and shape["validation_changed"] == 1
    )
    assert json.dumps([shape, batch], allow_nan=False)


@pytest.mark.daily
def test_what_the_majority_says_is_what_is_replayed(wrong):
    bad, _, _, truth = parts(wrong)
    ann = wrong.edit(true_decisions(bad[:30], truth), "ann")["batch"]
    bob = wrong.edit(true_decisions(bad[:30], truth), "bob")["batch"]
    eve = wrong.edit(broken(bad[:30], truth), "eve")["batch"]
    wrong.commit("latest", "ann", "v2")
    wrong.set_rule("majority", "ann")
    wrong.commit("majority", "ann", "v3")

    def changed(version):
        return {
            b["batch"]: b["changed"]
            for b in review_gains.gain_by_batch(replay.Replay(wrong, "v1", version))["batches"]
        }

    assert (wrong.state("v3").label[bad[:30]] == truth[bad[:30]]).all()
    spoilt = int(
        (broken(bad[:30], truth).label.to_numpy() != wrong.state("v1").label[bad[:30]]).sum()
    )
    assert changed("v2") == {ann: 0, bob: 0, eve: spoilt} and spoilt > 20, (
        "some are as they were at v1 again"
    )
    late = changed("v3")
    assert late[eve] == 0 and late[ann] + late[bob] == 30
    with pytest.raises(UserError, match="reviews between v2 and v3, found none"):
        replay.Replay(wrong, "v2", "v3")


@pytest.mark.daily
def test_a_merge_is_replayed_in_the_order_of_the_decisions(wrong, tmp_path):
    bad, _, _, truth = parts(wrong)
    shutil.copytree(wrong.path, tmp_path / "copy")
    other = assay.open(tmp_path / "copy")
    first = other.edit(true_decisions(bad[:20], truth), "bob")["batch"]
    second = wrong.edit(true_decisions(bad[20:50], truth), "ann")["batch"]
    wrong.edit(broken(bad[:1], truth), "ann")  # both edited this one: ours stands
    wrong.merge(other.path, "ann")
    wrong.commit("merged", "ann", "v2")
    seen = replay.Replay(wrong, "v1", "v2")
    found = review_gains.gain_by_batch(seen)["batches"]
    assert [b["batch"] for b in found[:2]] == [first, second], (
        "by time: the merge put them in another order"
    )
    assert [b["changed"] for b in found] == [19, 30, 1] and seen.other == 0


@pytest.mark.daily
def test_imports_and_moves_between_are_in_every_point(wrong, tmp_path):
    """Samples imported and dropped since, and a val sample that was moved from train, are no work of the reviews."""
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    bad, good, _, _ = parts(wrong)
    more = digits(800, wrong=0)[700:].assign(split="train")
    more["id"] = "m" + more["id"]
    more.to_parquet(tmp_path / "more.parquet")
    ingest(
        wrong,
        tmp_path / "more.parquet",
        "tester",
        ImportOptions(columns=dict(label="label"), name="more"),
    )
    scan(wrong, ScanOptions(embedder="pixels"), say=silent)
    grown = wrong.state()
    new = grown.index[grown.keep & (grown.source == "more")]
    trained = [
        set(frame.index[frame.keep & (frame["split"] == "train")])
        for frame in (wrong.state("v1"), grown)
    ]
    wrong.edit(
        pd.DataFrame(dict(sample=[good[0], *new[:2]], split=["val", "pool", "train"])), "ann"
    )
    wrong.edit(true_decisions([*bad[:10], *new[2:6]], truth_of(wrong)), "ann")
    wrong.edit(broken(new[6:8], truth_of(wrong)), "eve")
    wrong.commit("grown", "ann", "v2")
    seen = replay.Replay(wrong, "v1", "v2")
    assert seen.other == len(trained[0] ^ trained[1]) - 1 > 50, (
        "all that came, but what went to the pool"
    )
    assert seen.n == (grown["split"] == "val").sum(), (
        "a sample that trained at the beginning judges nothing"
    )
    found = review_gains.gain_by_batch(seen)["batches"]
    assert [(b["changed"], b["reviews"]) for b in found] == [(1, 0), (10, 14), (2, 2)], (
        "a mere move is no review"
    )
    assert [p["changed"] for p in review_gains.gain_curve(seen)["points"]][-1] == 13 and len(
        seen.reviews
    ) == 16


@pytest.mark.daily
def test_where_there_is_nothing_to_say_it_says_why(wrong, tmp_path):
    gain = dict(estimate=0.02, low=0.01, high=0.03)
    wrong.edit(pd.DataFrame([dict(sample=wrong.state().index[0], tag="odd")]), "ann")
    wrong.commit("tagged", "ann", "v2")
    for last, word in (
        ("v2", "none that stand"),
        ("v2 - flagged", "v2 - flagged"),
        ("v1", "no later"),
        ("v7", "'v7'"),
    ):
        found = costs.measure_costs(wrong, dict(versions=["v1", last]), [], gain, [], {})
        assert found["curve"] is None and found["batches"] is None and word in found["reason"]
        assert (
            found["rates"]["review"] is None
            and found["rates"]["review_reason"] == "no minutes of review are known"
        )
    bench = bench_of(digits(100), tmp_path / "plain", audited_test=True)
    bench.edit(
        true_decisions(bench.state().query("split == 'train'").index[:5], truth_of(bench)), "ann"
    )
    came = pointers.find_position(bench, "HEAD") - 5
    found = costs.measure_costs(bench, dict(versions=[str(came), "HEAD"]), [], gain, [], {})
    assert (
        found["curve"] is None
        and "scanned bench" in found["reason"]
        and found["review"]["seconds"] == 10
    )
    state = wrong.state()
    wrong.edit(pd.DataFrame(dict(sample=state.index[state["split"] == "val"], split="pool")), "ann")
    wrong.edit(true_decisions(parts(wrong)[0][:5], truth_of(wrong)), "ann")
    wrong.commit("no val", "ann", "v3")
    with pytest.raises(UserError, match="labelled validation samples"):
        costs.replay_or_load(wrong, "v1", "v3")


def test_compute_and_rates_by_hand():
    wanted = [
        dict(version=v, arch=a, seed=s, key=f"{v}{a}{s}")
        for v in ("v1", "v2")
        for a in ("probe", "mlp")
        for s in (0, 1)
    ]
    wanted += [
        dict(version="v3", arch="mlp", seed=s, key=f"v2mlp{s}") for s in (0, 1)
    ]  # the same labels: the same runs
    seconds = {
        "v1probe0": 1.0,
        "v1probe1": 3.0,
        "v2probe0": 2.0,
        "v1mlp0": 100.0,
        "v1mlp1": 200.0,
        "v2mlp0": 300.0,
        "v2mlp1": 600.0,
    }
    found = costs.measure_compute_cost(wanted, pd.Series(seconds))
    assert (
        found["runs"] == 7
        and found["seconds"] == 1206
        and found["architectures"]["mlp"] == dict(runs=4, seconds=1200, per_run=300)
    )
    cells = {
        (c["version"], c["arch"]): (c["runs"], c["seconds"], c["per_run"]) for c in found["matrix"]
    }
    assert cells["v2", "probe"] == (1, 2, 2) and cells["v3", "mlp"] == cells["v2", "mlp"] == (
        2,
        900,
        450,
    )
    gain, review = dict(estimate=0.02, low=-0.01, high=0.05), dict(minutes=30)
    mlp = dict(version="mlp", against="probe", estimate=0.03, low=0.01, high=0.05)
    rate = costs.hourly_rates(
        gain, review, [mlp, mlp | dict(version="cnn"), mlp | dict(version="probe")], found
    )
    assert rate["review"] == dict(estimate=0.04, low=-0.02, high=0.1, hours=0.5, includes_zero=True)
    by = rate["architectures"][0]
    assert (
        by["estimate"] == pytest.approx(0.03 * 12)
        and by["hours"] == 300 / 3600
        and by["includes_zero"] is False
        and by["against"] == "probe"
    )
    assert rate["architectures"][1]["estimate"] is None and rate["architectures"][1]["reason"]
    assert [rate["architectures"][2][k] for k in ("estimate", "hours", "reason")] == [
        None,
        2 / 3600,
        "too short to be a rate",
    ]
    assert costs.hourly_rates(gain, dict(minutes=0.9), [], found) == dict(
        review=None, review_reason="too short to be a rate", architectures=[]
    )
    for gain, minutes in ((None, 30), (mlp, None), (mlp, 0)):
        assert costs.hourly_rates(gain, dict(minutes=minutes), [], found)["review"] is None, (
            "no division by nothing"
        )


@pytest.mark.daily
def test_a_report_asks_once_and_what_is_kept_is_not_believed_of_another_log(reviewed, monkeypatch):
    bench, names, _, _ = reviewed
    wanted = [dict(version="v2", arch="probe", seed=0, key="k")]
    ask = dict(
        plan=dict(versions=["v1", "v2"]),
        wanted=wanted,
        primary=None,
        architectures=[],
        seconds=dict(k=2.5),
    )
    first = costs.measure_costs(bench, **ask)
    assert (
        json.loads(json.dumps(first, allow_nan=False)) == first
        and first["reason"] is None
        and first["compute"]["seconds"] == 2.5
    )
    fits = []
    fit = probes.fit
    monkeypatch.setattr(probes, "fit", lambda *a: fits.append(1) or fit(*a))
    assert costs.measure_costs(bench, **ask) == first and not fits, "kept: no second fit"
    (bench.arrays / "costs.npz").write_bytes(b"damaged")
    assert costs.measure_costs(bench, **ask) == first and len(fits) == 1, (
        "made again where it is damaged"
    )
    bench.revert(names["damage"], who="ann")
    bench.commit("damage taken back", "ann", "v3")
    later = costs.measure_costs(bench, **ask | dict(plan=dict(versions=["v1", "v3"])))
    assert len(fits) == 2 and names["damage"] not in {
        b["batch"] for b in later["batches"]["batches"]
    }
    assert later["curve"]["points"][-1]["estimate"] > first["curve"]["points"][-1]["estimate"]
