"""What looks like these: nearest first, copies apart, nothing of test."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from assay import UserError
from assay.curation.features import neighbor_graph
from assay.curation.selection import similarity, triggers
from assay.curation.slicing import gaps, regression_sets
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.gapped import arrive, three
from tests.helpers import run_assay, silent, truth_of


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
