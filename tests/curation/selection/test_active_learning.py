"""What to label next."""

import json

import numpy as np
import pandas as pd
import pytest

from assay import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.selection import active_learning, similarity, triggers
from assay.curation.storage.arrays import load_arrays
from assay.curation.versioning.decision_cells import read_decisions
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.gapped import three
from tests.helpers import bench_of, run_assay, silent, table, truth_of


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
