"""The log: edits, undo and redo, commits, several processes at once, and queries that must not leave the bench."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import assay
from assay import UserError
from assay.curation.versioning import pointers, states
from tests.helpers import ROOT, bench_of, digits


def decide(bench, rows, who="ann", **more):
    return bench.edit(pd.DataFrame(rows), who, **more)


def labels(bench, version="HEAD"):
    return bench.state(version).label.to_dict()


@pytest.mark.slow
def test_an_edit_changes_one_label_and_the_log_keeps_both(bench):
    before = bench.state()
    sample = before.index[0]
    other = "1" if before.label[sample] != "1" else "2"
    done = decide(bench, [dict(sample=sample, label=other, why="clearly", seconds=1.5)])
    after = bench.state()
    assert (
        after.label[sample] == other
        and after.given_label[sample] == before.label[sample]
        and after.reviewed[sample]
    )
    assert (
        after.drop(sample).label == before.drop(sample).label
    ).all() and after.reviewed.sum() == 1
    row = bench.sql(f"select * from edits where batch = '{done['batch']}'").iloc[0]
    assert (row.who, row.why, row.seconds, row.verdict, json.loads(row.value)) == (
        "ann",
        "clearly",
        1.5,
        "set",
        other,
    )
    assert bench.chain_breaks() == []


def test_confirmations_and_doubts_are_edits_that_change_nothing(bench):
    a, b, c = bench.state().index[:3]
    label = bench.state().label
    done = decide(
        bench,
        [
            dict(sample=a, label=label[a]),
            dict(sample=b, verdict="confirm"),
            dict(sample=c, verdict="unsure"),
        ],
    )
    assert (done["confirmed"], done["unsure"]) == (2, 1)
    state = bench.state()
    assert (
        (state.label == label).all()
        and list(state.verdict[[a, b, c]]) == ["confirm", "confirm", "unsure"]
        and state.reviewed.sum() == 3
    )


def test_a_bad_file_is_refused_whole_with_its_lines(bench, tmp_path):
    from assay.curation.versioning.decision_cells import read_decisions

    state = bench.state()
    train, test = state.index[0], state.index[state["split"] == "test"][0]
    file = tmp_path / "d.csv"
    file.write_text(
        f'sample,label,why\n{train},3,"two\nlines"\nnobody,3,\n{train},4,\n{test},3,\n{state.index[1]},dog,\n'
    )
    with pytest.raises(UserError) as e:
        bench.edit(read_decisions(file), "ann")
    text = str(e.value)
    assert all(
        line in text
        for line in (
            "line 4 (nobody)",
            "line 5",
            "second decision",
            "line 6",
            "test split is locked",
            "line 7",
            "'dog'",
        )
    )
    assert bench.state().equals(state) and len(bench.batches()) == 1


@pytest.mark.parametrize(
    "rows, word",
    [
        ([dict(sample="x", lable="3")], "lable"),
        ([dict(label="3")], "columns sample"),
        ([dict(sample="S", verdict="perhaps")], "verdict"),
        ([dict(sample="S", keep="perhaps")], "keep"),
        ([dict(sample="S", split="test")], "split"),
        ([dict(sample="S", verdict="confirm", label="OTHER")], "keeps the label"),
    ],
)
def test_decisions_that_make_no_sense_are_named(bench, rows, word):
    sample, label = bench.state().index[0], bench.state().label.iloc[0]
    rows = [
        {k: {"S": sample, "OTHER": str((int(label) + 1) % 10)}.get(v, v) for k, v in r.items()}
        for r in rows
    ]
    with pytest.raises(UserError, match=word):
        decide(bench, rows)
    assert len(bench.batches()) == 1


def test_a_new_class_must_be_meant(bench):
    sample = bench.state().index[0]
    with pytest.raises(UserError, match=r"new_classes=\["):
        decide(bench, [dict(sample=sample, label="ten")])
    decide(bench, [dict(sample=sample, label="ten")], new_classes=["ten"])
    assert bench.state().label[sample] == "ten"


@pytest.mark.slow
def test_tags_drops_and_moves(bench):
    a, b, c = bench.state().query("split == 'train'").index[:3]
    decide(
        bench,
        [dict(sample=a, tag="blurry"), dict(sample=b, keep="false"), dict(sample=c, split="val")],
    )
    decide(bench, [dict(sample=a, tag="odd")])
    state = bench.state()
    assert state.tags[a] == ("blurry", "odd") and not state.keep[b] and state["split"][c] == "val"
    decide(bench, [dict(sample=a, tag="-blurry"), dict(sample=b, keep="true")])
    assert bench.state().tags[a] == ("odd",) and bench.state().keep[b]
    bench.undo(who="ann")
    assert bench.state().tags[a] == ("blurry", "odd") and not bench.state().keep[b]


@pytest.mark.slow
def test_undo_composes(bench):
    """A sets, B sets, C sets: undo C, then B, then A lead back through every value; redo leads forth again."""
    s = bench.state().index[0]
    seen = [labels(bench)[s]]
    for label in [c for c in "0123" if c != seen[0]][:3]:
        decide(bench, [dict(sample=s, label=label)])
        seen.append(label)
    for back in reversed(seen[:-1]):
        assert bench.undo(who="ann")["restored"] == 1
        assert labels(bench)[s] == back
    assert not bench.state().reviewed[s], "all is undone: nobody has reviewed it"
    for forth in seen[1:]:
        bench.redo("ann")
        assert labels(bench)[s] == forth
    with pytest.raises(UserError, match="redo"):
        bench.redo("ann")


@pytest.mark.slow
def test_a_second_confirmation_can_be_undone_too(bench):
    s = bench.state().index[0]
    for who in ("ann", "bob"):  # whoever says it twice has said it once
        bench.edit(pd.DataFrame([dict(sample=s, verdict="confirm")]), who)
    bench.undo(who="ann")
    assert bench.state().reviewed[s]
    bench.undo(who="ann")
    assert not bench.state().reviewed[s]


@pytest.mark.slow
def test_undo_leaves_alone_what_somebody_did_since(bench):
    a, b = bench.state().index[:2]
    old = labels(bench)
    new = {s: str((int(old[s]) + 1) % 10) for s in (a, b)}
    first = decide(bench, [dict(sample=a, label=new[a]), dict(sample=b, label=new[b])])
    theirs = str((int(old[a]) + 2) % 10)
    decide(bench, [dict(sample=a, label=theirs)], who="bob")
    done = bench.undo(first["batch"], "ann")
    assert (done["restored"], done["left_alone"]) == (1, 1)
    assert labels(bench)[a] == theirs and labels(bench)[b] == old[b]


VERBS = ["edit", "confirm", "drop", "tag", "rule", "undo", "redo"]


@pytest.mark.daily
@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(VERBS), st.integers(0, 2), st.integers(0, 9)),
        min_size=1,
        max_size=8,
    )
)
def test_any_history_can_be_undone_to_its_start(tmp_path_factory, history):
    """Whatever was done, undoing until nothing is left restores the first state, and every version stays what it was."""
    bench = bench_of(digits(25), tmp_path_factory.mktemp("h"))
    start, ids = bench.state(), list(bench.state().query("split == 'train'").index[:3])
    was = {}
    for verb, sample, value in history:
        try:
            if verb == "edit":
                decide(
                    bench,
                    [dict(sample=ids[sample], label=str(value))],
                    new_classes=[str(i) for i in range(10)],
                )
            elif verb == "confirm":
                decide(
                    bench,
                    [dict(sample=ids[sample], verdict="confirm")],
                    who="bob" if value % 2 else "ann",
                )
            elif verb == "drop":
                decide(
                    bench,
                    [
                        dict(
                            sample=ids[sample],
                            keep=bool(value % 2),
                            split="val" if value % 3 else "train",
                        )
                    ],
                )
            elif verb == "tag":
                decide(bench, [dict(sample=ids[sample], tag="seen" if value % 2 else "-seen")])
            elif verb == "rule":
                bench.set_rule(("latest", "majority")[value % 2], "ann")
            else:
                getattr(bench, verb)(who="ann")
        except UserError as e:
            assert "expected a batch to" in e.problem  # nothing to undo or redo
        was[pointers.find_position(bench, "HEAD")] = labels(bench)
        assert bench.state().equals(assay.open(bench.path).state()), (
            "a state that was brought forward is what the log says"
        )
    for upto, then in was.items():
        assert labels(bench, upto) == then
    for _ in range(len(history) + 1):
        try:
            assert bench.undo(who="ann")["left_alone"] == 0
        except UserError:
            break
    assert bench.chain_breaks() == []
    shown = ["label", "given_label", "keep", "split", "verdict", "reviewed", "tags"]
    assert bench.state()[shown].equals(start[shown])


@pytest.mark.slow
def test_versions_have_names_and_equal_contents_equal_trees(bench):
    s = bench.state().index[0]
    old, v1 = labels(bench)[s], bench.commit("first", "ann")
    assert (v1["name"], bench.commit("again", "ann")["new"]) == ("v1", False)
    decide(bench, [dict(sample=s, label="1" if old != "1" else "2")])
    v2 = bench.commit("second", "ann")
    decide(bench, [dict(sample=s, label=old)])
    v3 = bench.commit("back by hand", "ann")
    assert v1["tree"] == v3["tree"] != v2["tree"]
    assert labels(bench, "v1")[s] == labels(bench, "v3")[s] == old != labels(bench, "v2")[s]
    with pytest.raises(UserError, match="HEAD, v1, v2, v3"):
        bench.state("v9")


@pytest.mark.slow
def test_a_confirmation_does_not_overwrite_what_somebody_did_meanwhile(bench, monkeypatch):
    """Bob relabels while Ann's confirmation is being planned: he waits, and each word means what stood when it arrived."""
    from assay.curation.versioning import edits as versioning_edits

    sample, old = bench.state().index[0], bench.state().label.iloc[0]
    new, plan = "1" if old != "1" else "2", versioning_edits.plan_edits
    bob = threading.Thread(
        target=lambda: decide(assay.open(bench.path), [dict(sample=sample, label=new)], who="bob")
    )

    def slow(*arguments):
        monkeypatch.setattr(versioning_edits, "plan_edits", plan)
        bob.start()
        time.sleep(0.3)
        return plan(*arguments)

    monkeypatch.setattr(versioning_edits, "plan_edits", slow)
    decide(bench, [dict(sample=sample, verdict="confirm")])
    bob.join()
    rows = bench.query(
        "select who, verdict, value ->> '$' as value from edits where batch like 'edit-%' order by seq"
    )
    assert rows.to_dict("split")["data"] == [["ann", "confirm", old], ["bob", "set", new]]
    assert bench.state().label[sample] == new and bench.chain_breaks() == []


def commit_some(path):
    bench = assay.open(path)
    for s in bench.state().index[:4]:
        bench.edit(
            pd.DataFrame(
                [dict(sample=s, verdict="confirm", tag=multiprocessing.current_process().name)]
            ),
            "p",
        )
        bench.commit("", "p")


@pytest.mark.daily
def test_commits_of_several_processes_have_names_and_trees_of_their_own(bench):
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(commit_some, [bench.path] * 3))
    commits = bench.commits()
    assert commits.name.is_unique and len(commits) >= 4
    assert all(c.tree == states.hash_tree(bench.state(c.name)) for c in commits.itertuples()), (
        "a tree is that of its own position"
    )


@pytest.mark.slow
def test_a_tampered_log_is_noticed(bench):
    decide(bench, [dict(sample=bench.state().index[0], verdict="confirm")])
    decide(bench, [dict(sample=bench.state().index[1], verdict="confirm")])
    with duckdb.connect(str(bench.file)) as con:
        con.execute("update edits set who = 'mallory' where seq = 5")
    assert bench.chain_breaks() != []


EVIL = [
    "select * from read_text('/etc/passwd')",
    "select * from '/etc/passwd'",
    "from glob('/*')",
    "copy samples to '{out}'",
    "attach '{out}' as x",
    "select 1; drop table edits",
    "delete from edits",
    "update edits set who = 'x'",
    "with x as (delete from edits returning *) select * from x",
    "set enable_external_access = true",
    "install httpfs",
    "export database '{out}'",
    "select getenv('HOME')",
    "create table t (a int)",
    "pragma database_list",
    "select * from digits",
]


@pytest.mark.daily
@pytest.mark.slow
@pytest.mark.parametrize("query", EVIL)
def test_a_query_reads_the_bench_and_nothing_else(bench, query, tmp_path):
    digits = pd.DataFrame(dict(a=[1]))  # noqa: F841 - a variable of the caller's is no table
    edits = bench.rows("select * from edits")
    with pytest.raises(UserError):
        bench.sql(query.format(out=tmp_path / "out"))
    assert bench.rows("select * from edits") == edits and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_queries_are_bounded_in_rows_and_time(bench):
    assert len(bench.sql("select * from range(1000000)", limit=5000)) == 5000
    thin = "from range(1000000) where hash(range) % 20 = 0"
    assert (
        len(bench.sql(f"select range {thin}")) == bench.sql(f"select count(*) as n {thin}").n[0]
    ), "thin pieces are not the end"
    assert len(bench.sql("select 1 where false")) == 0
    start = time.monotonic()
    with pytest.raises(UserError, match="within 1 s"):
        bench.sql(
            "select count(*) from range(10000000) a, range(10000000) b where a.range * b.range = 7",
            seconds=1,
        )
    assert time.monotonic() - start < 10
    assert bench.sql("select count(*) as n from samples").n[0] == 600


def test_a_bench_of_another_schema_is_refused(bench, tmp_path):
    with duckdb.connect(str(bench.file)) as con:
        con.execute("update meta set value = '99' where key = 'schema'")
    with pytest.raises(UserError, match="schema 99"):
        assay.open(bench.path)
    with pytest.raises(UserError, match="found no assay.duckdb"):
        assay.open(tmp_path / "nowhere")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "assay.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(UserError, match="readable bench file"):
        assay.open(tmp_path / "broken")


def write_some(path, name, samples):
    bench = assay.open(path)
    for i in range(12):
        bench.edit(pd.DataFrame([dict(sample=samples[i], verdict="confirm", seconds=i)]), name)


@pytest.mark.daily
def test_four_processes_edit_one_bench_and_nothing_is_lost(bench):
    ids = list(bench.state().query("split == 'train'").index)
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        list(
            pool.map(
                write_some,
                [bench.path] * 4,
                [f"p{i}" for i in range(4)],
                [ids[i * 12 : i * 12 + 12] for i in range(4)],
            )
        )
    edits = bench.query(
        "select who, seconds, seq from edits where batch like 'edit-%' order by seq"
    )
    assert sorted(zip(edits.who, edits.seconds)) == sorted(
        (f"p{i}", float(j)) for i in range(4) for j in range(12)
    )
    assert edits.seq.is_unique and bench.chain_breaks() == []


@pytest.mark.slow
def test_killed_while_editing_every_acknowledged_edit_is_there(bench, tmp_path):
    script = """
import sys, assay, pandas as pd
bench = assay.open(sys.argv[1])
for i, s in enumerate(bench.state().query("split == 'train'").index):
    done = bench.edit(pd.DataFrame([dict(sample=s, verdict="confirm")]), "killed")
    print(s, flush=True)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(bench.path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    told = [child.stdout.readline().strip() for _ in range(8)]
    os.kill(child.pid, signal.SIGKILL)
    told += [line.strip() for line in child.stdout if len(line) == 33]
    state = assay.open(bench.path).state()
    assert len(told) >= 8 and state.reviewed[told].all() and bench.chain_breaks() == []
    decide(bench, [dict(sample=told[0], label="3")])  # and work goes on


def test_importing_curation_is_quick_because_the_heavy_things_wait():
    heavy = "pandas scipy sklearn torch faiss cleanlab PIL pyarrow".split()
    code = f"import sys, assay.curation; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
        ).stdout.strip()
        == "[]"
    )
