"""Who on the same machine may read a bench: nobody else, whatever the umask, while it is made, too; or the group that it was created for."""

import os
import stat
import threading
import time

import pandas as pd
import pytest

import assay
from assay.curation.maintenance import integrity
from assay.curation.system import permissions
from assay.pipelines.cli.main import main
from assay.pipelines.jobs import job_files, tasks
from tests.helpers import bench_of, digits


def found(folder):
    """{mode: [paths]} of all that lies in a folder, and of the folder."""
    out = {}
    for place, _, files in os.walk(folder):
        for path in [place, *(os.path.join(place, f) for f in files)]:
            if not os.path.islink(path):
                out.setdefault(oct(stat.S_IMODE(os.lstat(path).st_mode)), []).append(path)
    return out


@pytest.fixture
def lax():
    """A user whose umask lets everybody read and write."""
    before = os.umask(0)
    yield
    assert os.umask(before) == 0, "the mask is the user's again"


def work(bench, source):
    """A bench with a little of everything in it."""
    from assay.app.server import audit_sheet
    from assay.app.ui import fiftyone_button

    bench.commit("first", "ann")

    audit_sheet.begin_sheet(bench, "ann", 3)
    name = list(audit_sheet.list_open_sheets(bench))[0]
    audit_sheet.save_answer(bench, name, dict(row=1, label="1", verdict=None, seconds=1.0))
    fiftyone_button.write_selection(bench, bench.state().index[:3])
    with job_files.claim_job(bench, "a") as job:
        job.tell(often=False, state="failed")
    tasks.start_task(bench, "import", source).wait()
    bench.edit(
        pd.DataFrame(dict(sample=bench.frame(split="train").index[:1], verdict="confirm")), "ann"
    )


@pytest.mark.slow
def test_all_of_a_bench_is_its_owners_alone_while_it_is_made_too(tmp_path, lax):
    seen, stop = set(), threading.Event()

    def look():
        while not stop.is_set():
            for place, _, files in os.walk(tmp_path / "x" / "bench"):
                for path in (place, *(os.path.join(place, f) for f in files)):
                    try:
                        mode = os.lstat(path).st_mode
                        if mode & 0o077 and not stat.S_ISLNK(mode):
                            seen.add((path, oct(mode)))
                    except OSError:
                        pass
            time.sleep(0.03)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        bench = bench_of(digits(120), tmp_path / "x", audited_test=True)
        work(bench, tmp_path / "x" / "digits.parquet")
    finally:
        stop.set()
        looker.join()
    assert set(found(bench.path)) == {"0o700", "0o600"}, found(bench.path)
    assert not seen, sorted(seen)[:10]
    assert (
        {"assay.duckdb", ".lock", "arrays", "backups", "jobs", "audits"}
        <= set(os.listdir(bench.path))
        <= permissions.OURS
    )
    out = tmp_path / "out"
    assert main(["export", "-o", str(out), "-b", str(bench.path)]) == 0
    assert set(found(out)) == {"0o777", "0o666"}, (
        "what is exported is the user's, and as their umask says"
    )
    assert [f for f in integrity.check_bench(bench) if f["kind"] == "open"] == []


def test_a_bench_of_a_group_is_the_groups_whatever_the_umask(tmp_path):
    source = tmp_path / "digits.parquet"
    digits(60).to_parquet(source)
    before = os.umask(0o077)
    try:
        assert (
            main(
                [
                    "import",
                    str(source),
                    "-b",
                    str(tmp_path / "bench"),
                    "--label-column",
                    "label",
                    "--audited-test",
                    "--group",
                ]
            )
            == 0
        )
        bench = assay.open(tmp_path / "bench")
        bench.commit("first", "ann")
    finally:
        os.umask(before)
    assert set(found(bench.path)) == {"0o2770", "0o660"}, found(bench.path)


def test_a_folder_with_other_things_in_it_is_left_as_it_is(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "notes.txt").write_text("mine")
    os.chmod(tmp_path / "project", 0o755)
    os.chmod(tmp_path / "project" / "notes.txt", 0o644)
    assay.create(tmp_path / "project")
    modes_now = {
        name: oct(stat.S_IMODE(os.stat(tmp_path / "project" / name).st_mode))
        for name in (".", "notes.txt", "assay.duckdb", ".lock")
    }
    assert modes_now == {
        ".": "0o755",
        "notes.txt": "0o644",
        "assay.duckdb": "0o600",
        ".lock": "0o600",
    }


@pytest.mark.parametrize(
    "group, modes_then", [(False, {"0o700", "0o600"}), (True, {"0o2770", "0o660"})]
)
def test_a_bench_that_an_older_assay_left_open_is_closed_when_its_owner_opens_it_and_it_is_said(
    scanned, capsys, group, modes_then
):
    for place, _, files in os.walk(scanned.path):
        os.chmod(place, 0o775 if group else 0o755)
        for file in files:
            os.chmod(os.path.join(place, file), 0o664 if group else 0o644)
    assay.open(scanned.path)
    assert set(found(scanned.path)) == modes_then
    assert (
        f"{scanned.path} can be read by {'its group' if group else 'you'} alone"
        in capsys.readouterr().err
    )
    assay.open(scanned.path)
    assert capsys.readouterr().err == "", "once"
    os.chmod(scanned.file, 0o444)
    assay.open(scanned.path)
    assert oct(stat.S_IMODE(os.stat(scanned.file).st_mode)) == "0o400", (
        "what nobody may write stays so"
    )


@pytest.mark.slow
def test_a_file_that_was_opened_to_others_since_is_named_and_closed(scanned):
    file = scanned.arrays / "graph.npz"
    os.chmod(file, 0o644)
    named = [f for f in integrity.check_bench(scanned) if f["kind"] == "open"]
    assert len(named) == 1 and named[0]["n"] == 1 and "arrays/graph.npz" in named[0]["what"]
    assert main(["check", "--repair", "-b", str(scanned.path)]) == 0
    assert set(found(scanned.path)) == {"0o700", "0o600"} and file.exists()


def test_threads_that_mask_at_once_get_the_strictest_and_give_the_users_mask_back(tmp_path, lax):
    begun, go_on = threading.Event(), threading.Event()

    def other():
        with permissions.limit_umask(0o660):
            begun.set()
            go_on.wait()
            (tmp_path / "alone").touch()

    thread = threading.Thread(target=other)
    with permissions.limit_umask(0o600):
        thread.start()
        begun.wait()
        (tmp_path / "both").touch()
    go_on.set()
    thread.join()
    (tmp_path / "after").touch()
    assert [
        oct(stat.S_IMODE(os.stat(tmp_path / n).st_mode)) for n in ("both", "alone", "after")
    ] == ["0o600", "0o660", "0o666"]
