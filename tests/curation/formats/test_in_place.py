"""Mending a source in place: killed wherever it may be, nothing is lost, and a second run finishes."""

import errno
import os
import resource
import signal
import subprocess
import sys

import pandas as pd
import pytest

import assay
from assay.curation.errors import UserError
from assay.curation.formats.base import Patch
from assay.curation.formats.in_place import finish_mending, mend_in_place
from assay.curation.formats.patches import list_all_files
from assay.curation.formats.read import read_source
from tests.helpers import ROOT
from tests.layouts.base import make_pictures
from tests.layouts.folders import read_folders, write_class_folders

OLD = {"a/1": b"one", "a/2": b"two", "b/1": b"three", "b/3": b"four", "t.csv": b"old", "c/9": b"x"}
# two swap places, one takes the place of what is removed, and one goes into a new folder
MOVED = {"a/1": "b/1", "b/1": "a/1", "a/2": "c/9", "b/3": "d/3"}
WANT = {"b/1": b"one", "a/1": b"three", "c/9": b"two", "d/3": b"four", "t.csv": b"new"}


def write_old(folder):
    for name, blob in OLD.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(blob)
    return folder


def make_patch():
    return Patch({"t.csv": lambda path: path.write_bytes(b"new")}, MOVED, ["c/9"])


def read(folder):
    return {file: (folder / file).read_bytes() for file in list_all_files(folder)}


def run_and_die(after, job, *arguments):
    """Do a job in a child that kills itself at its n-th change of a name; returns whether it did."""
    child = os.fork()
    if child == 0:
        calls = [0]

        def deadly(call):
            def instead(*args, **options):
                calls[0] += 1
                if calls[0] == after:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **options)

            return instead

        for name in ("replace", "rename", "unlink", "link", "mkdir"):
            setattr(os, name, deadly(getattr(os, name)))
        try:
            job(*arguments)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_wherever_it_is_killed_nothing_is_lost_and_a_second_run_finishes(tmp_path):
    n, died = 0, True
    while died:
        n += 1
        source = write_old(tmp_path / str(n) / "photos")
        died = run_and_die(n, mend_in_place, source, make_patch())
        backup = source.with_name("photos.assay-backup-1")
        if not backup.exists():
            assert read(source) == OLD, f"killed at {n}, before anything was touched"
            mend_in_place(source, make_patch())
        elif died:
            finish_mending(source)
        assert read(source) == WANT, f"killed at {n}"
        assert (backup / "t.csv").read_bytes() == b"old" and (backup / "c/9").read_bytes() == b"x"
        assert finish_mending(source) is None
        assert sorted(os.listdir(source.parent)) == ["photos", "photos.assay-backup-1"]
    assert n > 20, "it was killed at more than twenty places"


def test_killed_twice_it_is_finished_by_the_third(tmp_path):
    for n in range(4, 30, 3):
        source = write_old(tmp_path / str(n) / "photos")
        run_and_die(n, mend_in_place, source, make_patch())
        if source.with_name("photos.assay-backup-1").exists():
            run_and_die(3, finish_mending, source)
            finish_mending(source)
            assert read(source) == WANT


def test_a_killed_export_is_finished_by_the_next(tmp_path):
    source = write_class_folders(tmp_path, make_pictures())
    bench = assay.create(tmp_path / "bench").add(source, who="ann", progress=False)
    frame = bench.frame(split="train").query("label != 'cow'").iloc[:5]
    bench.edit(pd.DataFrame(dict(sample=frame.index, label="cow")), who="ann")
    want = bench.frame().label.value_counts().to_dict()
    story = (
        "import os, sys, signal; from assay.pipelines.cli.main import main; rename, n = os.rename, [0]\n"
        "def deadly(*a):\n n[0] += 1\n"
        " return os.kill(os.getpid(), signal.SIGKILL) if n[0] == 8 else rename(*a)\n"
        "os.rename = deadly; main(sys.argv[1:])"
    )
    command = ["export", "--in-place", "-b", str(tmp_path / "bench")]
    killed = subprocess.run([sys.executable, "-c", story, *command], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(UserError, match="interrupted"):
        read_source(source)
    (done,) = bench.mend_sources()
    assert done["changes"] == 5 and "interrupted" in done["notes"][0]
    assert pd.Series(read_folders(source)).value_counts().to_dict() == want
    before = bench.state()[["label", "split", "keep"]]
    bench.add(source, who="ann", progress=False)
    pd.testing.assert_frame_equal(bench.state()[["label", "split", "keep"]], before)


def test_without_room_nothing_is_touched(tmp_path):
    source = write_old(tmp_path / "photos")
    big = Patch({"t.csv": lambda path: path.write_bytes(bytes(1 << 20))}, MOVED, ["c/9"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(UserError, match="as it was") as refused:
            mend_in_place(source, big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.strerror(errno.EFBIG) in str(refused.value)
    assert read(source) == OLD and os.listdir(tmp_path) == ["photos"]


@pytest.mark.parametrize(
    "patch, word",
    [
        (Patch(moved={"a/none": "b/none"}), "import it again"),
        (Patch(removed=["none"]), "import it again"),
        (Patch(moved={"a/1": "b/3"}), "b/3 taken"),
        (Patch(moved={"a/1": "z", "a/2": "z"}), "z taken"),
    ],
)
def test_what_cannot_be_done_whole_is_not_begun(patch, word, tmp_path):
    source = write_old(tmp_path / "photos")
    with pytest.raises(UserError, match=word):
        mend_in_place(source, patch)
    assert read(source) == OLD and os.listdir(tmp_path) == ["photos"]


def test_links_stay_links_and_lead_where_they_led(tmp_path):
    source = write_old(tmp_path / "photos")
    (tmp_path / "raw").write_bytes(b"raw")
    (tmp_path / "table").write_bytes(b"old")
    (source / "a" / "link").symlink_to("../../raw")
    (source / "l.csv").symlink_to(tmp_path / "table")
    patch = Patch({"l.csv": lambda path: path.write_bytes(b"new")}, {"a/link": "x/y/link"})
    backup = mend_in_place(source, patch)
    assert (source / "x/y/link").is_symlink() and (source / "x/y/link").read_bytes() == b"raw"
    assert (source / "l.csv").is_symlink() and (tmp_path / "table").read_bytes() == b"new"
    assert (backup / "l.csv").read_bytes() == b"old"
