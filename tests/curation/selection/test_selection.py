"""Looking for more: what looks like these, what to label next, what two models disagree about, and what a trigger catches as it comes."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.features import neighbor_graph
from assay.curation.formats.base import ImportOptions
from assay.curation.predictions import model_disagreement, run_predictions
from assay.curation.selection import active_learning, similarity, triggers
from assay.curation.slicing import gaps, regression_sets
from assay.curation.storage.arrays import load_arrays
from assay.curation.versioning.decision_cells import read_decisions
from assay.pipelines.experiments import run
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.experiments.predictions import compare_models, gather_predictions
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.triggers import run_triggers
from tests.helpers import bench_of, digits, run_assay, table, truth_of

silent = lambda line: None  # noqa: E731
PLAN = dict(seeds=2, epochs=4)


@pytest.fixture(scope="session")
def gapped_once(tmp_path_factory):
    bench = bench_of(table(), tmp_path_factory.mktemp("gapped"))
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


@pytest.fixture
def gapped(gapped_once, tmp_path):
    shutil.copytree(gapped_once.path, tmp_path / "bench")
    return assay.open(tmp_path / "bench")


def three(bench, split, n=5):
    state = bench.state()
    return list(
        state.index[
            (state["split"] == split) & (truth_of(bench) == "3") & ~state.key.str.startswith("c")
        ][:n]
    )


# ---- more like this


@pytest.mark.daily
def test_more_like_this(gapped):
    """Five threes find the others; the distance is numpy's; a copy of a seed or of what is listed already is left out unless asked for."""
    state, truth = gapped.state(), truth_of(gapped)
    seeds = three(gapped, "val", 5)
    found = similarity.find_similar(gapped, [state.key[s] for s in seeds])
    assert (
        set(state["split"][found["sample"]]) == {"pool"}
        and (truth[found["sample"][:40]] == "3").mean() >= 0.9
    )
    assert (truth[state.index[state["split"] == "pool"]] == "3").mean() < 0.2, (
        "so that is not by chance"
    )
    graph, at = neighbor_graph.load_nodes(gapped, state)
    V = neighbor_graph.load_vectors(gapped, graph)[at]
    rows = state.index.get_indexer(found["sample"])
    brute = np.linalg.norm(V[rows][:, None] - V[state.index.get_indexer(seeds)][None], axis=2)
    assert np.allclose(found.distance, brute.min(1), atol=2e-3) and list(found.nearest) == [
        seeds[i] for i in brute.argmin(1)
    ]
    assert found.score.is_monotonic_decreasing and list(found["rank"]) == list(
        range(1, len(found) + 1)
    )

    id_of = {key: s for s, key in state.key.items()}
    original = state.index[(state["split"] == "pool") & (truth == "3")][0]
    listed = set(found["sample"])
    assert len({id_of["c1"], original} & listed) == 1, "of two copies, one"
    every = similarity.find_similar(gapped, seeds, copies=True)
    assert {id_of["c1"], original} < set(every["sample"]) and listed < set(every["sample"])
    own = similarity.find_similar(gapped, [original], copies=True)
    assert own["sample"][0] == id_of["c1"] and id_of["c1"] not in set(
        similarity.find_similar(gapped, [original])["sample"]
    )
    assert original not in set(own["sample"]) and set(
        state["split"][similarity.find_similar(gapped, seeds, "train")["sample"]]
    ) == {"train"}


def test_what_likeness_is():
    """1 on average for the seeds, 0 for all; one seed ranks as its distance does; many seeds whose class lies along a direction of small spread
    are told from the rest as scikit-learn's discriminant does, where distance fails."""
    from scipy.stats import spearmanr
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    V = rng.normal(size=(2000, 30)) * np.r_[np.full(10, 3.0), np.full(20, 0.5)]
    mine = np.arange(2000) < 600
    V[mine, 20] += 2
    V = (V / np.linalg.norm(V, axis=1, keepdims=True)).astype("f4")
    score = similarity.score_similarity(V, V[:100])
    assert score[:100].mean() == pytest.approx(1, abs=1e-4) and score.mean() == pytest.approx(
        0, abs=1e-4
    )
    assert spearmanr(similarity.score_similarity(V, V[:1]), V @ V[0]).statistic > 0.97
    rest = np.arange(2000) >= 100
    lda = (
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(V, ~rest).decision_function(V)
    )
    ours, theirs, plain = (
        roc_auc_score(mine[rest], s[rest])
        for s in (score, lda, -similarity.find_nearest(V, V[:100])[0])
    )
    assert ours > theirs - 0.02 and ours > plain + 0.05


def test_near_duplicates_stand_apart():
    """Beside brute force over random graphs: nobody kept is near another kept or taken one, and whoever is left out is near one of those."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        pairs = np.unique(np.sort(rng.integers(0, 30, (12, 2)), 1), axis=0)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        graph = SimpleNamespace(pairs=pairs, groups=np.arange(30))
        order, taken = rng.permutation(30)[:20], rng.integers(0, 30, 3)
        near = {frozenset(p) for p in pairs.tolist()} | {frozenset([i]) for i in range(30)}
        brute = []
        for position, node in enumerate(order):
            if not any(frozenset([int(node), int(o)]) in near for o in [*taken, *order[brute]]):
                brute.append(position)
        assert (
            list(similarity.without_near_copies(graph, order, taken)) == brute
            and list(similarity.without_near_copies(graph, order, taken, 4)) == brute[:4]
        )
    graph = SimpleNamespace(pairs=np.empty((0, 2), int), groups=np.array([0, 0, 2]))
    apart = similarity.without_near_copies(graph, np.arange(3))
    assert list(apart) == [0, 2], "a group is near by itself"


@pytest.mark.slow
@pytest.mark.parametrize("split", ["test", "guard"])
def test_test_and_guard_are_neither_seeds_nor_targets(gapped, split, tmp_path):
    if split == "guard":
        regression_sets.freeze_sets(
            gapped,
            dict(x=dict(score=0.5, asked=[gapped.state().key[s] for s in three(gapped, "val", 8)])),
            "ann",
        )
    seed = three(gapped, split, 1)
    with pytest.raises(UserError, match="found 1 of test or guard"):
        similarity.find_similar(gapped, seed)
    with pytest.raises(UserError, match="found 1 of test or guard"):
        triggers.add_trigger(gapped, "x", "similar", "ann", samples=seed)
    with pytest.raises(UserError, match=f"found '{split}'"):
        similarity.find_similar(gapped, three(gapped, "val", 1), split)
    with pytest.raises(UserError, match="nobody"):
        similarity.find_similar(gapped, ["nobody"])


# ---- what to label next


def variance(X, w, known, w_known, asked, w_asked, added):
    """What `choose` lets fall, by the definition: invert anew, sum over val."""
    rows = np.r_[known, X[added]] if len(added) else known
    weight = np.r_[w_known, w[added]]
    A = np.einsum("i,ij,ik->jk", w_known, known, known)
    A = np.einsum("i,ij,ik->jk", weight, rows, rows) + active_learning.RIDGE * np.trace(A) / len(
        A
    ) * np.eye(len(A))
    return np.einsum("i,ij,jk,ik->", w_asked, asked, np.linalg.inv(A), asked)


def test_choose_is_what_brute_force_finds():
    rng = np.random.default_rng(0)
    parts = [(rng.normal(size=(n, 4)).astype("f4"), rng.random(n)) for n in (40, 15, 25)]
    chosen, fall = active_learning.choose_samples(*parts, 8)
    (X, w), (known, w_known), (asked, w_asked) = [
        (active_learning.add_bias_column(V), u) for V, u in parts
    ]
    added, start = [], variance(X, w, known, w_known, asked, w_asked, [])
    for row, share in zip(chosen, fall):
        left = [
            variance(X, w, known, w_known, asked, w_asked, [*added, i])
            if i not in added
            else np.inf
            for i in range(40)
        ]
        assert int(np.argmin(left)) == row
        before = variance(X, w, known, w_known, asked, w_asked, added)
        added.append(row)
        assert share == pytest.approx((before - min(left)) / start, rel=1e-6)


@pytest.mark.slow
def test_suggestions_fill_the_gap_and_become_training_samples(gapped, tmp_path):
    """Train lacks threes, so more of them are suggested than chance would; no copies; an untouched table decides nothing; what gets a label moves
    to train with --to, is trained on, and is not suggested again."""
    state, truth = gapped.state(), truth_of(gapped)
    pool, known = (
        state.index[state["split"] == "pool"],
        state.index[(state["split"] == "val") & (truth == "3")],
    )
    before = recall(gapped, truth, known)
    found = active_learning.suggest_samples(gapped, 60)
    assert (
        list(found.columns) == "rank sample source_id path suggested_label score reason".split()
        and len(set(found["sample"])) == 60
    )
    threes, chance = (truth[found["sample"]] == "3").sum(), 60 * (truth[pool] == "3").mean()
    assert threes > 1.5 * chance
    every = active_learning.suggest_samples(gapped, 1000)
    keys = set(every.source_id)
    assert len(every) < len(pool) and not keys & {"c2", "c3"}, (
        "a copy of a train sample tells nothing, one of a test sample would leak"
    )
    assert len(keys & {"c1", state.key[three(gapped, "pool", 1)[0]]}) == 1
    assert gapped.state().label[found["sample"]].isna().all()

    file = tmp_path / "new.csv"
    status, out, _ = run_assay(
        "suggest", "-n", 60, "--csv", file, "--sheet", tmp_path / "sheet.html", "-b", gapped.path
    )
    assert (
        status == 0
        and "--to train" in out
        and (tmp_path / "sheet.html").read_text().count("<img") == 60
    )
    sheet = read_decisions(file)
    assert (
        list(sheet["sample"]) == list(found["sample"])
        and set(sheet.label) == {""}
        and list(sheet.suggested_label) == list(found.suggested_label)
    )
    log = gapped.rows("select count(*) from edits")
    assert (
        run_assay("edit", file, "--to", "train", "--who", "ann", "-b", gapped.path)[0] == 0
        and gapped.rows("select count(*) from edits") == log
    )
    mine = list(found["sample"][:40])
    sheet.drop(columns="line").assign(
        label=[truth[s] if s in mine else "" for s in sheet["sample"]]
    ).to_csv(file, index=False)
    status, out, _ = run_assay("edit", file, "--to", "train", "--who", "ann", "-b", gapped.path)
    assert status == 0 and "80 edits on 40 samples" in out
    now = gapped.state()
    assert (
        set(now["split"][mine]) == {"train"}
        and (now.label[mine] == truth[mine]).all()
        and now.reviewed[mine].all()
    )
    assert set(now.index[now["split"] == "train"]) == set(
        state.index[state["split"] == "train"]
    ) | set(mine)
    hint = gapped.rows(
        "select suggested ->> 'suggested_label', suggested ->> 'rank' from edits where sample = ? and field = 'label'",
        [mine[0]],
    )
    assert hint == [(found.suggested_label[0], "1")], "the log keeps what was suggested"
    assert not set(mine) & set(active_learning.suggest_samples(gapped, 60)["sample"])
    scan(gapped, ScanOptions(embedder="pixels"), say=silent)
    assert recall(gapped, truth, known) > before + 0.2, "and the threes of val are known now"


def recall(bench, truth, samples):
    opinion = load_arrays(bench.arrays / "opinion.npz")
    classes, ids = (
        np.array(json.loads(str(opinion["classes"]))),
        pd.Index(opinion["ids"].astype(str)),
    )
    return (
        classes[opinion["pred_probs"][ids.get_indexer(samples)].argmax(1)]
        == truth[samples].to_numpy()
    ).mean()


@pytest.mark.slow
def test_what_cannot_be_suggested(gapped, tmp_path):
    with pytest.raises(UserError, match="at least one"):
        active_learning.suggest_samples(gapped, 0)
    state = gapped.state()
    pool = state.index[state["split"] == "pool"]
    gapped.edit(pd.DataFrame(dict(sample=pool, label="3")), "ann")
    with pytest.raises(UserError, match="unlabelled samples in the pool, found none"):
        active_learning.suggest_samples(gapped, 5)
    assert (
        run_assay("similar", "-b", gapped.path)[0]
        == run_assay("similar", "d0001", "--gap", "x", "-b", gapped.path)[0]
        == 2
    )
    assert run_assay("similar", three(gapped, "val", 1)[0], "-n", 0, "-b", gapped.path)[0] == 2


@pytest.mark.daily
def test_no_test_label_is_read(tmp_path):
    """Permute the labels of all test samples: what is similar, suggested and caught is the same to the byte."""
    plain = table(450)
    test = plain.index[plain["split"] == "test"]
    shuffled = plain.copy()
    shuffled.loc[test, "label"] = np.random.default_rng(1).permutation(plain.label[test].to_numpy())
    assert (shuffled.label[test] != plain.label[test]).sum() > 30
    seen = []
    for name, t in (("a", plain), ("b", shuffled)):
        bench = bench_of(t.sample(frac=0.8, random_state=0), tmp_path / name)
        scan(bench, ScanOptions(embedder="pixels"), say=silent)
        triggers.add_trigger(bench, "odd", "confidence", "ann", below=0.6)
        triggers.add_trigger(bench, "threes", "similar", "ann", samples=three(bench, "val", 3))
        t.to_parquet(tmp_path / name / "digits.parquet")
        ingest(
            bench,
            tmp_path / name / "digits.parquet",
            "tester",
            ImportOptions(columns=dict(label="label"), refreeze_test=True),
        )
        scan(bench, ScanOptions(embedder="pixels"), say=silent)
        caught = {n: t["caught"] for n, t in triggers.active_triggers(bench).items()}
        assert all(caught.values())
        frames = (
            active_learning.suggest_samples(bench, 50),
            similarity.find_similar(bench, three(bench, "val", 3)),
        )
        seen.append([caught, *(f.drop(columns="path").to_csv() for f in frames)])
    assert seen[0] == seen[1]


# ---- two models


def test_the_energy_distance_by_hand():
    """between - within is the squared distance of the means beyond what a finite number of seeds gives by itself."""
    rng = np.random.default_rng(0)
    A, B = rng.random((3, 7, 4)), rng.random((2, 7, 4))
    between, within = model_disagreement.measure_distances(A, B)
    for i in range(7):
        assert between[i] == pytest.approx(
            np.mean([((a[i] - b[i]) ** 2).sum() for a in A for b in B])
        )
        own = [
            ((A[0, i] - A[1, i]) ** 2).sum(),
            ((A[0, i] - A[2, i]) ** 2).sum(),
            ((A[1, i] - A[2, i]) ** 2).sum(),
        ]
        assert within[i] == pytest.approx((np.mean(own) + ((B[0, i] - B[1, i]) ** 2).sum()) / 2)
    noise = rng.normal(0.5, 0.1, (2, 4, 5000, 3))
    between, within = model_disagreement.measure_distances(*noise)
    assert abs((between - within).mean()) < 0.002 < between.mean() / 10, (
        "no difference but chance: zero on average"
    )
    assert np.isnan(model_disagreement.measure_distances(A[:1], B[:1])[1]).all()


def test_classes_of_two_runs_are_brought_together():
    classes, (a, b) = model_disagreement.align_classes(
        [(["x", "z"], np.array([[0.25, 0.75]])), (["y", "z"], np.array([[1.0, 0.0]]))]
    )
    assert (
        list(classes) == ["x", "y", "z"]
        and a.tolist() == [[0.25, 0, 0.75]]
        and b.tolist() == [[0, 1, 0]]
    )


@pytest.fixture(scope="session")
def compared_once(gapped_once, tmp_path_factory):
    """Two versions: in `broken` the sevens of train are called nines; two seeds of the probe and of a small network on each."""
    folder = tmp_path_factory.mktemp("compared") / "bench"
    shutil.copytree(gapped_once.path, folder)
    bench = assay.open(folder)
    bench.commit("", "ann", "good")
    state = bench.state()
    bench.edit(
        pd.DataFrame(
            dict(sample=state.index[(state["split"] == "train") & (state.label == "7")], label="9")
        ),
        "vandal",
    )
    bench.commit("", "vandal", "broken")
    run.run_plan(
        bench,
        check_plan(PLAN | dict(versions=["broken", "good"], architectures=["probe", "mlp"])),
        silent,
        most=1,
    )
    return bench


@pytest.fixture
def compared(compared_once, tmp_path):
    shutil.copytree(compared_once.path, tmp_path / "bench")
    return assay.open(tmp_path / "bench")


@pytest.mark.daily
def test_disagreements_find_what_the_candidate_would_change(compared, tmp_path):
    state, truth = compared.state(), truth_of(compared)
    pool = state.index[state["split"] == "pool"]
    for arch in ("probe", "mlp"):
        found, about = compare_models(compared, f"broken/{arch}", f"good/{arch}")
        assert about["n"] == len(pool) and about["seeds"] == [2, 2] and about["unseen"] == 0
        first = found.head(30)
        assert (truth[first["sample"]] == "7").mean() > 0.9 and (
            first.candidate == "7"
        ).mean() > 0.9, arch
        assert (
            (first.current == "9").mean() > 0.8
            and found.score.is_monotonic_decreasing
            and (found.score > 0).all()
        )
        assert about["control"] < about["share"], "two seeds of one recipe differ less"
    status, out, _ = run_assay(
        "disagreements",
        "broken/mlp",
        "good/mlp",
        "-n",
        20,
        "--csv",
        tmp_path / "s.csv",
        "-b",
        compared.path,
    )
    assert status == 0 and "two seeds of one recipe on" in out and "--to train" in out
    sheet = read_decisions(tmp_path / "s.csv")
    assert (
        len(sheet) == 20 and set(sheet.label) == {""} and set(sheet.suggested_label[:15]) == {"7"}
    )
    assert run_assay("edit", tmp_path / "s.csv", "--who", "ann", "-b", compared.path)[0] == 0, (
        "its columns are what edit takes"
    )
    for pair, word in (
        (("good/mlp", "good/mlp"), "share some"),
        (("good/mlp", "none/mlp"), "finished run"),
    ):
        with pytest.raises(UserError, match=word):
            compare_models(compared, *pair)


@pytest.mark.daily
def test_a_training_predicts_the_pool_and_a_later_sample_is_asked_for(compared, tmp_path):
    """What came after the training is computed again for the probe, and for a network only if asked: then it is the same network."""
    came = arrive(compared, tmp_path)
    scan(compared, ScanOptions(embedder="pixels"), say=silent)
    state = compared.state()
    pool = state.index[state.keep & (state["split"] == "pool")]
    new = [s for s in pool if s in came]
    assert len(new) > 80
    key = compared.rows(
        "select key from runs where arch = 'mlp' and seed = 0 and version = 'good'"
    )[0][0]
    before = run_predictions.read_probabilities(compared, key, pool)[1]
    assert set(pool[np.isnan(before[:, 0])]) == set(new)
    found, about = compare_models(compared, "broken/mlp", "good/mlp")
    assert about["unseen"] == len(new) and not set(found["sample"]) & set(new)
    assert all(
        not np.isnan(probs).any() for _, probs in gather_predictions(compared, "good/probe", pool)
    ), "a closed form is computed"
    said = []
    _, about = compare_models(compared, "broken/mlp", "good/mlp", predict=True, say=said.append)
    assert about["unseen"] == 0 and sum("once more" in line for line in said) == 4
    after = run_predictions.read_probabilities(compared, key, pool)[1]
    assert (
        np.array_equal(after[~np.isnan(before[:, 0])], before[~np.isnan(before[:, 0])])
        and not np.isnan(after).any()
    )


@pytest.mark.daily
def test_a_network_that_crashes_when_it_is_trained_once_more_is_named(tmp_path, monkeypatch):
    table = digits(120, wrong=0)
    table["split"] = np.array(["train", "train", "val", "test"])[np.arange(120) % 4]
    bench = bench_of(table, tmp_path)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    nets = ["tests.nets:fragile", "tests.nets:linear"]
    run.run_plan(
        bench,
        check_plan(dict(seeds=1, epochs=2, versions=["v1"], architectures=nets)),
        silent,
        most=1,
    )
    arrive(bench, tmp_path, slice(200, 220))
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    monkeypatch.setenv("ASSAY_TESTS_CRASH", "yes")
    status, _, err = run_assay(
        "disagreements", *(f"v1/{net}" for net in nets), "--predict", "-b", bench.path
    )
    assert (
        status == 2
        and "tests.nets:fragile, seed 0, to train once more, found it crashed (signal 11, SIGSEGV)"
        in err
    )
    monkeypatch.delenv("ASSAY_TESTS_CRASH")
    status, out, _ = run_assay(
        "disagreements", *(f"v1/{net}" for net in nets), "--predict", "-b", bench.path
    )
    assert status == 0 and out.count("once more, for 20 samples") == 2


@pytest.mark.daily
def test_a_run_that_cannot_be_repeated_says_so(compared, tmp_path):
    path = run_predictions.predictions_file(
        compared, key := compared.rows("select key from runs where arch = 'probe'")[0][0]
    )
    kept = load_arrays(path)
    from assay.curation.storage.arrays import save_arrays

    save_arrays(path, **{k: v for k, v in kept.items() if not k.startswith("pool")})
    state = compared.state()
    pool = state.index[state["split"] == "pool"]
    full = run_predictions.read_probabilities(compared, key, pool)[1]
    assert np.isnan(full).all()
    again = gather_predictions(compared, key, sorted(pool))[0][1]
    assert np.allclose(again, kept["pool_probs"], atol=2e-3), (
        "the closed form says again what the training said"
    )
    save_arrays(path, **{k: v for k, v in kept.items() if not k.startswith("pool")})
    with compared.transaction() as con:
        con.execute("update runs set train_tree = 'other'")
    with pytest.raises(UserError, match="found it changed since"):
        gather_predictions(compared, key, pool)


@pytest.mark.slow
def test_how_much_of_a_pool_is_predicted(gapped):
    state = gapped.state()
    pool = state.index[state["split"] == "pool"]
    assert run_predictions.choose_pool_ids(state, 10**6) == sorted(pool)
    some, more = (
        run_predictions.choose_pool_ids(state, 50),
        run_predictions.choose_pool_ids(state, 80),
    )
    assert len(some) == 50 and set(some) < set(more) < set(pool), (
        "two runs predict the same, as far as they go"
    )
    assert run_predictions.choose_pool_ids(state.assign(keep=False), 50) == []


# ---- triggers


@pytest.fixture
def armed(gapped):
    triggers.add_trigger(
        gapped,
        "threes",
        "similar",
        "ann",
        samples=[gapped.state().key[s] for s in three(gapped, "val", 5)],
    )
    triggers.add_trigger(gapped, "unsure", "confidence", "ann", below=0.5)
    triggers.add_trigger(
        gapped, "late", "query", "ann", query="select id from samples where key > 'd1'"
    )
    return gapped


def arrive(bench, folder, part=slice(1300, 1450), split="pool"):
    """New digits come; returns their ids."""
    before = set(bench.state().index)
    rows = digits(1797, wrong=0)[part].assign(split=split, label=None)
    rows = pd.concat(
        [rows, digits(1797, wrong=0)[1690:1700].assign(split="train")]
    )  # an import is of two classes
    source = folder / f"more{part.start}.parquet"
    rows.to_parquet(source)
    ingest(bench, source, "tester", ImportOptions(columns=dict(label="label")))
    return sorted(set(bench.state().index) - before)


@pytest.mark.daily
def test_a_trigger_catches_what_comes(armed, tmp_path):
    lines = []
    log = armed.rows("select count(*) from edits")
    scan(armed, ScanOptions(embedder="pixels"), say=lines.append)
    assert (
        sum("nothing new" in line for line in lines) == 3
        and armed.rows("select count(*) from edits") == log
    )
    new = arrive(armed, tmp_path)
    lines = []
    scan(armed, ScanOptions(embedder="pixels"), say=lines.append)
    said = [line for line in lines if line.startswith("trigger")]
    state, truth, there = armed.state(), truth_of(armed), triggers.active_triggers(armed)
    caught = {name: set(t["caught"]) for name, t in there.items()}
    assert (
        all(c <= set(new) for c in caught.values())
        and len(said) == 3
        and "older ones it would catch" in said[0]
    )
    threes = {s for s in new if truth[s] == "3"}
    assert len(caught["threes"] & threes) >= 0.4 * len(threes) > 3
    assert len(caught["threes"] & threes) / len(threes) > 5 * len(caught["threes"] - threes) / (
        len(new) - len(threes)
    )
    opinion = load_arrays(armed.arrays / "opinion.npz")
    top = dict(zip(opinion["ids"].astype(str), opinion["pred_probs"].max(1)))
    kept = [s for s in new if state.keep[s]]
    assert caught["unsure"] == {s for s in kept if top[s] < 0.5} and caught["unsure"]
    assert caught["late"] == {s for s in kept if state.key[s] > "d1"}
    older = [
        s
        for s in state.index
        if s not in new and state.keep[s] and state["split"][s] in ("train", "val", "pool")
    ]
    assert (
        f"of {len(older):,} older ones it would catch {np.mean([top[s] < 0.5 for s in older]):.1%}"
        in said[2]
    )

    log = armed.rows("select count(*) from edits")
    out, _ = run_triggers(armed, "ann")
    assert (
        not any(t["caught"] or t["new"] for t in out)
        and armed.rows("select count(*) from edits") == log
    ), "again is nothing"
    batch = armed.rows(
        "select batch from edits where field = 'tag' and value ->> 'name' = 'trigger:threes' limit 1"
    )[0][0]
    armed.undo(batch, "ann")
    assert not triggers.active_triggers(armed)["threes"]["caught"]
    armed.edit(pd.DataFrame(dict(sample=sorted(caught["late"])[:2], tag="-trigger:late")), "ann")
    assert len(triggers.active_triggers(armed)["late"]["caught"]) == len(caught["late"]) - 2, (
        "dealt with"
    )
    more = arrive(armed, tmp_path, slice(1450, 1550))
    scan(armed, ScanOptions(embedder="pixels"), say=silent)
    again = {name: set(t["caught"]) for name, t in triggers.active_triggers(armed).items()}
    assert again["unsure"] - caught["unsure"] <= set(more) and caught["unsure"] <= again["unsure"]
    assert not again["threes"] & caught["threes"], "what was undone is not caught twice"


def test_what_is_like_enough():
    """Half of the seeds reach the bar when the others look for them, by fitting each time anew; a single seed lets in k of what is there."""
    rng = np.random.default_rng(0)
    V = rng.normal(size=(3000, 16)) + np.where(np.arange(3000) < 300, 1.5, 0)[:, None] * (
        np.arange(16) < 3
    )
    V = (V / np.linalg.norm(V, axis=1, keepdims=True)).astype("f4")
    seeds = V[:60]
    each = [
        similarity.score_similarity(V, np.delete(seeds, i, 0), seeds[i : i + 1])[0]
        for i in range(60)
    ]
    least = similarity.similarity_threshold(V, seeds, 10)
    assert least == pytest.approx(np.median(each), abs=1e-4) and least < 1
    hit = similarity.score_similarity(V, seeds)[60:] >= least
    assert 0.35 < hit[:240].mean() < 0.65 and hit[240:].mean() < 0.1
    assert [
        (
            similarity.score_similarity(V, V[:n]) >= similarity.similarity_threshold(V, V[:n], 10)
        ).sum()
        for n in (1, 4)
    ] == [10, 40]
    assert (
        similarity.score_similarity(V[:4], V[:1])
        >= similarity.similarity_threshold(V[:4], V[:1], 10)
    ).all()


@pytest.mark.daily
def test_a_trigger_on_two_models(compared, tmp_path):
    """Probes are asked at once; networks have not seen what comes, so that it is asked about again once they are."""
    triggers.add_trigger(
        compared, "probes", "disagreement", "ann", runs=["broken/probe", "good/probe"]
    )
    triggers.add_trigger(compared, "nets", "disagreement", "ann", runs=["broken/mlp", "good/mlp"])
    new = arrive(compared, tmp_path)
    lines = []
    scan(compared, ScanOptions(embedder="pixels"), say=lines.append)
    truth, there = truth_of(compared), triggers.active_triggers(compared)
    assert (truth[there["probes"]["caught"]] == "7").mean() > 0.5 and there["probes"]["caught"]
    assert not there["nets"]["caught"] and any(
        "no run has predicted yet (assay disagreements broken/mlp good/mlp --predict)" in line
        for line in lines
    )
    compare_models(compared, "broken/mlp", "good/mlp", predict=True)
    out = {t["name"]: t for t in run_triggers(compared, "ann")[0]}
    assert (
        not out["probes"]["new"]
        and set(out["nets"]["caught"]) <= set(new)
        and (truth[out["nets"]["caught"]] == "7").mean() > 0.5
    )
    assert not [t for t in run_triggers(compared, "ann")[0] if t["caught"]]
    with compared.transaction() as con:
        con.execute("delete from runs where arch = 'mlp'")
    arrive(compared, tmp_path, slice(1450, 1470))
    scan(compared, ScanOptions(embedder="pixels"), say=lines.append)
    assert any("nets: could not ask" in line for line in lines), "a run that is gone stops no scan"


@pytest.mark.daily
def test_the_verbs_of_triggers(gapped, tmp_path):
    b = ("-b", gapped.path)
    seeds = three(gapped, "val", 3)
    status, out, _ = run_assay("trigger", "add", "threes", "--similar", *seeds, *b)
    state = gapped.state()
    n = int((state.keep & (state["split"] != "test")).sum())
    assert (
        status == 0
        and f"threes: looks like 3 samples; of {n:,} samples that are there it would catch 2."
        in out
    ), "30 of them, by hand"
    log = gapped.rows("select count(*) from edits")
    for arguments, word in (
        (("add", "threes", "--query", "select 1"), "taken"),
        (("add", "x"), "found 0"),
        (("add", "x", "--query", "select 1", "--confidence-below", 0.5), "found 2"),
        (("add", "x", "--query", "drop table edits"), "expected"),
        (("add", "x", "--confidence-below", 0), "found 0.0"),
        (("add", "x", "--disagreement", "a/b", "c/d"), "finished run"),
        (("add",), "found none"),
        (("remove", "y"), "there are: threes"),
        (("run", "y"), "there are: threes"),
    ):
        status, _, err = run_assay("trigger", *arguments, *b)
        assert status == 2 and word in err, err
    assert gapped.rows("select count(*) from edits") == log
    new = arrive(gapped, tmp_path)
    scan(gapped, ScanOptions(embedder="pixels"), say=silent)
    status, out, _ = run_assay("trigger", "list", *b)
    assert status == 0 and "looks like 3 samples" in out
    status, out, _ = run_assay("trigger", "list", "threes", "--csv", tmp_path / "t.csv", *b)
    rows = read_decisions(tmp_path / "t.csv")
    assert status == 0 and len(rows) and set(rows["sample"]) <= set(new) and set(rows.label) == {""}
    assert json.loads(run_assay("trigger", "run", "--json", *b)[1])["rows"][0]["caught"] == []
    assert (
        run_assay("trigger", "remove", "threes", *b)[0] == 0
        and triggers.active_triggers(gapped) == {}
    )
    assert gapped.state().tags[rows["sample"][0]] == ("trigger:threes",)


@pytest.mark.daily
def test_a_gap_is_looked_for_and_watched(gapped, tmp_path):
    """From the gap that stands first to more of it in the pool, and to what catches it as it comes, by the verbs alone."""
    b, truth, state = ("-b", gapped.path), truth_of(gapped), gapped.state()
    gap = json.loads(run_assay("gaps", "--json", *b)[1])["rows"][0]["gap"]
    seeds = gaps.gap_seeds(gapped, gap)
    assert (
        "class 3" in gap and set(state["split"][seeds]) == {"val"} and (truth[seeds] == "3").all()
    )
    status, out, _ = run_assay("similar", "--gap", gap, "-n", 40, "--json", *b)
    found = pd.DataFrame(json.loads(out)["rows"])
    base = (truth[state.index[(state["split"] == "pool") & state.keep]] == "3").mean()
    assert (
        status == 0
        and set(state["split"][found["sample"]]) == {"pool"}
        and (truth[found["sample"]] == "3").mean() >= 5 * base
    )
    assert list(found.nearest_source_id) == list(state.key[found.nearest]) and set(
        found.nearest
    ) <= set(seeds)
    assert found.nearest_source_id[0] in run_assay("similar", "--gap", gap, "-n", 1, *b)[1]

    status, out, _ = run_assay("trigger", "add", "watch", "--gap", gap, *b)
    assert status == 0 and f"looks like {len(seeds)} samples of the gap {gap}" in out
    new = arrive(gapped, tmp_path)
    scan(gapped, ScanOptions(embedder="pixels"), say=silent)
    caught = json.loads(run_assay("trigger", "list", "watch", "--json", *b)[1])["rows"]
    caught, truth = {row["sample"] for row in caught}, truth_of(gapped)
    threes = {s for s in new if truth[s] == "3"}
    assert (
        caught <= set(new)
        and len(caught & threes) >= 0.4 * len(threes) > 3
        and len(caught & threes) > len(caught - threes)
    )
    assert (
        run_assay("trigger", "add", "x", "--gap", "no such gap", *b)[0]
        == run_assay("similar", "--gap", "no such gap", *b)[0]
        == 2
    )
