"""What a trigger catches as it comes."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.curation.selection import similarity, triggers
from assay.curation.storage.arrays import load_arrays
from assay.curation.versioning.decision_cells import read_decisions
from assay.pipelines.experiments.predictions import compare_models
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.triggers import run_triggers
from tests.gapped import arrive, three
from tests.helpers import run_assay, silent, truth_of


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
