"""Groups of copies against planted copies and brute force: which one stays, and what people told apart."""

from contextlib import suppress

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.features.neighbor_graph import group_near_duplicates
from assay.curation.issues.copies import mark_pairs, split_groups
from assay.curation.issues.keep_best import number_groups, plan_keep_best, rank_copies
from assay.curation.splits import LOCKED
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import bench_of, digits, nearly, run_assay, silent


def planted(n=300):
    """Digits, and copies of some: a group of four in train, a train copy of a val and of a test sample."""
    table = digits(n, wrong=0)
    train, val, test = (table[table["split"] == s].iloc[0] for s in ("train", "val", "test"))
    copies = [
        train.to_dict() | dict(id=f"train-{at}", image=nearly(train.image, at))
        for at in (20, 27, 36)
    ]
    copies += [
        val.to_dict() | dict(id="val-in-train", image=nearly(val.image), split="train"),
        test.to_dict() | dict(id="test-in-train", split="train"),
        test.to_dict() | dict(id="test-2"),
    ]
    return pd.concat([table, pd.DataFrame(copies)], ignore_index=True), train.id, val.id, test.id


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    table, *names = planted()
    bench = bench_of(table.drop(columns="truth"), tmp_path_factory.mktemp("copies"), audited_test=True)  # fmt: skip
    scan(bench, ScanOptions(embedder="pixels", hold_out=False), say=silent)
    return assay.open(bench.path), names


@pytest.fixture
def copies(made):
    """(bench, keys of the train, val and test samples that have copies); what a story did is undone."""
    bench, names = made
    before = set(bench.batches().name)
    yield bench, names
    for batch in bench.batches().name[::-1]:
        if batch.startswith("edit-") and batch not in before:
            with suppress(UserError):  # undone already
                bench.undo(batch, who="ann")
    assert bench.state().keep.all()


def random_state(rng, n=80):
    """A state of n samples, in which all that matters for a copy is drawn at random."""
    split = rng.choice(["train", "val", "pool", "test", "guard"], n)
    return pd.DataFrame(
        dict(
            split=split,
            keep=rng.random(n) < 0.9,
            reviewed=rng.random(n) < 0.3,
            label=np.where(rng.random(n) < 0.7, "a", None),
            width=rng.integers(1, 4, n) * 10,
            height=10,
        ),
        index=[f"s{i:03d}" for i in rng.permutation(n)],
    )


def best_of(members, state):
    """The one that stays, said once more, in words."""

    def worth(i):
        row = state.iloc[i]
        locked = row.split in LOCKED
        place = ("val", "train", "pool").index(row.split) if not locked else 3
        label = isinstance(row.label, str)
        area = row.width * row.height
        return (not locked, locked or not row.reviewed, locked or not label, -area, place, row.name)

    return min(members, key=worth)


@pytest.mark.parametrize("seed", range(5))
def test_the_best_stays_as_brute_force_has_it(seed):
    rng = np.random.default_rng(seed)
    state = random_state(rng)
    values = rng.integers(0, 25, len(state))
    keep = state.keep.to_numpy()
    locked = state.split.isin(LOCKED).to_numpy()
    plan = plan_keep_best(number_groups(values, keep), rank_copies(state), locked)
    dropped, with_locked, kept = {}, 0, 0
    for value in np.unique(values):
        members = [i for i in np.flatnonzero(values == value) if keep[i]]
        best = best_of(members, state) if members else None
        out = [i for i in members if i != best and not locked[i]]
        dropped |= dict.fromkeys(out, best)
        with_locked += bool(out) and bool(locked[members].any())
        kept += (len(members) - len(out)) * bool(out)
    assert dict(zip(plan.dropped.tolist(), plan.stands.tolist())) == dropped
    assert plan.groups == len(set(dropped.values())) and plan.locked == with_locked
    assert plan.kept == kept


@pytest.mark.parametrize("seed", range(5))
def test_no_group_holds_a_pair_told_apart_and_others_stay_as_they_are(seed):
    rng = np.random.default_rng(seed)
    n = 60
    pairs = np.unique(np.sort(rng.integers(0, n, (90, 2)), axis=1), axis=0)
    pairs = rng.permutation(pairs[pairs[:, 0] != pairs[:, 1]])
    groups = group_near_duplicates(n, pairs)
    together = [(i, j) for i in range(n) for j in range(i) if groups[i] == groups[j]]
    apart = np.sort(rng.permutation(together)[:6], axis=1)
    found = split_groups(groups, pairs[~mark_pairs(pairs, apart)], apart)
    assert not any(found[a] == found[b] for a, b in apart)
    linked = {frozenset(p) for p in pairs.tolist()} - {frozenset(p) for p in apart.tolist()}
    for i in range(n):
        assert found[i] == i or frozenset((i, found[i])) in linked, "each is like its leader"
    touched = set(groups[apart.ravel()])
    same = ~np.isin(groups, list(touched))
    assert (found[same] == groups[same]).all()


@pytest.mark.slow
def test_groups_come_with_what_is_planted_and_no_label_of_test(copies):
    bench, (train, val, test) = copies
    found = bench.duplicates()
    keys = bench.state().key
    members = {frozenset(keys[m]) for m in found.members}
    assert {train, "train-20", "train-27", "train-36"} in members and {
        val,
        "val-in-train",
    } in members
    assert {test, "test-in-train", "test-2"} in members
    assert found.set_index("keeps").across[val] and len(bench.duplicates(exact=True)) == 1
    of_test = found[found.splits.str.contains("test")].iloc[0]
    assert of_test.labels == [bench.state().label[keys[keys == "test-in-train"].index[0]]]
    assert not found.conflict.any()
    one, label = keys.index[keys == "train-20"][0], bench.state().label
    other = "0" if label[one] != "0" else "1"
    bench.edit(pd.DataFrame(dict(sample=[one], label=[other])), "ann")
    first = bench.duplicates().iloc[0]
    assert first.conflict and first.keeps == "train-20", "a reviewed copy is the best"


@pytest.mark.slow
def test_the_best_of_all_is_one_batch_and_nothing_of_test_is_dropped(copies):
    bench, (train, val, test) = copies
    plan = bench.plan_keep_best()
    _, said, _ = run_assay("duplicates", "--keep-best", "--who", "ann", "-b", bench.path)
    state = bench.state()
    gone = set(state.key[~state.keep])
    assert {"val-in-train", "test-in-train"} < gone and not gone & {val, test, "test-2"}
    assert len(gone & {train, "train-20", "train-27", "train-36"}) == 3
    assert len(gone) == plan["dropped"] and f"dropped {plan['dropped']} samples" in said
    assert plan["locked"] == 1 and "1 group of these keep their test" in said
    assert bench.keep_best(who="ann")["batch"] is None
    assert bench.duplicates().empty, "the copy within test is left as it is, and not listed"


@pytest.mark.slow
def test_a_condition_chooses_the_groups_that_hold_what_it_finds(copies):
    bench, (train, val, _) = copies
    found = bench.duplicates(where="split = 'val'")
    assert val in set(found.keeps) and train not in set(found.keeps)
    assert bench.keep_best("key = 'train-20'", who="ann")["dropped"] == 3


@pytest.mark.slow
def test_what_is_no_copy_is_none_for_issues_groups_and_leakage_until_it_is_undone(copies):
    bench, (train, val, test) = copies
    keys = bench.state().key
    id_of = {key: sample for sample, key in keys.items()}
    pair = [id_of[val], id_of["val-in-train"]]
    leaks = lambda: set(bench.issues("leakage").source_id)  # noqa: E731
    near = lambda: set(bench.issues("near_duplicate").source_id)  # noqa: E731
    columns = lambda: bench.samples(where=f"key = '{val}'", columns=["duplicate_group"])  # noqa: E731
    before = leaks(), near(), bench.duplicates().members.tolist()
    assert "val-in-train" in before[0] and "val-in-train" in before[1]
    out = bench.not_copies(pair, who="ann")
    assert columns().duplicate_group.isna().all()
    for again in (False, True):
        assert before[0] - leaks() == {"val-in-train"} and not {val, "val-in-train"} & near()
        assert not any(set(pair) <= set(m) for m in bench.duplicates().members)
        if not again:  # a later scan finds them as near as ever, and knows better
            scan(bench, ScanOptions(embedder="pixels", hold_out=False), say=silent)
    assert bench.not_copies(pair, who="ben")["batch"] != out["batch"]
    bench.undo(who="ben")
    assert not {val, "val-in-train"} & near(), "ann said so, too"
    bench.undo(out["batch"], who="ann")
    assert (leaks(), near(), bench.duplicates().members.tolist()) == before


@pytest.mark.slow
def test_what_cannot_be_told_apart_is_refused_and_nothing_is_stored(copies):
    bench, (train, val, test) = copies
    keys = bench.state().key
    id_of = {key: sample for sample, key in keys.items()}
    n = len(bench.batches())
    for some, word in (
        ([id_of[train]], "2 to 100"),
        ([id_of[train], "nobody"], "of this bench"),
        ([id_of[test], id_of["test-in-train"]], "same bytes"),
        (list(keys.index), "2 to 100"),
        ([s for s in keys.index if bench.state()["split"][s] == "test"][:2], "outside test"),
    ):
        with pytest.raises(UserError, match=word):
            bench.not_copies(some, who="ann")
    assert len(bench.batches()) == n


@pytest.mark.slow
def test_the_word_comes_home_with_a_merge_and_stays_in_a_backup(copies, tmp_path):
    import shutil

    bench, (_, val, _) = copies
    shutil.copytree(bench.path, tmp_path / "other")
    other = assay.open(tmp_path / "other")
    keys = bench.state().key
    pair = list(keys.index[keys.isin([val, "val-in-train"])])
    other.not_copies(pair, who="ben")
    theirs = other.duplicates().members.tolist()
    bench.merge(other.path, who="ann")
    assert bench.duplicates().members.tolist() == theirs
    bench.undo(who="ben")
