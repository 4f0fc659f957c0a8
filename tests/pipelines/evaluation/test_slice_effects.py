"""Where it helped: planted gains are found and nothing else is, counts agree with counting by hand, and no cluster sees a test label."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.slicing import cluster_names, metadata, slices
from assay.curation.statistics import audit_correction, contrasts
from assay.curation.statistics import estimates as stats
from assay.pipelines.evaluation import compare
from assay.pipelines.evaluation.comparison import load_comparison
from assay.pipelines.evaluation.confusions import (
    confusion_matrix,
    find_most_changed,
    load_predictions,
)
from assay.pipelines.evaluation.pairwise import find_flips, make_flip_frames
from assay.pipelines.evaluation.slice_effects import (
    collect_slices,
    compare_slices,
    find_slice_effects,
)
from assay.pipelines.experiments import cells as cells_module
from assay.pipelines.experiments import run
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.simulation.reviewer import true_decisions
from tests.helpers import PLAN, audit_of, bench_of, digits, silent, truth_of

LETTERS = np.array(list("abc"))

SIDE = metadata.SIZE["image"]


def coins(rng, S, p):
    """0/1 (S, m): answers that are right with probability p (m,)."""
    return (rng.random((S, len(p))) < p).astype(float)


def groups_of(labels, kind="class"):
    return [
        dict(kind=kind, name=str(name), rows=np.flatnonzero(labels == name))
        for name in np.unique(labels)
    ]


# ---- pure functions


def test_the_one_class_that_gained_is_found_and_only_that():
    rng = np.random.default_rng(0)
    labels = np.arange(2000) % 10
    before = [coins(rng, 5, np.full(2000, 0.7)) for _ in "ab"]
    after = [coins(rng, 5, np.where(labels == 3, 0.9, 0.7)) for _ in "ab"]
    found = compare_slices(before, after, groups_of(labels) + groups_of(labels // 5, "half"))
    assert [
        g["name"]
        for g in found
        if g["verdict"] != "no evidence either way" and g["kind"] == "class"
    ] == ["3"]
    top = found[0]
    assert (
        top["name"] == "3"
        and top["verdict"] == "helps"
        and top["low"] < 0.2 < top["high"]
        and top["n"] == 200
    )
    assert [g["kind"] for g in found] == ["class"] * 10 + ["half"] * 2
    rows = labels == 3
    by_hand = np.mean([a[:, rows].mean() - b[:, rows].mean() for a, b in zip(after, before)])
    assert top["estimate"] == pytest.approx(by_hand)
    assert top["before"]["estimate"] == pytest.approx(np.mean([b[:, rows].mean() for b in before]))
    assert (
        top["before"]["low"]
        < top["before"]["estimate"]
        < top["before"]["high"]
        < top["after"]["estimate"]
    )
    assert top["p_holm"] == pytest.approx(min(1, 12 * top["p"])), (
        "twelve groups were tested, and this is the first of them"
    )


def test_a_loss_is_a_loss_and_a_group_of_one_architecture_is_judged_as_a_pair():
    rng = np.random.default_rng(1)
    labels, before = np.arange(600) % 3, coins(rng, 4, np.full(600, 0.9))
    after = coins(rng, 4, np.where(labels == 1, 0.6, 0.9))
    found = {g["name"]: g for g in compare_slices([before], [after], groups_of(labels))}
    alone = contrasts.contrast([after[:, labels == 1], before[:, labels == 1]], contrasts.PAIR)
    assert found["1"]["verdict"] == "hurts" and (
        found["1"]["low"],
        found["1"]["p"],
    ) == pytest.approx((alone.low, alone.p))
    assert found["0"]["verdict"] == "no evidence either way"


@pytest.mark.daily
def test_where_nothing_has_an_effect_twenty_groups_seldom_claim_one():
    """Family-wise: samples differ in difficulty, seeds in luck, and the smallest groups that are tested count with the others."""
    rng, draws, false = np.random.default_rng(2), 120, 0
    labels = np.repeat(np.arange(20), [10] * 10 + [40] * 10)
    for _ in range(draws):
        p = rng.beta(2, 1, len(labels))
        before, after = (
            np.concatenate([coins(rng, 1, (p + rng.normal(0, 0.03)).clip(0, 1)) for _ in range(3)])
            for _ in "ab"
        )
        false += any(
            g["verdict"] != "no evidence either way"
            for g in compare_slices([before], [after], groups_of(labels))
        )
    assert stats.wilson_interval(false, draws)[0] <= 0.05


def test_too_few_samples_are_counted_and_not_judged():
    Y, labels = np.ones((3, 30)), np.array([0] * 9 + [1] * 10 + [2] * 11)
    groups = [*groups_of(labels), dict(kind="class", name="none", rows=np.array([], int))]
    found = compare_slices([Y * 0], [Y], groups)
    assert {g["name"]: (g["n"], g["verdict"]) for g in found} == {
        "1": (10, "helps"),
        "2": (11, "helps"),
        "0": (9, "too few"),
        "none": (0, "too few"),
    }
    few = next(g for g in found if g["name"] == "0")
    assert (
        few["estimate"] is few["p"] is few["before"] is None and found[-1]["verdict"] == "too few"
    )
    assert all(
        g["p_holm"] == pytest.approx(2 * g["p"]) or g["p_holm"] == g["p"] for g in found[:2]
    ), "only two were tested"
    assert compare_slices([Y], [Y], []) == []


def test_equal_is_too_small_to_matter_only_where_a_margin_is_given():
    Y = coins(np.random.default_rng(0), 5, np.full(2000, 0.9))
    for margin, verdict in ((None, "no evidence either way"), (0.05, "too small to matter")):
        (g,) = compare_slices(
            [Y], [Y.copy()], [dict(kind="class", name="all", rows=np.arange(2000))], margin=margin
        )
        assert g["verdict"] == verdict and g["estimate"] == 0


def test_pseudo_values_of_an_audit_estimate_what_the_clean_labels_would_say():
    """A slice of given labels, a third of them wrong; mean over many audits of a third of the test set."""
    rng, m, n = np.random.default_rng(3), 300, 100
    clean = coins(rng, 2, np.full(m, 0.8))
    noisy = np.where(rng.random(m) < 0.3, 1 - clean, clean)
    rows, estimates = np.arange(60), []
    for _ in range(200):
        audited = noisy.copy()
        drawn = rng.permutation(m)[:n]
        audited[:, drawn] = clean[:, drawn]
        Y = audit_correction.pseudo_values(noisy, audited, n)
        (g,) = compare_slices(
            [np.zeros((2, m))], [Y], [dict(kind="class", name="x", rows=rows)], weight=n / m
        )
        estimates.append(g["estimate"])
        assert 0 <= g["after"]["estimate"] <= 1
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - clean[:, rows].mean()) < 3 * error < 0.05


def test_confusion_by_hand_and_its_rows_sum_to_what_there_is():
    truth = np.array([0, 0, 1, 1, 1])  # c is never the truth, b is never said by the first run
    runs = np.array([[0, 0, 2, 2, 0], [0, 1, 1, 1, 1]])
    assert confusion_matrix(truth, runs, 3).tolist() == [[1.5, 0.5, 0], [0.5, 1.5, 1], [0, 0, 0]]
    before, after = confusion_matrix(truth, runs[:1], 3), confusion_matrix(truth, runs[1:], 3)
    assert before.sum(1).tolist() == after.sum(1).tolist() == [2, 3, 0]
    assert find_most_changed(before, after, LETTERS) == [
        {"from": "b", "to": "c", "before": 2, "after": 0, "difference": -2},
        {"from": "a", "to": "b", "before": 0, "after": 1, "difference": 1},
        {"from": "b", "to": "a", "before": 1, "after": 0, "difference": -1},
    ]
    assert len(find_most_changed(before, after, LETTERS, most=1)) == 1


@pytest.mark.parametrize("R, Q", [(1, 1), (4, 4), (5, 3)])
def test_flips_by_brute_force(R, Q):
    rng = np.random.default_rng(R)
    truth, before, after = (
        rng.integers(0, 3, 600),
        rng.integers(0, 3, (R, 600)),
        rng.integers(0, 3, (Q, 600)),
    )
    found = find_flips(truth, before, after, LETTERS, [f"s{i:03d}" for i in range(600)], most=5)
    change = np.array(
        [sum(after[:, i] == truth[i]) / Q - sum(before[:, i] == truth[i]) / R for i in range(600)]
    )
    for way, sign in (("gained", 1), ("lost", -1)):
        over = np.flatnonzero(sign * change > 0.5 + 1e-9)
        assert found[f"n_{way}"] == len(over) > 5 == len(found[way])
        assert [f["change"] for f in found[way]] == pytest.approx(
            (sign * np.sort(sign * change)[::-1])[:5]
        )
        for f in found[way]:
            i = int(f["sample"][1:])
            says = [
                f["was"] == LETTERS[max(range(3), key=lambda c, i=i: sum(before[:, i] == c))],
                f["label"] == LETTERS[truth[i]],
            ]
            assert all(says) and f["right_before"] == pytest.approx(
                np.mean(before[:, i] == truth[i])
            )


# ---- slices


def frame_of(metas, **columns):
    ids = [f"s{i}" for i in range(len(metas))]
    return pd.DataFrame(
        dict(meta=[json.dumps(m) for m in metas], width=32, height=32) | columns, index=ids
    )


def test_metadata_makes_slices_of_few_values_and_quartiles_of_many_numbers():
    metas = [
        dict(site="ab"[i % 2], age=str(i), night=i < 10, note=f"n{i}", boxes=[i], lens="x")
        for i in range(40)
    ]
    del metas[7]["site"]
    found = metadata.slice_by_metadata(frame_of(metas))
    assert {key: {name: len(ids) for name, ids in cut.items()} for key, cut in found.items()} == {
        "age": {
            "age ≤ 9.75": 10,
            "9.75 < age ≤ 19.5": 10,
            "19.5 < age ≤ 29.25": 10,
            "age > 29.25": 10,
        },
        "night": {"night = false": 30, "night = true": 10},
        "site": {"site = a": 20, "site = b": 19},
    }
    assert found["age"]["age ≤ 9.75"] == [f"s{i}" for i in range(10)]
    sides = metadata.slice_by_metadata(frame_of([{}] * 4, width=[8, 8, 9, 9], height=[8, 10, 8, 8]))
    assert sides == {
        SIDE: {
            f"{SIDE} = 10": ["s1"],
            f"{SIDE} = 8": ["s0"],
            f"{SIDE} = 9": ["s2", "s3"],
        }
    }


@pytest.mark.slow
def test_a_slice_is_a_query_or_a_list_of_samples(bench):
    state = bench.state()
    a, b = state.index[:2]
    found = slices.resolve_slices(
        bench,
        dict(
            some="select id from samples order by id limit 3",
            two=[a, state.key[b], a],
            short=[b[:12]],
        ),
    )
    assert found == dict(some=sorted(state.index)[:3], two=[a, b], short=[b])
    doubled = slices.resolve_slices(
        bench,
        dict(twice=f"select sample, field from edits where sample = '{a}' -- label and split;\n;"),
    )
    assert doubled == dict(twice=[a]) and slices.resolve_slices(bench, {}) == {}
    pairs = slices.resolve_slices(
        bench, dict(pairs="select a.id from samples a, samples b where b.width > 0")
    )
    assert pairs == dict(pairs=sorted(state.index)), "360,000 rows, and every sample once"


@pytest.mark.parametrize(
    "what, word",
    [
        (["nobody"], "'nobody', which this bench does not have"),
        ([""], "which could be"),
        ([], "found none"),
        ("select id from samples where false", "found none"),
        ("select key from samples", "not one, first"),
        ("select null", "'NULL'"),
        ("select id from samples union all select '0'", "1 that are not one, first '0'"),
        ("drop table samples", "expected a SELECT"),
        (
            "select id from samples) c(sample); drop table samples; select id from (select 1 as id",
            "expected one SELECT",
        ),
        ("select * from read_csv('/etc/passwd')", "over the bench alone"),
        ("selekt", "selekt does not exist"),
        (7, "a SELECT or a list"),
    ],
)
def test_a_bad_slice_is_refused(bench, what, word):
    with pytest.raises(UserError, match=word):
        slices.resolve_slices(bench, dict(bad=what))


def test_slices_by_cluster_are_the_coarse_ones(scanned):
    state = scanned.state()
    found = cluster_names.samples_by_cluster(scanned, state, "coarse")
    assert len(found) == 5
    assert sorted(s for ids in found.values() for s in ids) == sorted(state.index), (
        "every sample of every split is in one"
    )


# ---- a real bench


@pytest.fixture(scope="module")
def mended(tmp_path_factory):
    """A bench on which four of five train labels of class 3 say 5 in v1, and none in v2."""
    table = digits(900, wrong=0)
    threes = table.index[(table.label == "3") & (table["split"] == "train")]
    table.loc[threes[: len(threes) * 4 // 5], "label"] = "5"
    bench = bench_of(table, tmp_path_factory.mktemp("mended"), audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    state = bench.state()
    bench.edit(true_decisions(state.index[state["split"] != "test"], truth_of(bench)), "expert")
    bench.commit("threes", "expert")
    some = bench.state().query("split == 'test'").index[:20]
    plan = PLAN | dict(
        architectures=["probe"],
        seeds=list(range(6)),
        slices=dict(some=list(some), all="select id from samples"),
    )
    run.run_plan(bench, plan, silent)
    return bench, plan


@pytest.mark.daily
def test_the_class_whose_labels_were_mended_stands_first(mended):
    bench, plan = mended
    c = load_comparison(bench, plan)
    test, found = c.test, find_slice_effects(c)
    assert json.loads(json.dumps(found)) == found and (found["version"], found["against"]) == (
        "v2",
        "v1",
    )
    kinds = {
        kind: [g for g in found["slices"] if g["kind"] == kind]
        for kind in ("class", "slice", "cluster", "metadata")
    }
    assert (kinds["class"][0]["name"], kinds["class"][0]["verdict"]) == ("3", "helps") and kinds[
        "class"
    ][0]["estimate"] > 0.3
    assert [g["name"] for g in kinds["class"][1:] if g["verdict"].startswith("helps")] == []
    assert kinds["metadata"] == [] and any(
        "10 slices by metadata" in note for note in found["notes"]
    ), "truth = 3 is class 3 again"
    assert {g["name"]: g["n"] for g in kinds["slice"]} == dict(some=20, all=len(test))
    assert sum(g["n"] for g in kinds["class"]) == sum(g["n"] for g in kinds["cluster"]) == len(test)
    whole = next(g for g in kinds["slice"] if g["name"] == "all")
    assert whole["estimate"] == pytest.approx(
        compare.compare_versions(bench, plan)["interval"]["estimate"]
    )
    top = found["confusion"]["changed"][0]
    assert (top["from"], top["to"]) == ("3", "5") and top["difference"] < -3
    matrix = found["confusion"]["mean"]
    sizes = test.label.value_counts().sort_index().to_list()
    assert np.sum(matrix["before"], 1) == pytest.approx(sizes) and np.sum(
        matrix["after"], 1
    ) == pytest.approx(sizes)
    assert np.allclose(np.subtract(matrix["after"], matrix["before"]), matrix["difference"])
    assert found["confusion"]["by_arch"] == dict(probe=matrix), (
        "one architecture is the mean of all"
    )
    gained = found["flips"]["gained"]
    assert (
        gained[0]["label"] == gained[0]["now"] == "3"
        and gained[0]["was"] == "5"
        and gained[0]["change"] == 1
    )
    assert found["flips"]["n_gained"] > 3 > found["flips"]["n_lost"]


@pytest.mark.daily
@pytest.mark.slow
def test_what_runs_said_is_what_compare_judges(mended):
    bench, plan = mended
    c = load_comparison(bench, plan)
    test, wanted, Y = c.test, c.wanted, c.evaluator.Y
    classes, codes = load_predictions(bench, wanted, test)
    assert set(codes) == set(Y)
    for cell, runs in codes.items():
        assert np.array_equal(classes[runs] == test.label.to_numpy(dtype=str), Y[cell] == 1)
    other = test.assign(label="unheard of")
    assert "unheard of" in load_predictions(bench, wanted[:1], other)[0], (
        "a class that no run knows is a row all the same"
    )


@pytest.mark.daily
@pytest.mark.slow
def test_flipped_samples_come_as_pictures_with_their_labels(mended):
    bench, plan = mended
    found = find_slice_effects(load_comparison(bench, plan))
    gained, lost = make_flip_frames(bench, found)
    assert list(gained) == list(lost) == ["sample", "uri", "key", "was", "now", "text"]
    assert (
        len(gained) == len(found["flips"]["gained"])
        and gained.was[0] == "5"
        and gained.now[0] == "3"
    )
    assert gained.text[0].startswith("labelled 3; right in 0% of runs before, 100% after")
    assert bench.state().uri[found["flips"]["gained"][0]["sample"]] == gained.uri[0]


@pytest.mark.slow
def test_what_is_left_out_is_said(mended, tmp_path):
    source, plan = mended
    shutil.copytree(source.path, tmp_path / "blind")
    bench = assay.open(tmp_path / "blind")
    test = cells_module.test_labels(bench, plan)
    shutil.rmtree(bench.arrays / "embeddings")
    (bench.arrays / "clusters.npz").unlink(missing_ok=True)
    rng = np.random.default_rng(0)
    metas = [{f"k{j:02d}": int(rng.integers(4)) for j in range(26)} for _ in test.index]
    test = test.assign(meta=[json.dumps(m) for m in metas])
    groups, notes = collect_slices(bench, plan, test)
    kinds = pd.Series([g["kind"] for g in groups]).value_counts().to_dict()
    assert kinds == {"class": 10, "slice": 2, "metadata": 100}
    assert notes[0].startswith("no clusters: expected") and notes[1].startswith(
        "metadata left out beyond 100 slices: k25;"
    )
    ones = next(g["rows"] for g in groups if g["name"] == "k07 = 1")
    assert ones.tolist() == [i for i, m in enumerate(metas) if m["k07"] == 1]


@pytest.mark.slow
def test_the_same_labels_leave_nothing_to_compare(mended):
    bench, plan = mended
    plan = plan | dict(versions=["v1"])
    found = find_slice_effects(load_comparison(bench, plan))
    assert (
        found["version"] is None
        and found["slices"] == []
        and found["flips"] is None
        and found["notes"]
    )
    assert [len(f) for f in make_flip_frames(bench, found)] == [0, 0]


@pytest.mark.slow
def test_a_partial_audit_corrects_slices_and_names_what_it_does_not(mended, tmp_path):
    source, plan = mended
    shutil.copytree(source.path, tmp_path / "audited")
    bench = assay.open(tmp_path / "audited")
    assert audit_of(bench, tmp_path / "sheet", 60)["wrong"] == 0
    c = load_comparison(bench, plan)
    labels = c.evaluator.labels
    assert labels.in_part
    found = find_slice_effects(c)
    assert any("as given" in note for note in found["notes"])
    names = {g["name"]: g for g in found["slices"] if g["kind"] == "class"}
    assert names["3"]["n"] == (labels.given == "3").sum() and found["slices"][0]["name"] == "3"
