"""What is flagged: one answer for every version, whoever judges; a person's own model, taken rightly or refused; leakage between all splits."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest

from assay import UserError
from assay.curation.issues import leakage
from assay.curation.label_quality import live, scoring
from assay.curation.label_quality.score_files import StoredProbe
from assay.pipelines.indexing.own_files import read_own_file
from assay.pipelines.indexing.own_model import OwnModel
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.simulation.reviewer import true_decisions
from assay.pipelines.training.data import TrainingData
from assay.pipelines.training.out_of_fold import predict_out_of_fold
from tests.helpers import bench_of, digits, digits_bench, truth_of

silent = lambda line: None  # noqa: E731


def model_of(bench, right=0.9, seed=0, p=0.8):
    """A model that names the truth of a share `right` of the samples, another class of the others: frame by sample id, a column a class."""
    state, truth, rng = bench.state(), truth_of(bench), np.random.default_rng(seed)
    classes = sorted(set(truth))
    said = [classes.index(t) for t in truth[state.index]]
    said = np.where(rng.random(len(said)) < right, said, rng.integers(0, len(classes), len(said)))
    probs = np.full((len(said), len(classes)), (1 - p) / (len(classes) - 1))
    probs[np.arange(len(said)), said] = p
    return pd.DataFrame(probs, index=state.index, columns=classes)


def train_of(state):
    return set(state.index[state.keep & (state["split"] == "train")])


def flagged_on_page(bench, version="HEAD"):
    return set(bench.issues("label", version)["sample"])


def dropped_by(bench, version):
    return train_of(bench.state(version)) - train_of(bench.state(f"{version} - flagged"))


# ---- one definition of flagged


@pytest.mark.slow
@pytest.mark.parametrize("own", [pytest.param(False, marks=pytest.mark.daily), True])
def test_the_page_and_an_expression_mean_the_same_labels_now_and_later(scanned, own):
    if own:
        scan(
            scanned,
            ScanOptions(embedder="pixels", own=OwnModel(model_of(scanned), None, True)),
            say=silent,
        )
    page = flagged_on_page(scanned)
    assert len(page) > 20 and flagged_on_page(scanned, "v1") == page
    assert dropped_by(scanned, "v1") == page & train_of(scanned.state("v1"))
    truth, queue = truth_of(scanned), scanned.queue(30, 0)["sample"]
    confirmed = [s for s in queue if scanned.state().label[s] == truth[s]][:1] or list(queue[:1])
    scanned.edit(pd.DataFrame(dict(sample=confirmed, verdict="confirm")), "ann")
    assert flagged_on_page(scanned, "v1") == page, "one confirmation changes no list of the past"
    scanned.edit(true_decisions(queue, truth), "ann")
    scanned.commit("thirty looked at", "ann", "v2")
    seen = flagged_on_page(scanned)
    assert dropped_by(scanned, "v2") == seen & train_of(scanned.state("v2"))
    scanned.edit(true_decisions(scanned.queue(10, 0)["sample"], truth), "bob")
    assert flagged_on_page(scanned, "v2") == seen and flagged_on_page(scanned, "v1") == page
    model = OwnModel(model_of(scanned)) if own else OwnModel()
    scan(scanned, ScanOptions(embedder="pixels", own=model), say=silent)
    assert flagged_on_page(scanned, "v2") == seen and flagged_on_page(scanned, "v1") == page, (
        "nor does a scan of later labels"
    )


@pytest.mark.slow
def test_decisions_change_other_flags_by_their_scores_alone(scanned):
    kept = StoredProbe.load(scanned)
    rows = true_decisions(scanned.queue(30, 0)["sample"], truth_of(scanned))
    scanned.edit(rows, "ann")
    after, again = live.label_scores(scanned), StoredProbe.load(scanned)
    assert np.array_equal(again.cuts, kept.cuts) and not np.array_equal(again.probe.y, kept.probe.y)
    low = after.score < kept.cuts[[kept.classes.index(c) for c in after.label]]
    doubted = low & (after.suggestion != after.label)
    assert (after.flagged == (doubted & ~after.reviewed)).all() and after.flagged.sum() > 5
    assert (doubted | ~after.flagged).all() and len(rows) == after.reviewed.sum()


@pytest.mark.slow
def test_what_a_person_has_decided_is_flagged_nowhere(scanned):
    worst = scanned.queue(3, 0)["sample"]
    assert set(worst) <= flagged_on_page(scanned)
    scanned.edit(pd.DataFrame(dict(sample=worst, verdict=["confirm", "unsure", "confirm"])), "ann")
    scanned.commit("looked", "ann", "v2")
    scanned.edit(pd.DataFrame(dict(sample=scanned.queue(1, 0)["sample"], verdict="confirm")), "ann")
    for version in ("v2", "HEAD"):
        assert not set(worst) & (
            set(scanned.flagged(version).index) | flagged_on_page(scanned, version)
        )
        assert not live.label_scores(scanned, version).flagged[worst].any()
        assert set(worst) & train_of(scanned.state()) <= train_of(
            scanned.state(f"{version} - flagged")
        ), "a verified label stays"
    assert set(worst) <= set(scanned.flagged("v1").index), "then nobody had"
    listed = {s for (s,) in scanned.rows("select sample from issues where kind = 'label'")}
    assert listed == set(scanned.flagged().index), (
        "what a query of one's own reads is the same list"
    )


@pytest.mark.slow
def test_a_scan_with_another_model_judges_every_version_anew(scanned):
    scanned.edit(true_decisions(scanned.queue(5, 0)["sample"], truth_of(scanned)), "ann")
    model = model_of(scanned)
    scan(scanned, ScanOptions(embedder="pixels", own=OwnModel(model, None, True)), say=silent)
    state = scanned.state("v1")
    state = state[state.keep & state["split"].isin(("train", "val"))]
    doubted = model.loc[state.index].idxmax(axis=1) != state.label
    assert set(scanned.flagged("v1").index) == set(state.index[doubted]), (
        "the probe alone, which judged it then, is asked no more"
    )


@pytest.mark.slow
def test_the_judge_of_a_version_is_the_standing_probe_on_its_labels(scanned):
    """The refit beside the rank-one updates: the same probabilities."""
    from assay.curation.label_quality.judges import predict_version
    from assay.curation.storage.arrays import load_arrays

    truth = truth_of(scanned)
    ids = scanned.queue(25, 0)["sample"]
    scanned.edit(true_decisions(ids, truth), "ann")
    scanned.edit(
        pd.DataFrame(dict(sample=list(train_of(scanned.state()))[:7], keep="false")), "ann"
    )
    standing = load_arrays(scanned.arrays / "opinion.npz")
    made = predict_version(scanned, "HEAD")
    assert made.classes == json.loads(str(standing["classes"])) and np.array_equal(
        standing["ids"], np.asarray(made.part.index, "S32")
    )
    assert np.allclose(made.probs, standing["pred_probs"], atol=1e-5) and np.array_equal(
        made.few, standing["few"]
    )


@pytest.mark.daily
def test_a_class_that_the_second_opinion_does_not_know_is_the_probes_to_judge(scanned):
    scan(
        scanned,
        ScanOptions(embedder="pixels", own=OwnModel(model_of(scanned), None, True)),
        say=silent,
    )
    state = scanned.state()
    ones = [s for s in train_of(state) if state.label[s] == truth_of(scanned)[s] == "1"]
    scanned.edit(pd.DataFrame(dict(sample=ones, label="one")), "ann", new_classes={"one"})
    found = live.label_scores(scanned)
    assert len(ones) > 10 and (found.suggestion[ones] == "one").mean() > 0.8, (
        "or all of them would be called wrong"
    )


@pytest.mark.slow
def test_a_bench_of_an_older_assay_has_one_judge(scanned):
    import shutil

    page = flagged_on_page(scanned)
    shutil.rmtree(scanned.arrays / "judges")
    scanned.edit(true_decisions(scanned.queue(9, 0)["sample"], truth_of(scanned)), "ann")
    assert flagged_on_page(scanned, "v1") == page and set(scanned.flagged("v1").index) == page


@pytest.mark.slow
def test_validation_rows_get_the_mean_of_all_folds():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = (rng.normal(size=(90, 5)) + 2 * np.eye(3, 5)[y]).astype("f4")
    more = x[:4] + 1
    data = TrainingData(x, y, 3, np.arange(90))
    both = predict_out_of_fold("mlp", data, 0, epochs=3, also=more)
    alone = predict_out_of_fold("mlp", data, 0, epochs=3)
    assert (
        both.shape == (94, 3)
        and np.allclose(both[:90], alone, atol=1e-5)
        and np.allclose(both.sum(1), 1, atol=1e-5)
    )
    one = predict_out_of_fold("mlp", data, 0, epochs=3, also=more[2:3])
    assert np.allclose(one[90], both[92], atol=1e-5) and not np.allclose(both[90], both[91])


# ---- a person's own model


def written(frame, folder, ending, **more):
    path = folder / f"own.{ending}"
    getattr(frame, {"csv": "to_csv", "parquet": "to_parquet", "feather": "to_feather"}[ending])(
        path, **more
    )
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather", "npz"])
@pytest.mark.parametrize("way", ["sample", "key", "path", "nameless index"])
def test_rows_and_columns_are_taken_by_name_in_any_order(tmp_path, ending, way):
    bench = digits_bench(60, tmp_path)
    own, state = model_of(bench), bench.state()
    named = dict(
        sample=state.index, key=state.key, path=state.uri, **{"nameless index": state.key}
    )[way]
    mixed = own.iloc[::-1, ::-1]
    mixed.insert(3, way, np.asarray(named, object)[::-1])
    if ending == "npz":
        numbers = mixed.drop(columns=way)
        names = dict(classes=np.array(numbers.columns, "U"), ids=np.array(mixed[way], "U"))
        np.savez(tmp_path / "own.npz", probs=numbers.to_numpy(), **names)
        path = tmp_path / "own.npz"
    elif way == "nameless index" and ending != "feather":
        path = written(mixed.set_index(way).rename_axis(None), tmp_path, ending)
    else:
        path = written(mixed.reset_index(drop=True), tmp_path, ending)
    found = read_own_file(path, bench, "probabilities")
    pd.testing.assert_frame_equal(found.loc[own.index, own.columns], own, check_names=False)
    assert ("id" if way == "sample" else "path" if way == "path" else "key") in found.attrs[
        "matched"
    ]


def test_keys_with_zeros_before_them_and_paths_from_elsewhere_are_found(tmp_path):
    table = digits(60, wrong=0)
    bench = bench_of(table.assign(id=[f"{i:03}" for i in range(60)]), tmp_path / "a")
    own = model_of(bench)
    keyed = own.assign(id=bench.state().key).iloc[::-1]
    keyed.to_csv(tmp_path / "own.csv", index=False)
    pd.testing.assert_frame_equal(
        read_own_file(tmp_path / "own.csv", bench, "probabilities").loc[own.index],
        own,
        check_names=False,
    )
    keyed.assign(id="C:\\data\\" + keyed.id).to_csv(tmp_path / "own.csv", index=False)
    found = read_own_file(tmp_path / "own.csv", bench, "probabilities")
    pd.testing.assert_frame_equal(found.loc[own.index], own, check_names=False)
    assert "file name" in found.attrs["matched"]


def numbered_bench(tmp_path, n=12):
    """A bench of n classes that are whole numbers, 40 samples each, and what a model sure of each label says, in the bench's order, by number."""
    table = digits(40 * n, wrong=0).assign(label=[str(i % n) for i in range(40 * n)])
    bench = bench_of(
        table.assign(split=np.where(np.arange(40 * n) < 30 * n, "train", "val")), tmp_path
    )
    y = bench.state().label.astype(int).to_numpy()
    probs = np.full((len(y), n), 0.01 / (n - 1))
    probs[np.arange(len(y)), y] = 0.99
    return bench, probs


@pytest.mark.slow
def test_nameless_columns_of_numbered_classes_go_by_number_and_any_other_order_is_refused(tmp_path):
    bench, probs = numbered_bench(tmp_path)
    lines = []
    np.save(tmp_path / "p.npy", probs)
    found = scan(
        bench,
        ScanOptions(
            embedder="pixels",
            own=OwnModel(read_own_file(tmp_path / "p.npy", bench, "probabilities"), None, True),
        ),
        say=lines.append,
    )
    assert not found.flagged.any(), "column 2 is no class 10"
    (line,) = [line for line in lines if line.startswith("probs")]
    assert (
        "0, 1, 2, 3" in line
        and "by number" in line
        and "order of the rows" in line
        and "100%" in line
    )
    by_text = probs[:, np.argsort([str(i) for i in range(12)])]
    for wrong, what in (
        (by_text, "2 as 10"),
        (probs[::-1], "from last to first"),
        (np.roll(probs, 1, 0), "one row"),
    ):
        np.save(tmp_path / "p.npy", wrong)
        before = (
            bench.rows("select count(*) from edits"),
            (bench.arrays / "second.npz").read_bytes(),
        )
        with pytest.raises(UserError, match=what):
            scan(
                bench,
                ScanOptions(
                    embedder="pixels",
                    own=OwnModel(
                        read_own_file(tmp_path / "p.npy", bench, "probabilities"), None, True
                    ),
                ),
                say=silent,
            )
        assert before == (
            bench.rows("select count(*) from edits"),
            (bench.arrays / "second.npz").read_bytes(),
        ), "refused before anything"


def test_what_agrees_no_better_than_chance_is_refused(bench):
    own = model_of(bench, right=0)
    with pytest.raises(UserError, match="beyond chance"):
        scan(bench, ScanOptions(embedder="pixels", own=OwnModel(own, None, True)), say=silent)
    swapped = model_of(bench).rename(columns=dict(zip("0123456789", "1234567890")))
    with pytest.raises(UserError, match="another order"):
        scan(bench, ScanOptions(embedder="pixels", own=OwnModel(swapped, None, True)), say=silent)


def broken(own):
    """What people bring, and a word of what is said about it."""
    first = own.columns[0]
    yield own.assign(margin=0.5), "unknown margin"
    yield own.drop(columns=first), f"none for {first}"
    yield own.rename(columns={first: "zero"}), "unknown zero"
    yield own.replace(own.iloc[0, 0], -0.1), "sum to 1"
    yield np.log(own), "softmax"
    yield own.iloc[:-200], "none for"


def test_each_broken_file_is_refused_in_words(bench, tmp_path):
    own = model_of(bench)
    for frame, word in broken(own):
        with pytest.raises(UserError) as e:
            scan(bench, ScanOptions(embedder="pixels", own=OwnModel(frame, None, True)), say=silent)
        assert word in f"{e.value.problem} {e.value.hint}", (word, e.value.problem)
    keyed = own.rename_axis("sample").reset_index()
    for frame, word in (
        (pd.concat([keyed, keyed.head(2)]), "come again"),
        (keyed.assign(sample=keyed["sample"].where(keyed.index > 0, "nobody")), "unknown"),
        (keyed.assign(**{"0": keyed["0"].where(keyed.index > 0)}), "NaN"),
        (keyed.assign(note="x"), "note"),
        (keyed.drop(columns="sample").head(9), "rows"),
    ):
        frame.to_csv(tmp_path / "own.csv", index=False)
        with pytest.raises(UserError, match=word):
            read_own_file(tmp_path / "own.csv", bench, "probabilities")
    for ending, raw in dict(
        npy=b"no array", npz=b"no zip", parquet=b"none", feather=b"", csv=b"", txt=b"1"
    ).items():
        (tmp_path / (name := f"own.{ending}")).write_bytes(raw)
        with pytest.raises(UserError, match="expected"):
            read_own_file(tmp_path / name, bench, "embeddings")
    np.save(tmp_path / "own.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(UserError, match="expected"):
        read_own_file(tmp_path / "own.npy", bench, "embeddings")


# ---- leakage


@pytest.mark.slow
def test_a_val_sample_that_equals_a_test_sample_is_held_out_and_the_test_sample_never(tmp_path):
    table = digits(300)
    copies = table[table["split"] == "test"].head(2).assign(split="val", id=["c1", "c2"])
    bench = bench_of(pd.concat([table, copies]), tmp_path)
    lines = []
    scan(bench, ScanOptions(embedder="pixels"), say=lines.append)
    state = bench.state().set_index("key")
    assert (
        not state.keep[["c1", "c2"]].any()
        and state.keep[state["split"] == "test"].all()
        and state.keep.sum() == 300
    )
    assert set(bench.issues("leakage").source_id) == {"c1", "c2"}
    assert any(line.startswith("leakage     held out 2 val samples") for line in lines)


@pytest.mark.parametrize("nearly", [False, True])
def test_what_each_split_must_not_repeat(nearly):
    """Every two splits, once as the same picture and once as nearly the same: who is named, and for whom."""
    away = dict(train=("val", "test", "guard"), val=("test", "guard"), pool=("guard",))
    pairs, at = (np.array([[0, 1, 0.1]]), [0, 1, 2]) if nearly else (np.empty((0, 3)), [0, 0, 1])
    for one, other in product(("train", "val", "test", "pool", "guard"), repeat=2):
        state = pd.DataFrame(
            dict(split=[one, other, "train"], keep=True), index=["a", "b", "stranger"]
        )
        found = leakage.match_leaks(state, pairs, np.array(at))
        leaks = (
            {0: 1} if other in away.get(one, ()) else {1: 0} if one in away.get(other, ()) else {}
        )
        assert {i: j for i, (j, _) in found.items()} == leaks, (one, other)
        assert not leakage.match_leaks(
            state.assign(keep=[True, False, True]), pairs, np.array(at)
        ), "what is out gives nothing away"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["all of train", "a class"])
def test_the_scan_stops_before_it_holds_out_most_of_train_or_of_a_class(tmp_path, what):
    table = digits(200, wrong=0)
    some = table[(table["split"] == "train") & ((table.label == "3") | (what == "all of train"))]
    bench = bench_of(pd.concat([table, some.assign(split="test", id="t" + some.id)]), tmp_path)
    before = bench.rows("select count(*) from edits")
    with pytest.raises(UserError) as e:
        scan(bench, ScanOptions(embedder="pixels"), say=silent)
    assert (
        f"{len(some)} of {len(some)} of " + ("train" if what == "all of train" else "class 3")
        in e.value.problem
    )
    assert (
        "--keep-leakage" in e.value.hint
        and bench.rows("select count(*) from edits") == before
        and bench.state().keep.all()
    )
    assert not bench.rows("select 1 from meta where key = 'scan'"), "nothing was begun"
    scan(bench, ScanOptions(embedder="pixels", hold_out=False), say=silent)
    assert bench.state().keep.all()
    if what == "a class":
        scan(bench, ScanOptions(embedder="pixels", yes=True), say=silent)
        assert (~bench.state().keep).sum() == len(some)


# ---- what reviews at random say of each class, and how old a second opinion is


@pytest.mark.slow
def test_random_looks_are_counted_for_each_class(scanned):
    truth, before = truth_of(scanned), scanned.state()
    from assay.curation.statistics.sampling import random_order

    order = list(random_order(before)[:60])
    rows = true_decisions(order, truth)
    scanned.edit(rows, "ann")
    doubted = live.label_scores(scanned, "v1").flagged
    found = {row["class"]: row for row in scanned.status()["classes_reviewed"]}
    assert sum(row["sure_at_random"] for row in found.values()) == 60
    for name, row in found.items():
        here = [s for s in order if before.label[s] == name]
        wrong = [s for s in here if truth[s] != name]
        assert (row["sure_at_random"], row["hits"], row["clean"]) == (
            len(here),
            len(wrong),
            len(here) - len(wrong),
        )
        clean = [s for s in here if s not in wrong]
        assert (
            abs(row["clean_flagged"] - sum(doubted[s] for s in clean)) <= 1
            and row["flagged_hits"] <= row["hits"]
        )
    assert (
        sum(row["flagged_hits"] for row in found.values())
        > 0.5 * sum(row["hits"] for row in found.values())
        > 0
    )


@pytest.mark.slow
def test_a_networks_opinion_says_how_many_edits_old_it_is(scanned):
    from assay.curation.label_quality.judges import second_opinion_age
    from assay.curation.storage.arrays import save_arrays

    state, own = scanned.state(), model_of(scanned)
    rows = state.index[state["split"].isin(("train", "val"))]
    y = np.where(
        state["split"][rows] == "train",
        scoring.class_indices(state.label[rows], list(own.columns)),
        -1,
    )
    second = dict(
        classes=np.array(json.dumps(list(own.columns))),
        ids=np.asarray(rows, "S32"),
        labels=y,
        probs=own.loc[rows].to_numpy("f4"),
    )
    assert second_opinion_age(scanned, state) is None
    save_arrays(scanned.arrays / "second.npz", key=np.array("a network's"), **second)
    from assay.curation.label_quality.live import fit_scores
    from assay.curation.versioning.pointers import find_position

    fit_scores(scanned, find_position(scanned, "HEAD"))
    assert scanned.status()["network"] == dict(trained=int((y >= 0).sum()), changed=0, new=0)
    some = list(train_of(state))[:5]
    scanned.edit(
        pd.DataFrame(
            dict(sample=some[:3], label=["1" if state.label[s] != "1" else "2" for s in some[:3]])
        ),
        "ann",
    )
    scanned.edit(pd.DataFrame(dict(sample=some[3:], keep="false")), "ann")
    assert scanned.status()["network"]["changed"] == 5
