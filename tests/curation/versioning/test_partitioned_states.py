"""A state in parts says what the log says, whatever happened to bench and files."""

import signal
import subprocess
import sys
from threading import Thread

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import assay
from assay import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.maintenance import garbage
from assay.curation.versioning import (
    partitioned_states,
    pointers,
    state_building,
    state_parts,
    states,
)
from assay.curation.versioning.state_building import open_state
from assay.curation.versioning.tree_hash import hash_partitioned_tree
from assay.pipelines.indexing.ingest import ingest
from tests.curation.versioning.test_random_histories import STEP, do
from tests.decisions import copy_of, decide, other, train
from tests.helpers import bench_of, copied, digits, digits_bench


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Parts of 7 samples, of which two are laid over them."""
    monkeypatch.setattr(state_parts, "ROWS", 7)
    monkeypatch.setattr(state_building, "MOST_LAID", 2)
    monkeypatch.setattr(state_building, "AT_ONCE", 14)


def assert_same(bench, version="HEAD"):
    """Every value, type and row of the parts' frame is the log's, as another process reads it."""
    upto = pointers.find_position(bench, version)
    expected = assay.Bench(bench.path).state(upto)
    for opened in (bench, assay.Bench(bench.path)):
        found = open_state(opened, version)
        frame = found.frame()
        assert frame.equals(expected) and (frame.dtypes == expected.dtypes).all()
        assert list(frame.columns) == list(expected.columns)
        for name in ("label", "split", "verdict", "parent"):  # None, where `equals` takes NaN too
            assert [v is None for v in frame[name]] == [v is None for v in expected[name]]
        assert hash_partitioned_tree(found) == states.hash_tree(expected)
        plain = zip(expected.split, expected.label, expected.keep, expected.reviewed)
        counts = dict(found.counts)
        assert sum(counts.values()) == len(expected) == len(found)
        assert counts == {key: n for key, n in count(plain).items()}


def assert_same_diff(bench, a, b="HEAD"):
    """A diff by parts is the diff by the log."""
    fresh = assay.Bench(bench.path)
    expected = fresh.diff(a, b)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_building, "LARGE", 1)
        found = bench.diff(a, b)
    assert found.keys() == expected.keys()
    for name, part in expected.items():
        assert found[name] == part if isinstance(part, str) else found[name].equals(part), name


def count(keys):
    out = {}
    for key in keys:
        out[key] = out.get(key, 0) + 1
    return out


def part_files(bench):
    return {
        file.name: file.stat().st_mtime_ns for file in (bench.arrays / "states/parts").glob("*.npz")
    }


@pytest.mark.slow
def test_every_kind_of_edit_is_in_the_parts(tmp_path):
    bench = digits_bench(60, tmp_path)
    assert_same(bench)
    a, b, c, d = train(bench, 4)
    labels = bench.state().label
    steps = [
        lambda: decide(bench, "ann", dict(sample=a, label=other(labels[a])), dict(sample=b, verdict="confirm")),
        lambda: decide(bench, "bob", dict(sample=a, verdict="unsure"), dict(sample=c, keep="false")),
        lambda: decide(bench, "bob", dict(sample=b, tag="odd"), dict(sample=b, tag="blurred"), dict(sample=d, split="val")),
        lambda: bench.undo(who="bob"),
        lambda: bench.rename_class("3", "three", "ann"),
        lambda: bench.rename_class("4", "three", "ann"),
        lambda: decide(bench, "cid", *(dict(sample=s, label="9") for s in train(bench, 30))),
        lambda: bench.undo(who="ann"),
        lambda: bench.redo(who="ann"),
        lambda: bench.set_rule("majority", "ann"),
        lambda: bench.edit_class("9", "ann", colour="#ff0000"),
        lambda: bench.set_rule("latest", "ann"),
    ]  # fmt: skip
    for i, step in enumerate(steps):
        before = pointers.find_position(bench, "HEAD")
        step()
        assert_same(bench)
        assert_same_diff(bench, before)
        if i % 3 == 0:
            open_state(bench).save()
    for upto in range(1, bench.rows("select max(seq) from edits")[0][0], 61):
        assert_same(bench, upto)


def test_samples_that_come_later_and_merges_are_in_the_parts(tmp_path):
    bench = bench_of(digits(30), tmp_path)
    assert_same(bench)
    first = pointers.find_position(bench, "HEAD")
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    digits(75).to_parquet(tmp_path / "digits.parquet")
    options = ImportOptions(columns=dict(label="label"), refreeze_test=True)
    ingest(bench, tmp_path / "digits.parquet", "tester", options)
    assert_same(bench)
    assert_same(bench, first)
    assert_same_diff(bench, first)
    assert_same_diff(bench, "HEAD", first)
    theirs = copy_of(bench)
    a, b = train(bench, 2)
    decide(bench, "ann", dict(sample=a, label="1"), new_classes=["1"])
    decide(theirs, "bob", dict(sample=a, label="2"), dict(sample=b, keep="false"))
    bench.merge(theirs.path, "ann")
    assert_same(bench)


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    return bench_of(digits(25), tmp_path_factory.mktemp("seed"))


@pytest.mark.daily
@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(steps=st.lists(STEP, min_size=3, max_size=12))
def test_any_history_is_in_the_parts(seed, tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("h")
    benches = [copied(seed, folder / name) for name in "ab"]
    ids = list(seed.state().query("split == 'train'").index[:3])
    for step in steps:
        try:
            do(benches, ids, *step)
        except UserError:
            continue
        for bench in benches:
            assert_same(bench)
    for bench in benches:
        assert_same_diff(bench, len(seed.rows("select 1 from edits")))
        for upto in range(1, bench.rows("select max(seq) from edits")[0][0], 17):
            assert_same(bench, upto)


def test_few_edits_write_no_part_and_many_write_only_theirs(tmp_path):
    bench = digits_bench(60, tmp_path)
    open_state(bench)
    before = part_files(bench)
    assert len(before) == 9
    decide(bench, "ann", dict(sample=bench.state().query("split == 'train'").index[0], label="5"))
    open_state(bench)
    assert part_files(bench) == before
    first = bench.state().index[:7]
    decide(
        bench,
        "ann",
        *(dict(sample=s, tag="odd") for s in first if bench.state().split[s] != "test"),
    )
    names = open_state(bench).names
    after = part_files(bench)
    assert before.items() <= after.items() and len(after) == len(before) + 1
    bench.undo(who="ann")
    bench.undo(who="ann")
    decide(
        bench,
        "ann",
        *(dict(sample=s, tag="-odd") for s in first[:0]),
        dict(sample=first[0], tag="x"),
        dict(sample=first[0], tag="-y"),
    )
    assert open_state(bench).names[1:] == names[1:], "other parts keep their names"


def test_a_damaged_part_is_named_and_built_again(tmp_path, capsys):
    bench = digits_bench(60, tmp_path)
    file = sorted((bench.arrays / "states/parts").glob("*.npz") if open_state(bench) else [])[3]
    whole = file.read_bytes()
    for damage in (whole[: len(whole) // 2], whole.replace(b"train", b"trail"), None):
        file.unlink() if damage is None else file.write_bytes(damage)
        found = [f["what"] for f in bench.check() if file.stem in f["what"]]
        assert damage is None or found
        assert_same(assay.Bench(bench.path))
        assert file.name in capsys.readouterr().err and file.read_bytes()
        assert not [f for f in bench.check() if file.stem in f["what"]]


def test_garbage_keeps_the_states_of_commits_and_the_newest(tmp_path, monkeypatch):
    bench = digits_bench(60, tmp_path)
    bench.commit("one", "ann")
    open_state(bench)
    for label in "123":
        decide(
            bench,
            "ann",
            *(dict(sample=s, label=label) for s in train(bench, 9)),
            new_classes=["1", "2", "3"],
        )
        open_state(bench)
    parts = set(part_files(bench))
    garbage.collect_garbage(bench)
    assert set(part_files(bench)) == parts, "somebody may be building with them"
    monkeypatch.setattr(garbage, "AGE", -1)
    monkeypatch.setattr(garbage.is_older, "__defaults__", (-1,))
    garbage.collect_garbage(bench)
    assert len(partitioned_states.list_saved(bench)) == 2 and set(part_files(bench)) < parts
    before = part_files(bench)
    assert_same(bench), assert_same(bench, "v1")
    assert part_files(bench) == before


BUILD = """
import os, signal, sys, assay
from assay.curation.versioning import state_building, state_parts
state_parts.ROWS, state_building.AT_ONCE = 7, 7
save, left = state_parts.save_arrays, int(sys.argv[2])
def counted(*arguments, **arrays):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    save(*arguments, **arrays)
state_parts.save_arrays = counted
state_building.open_state(assay.open(sys.argv[1]))
"""


def test_a_builder_that_is_killed_leaves_nothing_half_read(tmp_path):
    bench = digits_bench(60, tmp_path)
    killed = subprocess.run([sys.executable, "-c", BUILD, bench.path, "5"])
    assert killed.returncode == -signal.SIGKILL
    assert len(part_files(bench)) == 4 and not partitioned_states.list_saved(bench)
    before = part_files(bench)
    assert_same(bench)
    assert before.items() <= part_files(bench).items(), "what was written is not written again"


def test_two_builders_at_once_make_one_state(tmp_path):
    bench = digits_bench(60, tmp_path)
    builders = [Thread(target=lambda: open_state(assay.Bench(bench.path))) for _ in range(2)]
    other_process = subprocess.Popen([sys.executable, "-c", BUILD, bench.path, "1000"])
    [b.start() for b in builders], [b.join() for b in builders]
    assert other_process.wait() == 0
    assert len(part_files(bench)) == 9 and len(partitioned_states.list_saved(bench)) == 1
    assert_same(bench)


def test_some_samples_and_columns_alone_are_read(tmp_path, monkeypatch):
    bench = digits_bench(60, tmp_path)
    state = open_state(bench)
    expected, rows = bench.state(), np.array([3, 50, 4])
    opened = []
    load = state_parts.load_part
    monkeypatch.setattr(
        state_parts, "load_part", lambda b, name, c: opened.append((name, c)) or load(b, name, c)
    )
    found = state.frame(rows, ["key", "label"])
    assert found.equals(expected.iloc[rows][["key", "label"]])
    assert opened == [(state.names[k], ("label", "known")) for k in (0, 7)]
    assert list(state.locate([*found.index, "no such"])) == [*rows, -1]


def test_a_commit_of_a_large_bench_has_the_same_tree(tmp_path, monkeypatch):
    bench, small = (digits_bench(60, tmp_path / name) for name in ("large", "small"))
    small.commit("one", "ann")
    monkeypatch.setattr(state_building, "LARGE", 1)
    bench.commit("one", "ann")
    decide(bench, "ann", dict(sample=train(bench)[0], keep="false"))
    bench.commit("two", "ann")
    trees = bench.commits().tree
    assert trees[0] == small.commits().tree[0] and trees[1] != trees[0]
    assert not [f for f in bench.check() if f["kind"] not in ("open", "leftover")]
    assert len(partitioned_states.list_saved(bench)) == 2


def test_the_state_of_some_samples_is_the_same_of_a_small_and_a_large_bench(tmp_path, monkeypatch):
    bench = digits_bench(60, tmp_path)
    asked = [*bench.state().index[[9, 3, 55, 9]], "no such"]
    for large in (10**9, 1):
        monkeypatch.setattr(state_building, "LARGE", large)
        found = bench.state(columns=["tags", "key", "keep"], samples=asked)
        assert found.equals(assay.Bench(bench.path).state().loc[asked[:3], ["tags", "key", "keep"]])
        assert bench.state(columns=["label"]).equals(assay.Bench(bench.path).state()[["label"]])
        assert bench.state(samples=asked[:1]).equals(bench.state().loc[asked[:1]])
        with pytest.raises(UserError, match="found 'lable'"):
            bench.state(columns=["lable"])


def test_what_stands_is_the_same_written_by_ranges_of_ids(tmp_path, monkeypatch):
    bench = digits_bench(60, tmp_path)
    decide(bench, "ann", *(dict(sample=s, label="5") for s in train(bench, 5)))
    with bench.transaction() as con:
        states.write_standing(con)
    expected = bench.rows("from standing")
    monkeypatch.setattr(states, "MOST_AT_ONCE", 7)
    with bench.transaction() as con:
        assert len(pointers.split_ids(con, 7)) == 9
        states.write_standing(con)
        assert not states.is_standing_wrong(con)
    assert bench.rows("from standing") == expected and len(expected) == 60


@pytest.mark.daily
def test_imports_do_the_same_in_a_large_bench(tmp_path, monkeypatch):
    """Another source, a mended one, one that takes test samples away, and one whose ids are here already."""
    table, found = digits(300).drop(columns="truth"), []
    for large in (10**9, 1):
        monkeypatch.setattr(state_building, "LARGE", large)
        folder = tmp_path / str(large)
        bench, out = bench_of(table[:200], folder, audited_test=True), []

        def bring(rows, name, bench=bench, folder=folder, out=out, **options):
            rows.to_parquet(folder / f"{name}.parquet")
            columns = dict(label="label")
            try:
                asked = ImportOptions(columns=columns, **options)
                said = ingest(bench, folder / f"{name}.parquet", "tester", asked)
                out.append({k: v for k, v in said.items() if k != "batch"})
            except UserError as e:
                out.append(str(e).replace(str(folder), ""))

        bring(table[200:], "more", no_test=True)
        train = table[:200].index[(table[:200]["split"] == "train").to_numpy()]
        mended = table[:200].drop(train[:9])
        mended.loc[train[9:14], "label"] = "3"
        bring(mended, "digits")
        bring(mended[mended["split"] != "test"], "digits", yes=True)
        bring(table[:200], "digits")
        bring(table[200:].assign(key=lambda t: t.id), "more")
        state = bench.state().drop(columns="uri")
        found.append((out, state.astype({"parent": object}), bench.rules()))
    (small, state, rules), (large, same, likewise) = found
    assert small == large and rules == likewise
    assert state.index.equals(same.index) and state.equals(same)
    assert small[1]["removed"] == 9 and "frozen test split" in small[2]
