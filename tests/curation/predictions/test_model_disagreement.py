"""What two models disagree about."""

import numpy as np
import pytest

from assay import UserError
from assay.curation.predictions import model_disagreement, run_predictions
from assay.curation.storage.arrays import load_arrays
from assay.curation.versioning.decision_cells import read_decisions
from assay.pipelines.experiments import run
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.experiments.predictions import compare_models, gather_predictions
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.gapped import arrive
from tests.helpers import bench_of, digits, run_assay, silent, truth_of


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
