"""Any history of edits, undos, commits and merges keeps what must hold."""

import json
import shutil
from collections import Counter

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import assay
from assay import UserError
from assay.curation.storage import schema
from assay.curation.versioning import pointers, states
from tests.decisions import by_hand, decide
from tests.helpers import bench_of, digits

STEP = st.tuples(
    st.sampled_from(
        [
            "set",
            "confirm",
            "unsure",
            "drop",
            "keep",
            "move",
            "tag",
            "undo",
            "redo",
            "revert",
            "rule",
            "merge",
            "commit",
        ]
    ),
    st.integers(0, 1),  # which copy
    st.integers(0, 2),  # which sample
    st.integers(0, 3),  # which label or person
)


def do(benches, ids, verb, which, i, value):
    bench, who = benches[which], "abc"[value % 3]
    row = dict(
        set=dict(label=str(value)), confirm=dict(verdict="confirm"), unsure=dict(verdict="unsure"), drop=dict(keep="false"),
        keep=dict(keep="true"), move=dict(split=["train", "val", "pool", "val"][value]), tag=dict(tag=["x", "-x", "y", "-y"][value]),
    )  # fmt: skip
    if verb in row:
        decide(bench, who, dict(sample=ids[i], **row[verb]), new_classes=["0", "1", "2", "3"])
    elif verb == "revert":
        bench.revert(of=who, who="eve")
    elif verb == "rule":
        bench.set_rule("majority" if value % 2 else "latest", who)
    elif verb == "merge":
        bench.merge(benches[1 - which].path, who)
    elif verb == "commit":
        bench.commit("", who)
    else:
        getattr(bench, verb)(who=who)


def slow_state(bench, upto):
    """Label, keep, split and tags under `latest`, by a loop over the log."""
    out = {}
    for e in bench.query(
        f"select sample, field, value from edits where seq <= {upto} and field <> 'rule' order by seq"
    ).itertuples():
        one = out.setdefault(e.sample, dict(label=None, keep=False, split=None, tags=set()))
        value = json.loads(e.value)
        if e.field == "tag":
            (one["tags"].add if value["on"] else one["tags"].discard)(value["name"])
        else:
            one[e.field] = value
    return out


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    return bench_of(digits(25), tmp_path_factory.mktemp("seed"))


@pytest.mark.daily
@settings(
    max_examples=5, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)  # to shrink takes minutes
@given(steps=st.lists(STEP, min_size=3, max_size=12))
def test_any_history_keeps_the_invariants(seed, tmp_path_factory, steps):
    """Nothing is overwritten, every version stays what it was, a merge is heard on both sides, and what stands is what the log says."""
    folder = tmp_path_factory.mktemp("h")
    for name in "ab":
        shutil.copytree(seed.path, folder / name)
    benches = [assay.open(folder / name) for name in "ab"]
    ids, was = list(seed.state().query("split == 'train'").index[:3]), [{}, {}]
    for step in steps:
        logs = [b.rows("select * from edits order by seq") for b in benches]
        try:
            do(benches, ids, *step)
        except UserError as e:
            assert any(
                w in e.problem for w in ("a batch to", "decisions that stand", "an unlabelled")
            ), e
        for bench, log, then in zip(benches, logs, was):
            assert bench.rows("select * from edits order by seq")[: len(log)] == log, (
                "the log only grows"
            )
            then[pointers.find_position(bench, "HEAD")] = states.hash_tree(bench.state())
    for bench, then in zip(benches, was):
        fresh = assay.Bench(bench.path)
        assert {upto: states.hash_tree(fresh.state(upto)) for upto in then} == then, (
            "every version stays what it was"
        )
        assert bench.chain_breaks() == [] and bench.query("select uid from edits").uid.is_unique
        if fresh.rule() == "latest":
            slow, state = slow_state(fresh, schema.END), fresh.state()
            for s in ids:
                assert (state.label[s], state.keep[s], state.split[s], set(state.tags[s])) == tuple(
                    slow[s].values()
                )
        with fresh.transaction() as con:
            states.write_standing(con)
        assert assay.Bench(bench.path).state().equals(fresh.state()), (
            "the kept table says what the log says"
        )
        found = fresh.diff(min(then), "HEAD")
        assert {
            k: set(found[k]["sample"]) for k in ("relabelled", "removed", "moved", "tagged")
        } == {
            k: v for k, v in by_hand(fresh.state(min(then)), fresh.state()).items() if k != "added"
        }
    trees = set()
    for one, two in ((0, 1), (1, 0)):
        benches[one].merge(benches[two].path, "eve")
        trees.add(states.hash_tree(benches[one].state()))
        assert benches[one].merge(benches[two].path, "eve")["edits"] == 0
    if len({b.rule() for b in benches}) == 1:
        assert states.hash_tree(benches[0].state()) == states.hash_tree(benches[1].state()), (
            "both sides hear the same"
        )
    people = Counter(benches[0].query("select who from edits where batch like 'edit-%'").who)
    assert people == Counter(
        benches[1].query("select who from edits where batch like 'edit-%'").who
    )
