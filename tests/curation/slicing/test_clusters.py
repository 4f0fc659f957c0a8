"""Clusters: their names, how long they stand, and what their table counts."""

import json

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.features import neighbor_graph
from assay.curation.formats.base import ImportOptions
from assay.curation.maintenance import array_checks, integrity
from assay.curation.predictions import model_errors
from assay.curation.slicing import (
    cluster_names,
    cluster_table,
    clusters,
    metadata,
)
from assay.curation.storage.arrays import load_arrays
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import digits, scanned_bench, silent

LETTERS = np.array(list("abc"))


def test_a_mode_that_train_lacks_gets_a_cluster_of_its_own():
    rng = np.random.default_rng(0)
    heap = np.arange(400) % 4
    V = np.eye(4)[heap] + 0.1 * rng.standard_normal((400, 4))
    V = (V / np.linalg.norm(V, axis=1, keepdims=True)).astype("f4")
    test = np.arange(400) >= 300
    at, centres, cosine = clusters.kmeans(V, ~test)
    assert np.allclose(cosine, (V * centres[at]).sum(1), atol=1e-5)
    parts = {c: set(heap[at == c]) for c in set(at)}
    assert all(len(heaps) == 1 for heaps in parts.values()) and set().union(*parts.values()) == {
        0,
        1,
        2,
        3,
    }
    assert (np.diff(np.bincount(at[~test])) <= 0).all() and np.allclose(
        np.linalg.norm(centres, axis=1), 1, atol=1e-4
    )
    coarse = clusters.merge_clusters(
        np.repeat(np.eye(6), 5, 0) + 0.01 * rng.standard_normal((30, 6)), np.ones(30)
    )
    assert len(set(coarse)) == 8 and all(
        len(set(coarse[i * 5 : i * 5 + 5]) & set(np.delete(coarse, range(i * 5, i * 5 + 5)))) == 0
        for i in range(6)
    )


def test_a_name_says_what_is_in_it_and_no_two_are_equal(tmp_path):
    assert [
        cluster_names.describe_labels(LETTERS, np.array(c) / 10)
        for c in ([9, 1, 0], [5, 3, 2], [4, 4, 2], [0, 0, 0])
    ] == [
        "mostly a",
        "mostly a, some b, some c",
        "some a, some b, some c",
        "unlabelled",
    ]
    labels, at = (
        ["a"] * 20 + ["a"] * 18 + ["b"] * 2 + ["c"] * 20 + ["a"] * 9,
        np.repeat([0, 1, 2, 3], [20, 20, 20, 9]),
    )
    sites = ["x"] * 20 + ["y"] * 49
    state = pd.DataFrame(
        dict(label=labels, given_label=labels, split="train", width=8, height=8),
        index=[f"s{i}" for i in range(69)],
    )
    state["meta"] = [json.dumps(dict(site=s, label_again=t)) for s, t in zip(sites, labels)]
    assert cluster_names.propose_names(assay.create(tmp_path / "b"), state, at) == [
        "mostly a (site = x)",
        "mostly a, few b",
        "mostly c",
        "mostly a",
    ]
    informative = dict(metadata.slice_by_informative_metadata(state, "image"))
    assert "label_again" not in informative and "label_again" in metadata.slice_by_metadata(
        state
    ), "it only says the label again"


@pytest.mark.daily
def test_clusters_stay_when_images_come_until_a_fifth_came(tmp_path):
    table = digits(420)
    bench = scanned_bench(table[:300], tmp_path / "a")
    state = bench.state()
    before = dict(zip(state.index, clusters.assign_clusters(bench, state)))
    file = bench.arrays / "clusters.npz"
    first = file.read_bytes()
    assert (
        clusters.assign_clusters(bench, state).tolist() == list(before.values())
        and file.read_bytes() == first
    )
    file.unlink()
    clusters.assign_clusters(bench, state)
    assert file.read_bytes() == first, "made again, the same to the byte"
    assert [f for f in integrity.check_bench(bench) if f["kind"] not in array_checks.NOTES] == []
    for upto, stay in ((336, True), (420, False)):
        table[:upto].to_parquet(tmp_path / "a" / "digits.parquet")
        ingest(
            bench,
            tmp_path / "a" / "digits.parquet",
            "tester",
            ImportOptions(columns=dict(label="label"), refreeze_test=True),
        )
        scan(bench, ScanOptions(embedder="pixels"), say=silent)
        state = bench.state()
        now = dict(zip(state.index, clusters.assign_clusters(bench, state)))
        assert len(now) == upto and all(now[s] == c for s, c in before.items()) is stay
        if stay:  # the others are where their likest neighbours are, more often than any chance would have it
            graph, at = (
                neighbor_graph.Graph.load(bench.arrays / "graph.npz"),
                np.searchsorted(
                    load_arrays(bench.arrays / "graph.npz")["hashes"],
                    np.asarray(state.content_hash, "S32"),
                ),
            )
            of_node = dict(zip(at, now.values()))
            new = [i for i, s in enumerate(state.index) if s not in before]
            assert (
                np.mean([of_node[graph.neighbours[at[i]][0]] == now[state.index[i]] for i in new])
                > 0.5
            )


@pytest.mark.slow
def test_a_persons_name_goes_where_its_sample_goes(scanned):
    state = scanned.state()
    known = cluster_names.samples_by_cluster(scanned, state)
    old = next(
        name
        for name in known
        if sum(name.startswith(k) for k in known) and sum(k.startswith(name) for k in known) == 1
    )
    batch = cluster_names.rename_cluster(scanned, old, "night  work", "ann")["batch"]
    now = cluster_names.samples_by_cluster(scanned, state)
    assert (
        now["night  work"] == known[old]
        and set(known) - set(now) == {old}
        and len(now) == len(known)
    )
    sample = scanned.rules()[next(r for r in scanned.rules() if r.startswith("cluster:"))]["sample"]
    assert sample in known[old] and state["split"][sample] in ("train", "val")
    (scanned.arrays / "clusters.npz").unlink()
    fewer = state[state["split"] != "val"]  # another clustering altogether
    assert sample in cluster_names.samples_by_cluster(scanned, fewer).get("night  work", [sample])
    (scanned.arrays / "clusters.npz").unlink()
    assert "night  work" not in cluster_names.samples_by_cluster(scanned, state, "coarse"), (
        "each level has names of its own"
    )
    other = next(name for name in now if name != "night  work")
    for cluster, title, word in (
        ("nothing", "x", "known are"),
        (other, "night  work", "no other fine cluster"),
        (other, " ", "no other"),
    ):
        with pytest.raises(UserError, match=word):
            cluster_names.rename_cluster(scanned, cluster, title, "ann")
    cluster_names.rename_cluster(scanned, "night", "day", "bob")
    assert "day" in cluster_names.samples_by_cluster(
        scanned, state
    ) and "night  work" not in cluster_names.samples_by_cluster(scanned, state), (
        "the last name counts"
    )
    scanned.undo(scanned.batches().name.iloc[-1], "bob")
    scanned.undo(batch, "ann")
    assert cluster_names.samples_by_cluster(scanned, state) == known


@pytest.mark.slow
def test_the_table_of_clusters_counts_what_counting_counts(scanned):
    state, table = scanned.state(), cluster_table.tabulate_clusters(scanned)
    wrong = model_errors.find_model_errors(scanned)
    kept = load_arrays(scanned.arrays / "opinion.npz")
    by_hand = dict(
        zip(
            kept["ids"].astype(str),
            np.array(json.loads(str(kept["classes"])))[kept["pred_probs"].argmax(1)],
        )
    )
    for row in table.itertuples():
        ids = cluster_names.samples_by_cluster(scanned, state)[row.cluster]
        assert [row.train, row.val, row.test] == [
            (state["split"][ids] == s).sum() for s in ("train", "val", "test")
        ]
        val = [s for s in ids if s in wrong.index]
        assert row.n == len(val) and (
            not val
            or row.accuracy == pytest.approx(np.mean([by_hand[s] == state.label[s] for s in val]))
        )
        assert (not val) or row.low < row.accuracy < row.high or row.accuracy == 1 == row.high
        assert sum(row.labels.values()) == pytest.approx(1, abs=1e-3)
    assert (
        table.n.sum() == (state["split"] == "val").sum()
        and table.cluster.is_unique
        and not table.named.any()
    )


def test_centres_are_made_of_no_test_image(scanned):
    state = scanned.state()
    kept = clusters.current_clusters(scanned, state)
    made = set(kept.hashes[kept.open].astype(str))
    assert made == set(state.content_hash[state["split"] != "test"]) and len(made) == kept.made
