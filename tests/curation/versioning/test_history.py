"""The log as its readers and writers know it: diff, blame, revert, votes and rules, two copies merged, and random histories of it all."""

import json
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import assay
from assay import UserError
from assay.curation.storage import schema
from assay.curation.storage.schema import SCHEMA
from assay.curation.versioning import history, pointers, states
from tests.helpers import bench_of, digits, make_older, run_assay


def decide(bench, who, *rows, **more):
    return bench.edit(pd.DataFrame(rows), who, **more)


def train(bench, n=8):
    return list(bench.state().query("split == 'train'").index[:n])


def other(label, step=1):
    return str((int(label) + step) % 10)


@pytest.fixture
def small(tmp_path):
    return bench_of(digits(60), tmp_path, audited_test=True)


def copy_of(bench, name="copy"):
    shutil.copytree(bench.path, bench.path.with_name(name))
    return assay.open(bench.path.with_name(name))


# ---- reading


@pytest.mark.slow
def test_log_counts_what_each_person_did_before_and_since_a_commit(small):
    a, b, c, d = train(small, 4)
    label = small.state().label
    decide(
        small,
        "ann",
        dict(sample=a, label=other(label[a]), seconds=2),
        dict(sample=b, verdict="confirm", seconds=3),
    )
    decide(
        small, "ann", dict(sample=a, label=label[a], keep="false", split="val", seconds=7)
    )  # three edits, one decision
    small.commit("first", "ann")
    decide(small, "bob", dict(sample=c, verdict="unsure"), dict(sample=d, keep="false", seconds=60))
    small.undo(who="bob")
    log = small.log()
    assert list(zip(log.version.fillna("open"), log.author)) == [
        ("v1", "tester"),
        ("v1", "ann"),
        ("open", "bob"),
    ]
    ann, bob = log.iloc[1], log.iloc[2]
    assert (ann.relabelled, ann.confirmed, ann.seconds, ann.samples) == (
        2,
        1,
        12,
        3,
    ) and ann.message == "first"
    assert (bob.unsure, bob.dropped, bob.put_back, bob.edits) == (1, 1, 2, 4)
    assert (
        log.imported.iloc[0]
        == small.query("select count(*) as n from edits where batch like 'import-%'").n[0]
    )


def by_hand(one, two):
    """A diff by two loops over two states."""
    out = {k: set() for k in ("relabelled", "added", "removed", "moved", "tagged")}
    for s in [*one.index, *(s for s in two.index if s not in one.index)]:
        x, y = (f.loc[s] if s in f.index and f.keep[s] else None for f in (one, two))
        if x is None or y is None:
            out["added" if x is None else "removed"] |= {s} if (x is None) != (y is None) else set()
            continue
        for kind, column in (("relabelled", "label"), ("moved", "split"), ("tagged", "tags")):
            out[kind] |= {s} if x[column] != y[column] else set()
    return out


@pytest.mark.slow
def test_diff_is_what_two_states_say(small):
    a, b, c, d, e, f, *_ = train(small)
    label = small.state().label
    small.commit("start", "ann")
    decide(
        small,
        "ann",
        dict(sample=a, label=other(label[a])),
        dict(sample=b, keep="false"),
        dict(sample=c, split="val"),
    )
    decide(
        small,
        "ann",
        dict(sample=d, tag="odd"),
        dict(sample=e, label=other(label[e])),
        dict(sample=f, verdict="confirm"),
    )
    decide(small, "ann", dict(sample=e, label=label[e]))
    small.commit("end", "ann")
    found = small.diff("v1", "v2")
    assert {
        k: set(found[k]["sample"]) for k in by_hand(small.state("v1"), small.state("v2"))
    } == by_hand(small.state("v1"), small.state("v2"))
    assert found["matrix"].to_dict("records") == [{"from": label[a], "to": other(label[a]), "n": 1}]
    assert list(found["relabelled"]["sample"]) == [a] and list(found["removed"]["from"]) == [
        label[b]
    ]
    back = small.diff("v2", "v1")
    assert list(back["added"]["sample"]) == [b] and list(back["moved"][["from", "to"]].iloc[0]) == [
        "val",
        "train",
    ]
    status, out, _ = run_assay("diff", "v1", "v2", "--samples", "-b", small.path)
    assert status == 0 and "1 relabelled, 0 added, 1 removed, 1 moved, 1 tagged" in out and a in out
    assert (
        json.loads(run_assay("diff", "v1", "v2", "--json", "-b", small.path)[1])["moved"][0][
            "sample"
        ]
        == c
    )
    assert (
        small.diff("half(v1, seed=0)", "v1")["matrix"].empty
        and len(small.diff("half(v1, seed=0)", "v1")["added"]) == 18
    )


@pytest.mark.slow
def test_blame_tells_the_life_of_a_sample(small):
    s = train(small)[0]
    key, old = small.state().key[s], small.state().label[s]
    suggestion = dict(suggested_label=other(old), score=0.01, rank=3, reason="looks like it")
    first = decide(small, "ann", dict(sample=s, label=other(old), why="a loop", **suggestion))
    small.commit("v", "ann")
    decide(small, "bob", dict(sample=s, label=other(old, 2)))
    small.undo(who="bob")
    found, same, life = small.blame(s[:9])
    assert (found, same) == (s, key) and small.blame(key)[0] == s
    labels = life[life.field == "label"]
    assert list(labels.value) == [old, other(old), other(old, 2), other(old)] and list(
        labels.who
    ) == ["tester", "ann", "bob", "bob"]
    assert list(labels.undone) == [False, False, True, False] and list(labels.stands) == [
        False,
        False,
        False,
        True,
    ]
    assert list(labels.version.fillna("open")) == ["v1", "v1", "open", "open"]
    assert labels.why.iloc[1] == "a loop" and json.loads(labels.suggested.iloc[1])["rank"] == 3
    status, out, _ = run_assay("blame", key, "-b", small.path)
    assert status == 0 and "taken back" in out and "looks like it" in out and first["batch"] in out
    assert (
        run_assay("blame", "", "-b", small.path)[0] == 2
        and "none called" in run_assay("blame", "nobody", "-b", small.path)[2]
    )


@pytest.mark.daily
def test_any_reading_command_takes_a_version(scanned, tmp_path):
    s = train(scanned)[0]
    decide(scanned, "ann", dict(sample=s, label=other(scanned.state().label[s])))
    decide(
        scanned, "ann", *(dict(sample=x, verdict="confirm") for x in scanned.queue(20)["sample"])
    )
    for version in ("v1", "HEAD", "v1 - flagged", "v1 ~ random(5, seed=0)", "half(v1, seed=1)"):
        for verb in (
            ["status"],
            ["queue", "-n", "5"],
            ["issues"],
            ["export", "-o", tmp_path / version],
            ["reviewers"],
            ["blame", s],
        ):
            status, out, err = run_assay(*verb, "--json", "--version", version, "-b", scanned.path)
            assert status == 0, (verb, version, err)
            if verb[0] == "status":
                assert json.loads(out)["review"]["reviewed"] == (22 if version == "HEAD" else 0)
    with_v1 = json.loads(
        run_assay("issues", "--kind", "label", "--json", "--version", "v1", "-b", scanned.path)[1]
    )
    assert {i["sample"] for i in with_v1["rows"]} == set(scanned.flagged("v1").index), (
        "old issues are found again by the probe of that version"
    )


# ---- taking back


@pytest.mark.slow
def test_revert_takes_back_a_person_and_leaves_alone_who_came_later(small):
    a, b, c, d = train(small, 4)
    old = small.state().label
    decide(small, "bob", *(dict(sample=s, label=other(old[s])) for s in (a, b, c)))
    decide(small, "ann", dict(sample=a, label=other(old[a], 2)))  # over bob's
    decide(small, "ann", dict(sample=b, verdict="confirm"))  # ann has looked, and agrees
    decide(small, "bob", dict(sample=c, label=other(old[c], 3)), dict(sample=d, keep="false"))
    plan, out = small.revert(of="bob", who="eve", dry=True)
    assert out["batch"] is None and set(plan["sample"][[not p for p in plan.popped]]) == {a, b}
    before = small.state()
    plan, out = small.revert(of="bob", who="eve")
    now = small.state()
    assert (out["restored"], out["left_alone"]) == (2, 2)
    assert (now.label[a], now.label[b], now.label[c], now.keep[d]) == (
        other(old[a], 2),
        other(old[b]),
        old[c],
        True,
    )
    assert not now.reviewed[c] and now.reviewed[b]
    small.redo("eve")
    shown = ["label", "keep", "split", "verdict", "reviewed", "tags"]
    assert small.state()[shown].equals(before[shown]) and small.chain_breaks() == []
    status, out, _ = run_assay("revert", "--who", "bob", "--since", "v1", "-b", small.path)
    assert status == 2, "no version v1 yet"
    status, out, _ = run_assay(
        "revert", "--who", "bob", "--since", "1h", "--dry-run", "-b", small.path
    )
    assert (
        status == 0
        and "2 values go back, 2 are left alone" in out
        and "edited since by others" in out
    )
    assert (
        run_assay("revert", "-b", small.path)[0] == 2
        and run_assay("revert", "--who", "nobody", "-b", small.path)[0] == 2
    )


@pytest.mark.slow
def test_revert_since_a_time_and_one_batch_under_others(small):
    a, b = train(small, 2)
    old = small.state().label
    first = decide(small, "ann", dict(sample=a, label=other(old[a])))
    small.commit("mid", "ann")
    decide(small, "bob", dict(sample=b, label=other(old[b])))
    decide(small, "ann", dict(sample=a, label=other(old[a], 2)))
    since = small.commits().ts.iloc[0].to_pydatetime()
    _, out = small.revert(since=since, who="ann")
    assert (
        out["restored"] == 2
        and small.state().label[a] == other(old[a])
        and small.state().label[b] == old[b]
    )
    assert states.hash_tree(small.state()) == small.commits().tree.iloc[0]
    _, out = small.revert(first["batch"], who="ann")
    assert small.state().label[a] == old[a] and not small.state().reviewed.any()
    with pytest.raises(UserError, match="undone already"):
        small.revert(first["batch"])


@pytest.mark.slow
def test_undo_goes_past_a_batch_that_others_edited_over(small):
    a, b = train(small, 2)
    old = small.state().label
    decide(small, "ann", dict(sample=b, verdict="confirm"))
    under = decide(small, "ann", dict(sample=a, label=other(old[a])))
    over = decide(small, "bob", dict(sample=a, label=other(old[a], 2)))
    small.undo(under["batch"], "ann")
    assert small.state().label[a] == other(old[a], 2), "bob's is left alone"
    assert small.undo(who="bob")["undone"] == over["batch"] and small.state().label[a] == other(
        old[a]
    )


# ---- several people


@pytest.mark.slow
def test_votes_majority_and_old_versions_that_stay(small):
    a, b, c, d, e = train(small, 5)
    old = small.state().label
    three, five = other(old[a]), other(old[a], 2)
    for who, label in (("ann", three), ("bob", three), ("cat", five)):
        decide(small, who, dict(sample=a, label=label))
    decide(small, "ann", dict(sample=b, label=other(old[b])))
    decide(small, "bob", dict(sample=b, label=old[b]))  # one against one: the later
    decide(small, "bob", dict(sample=c, keep="false"))
    decide(small, "ann", dict(sample=c, verdict="confirm"))
    decide(small, "ann", dict(sample=d, label=other(old[d])))
    decide(small, "bob", dict(sample=d, verdict="unsure"))  # no vote
    for who in ("bob", "cat"):
        decide(small, who, dict(sample=e, verdict="unsure"))  # none for what stood then, either
    decide(small, "ann", dict(sample=e, label=other(old[e])))
    v1 = small.commit("latest", "ann")
    assert small.state().label[a] == five
    out = small.set_rule("majority", "ann")
    now = small.state()
    assert out["changed"] == 1 and now.label[a] == three and now.label[b] == old[b]
    assert [now.label[s] for s in (d, e)] == [other(old[s]) for s in (d, e)]
    assert (
        small.state("v1").label[a] == five and states.hash_tree(small.state("v1")) == v1["tree"]
    ), "old versions do not change with the rule"
    v2 = small.commit("majority", "ann")
    fresh = assay.open(small.path)
    assert fresh.state().label.equals(now.label) and fresh.diff("v1", "v2")["relabelled"][
        "sample"
    ].tolist() == [a]
    found = small.issues("reviewer_disagreement").set_index("sample")
    assert set(found.index) == {b, c}, "two of three is a majority; one against one is none"
    assert found.score[b] == 0.5 and "ann" in found.why[b] and found.suggestion[b] == other(old[b])
    queue = small.queue(5)
    assert set(queue["sample"][:2]) == {b, c}, "they come first, before any scan"
    decide(small, "cat", dict(sample=b, label=old[b]))
    assert set(small.issues("reviewer_disagreement")["sample"]) == {c}
    small.undo(who="ann")
    assert states.hash_tree(small.state()) == v2["tree"]
    small.undo(out["batch"], "ann")
    assert small.rule() == "latest" and small.state().label[a] == five, "the rule is an edit too"


@pytest.mark.slow
def test_an_undone_vote_does_not_count(small):
    a = train(small)[0]
    old = small.state().label[a]
    decide(small, "ann", dict(sample=a, label=other(old)))
    small.set_rule("majority", "ann")
    decide(small, "bob", dict(sample=a, label=other(old, 2)))
    decide(small, "cat", dict(sample=a, label=other(old, 2)))
    assert small.state().label[a] == other(old, 2)
    small.undo(who="cat")
    small.undo(who="bob")
    assert small.state().label[a] == other(old) and small.issues("reviewer_disagreement").empty
    small.redo("bob")
    assert small.state().label[a] == other(old, 2), "one against one: the later"


@pytest.mark.slow
def test_agreement_on_what_both_saw_has_its_n_and_interval(small):
    from assay.curation.statistics.estimates import wilson_interval

    samples, old = train(small, 8), small.state().label
    decide(small, "ann", *(dict(sample=s, verdict="confirm", seconds=2) for s in samples))
    said = [
        dict(sample=s, label=other(old[s]) if s in samples[:2] else old[s], seconds=4)
        for s in samples[:6]
    ]
    decide(small, "bob", said[0] | dict(split="val"), *said[1:])
    people, pairs = small.reviewers()
    assert list(people.seconds) == [16, 24], "a decision of two edits took its seconds once"
    assert people.set_index("who").samples.to_dict() == {"ann": 8, "bob": 6} and list(
        people.median_seconds
    ) == [2, 4]
    pair = pairs.iloc[0]
    assert (pair.a, pair.b, pair.n, pair.agree) == ("ann", "bob", 6, 4) and (
        pair.low,
        pair.high,
    ) == wilson_interval(4, 6)
    assert "agree on 4 of 6" in run_assay("reviewers", "-b", small.path)[1]


@pytest.mark.slow
def test_a_second_reviewer_gets_what_the_first_has_decided_without_knowing_how(scanned):
    rows = scanned.queue(40, random=0, who="ann")
    decide(scanned, "ann", *(dict(sample=s, label="0") for s in rows["sample"]))
    mine, theirs = (scanned.queue(20, random=0, again=0.5, who=w) for w in ("ann", "bob"))
    seen = theirs[theirs["sample"].isin(rows["sample"])]
    assert len(seen) == 10 and not mine["sample"].isin(rows["sample"]).any()
    given_labels = scanned.state().given_label
    assert (
        seen.given_label.to_numpy() == given_labels[seen["sample"]].to_numpy()
    ).all() and seen.suggested_label.isna().all()


# ---- two copies


@pytest.mark.slow
def test_two_copies_merge_and_merging_again_changes_nothing(small):
    a, b, c, d, e, f, g, h = train(small)
    old = small.state().label
    small.commit("start", "ann")
    copy = copy_of(small)
    decide(
        small,
        "ann",
        dict(sample=a, label=other(old[a])),
        dict(sample=c, label=other(old[c])),
        dict(sample=d, label=other(old[d])),
    )
    decide(
        small,
        "ann",
        dict(sample=e, tag="odd"),
        dict(sample=f, label=other(old[f])),
        dict(sample=g, verdict="confirm"),
    )
    decide(
        copy,
        "bob",
        dict(sample=b, label=other(old[b])),
        dict(sample=c, label=other(old[c], 2)),
        dict(sample=d, label=other(old[d])),
    )
    decide(
        copy,
        "bob",
        dict(sample=e, keep="false"),
        dict(sample=g, label=other(old[g])),
        dict(sample=f, label=other(old[f], 2)),
    )
    copy.undo(who="bob")
    decide(copy, "bob", dict(sample=e, keep="false"), dict(sample=g, label=other(old[g])))
    out = small.merge(copy.path, "ann")
    assert (
        {c["sample"] for c in out["conflicts"]} == {c, g}
        and out["edits"] == 11
        and out["authors"] == ["bob"]
    )
    now = small.state()
    assert [now.label[s] for s in (a, b, c, d, f, g)] == [
        other(old[s]) for s in (a, b, c, d, f)
    ] + [old[g]]
    assert now.tags[e] == ("odd",) and not now.keep[e], "two fields of one sample are no conflict"
    count = len(small.query("select uid from edits"))
    assert (
        small.merge(copy.path, "ann")["edits"] == 0
        and len(small.query("select uid from edits")) == count
    )
    assert copy.merge(small.path, "bob")["conflicts"] == [] and states.hash_tree(
        copy.state()
    ) == states.hash_tree(now)
    assert (
        small.chain_breaks() == copy.chain_breaks() == []
        and small.query("select uid from edits").uid.is_unique
    )
    found = small.issues("merge_conflict").set_index("sample")
    assert (
        set(found.index) == {c, g}
        and "by bob" in found.why[c]
        and set(small.queue(5)["sample"][:2]) == {c, g}
    )
    decide(small, "ann", dict(sample=c, verdict="confirm"), dict(sample=g, label=other(old[g])))
    assert small.issues("merge_conflict").empty, "a decision settles it, be it a confirmation"
    assert states.hash_tree(small.state("v1")) == small.commits().tree.iloc[0]


@pytest.mark.slow
def test_a_merge_brings_new_samples_with_their_pixels(small, tmp_path):
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    copy = copy_of(small)
    more = digits(90).tail(30).assign(split="train")
    more.to_parquet(tmp_path / "more.parquet")
    ingest(copy, tmp_path / "more.parquet", "bob", ImportOptions(columns=dict(label="label")))
    (tmp_path / "more.parquet").unlink()
    out = small.merge(copy.path, "ann")
    assert (
        out["samples"] == 30
        and out["conflicts"] == []
        and states.hash_tree(small.state()) == states.hash_tree(copy.state())
    )
    assert (
        len(small.dataset()) == len(copy.dataset())
        and small.dataset()[40][0].tobytes() == copy.dataset()[40][0].tobytes()
    )


@pytest.mark.slow
def test_what_is_no_copy_is_refused_and_nothing_is_merged(small, tmp_path):
    decide(small, "ann", dict(sample=train(small)[0], verdict="confirm"))
    before = small.query("select * from edits")
    stranger = bench_of(digits(40, seed=5).assign(id=lambda t: "x" + t.id), tmp_path / "stranger")
    broken = copy_of(small, "broken")
    blob = bytearray(broken.file.read_bytes())
    for at in range(10_000, len(blob), 30_000):  # half of the file is free blocks
        blob[at] ^= 255
    broken.file.write_bytes(blob)
    for folder, word in (
        (stranger.path, "shares no sample"),
        (small.path, "itself"),
        (tmp_path / "none", "found no"),
        (broken.path, "damaged"),
    ):
        status, _, err = run_assay("merge", folder, "-b", small.path)
        assert status == 2 and word in err, err
    assert small.query("select * from edits").equals(before)


@pytest.mark.slow
def test_a_test_split_that_both_froze_anew_is_refused(small, tmp_path):
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    copy = copy_of(small)
    for bench, name, rows in ((small, "one", slice(60, 70)), (copy, "two", slice(70, 80))):
        table = digits(80).iloc[rows].assign(split="test")
        table.to_parquet(tmp_path / f"{name}.parquet")
        ingest(
            bench,
            tmp_path / f"{name}.parquet",
            "x",
            ImportOptions(columns=dict(label="label"), refreeze_test=True),
        )
    before = small.state()
    with pytest.raises(UserError, match="frozen test split"):
        small.merge(copy.path, "ann")
    assert assay.open(small.path).state().equals(before) and small.chain_breaks() == []


# ---- random histories

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


@pytest.mark.slow
def test_a_redo_of_an_older_assay_is_understood(small):
    """Schema 1 wrote the undo of a batch as {"undo": BATCH} and a redo as the undo of that undo."""
    a = train(small)[0]
    old = small.state().label[a]
    done = decide(small, "ann", dict(sample=a, label=other(old)))["batch"]
    rows = [("undo-1", old, done), ("undo-2", other(old), "undo-1")]
    for batch, value, target in rows:
        row = dict(
            sample=a,
            field="label",
            value=json.dumps(value),
            origin=done,
            suggested=json.dumps({"undo": target}),
        )
        with small.transaction() as con:
            small.append(con, pd.DataFrame([row]), batch, "ann")
    assert small.state().label[a] == other(old)
    assert small.undo(who="ann")["undone"] == done and small.state().label[a] == old
    assert history.read_log(small).put_back.sum() == 3


@pytest.mark.slow
def test_a_bench_of_schema_1_is_taken_over(small):
    with small.transaction() as con:
        make_older(con, 1)
    fresh = assay.open(small.path)
    assert len(fresh.state()) == 60 and fresh.commit("", "ann")["new"]
    assert len(fresh.runs()) == 0 and fresh.rows("select count(*) from looks") == [(0,)]
    assert fresh.rows("select value from meta where key = 'schema'") == [(SCHEMA,)]


def test_an_older_bench_learns_the_kind_of_each_edit(small):
    """No query takes the name of a batch apart: what the columns say is as the names do, in a bench of any age."""
    s = train(small)[0]
    decide(small, "ann", dict(sample=s, label=other(small.state().label[s])))
    small.undo(who="ann")
    small.redo("ann")
    named = """select seq, split_part(batch, '-', 1) as kind, split_part(origin, '-', 1) as origin_kind
        from edits order by seq"""
    said = "select seq, kind, origin_kind from edits order by seq"
    names, state, log = small.rows(named), small.state(), history.read_log(small)
    assert small.rows(said) == names and {kind for _, kind, _ in names} >= {
        "import",
        "edit",
        "undo",
        "redo",
    }
    for age in (1, 2, 3, 4, 5):
        with small.transaction() as con:
            make_older(con, age)
        small = assay.open(small.path)
        assert small.rows(said) == names and small.chain_breaks() == []
        assert small.state().equals(state) and history.read_log(small).equals(log)


def test_a_kind_that_was_changed_by_hand_is_found_and_mended(small):
    decide(small, "ann", dict(sample=train(small)[0], label="4"))
    with small.transaction() as con:
        con.execute("update edits set kind = 'import' where kind = 'edit'")
    status, out, _ = run_assay("check", "-b", small.path)
    assert status == 1 and "1 edits of another kind than their batch says" in out
    run_assay("check", "--repair", "-b", small.path)
    assert small.rows("select count(*) from edits where kind = 'edit'") == [(1,)]
    assert run_assay("check", "-b", small.path)[0] == 0


@pytest.mark.slow
def test_a_confirmation_is_of_the_label_on_the_sheet(small, tmp_path):
    """Ann's sheet says four; Bob makes it five before she sends it back: she has confirmed the four that she saw."""
    s = train(small)[0]
    seen = small.state().label[s]
    sheet = tmp_path / "ann.csv"
    sheet.write_text(f"sample,given_label,verdict\n{s},{seen},confirm\n")
    decide(small, "bob", dict(sample=s, label=other(seen)))
    status, out, _ = run_assay("edit", sheet, "--who", "ann", "-b", small.path)
    assert (
        status == 0
        and "1 confirm the label on their sheet, which somebody had changed since" in out
    )
    assert small.state().label[s] == seen and small.state().verdict[s] == "set"
    assert small.reviewers()[1].agree[0] == 0
    status, out, _ = run_assay("edit", sheet, "--who", "cat", "-b", small.path)
    assert "1 confirmations" in out and "note" not in out


@pytest.mark.slow
def test_a_tie_is_no_majority(small):
    """One against one: what stands without the rule stands with it, also where a merge has settled it."""
    s, *more = train(small, 9)
    label = small.state().label
    old = label[s]
    for n, one in enumerate(more):  # either may be first
        for who, step in (("ann", 1), ("bob", 2))[:: 1 if n % 2 else -1]:
            decide(small, who, dict(sample=one, label=other(label[one], step)))
    copy = copy_of(small)
    decide(small, "ann", dict(sample=s, label=other(old)))
    decide(copy, "bob", dict(sample=s, label=other(old, 2)))
    small.merge(copy.path, "ann")
    before = small.state().label
    assert (
        small.set_rule("majority", "ann")["changed"] == 0
        and small.state().label.equals(before)
        and before[s] == other(old)
    )
    assert set(small.issues()["kind"]) == {"merge_conflict", "reviewer_disagreement"}
    assert small.queue(20)["sample"].tolist()[0] == s and set(small.queue(20)["sample"]) == {
        s,
        *more,
    }


@pytest.mark.slow
def test_an_audit_is_a_version_of_its_own(small):
    from assay.curation.review.audit_answers import apply_answers
    from assay.curation.review.audit_sheet import start_audit

    decide(small, "bob", dict(sample=train(small)[0], verdict="confirm"))
    folder = start_audit(small, "eve", n=4, repeats=0, folder=small.path.parent / "sheet")["folder"]
    sheet = pd.read_csv(f"{folder}/worksheet.csv", dtype=str).assign(label="3")
    done = apply_answers(small, sheet, "eve")
    log = small.log()
    assert done["before"] == "v1" and list(log[log.author == "bob"].version) == ["v1"]
    assert list(log[log.version == done["version"]].author) == ["eve"]
    assert "of 4 test labels wrong" in run_assay("status", "-b", small.path)[1], (
        "the status says what the audit found"
    )


@pytest.mark.slow
def test_a_reader_who_leaves_early_changes_nothing_but_what_is_told(small):
    """`assay revert ... | head`: the pipe breaks, the revert is done, and the exit status says so."""
    import subprocess
    import sys

    from tests.helpers import ROOT

    decide(small, "bob", *(dict(sample=s, verdict="confirm") for s in train(small, 30)))
    command = f"{sys.executable} -m assay revert --who bob -b {small.path} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.endswith("\n0\n") and done.stderr == "" and not small.state().reviewed.any()


@pytest.mark.slow
def test_revert_since_takes_decisions_back_and_leaves_held_out_leakage_out(scanned):
    samples = train(scanned, 2)
    with scanned.transaction() as con:
        scanned.append(
            con,
            pd.DataFrame([dict(sample=samples[0], field="keep", value="false", why="leakage")]),
            "scan-1",
            "assay scan",
        )
    decide(scanned, "ann", dict(sample=samples[1], verdict="confirm"))
    status, out, _ = run_assay("revert", "--since", "1h", "-b", scanned.path)
    assert status == 0 and "1 values reverted" in out
    assert not scanned.state().keep[samples[0]] and not scanned.state().reviewed[samples[1]]


@pytest.mark.slow
def test_a_version_may_be_called_none(small):
    status, out, _ = run_assay("commit", "--name", "none", "-b", small.path)
    assert (
        status == 0 and "no backup" not in out and (small.path / "backups" / "none.duckdb").exists()
    )


@pytest.mark.slow
def test_taking_somebody_s_decisions_back_leaves_the_audit_alone(small):
    """What a blind audit found about the test set goes only by the name of its batch."""
    from assay.curation.review.audit_answers import apply_answers
    from assay.curation.review.audit_sheet import start_audit

    folder = start_audit(small, "eve", n=4, repeats=0, folder=small.path.parent / "sheet")["folder"]
    done = apply_answers(
        small, pd.read_csv(f"{folder}/worksheet.csv", dtype=str).assign(label="3"), "eve"
    )
    sample = train(small)[0]
    decide(small, "eve", dict(sample=sample, verdict="confirm"))
    audited = small.state().label
    _, out = small.revert(of="eve", who="bob")
    assert out["restored"] == 1 and small.state().label.equals(audited)
    with pytest.raises(UserError, match="found none"):
        small.revert(since=datetime.now(UTC) - timedelta(hours=1), who="bob")
    assert small.revert(done["batch"], who="bob")[1]["restored"] > 0


@pytest.mark.slow
def test_nothing_is_redone_after_a_new_edit(small):
    """As in every editor: a decision that came after the undo closes that way."""
    a, b = train(small, 2)
    label = small.state().label
    decide(small, "ann", dict(sample=a, label=other(label[a])))
    small.undo(who="ann")
    decide(small, "ann", dict(sample=b, verdict="confirm"))
    with pytest.raises(UserError, match="expected a batch to redo"):
        small.redo("ann")
    assert small.state().label[a] == label[a]


@pytest.mark.slow
def test_the_last_word_of_a_person_is_the_later_one_whichever_way_copies_merge(small):
    """Under a majority: ann changes her mind on another copy, where bob agrees with her; her first word, with which cat agrees, reaches
    that copy later."""
    sample = train(small)[0]
    small.set_rule("majority", "ann")
    copy, right = copy_of(small), small.state().label[sample]
    decide(small, "ann", dict(sample=sample, label=other(right, 1)))
    decide(small, "cat", dict(sample=sample, label=other(right, 1)))
    decide(copy, "ann", dict(sample=sample, label=other(right, 2)))
    decide(copy, "bob", dict(sample=sample, label=other(right, 2)))
    here, there = copy_of(small, "here"), copy_of(copy, "there")
    here.merge(copy.path, "eve")
    there.merge(small.path, "eve")
    assert {b.state().label[sample] for b in (here, there)} == {other(right, 2)}
