"""Stories of a bench that somebody mailed: no query, macro or trigger in its file is run as whoever opens it, and nothing of theirs is read or written."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.errors import BenchBusy
from assay.curation.maintenance.garbage import collect_garbage
from assay.curation.maintenance.integrity import check_bench
from assay.curation.slicing import slices
from assay.curation.storage import backup, catalog, locks, queries
from assay.curation.storage.engine import AttachedFile
from assay.curation.system.scratch import scratch_folder
from assay.curation.system.user_cache import cache_bytes, cache_folder
from assay.pipelines.jobs import job_files
from tests.helpers import ROOT, bench_of, digits, run_assay

ISSUES = "drop table issues; create table issues ({}, sample varchar, score double, suggestion varchar, why varchar, {})"
FOREIGN = {  # what a file may bring that no bench of ours has; {secret} is a file of the reader's
    "trigger": "create table t (a varchar); "
    "create trigger evil after insert on edits for each statement insert into t select content from read_text('{secret}')",
    "trigger alone": "create trigger evil after insert on edits for each statement "
    "insert into left_out select null, null, null, content from read_text('{secret}')",
    "trigger on reading the log": "create trigger evil after update on meta for each statement delete from edits",
    "macro named max": "create macro max(x) as (select content from read_text('{secret}'))",
    "macro named json_type": "create macro json_type(x) as (select content from read_text('{secret}'))",
    "operator": 'create macro "+"(x, y) as 99',
    "table macro": "create macro duckdb_tables() as table select 'meta' as table_name",
    "view in place of a table": "alter table samples rename to real; create view samples as select * from real, read_text('{secret}')",
    "view beside": "create view v as select * from read_text('{secret}')",
    "table": "create table t (a int)",
    "table in another schema": "create schema s; create table s.edits as from edits",
    "schema": "create schema s",
    "nested schema": "create schema s; create schema s.t",
    "column": "alter table samples add column extra varchar",
    "column gone": "alter table issues drop column why",
    "column of another type": "alter table issues alter column why type json",
    "column of their type": "create type mood as enum ('a'); alter table issues alter column why type mood",
    "type": "create type varchar2 as varchar",
    "default": "alter table samples alter column meta set default (getvariable('x'))",
    "default that reads": "alter table issues alter column why set default (current_setting('temp_directory'))",
    "not null": "alter table samples alter column uri set not null",
    "check": ISSUES.format("kind varchar check (length(kind) < 9)", "upto bigint"),
    "generated column": ISSUES.format("kind varchar", "upto bigint as (1)"),
    "unique": "create unique index u on samples (id)",
    "index": "create index i on edits (who)",
    "index over an expression": "create index i on edits ((lower(who)))",
    "sequence": "create sequence s",
    "comment": "comment on table edits is 'mine'",
    "table gone": "drop table clusters",
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A bench of 30 digits with one commit, and a file of its owner's that nobody else may read."""
    bench = bench_of(digits(30), tmp_path_factory.mktemp("own"), audited_test=True)
    bench.commit("first", "ann")
    (bench.path.parent / "secret").write_text("SECRET-4711")
    return bench


def mailed(own, folder, statements=""):
    """A copy of the bench into which somebody put statements of their own."""
    shutil.copytree(own.path, folder / "mailed")
    with duckdb.connect(str(folder / "mailed" / "assay.duckdb")) as con:
        con.execute(statements.format(secret=own.path.parent / "secret"))
    return assay.Bench(folder / "mailed")


@pytest.mark.daily
@pytest.mark.slow
@pytest.mark.parametrize("name", FOREIGN)
def test_what_no_bench_of_ours_has_is_refused_before_it_does_anything(own, tmp_path, name):
    there = mailed(own, tmp_path, FOREIGN[name])
    with pytest.raises(
        UserError, match="expected the tables of a bench and nothing else"
    ) as refused:
        assay.open(there.path)
    assert str(there.path) in str(refused.value)
    with pytest.raises(UserError, match="and nothing else"):
        there.edit(
            pd.DataFrame([dict(sample=own.frame(split="train").index[0], verdict="confirm")]), "ann"
        )
    with pytest.raises(UserError, match="and nothing else"):
        own.merge(there.path, "ann")
    copy = own.path / "backups" / "mailed.duckdb"
    shutil.copyfile(there.file, copy)
    try:
        with pytest.raises(UserError, match="and nothing else"):
            backup.restore_backup(own, "mailed")
        assert backup.find_last_good(own).name == "v1", "and the way back leads past it"
    finally:
        copy.unlink()
    for file in (there.path, own.path):
        assert not any(b"SECRET-4711" in f.read_bytes() for f in file.rglob("*.duckdb*"))


@pytest.mark.slow
def test_every_verb_says_so(own, tmp_path):
    there = mailed(own, tmp_path, FOREIGN["trigger"])
    for verb in (["status"], ["check"], ["log"], ["edit", tmp_path / "e.csv"], ["commit"]):
        (tmp_path / "e.csv").write_text(
            f"sample,verdict\n{own.frame(split='train').index[0]},confirm\n"
        )
        status, out, err = run_assay(*verb, "-b", there.path)
        assert (
            status in (1, 2)
            and "and nothing else" in out + err
            and "trigger" in out + err
            and "sound" not in out
        ), (verb, out, err)


def test_the_kinds_that_are_compared_are_all_that_this_duckdb_knows():
    with duckdb.connect() as con:
        listing = "select distinct function_name from duckdb_functions() where function_name like 'duckdb#_%' escape '#' and function_type = 'table'"
        known = set()
        for (function,) in con.execute(listing).fetchall():
            try:
                columns = [c[0] for c in con.execute(f"select * from {function}()").description]
            except duckdb.BinderException:  # it wants an argument
                continue
            if "database_name" in columns:
                known.add(function.removeprefix("duckdb_"))
    # the statement that makes a table says all of its columns and constraints
    assert known - {"databases", "columns", "constraints"} == {*catalog.KINDS, *catalog.MACROS}


@pytest.mark.slow
def test_a_bench_changed_by_another_program_meanwhile_is_looked_at_again(own, tmp_path):
    there = mailed(own, tmp_path)
    assert len(assay.open(there.path).state()) == 30
    mailed_again = assay.open(there.path)
    with duckdb.connect(str(there.file)) as con:
        con.execute(
            "create trigger evil after insert on edits for each statement delete from samples"
        )
    with pytest.raises(UserError, match="trigger"):
        mailed_again.rows("select 1")


@pytest.mark.slow
def test_no_file_but_the_bench_is_reached_and_no_macro_takes_a_functions_place(own, tmp_path):
    with own.connect() as con:
        for evil in (
            f"select * from read_text('{own.path.parent / 'secret'}')",
            f"copy samples to '{tmp_path / 'x.csv'}'",
            f"attach '{tmp_path / 'x'}'",
        ):
            with pytest.raises(duckdb.PermissionException):
                con.execute(evil)
        for evil in (
            "set enable_external_access = true",
            f"set allowed_paths = ['{tmp_path}']",
            "load httpfs",
            "install httpfs",
        ):
            with pytest.raises(duckdb.Error):
                con.execute(evil)
    there = mailed(own, tmp_path)
    with there.transaction() as con:  # who gets one past the comparison has not won yet
        con.execute(
            f"create macro {con.execute('select current_setting($$search_path$$)').fetchall()[0][0].split(',')[1]}.max(x) as 77"
        )
        assert con.execute("select max(seq) from edits").fetchall() != [(77,)]
        con.execute("rollback; begin")
    assert list(tmp_path.glob("x*")) == []


@pytest.mark.daily
def test_odd_folder_names_open_like_any_other(own, tmp_path):
    for name in ("it's", "a b", "ü漢", "x,y", '"q"', "[1]", "-x", "a..b"):
        shutil.copytree(own.path, tmp_path / name)
        (tmp_path / f"link {name}").symlink_to(tmp_path / name)
        for path in (tmp_path / name, tmp_path / f"link {name}", tmp_path / name / ".." / name):
            bench = assay.open(path)
            before = bench.rows("select count(*) from edits")[0][0]
            bench.edit(
                pd.DataFrame([dict(sample=own.frame(split="train").index[0], verdict="confirm")]),
                "ann",
            )
            assert assay.open(path).rows("select count(*) from edits") == [(before + 1,)]
        assert not list((tmp_path / name).glob("*.wal*"))
    assert len(AttachedFile.engines) <= AttachedFile.KEPT


# ---- a person's query


@pytest.mark.slow
def test_a_query_that_wants_too_much_is_ended_and_a_decision_does_not_wait_for_it(
    own, tmp_path, monkeypatch
):
    """What a query builds in one step heeds no interruption, so its process is killed; it works on a copy, which nobody waits for."""
    there, said = mailed(own, tmp_path), []
    there.verify()
    sample = own.frame(split="train").index[0]

    def ask(query):
        start = time.monotonic()
        with pytest.raises(UserError) as refused:
            there.sql(query, seconds=4)
        said.append((refused.value.problem, time.monotonic() - start))

    long = threading.Thread(
        target=ask,
        args=[
            "with recursive r as (select 1 as n union all select n + 1 from r) select max(n) from r"
        ],
    )
    long.start()
    while not list(scratch_folder().glob("query-*/bench.duckdb")):
        time.sleep(0.01)
    assert there.edit(pd.DataFrame([dict(sample=sample, verdict="confirm")]), "ann")["edits"] == 1
    assert long.is_alive() and not said, "it is still at work"
    long.join()
    assert "within 4 s" in said[0][0] and said[0][1] < 60 + 8
    monkeypatch.setattr(queries, "MEMORY", 100 << 20)
    ask("select list_sum(range(300000000))")
    assert "needs at most 0.1 GB" in said[1][0]
    monkeypatch.setattr(queries, "ANSWER", 1 << 20)
    ask("select repeat('x', 1000) from range(100000)")
    assert "at most 1 MB" in said[2][0]
    assert not list(scratch_folder().glob("query-*")), "nothing is left of it"
    assert (
        there.sql("select count(*) as n from edits where who = 'ann' and verdict = 'confirm'").n[0]
        == 1
    ), "and what is asked now is of now"


@pytest.mark.slow
def test_several_queries_of_one_file_are_asked_in_one_process(own, monkeypatch):
    asked, answer = [], queries.run_process
    monkeypatch.setattr(queries, "run_process", lambda *task: asked.append(task) or answer(*task))
    ids = sorted(own.state().index)
    wanted = dict(
        a="select id from samples order by id limit 3;",
        b=f"with x as (select '{ids[4]}' as i) select i from x -- last",
        c=ids[:1],
    )
    assert (
        slices.resolve_slices(own, wanted) == dict(a=ids[:3], b=[ids[4]], c=ids[:1])
        and len(asked) == 1
    )
    with pytest.raises(UserError, match="nowhere does not exist"):
        slices.resolve_slices(own, wanted | dict(d="select id from nowhere"))


@pytest.mark.slow
def test_what_is_not_kept_lies_where_nobody_else_reads_it_and_goes_with_its_process(tmp_path):
    code = "import os, signal, assay.curation.system.scratch as s; print(s.scratch_folder(), flush=True); {}"
    env = os.environ | dict(TMPDIR=str(tmp_path))

    def run(end):
        done = subprocess.run(
            [sys.executable, "-c", code.format(end)],
            capture_output=True,
            text=True,
            env=env,
            cwd=ROOT,
        )
        return Path(done.stdout.strip())

    assert not run("print(end='')").exists()
    killed = run("os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.exists() and killed.stat().st_mode & 0o777 == 0o700
    os.utime(killed, (time.time() - 3600,) * 2)
    run("print(end='')")
    assert not killed.exists(), "who comes next clears what a killed process left"


@pytest.mark.slow
def test_a_job_file_names_no_other_file(own, tmp_path):
    """What jobs a mailed bench claims to have: the file that tells of one that is over goes, and no other."""
    there, other = mailed(own, tmp_path), tmp_path / "mine.json"
    other.write_text("{}")
    (there.path / "jobs").mkdir()
    (there.path / "jobs" / "a.json").write_text(
        json.dumps(dict(name=str(tmp_path / "mine"), state="failed", keys=[]))
    )
    (there.path / "jobs" / "b.json").write_text("[1]")
    assert (
        job_files.list_jobs(there) == []
        and other.exists()
        and not (there.path / "jobs" / "a.json").exists()
    )


# ---- models that were prepared


@pytest.mark.slow
def test_no_model_that_came_with_a_bench_is_loaded(tmp_path, monkeypatch):
    from assay.pipelines.embedders.embed import embed_here

    monkeypatch.setenv("ASSAY_ENGINE", "fp32")
    bench = bench_of(digits(20), tmp_path)
    theirs = bench.arrays / "embeddings" / "lite0-128-fp32" / "model.onnx"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"what a stranger made")
    embedded, hashes = (
        embed_here(bench, bench.state().content_hash, "lite0"),
        bench.state().content_hash,
    )
    vectors, new = embedded.shards.rows(hashes), embedded.new
    assert new == 20 and vectors.shape == (20, 1168)
    ours = list(cache_folder("models").glob("lite0-128-fp32-*"))
    assert (
        ours
        and all(file.stat().st_mode & 0o777 == 0o600 for file in ours)
        and cache_folder("models").stat().st_mode & 0o777 == 0o700
    )
    assert (
        ("leftover", 1) in [(f["kind"], f["n"]) for f in check_bench(bench)]
        and collect_garbage(bench)["files"] == 1
        and not theirs.exists()
    )


def test_what_is_kept_outside_of_benches_is_believed_for_its_own_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    made = []

    def make(folder):
        made.append(folder)
        (folder / "x").write_text("the model")
        return folder / "x"

    def found(*made_of):
        return cache_bytes("models", "net", made_of, make)

    assert found(b"weights", "v1") == found(b"weights", "v1") == b"the model" and len(made) == 1
    (file,) = (tmp_path / "cache" / "models").iterdir()
    file.write_text("not the model")
    assert found(b"weights", "v1") == b"the model" and len(made) == 2, "made again"
    (again,) = (tmp_path / "cache" / "models").iterdir()
    assert again.read_text() == "the model" and again.stat().st_mode & 0o777 == 0o600
    assert found(b"weights", "v2") and found(b"other weights", "v1") and len(made) == 4, (
        "of something else"
    )
    (tmp_path / "cache" / "models").rename(tmp_path / "elsewhere")
    (tmp_path / "cache" / "models").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="not a folder of your own"):
        found(b"weights", "v1")


# ---- what lies in its folder

LEADING = [
    "arrays",
    "backups",
    "jobs",
    "aside",
    "audits",
    "uploads",
    "report.html",
    "plan.json",
    "guard-a.toml",
    ".lock",
    "assay.duckdb.wal",
    "fiftyone",
]
LEADING += [
    "arrays/damaged",
    "arrays/runs",
    "arrays/embeddings/x",
    "arrays/graph.npz",
    "backups/v1.duckdb",
    "jobs/a.json",
    "uploads/a",
    "fiftyone/db",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", LEADING)
def test_nothing_in_a_bench_leads_out_of_it(own, tmp_path, name):
    """Old files in a folder called damaged, jobs or uploads are what gc deletes; what is reported is written; what is shared gets its modes."""
    there, mine = mailed(own, tmp_path), tmp_path / "mine"
    mine.mkdir()
    (mine / "letter").write_text("dear")
    os.utime(mine / "letter", (0, 0))
    (mine / "letter").chmod(0o644)
    link = there.path / name
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(mine if "." not in name.split("/")[-1][1:] else mine / "letter")
    for act in (
        assay.open,
        lambda path: assay.create(path, group=True),
        lambda path: check_bench(assay.Bench(path)),
    ):
        with pytest.raises(UserError, match=f"found {name}, a link to {mine}"):
            act(there.path)
    assert (mine / "letter").read_text() == "dear" and (
        mine / "letter"
    ).stat().st_mode & 0o777 == 0o644
    link.unlink()
    os.mkfifo(link)
    with pytest.raises(UserError, match=f"found {name}, which is neither"):
        assay.open(there.path)


@pytest.mark.slow
def test_a_link_of_ones_own_and_unknown_files_are_no_matter(own, tmp_path):
    there = mailed(own, tmp_path)
    (there.path / "letters").symlink_to(tmp_path)  # no name of ours: nothing looks there
    (there.path / "arrays" / "pixels" / "run.sh").write_text("rm")
    (there.path / "arrays" / "plugins").mkdir()
    assay.open(there.path)
    (found,) = [f for f in check_bench(there) if f["kind"] == "unknown"]
    assert found["n"] == 3 and "first arrays/pixels/run.sh" in found["what"]
    assert not [f for f in check_bench(own) if f["kind"] == "unknown"]


@pytest.mark.slow
def test_a_database_of_fiftyone_that_came_along_is_not_opened(own, tmp_path, monkeypatch):
    """It is this user's where it was made here; copied, or sent away and back, it may hold anything."""
    from assay.pipelines.fiftyone import dataset

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    program = tmp_path / "mongod"
    program.write_text("#!/bin/sh\necho it was asked > $2/../asked; exit 7\n")
    program.chmod(0o700)
    monkeypatch.setenv("ASSAY_MONGOD", str(program))
    there = mailed(own, tmp_path)

    def opened(**more):
        with pytest.raises(UserError) as said:
            dataset.connect_database(there, **more)
        return "expected mongod to start" in said.value.problem

    assert opened() and opened(), "made here"
    (dataset.fiftyone_folder(there) / "pushed.npz").write_bytes(b"")
    shutil.copytree(dataset.fiftyone_folder(there), tmp_path / "back")
    shutil.rmtree(dataset.fiftyone_folder(there))
    shutil.copytree(tmp_path / "back", dataset.fiftyone_folder(there))  # often of the same number
    assert not opened() and opened(trust=True) and opened()
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "another user's"))
    assert not opened()
    (there.path / "fiftyone" / ".made").unlink()
    assert not opened()


# ---- what its job files and its lock say


@pytest.mark.slow
def test_no_word_of_a_job_file_is_believed_that_no_job_says(own, tmp_path, capsys):
    from assay.pipelines.cli.main import main

    there = mailed(own, tmp_path)
    (there.path / "jobs").mkdir()
    wrong = [
        ("begun", "yesterday"),
        ("begun", "0001-01-01T00:00:00+23:00"),
        ("begun", 7),
        ("since", [1]),
        ("keys", 7),
        ("keys", [[1]]),
        ("share", "x"),
    ]
    wrong += [
        ("share", float("nan")),
        ("said", [1]),
        ("said", dict(url="javascript:x")),
        ("runs", {}),
        ("pid", "1"),
        ("state", 1),
        ("text", {}),
    ]
    for n, (field, value) in enumerate([*wrong, ("error", 1)]):
        said = dict(state="failed", error="e", key="k", since="2026-01-01T00:00:00+00:00") | {
            field: value
        }
        (there.path / "jobs" / f"{n}.json").write_text(json.dumps(said))
    (there.path / "jobs" / "deep.json").write_text("[" * 100_000)
    (there.path / "jobs" / "folder.json").mkdir()
    assert len(job_files.list_jobs(there)) == 15 and not [
        j for j in job_files.list_jobs(there) if "url" in j.get("said", {})
    ]
    assert main(["runs", "-b", str(there.path)]) == 0 and "15 failed" not in capsys.readouterr().out


@pytest.mark.slow
def test_only_a_process_that_is_at_the_job_is_stopped(own, tmp_path):
    there, bystander = mailed(own, tmp_path), subprocess.Popen(["sleep", "60"])
    code = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # whoever starts these tests with & has it ignored
    code = f"import signal, sys, time, assay\nfrom assay.pipelines.jobs import job_files\n{code}"
    code += "\nwith job_files.claim_job(assay.Bench(sys.argv[1]), 'mine'): print(flush=True); time.sleep(9)"
    worker = subprocess.Popen(
        [sys.executable, "-c", code, there.path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert worker.stdout.readline() == b"\n"
        (job,) = job_files.list_jobs(there)
        for pid in (bystander.pid, -1, 0, 1, 2**70):
            job_files.stop_job(there, job | dict(pid=pid))
        time.sleep(0.2)
        assert bystander.poll() is None and worker.poll() is None
        job_files.stop_job(there, job)
        assert worker.wait(20) != 0 and [j["state"] for j in job_files.list_jobs(there)] == [
            "stopped"
        ]
    finally:
        bystander.kill()
        worker.kill()
        bystander.wait()
        worker.wait()


@pytest.mark.parametrize(
    "said, word",
    [
        (b"4711", "process 4711"),
        (b"1; rm -r ~", "another process"),
        (b"\xff\x1b[2J", "another process"),
    ],
)
def test_a_lock_names_its_holder_by_a_number_or_not_at_all(tmp_path, monkeypatch, said, word):
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    (tmp_path / ".lock").write_bytes(said.ljust(40))
    with open(tmp_path / ".lock") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BenchBusy, match=f"held by {word}\n") as refused:
            locks.acquire(tmp_path / ".lock")
    assert ("ps -p 4711" in refused.value.hint) == (word == "process 4711") and "rm" not in str(
        refused.value
    )
