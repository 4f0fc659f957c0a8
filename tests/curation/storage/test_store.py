"""What a bench survives, small: writers at once, kills, a full disk, a folder that cannot be written, a file that is damaged."""

import os
import re
import shutil
import subprocess
import sys
import time

import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.maintenance import integrity
from assay.curation.storage import backup, locks
from assay.curation.system import permissions
from assay.curation.system.scratch import hold_folder
from assay.curation.versioning import states
from tests.helpers import ROOT, bench_of, digits, run_assay

sys.path.insert(0, str(ROOT))
from tests.benchmarks.trust import calm, flip, killed, storm  # noqa: E402


def confirm(bench, sample, who="ann"):
    return bench.edit(pd.DataFrame([dict(sample=sample, verdict="confirm")]), who)


@pytest.mark.slow
def test_processes_and_threads_write_at_once_and_nothing_is_lost(bench):
    waits, _ = storm(bench.path, (1, 1, 4), batches=90, edits=5)
    assert len(waits) == 90 and calm(bench.path, 90, 5) == 450


@pytest.mark.daily
def test_killed_at_any_moment_nothing_acknowledged_is_lost(scanned, tmp_path):
    shutil.copytree(scanned.path, tmp_path / "other")
    told = []
    told += killed(scanned.path, tmp_path / "other", 0, most=1.0)
    for seed, what in enumerate(("edit", "commit", "merge", "scan")):
        told += killed(scanned.path, tmp_path / "other", 100 + seed, what, most=0.8, after=1)
    assert {k for k, _ in told} == {"edit", "commit", "merge", "scan"}


CUT = """
import os, signal, sys, pandas, assay
from pathlib import Path

def line(frame, event, _):
    global left
    left -= event == "line"
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return line

for n in range(3, 300, 4):
    if not os.fork():
        left = n
        sys.settrace(lambda frame, event, _: line if frame.f_code.co_filename.endswith(("store.py", "access.py")) else None)
        assay.Bench(Path(sys.argv[1]) / str(n)).create()
        os._exit(0)
    if os.wait()[1] == 0:
        break
print(n)
"""


@pytest.mark.slow
@pytest.mark.daily
def test_making_a_bench_killed_before_any_line_is_done_by_the_next(tmp_path):
    subprocess.run([sys.executable, "-c", CUT, tmp_path], cwd=ROOT, check=True)
    places = sorted(tmp_path.iterdir(), key=lambda p: int(p.name))
    assert len(places) > 5
    for place in places:
        assert len(assay.create(place).state()) == 0 and sorted(os.listdir(place)) == [
            ".lock",
            "assay.duckdb",
        ]


@pytest.mark.slow
def test_what_a_killed_export_or_audit_left_goes_with_the_next_and_half_a_backup_is_named(
    bench, tmp_path
):
    """A folder that is being filled is held by its process; nobody holds one whose process was killed."""
    for verb, more in (("export", ()), ("audit", ("-n", 5))):
        left, other = tmp_path / f".{verb}.partial-1", tmp_path / f".{verb}.partial-2"
        for folder in (left, other):
            (folder / "images").mkdir(parents=True)
        held = hold_folder(other)
        assert run_assay(verb, *more, "-o", tmp_path / verb, "-b", bench.path)[0] == 0
        assert not left.exists() and other.exists() and (tmp_path / verb).is_dir()
        os.close(held)
    bench.commit("", "ann")
    for half in (bench.path / "backups" / "v2.duckdb.partial", bench.path / "assay.duckdb.partial"):
        permissions.touch_file(half).write_bytes(b"half")
        os.utime(half, (time.time() - 3600,) * 2)
    found = integrity.check_bench(bench)
    assert [(f["kind"], f["n"]) for f in found] == [("leftover", 2)]
    assert run_assay("gc", "-b", bench.path)[0] == 0 and integrity.check_bench(bench) == []


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, with mount(options) to change it."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True
        )

    if mount("size=16m").returncode:
        pytest.skip("only root may mount a disk to fill")
    yield place, mount
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_loses_nothing_and_says_so(bench, disk):
    place, _ = disk
    shutil.copytree(bench.path, place / "bench")
    full, samples, told = (
        assay.open(place / "bench"),
        list(bench.state().query("split == 'train'").index),
        [],
    )
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    (place / "ballast").write_bytes(bytes(free - 200_000))
    with pytest.raises(UserError, match="room on the disk") as e:
        for s in samples * 20:
            full.edit(pd.DataFrame([dict(sample=s, verdict="confirm", why="x" * 4000)]), "ann")
            told.append(s)
    assert "free some space" in e.value.hint
    status, out, err = run_assay("undo", "-b", full.path)
    assert status in (0, 2) and "Traceback" not in err
    (place / "ballast").unlink()
    again = assay.open(place / "bench")
    undone = status == 0
    assert (
        len(again.query("select * from edits where batch like 'edit-%'")) >= len(told)
        and again.chain_breaks() == []
    )
    assert again.state().reviewed[told[: len(told) - undone]].all()
    confirm(again, samples[-1])
    assert run_assay("check", "-b", again.path)[0] == 0
    (place / "ballast").write_bytes(
        bytes(os.statvfs(place).f_bavail * os.statvfs(place).f_frsize - 500_000)
    )
    done = again.commit("on a full disk", "ann")
    assert done["new"] and done["backup"].startswith("none"), (
        "the commit stands, and says that it has no copy"
    )


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_can_be_read(bench, disk):
    place, mount = disk
    confirm(bench, bench.state().index[0])
    bench.commit("first", "ann")
    shutil.copytree(bench.path, place / "bench")
    assert mount("remount,ro").returncode == 0
    read, here = assay.open(place / "bench"), ["-b", place / "bench"]
    assert read.state().equals(bench.state()) and len(read.log()) == 2 and read.chain_breaks() == []
    for verb in (
        ["log"],
        ["diff", "v1"],
        ["blame", bench.state().index[0]],
        ["reviewers"],
        ["check"],
        ["gc", "--dry-run"],
    ):
        status, _, err = run_assay(*verb, *here)
        assert status == 0, (verb, err)
    for verb in (
        ["undo"],
        ["commit"],
        ["reviewers", "--rule", "majority"],
        ["revert", "--who", "ann"],
        ["restore"],
    ):
        status, _, err = run_assay(*verb, *here)
        assert status == 2 and "read-only" in err, (verb, err)
    status, _, err = run_assay("merge", place / "bench", "-b", bench.path)
    assert status == 0, "a copy on a disk that cannot be written can be merged from"


DAMAGE = [(how, s) for how, n in (("bit", 5), ("hole", 3), ("end", 3)) for s in range(n)]
# other places, once a day
MORE = [
    (how, s) for how, a, b in (("bit", 5, 12), ("hole", 3, 6), ("end", 3, 5)) for s in range(a, b)
]


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    bench = bench_of(digits(100), tmp_path_factory.mktemp("committed"), audited_test=True)
    bench.commit("first", "ann")
    confirm(bench, bench.state().query("split == 'train'").index[0])
    bench.commit("second", "ann")
    confirm(bench, bench.state().query("split == 'train'").index[1])
    return bench


@pytest.mark.slow
@pytest.mark.parametrize(
    "how, seed", [*DAMAGE, *(pytest.param(*d, marks=pytest.mark.daily) for d in MORE)]
)
def test_a_damaged_file_is_told_made_no_worse_and_the_backup_named(committed, tmp_path, how, seed):
    shutil.copytree(committed.path, tmp_path / "bench")
    bench, whole = assay.Bench(tmp_path / "bench"), committed.state()
    flip(bench.file, seed, how)
    blob = bench.file.read_bytes()
    try:
        bench.verify()
        assert bench.state().equals(whole) and bench.chain_breaks() == [], (
            "what cannot be read is never shown wrong"
        )
        sound = run_assay("check", "-b", bench.path)[0] == 0
    except UserError as e:
        sound = False
        assert "v2.duckdb" in e.hint and re.search(r"assay restore|bench\.restore\(\)", e.hint)
        assert bench.file.read_bytes() == blob, "looking made it no worse"
    if not sound:
        status, out, err = run_assay("check", "-b", bench.path)
        assert status == 1 and "restore" in out, err
        status, out, _ = run_assay("restore", "-b", bench.path)
        assert status == 0 and "1 later edit is not in it" in out
        kept = list((bench.path / "aside").rglob("assay.duckdb"))
        assert len(kept) == 1 and kept[0].read_bytes() == blob, "what stood there is kept"
    again = assay.open(bench.path)
    assert (
        states.hash_tree(again.state("v2")) == again.commits().tree.iloc[1]
        and again.chain_breaks() == []
    )
    confirm(again, again.state().query("split == 'train'").index[2])


@pytest.mark.slow
def test_a_file_that_goes_back_in_time_is_noticed(committed, tmp_path):
    """Somebody copies an old file over the new one, or a disk loses the last writes: the log is sound, and shorter than it was."""
    shutil.copytree(committed.path, tmp_path / "bench")
    bench = assay.Bench(tmp_path / "bench")
    status, _, err = run_assay("restore", "-b", bench.path)
    assert (
        status == 2
        and "found a sound one with 1 edit since v2" in err
        and "assay revert --since v2" in err
    ), "no way to lose work by mistake"
    shutil.copyfile(bench.path / "backups" / "v1.duckdb", bench.file)
    status, _, err = run_assay("status", "-b", bench.path)
    assert status == 2 and "lost 2 acknowledged edits" in err and "v2.duckdb" in err
    assert (
        run_assay("restore", "v1", "-b", bench.path)[0] == 0
        and run_assay("log", "-b", bench.path)[0] == 0
    ), "unless it is meant"
    bench.file.write_bytes(b"")
    status, _, err = run_assay("status", "-b", bench.path)
    assert status == 2 and "the file is empty" in err and "assay restore" in err


@pytest.mark.slow
def test_a_restore_that_is_killed_leaves_no_opinion_of_a_log_that_is_gone(scanned, monkeypatch):
    """Other decisions will stand at the positions that it speaks of. Between file and witness the bench asks to be restored, and nothing is lost."""
    scanned.commit("", "ann")
    samples = scanned.state().query("split == 'train'").index[:9]
    scanned.edit(pd.DataFrame(dict(sample=samples, label="7")), "ann")
    assert scanned.queue(5) is not None and (scanned.arrays / "opinion.npz").exists()

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(backup, "write_tail", dies)
    with pytest.raises(KeyboardInterrupt):
        backup.restore_backup(scanned, "v1")
    monkeypatch.undo()
    assert not (scanned.arrays / "opinion.npz").exists()
    status, _, err = run_assay("status", "-b", scanned.path)
    assert status == 2 and "assay restore" in err
    assert (
        run_assay("restore", "v1", "-b", scanned.path)[0] == 0
        and run_assay("queue", "-b", scanned.path)[0] == 0
    )


@pytest.mark.slow
def test_where_the_file_is_gone_the_way_back_is_named(committed, tmp_path):
    shutil.copytree(committed.path, tmp_path / "bench")
    bench = assay.Bench(tmp_path / "bench")
    bench.file.unlink()
    for verb in ("status", "check"):
        status, _, err = run_assay(verb, "-b", bench.path)
        assert status == 2 and "found it gone" in err and "assay restore" in err
    status, out, _ = run_assay("restore", "-b", bench.path)
    assert (
        status == 0
        and "what stood there" not in out
        and run_assay("status", "-b", bench.path)[0] == 0
    )


@pytest.mark.slow
def test_only_good_backups_are_offered(committed, tmp_path):
    shutil.copytree(committed.path, tmp_path / "bench")
    bench = assay.Bench(tmp_path / "bench")
    for seed in range(40):
        flip(bench.path / "backups" / "v2.duckdb", seed)
    bench.file.write_bytes(b"nonsense")
    assert backup.find_last_good(bench).name == "v1"
    status, _, err = run_assay("restore", "v2", "-b", bench.path)
    assert status == 2 and "v2 damaged" in err and bench.file.read_bytes() == b"nonsense"
    assert "v1: the bench is as it was" in run_assay("restore", "-b", bench.path)[1]
    for seed in range(40):
        flip(bench.path / "backups" / "v1.duckdb", seed)
    bench.file.write_bytes(b"nonsense")
    status, _, err = run_assay("status", "-b", bench.path)
    assert status == 2 and "no good backup" in err


@pytest.mark.slow
def test_three_commits_are_kept_as_backups(bench):
    for i, s in enumerate(bench.state().query("split == 'train'").index[:5]):
        confirm(bench, s)
        assert bench.commit(str(i), "ann")["backup"] == f"v{i + 1}.duckdb"
    assert sorted(f.name for f in (bench.path / "backups").iterdir()) == [
        "v3.duckdb",
        "v4.duckdb",
        "v5.duckdb",
    ]


HOLD = """
import sys, time, assay
bench = assay.open(sys.argv[1])
with bench.connect():
    print("holds", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.mark.slow
def test_who_waits_too_long_is_told_who_holds_the_bench_and_a_killed_holder_holds_nothing(
    bench, monkeypatch
):
    def hold(seconds):
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(bench.path), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert child.stdout.readline() == "holds\n"
        return child

    monkeypatch.setattr(locks, "PATIENCE", 0.5)
    holder = hold(30)
    with pytest.raises(UserError, match=f"held by process {holder.pid}"):
        bench.state()
    holder.kill()
    holder.wait()
    assert confirm(bench, bench.state().query("split == 'train'").index[0])["edits"] == 1
    monkeypatch.setattr(locks, "PATIENCE", 10)
    one, two = hold(1), None
    two = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(bench.path), "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert (
        len(bench.log()) == 2
        and one.wait() == 0
        and two.stdout.readline() == "holds\n"
        and two.wait() == 0
    )


def test_a_view_in_place_of_a_table_is_refused(bench, tmp_path):
    """A bench that somebody mailed: a query in it would run when ours does, with our rights."""
    import duckdb

    shutil.copytree(bench.path, tmp_path / "mailed")
    with duckdb.connect(str(tmp_path / "mailed" / "assay.duckdb")) as con:
        con.execute(
            "alter table samples rename to real; create view samples as select * from real, read_text('/etc/passwd')"
        )
    for verb in (
        ["status", "-b", tmp_path / "mailed"],
        ["merge", tmp_path / "mailed", "-b", bench.path],
    ):
        status, _, err = run_assay(*verb)
        assert status == 2 and "and nothing else" in err and "view samples" in err, err
