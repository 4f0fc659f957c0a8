"""Sources at addresses: read as they would be on this machine, and nothing fetched that nobody asked for."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
import zipfile

import pandas as pd
import pytest

import assay
from assay.curation.errors import Question, UserError
from assay.curation.formats import uploads
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version, write_in_place
from assay.curation.media import remote
from assay.curation.media.remote_cache import RemoteCache
from tests.helpers import ROOT, run_assay
from tests.layouts.base import make_pictures, pixel_hash
from tests.layouts.folders import write_class_folders, write_split_folders
from tests.remote_servers import put_folder, s3_server, web_server

SECRET = "X-Amz-Signature=s3cr3t"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PAUSE", 0.01)


@pytest.fixture
def photos(tmp_path):
    """30 pictures in class folders, and t.csv beside them."""
    folder = write_class_folders(tmp_path, make_pictures())
    files = sorted(folder.rglob("*.png"))
    rows = dict(
        path=[str(f.relative_to(folder)) for f in files], label=[f.parent.name for f in files]
    )
    pd.DataFrame(rows).to_csv(folder / "t.csv", index=False)
    return folder


def labels_of(bench):
    state = bench.state()
    return dict(zip(state.key, state.label))


def add(bench, source, **options):
    return bench.add(source, who="ann", progress=False, **options)


def test_a_bucket_s_folder_is_read_as_the_folder(tmp_path, monkeypatch):
    local = write_split_folders(tmp_path, make_pictures())
    here = add(assay.create(tmp_path / "here"), local)
    with s3_server(monkeypatch) as client:
        put_folder(client, local, prefix="deep/photos/")
        client.put_object(Bucket="photos", Key="deep/photos/../evil.png", Body=b"x")
        client.put_object(Bucket="photos", Key="deep/photos/train/", Body=b"")
        client.put_object(Bucket="photos", Key="deep/photos-2/other.png", Body=b"x")
        status, out, _ = run_assay(
            "import", "s3://photos/deep/photos/", "-b", tmp_path / "there", "--who", "ann"
        )
        there = assay.open(tmp_path / "there")
        assert status == 0 and "../evil.png" in out and "30 images lie at addresses" in out
        assert labels_of(there) == labels_of(here)
        assert list(there.frame().split) == list(here.frame().split)
        before = there.state()
        add(there, "s3://photos/deep/photos")
        pd.testing.assert_frame_equal(there.state(), before)
        export_version(there, tmp_path / "out", format="folders", copy=True)
        found = {
            pixel_hash(f.read_bytes()): f.parent.name for f in (tmp_path / "out").rglob("*.png")
        }
        assert found == {pixel_hash(p.png): p.label for p in make_pictures()}
        with pytest.raises(UserError, match="nothing is written to addresses"):
            write_in_place(there)


@pytest.mark.daily
def test_a_table_on_the_web_names_images_beside_it(photos, tmp_path):
    with web_server(photos.parent) as (web, server):
        bench = add(assay.create(tmp_path / "bench"), f"{web}/x/photos/t.csv?{SECRET}")
        assert labels_of(bench) == labels_of(add(assay.create(tmp_path / "here"), photos / "t.csv"))
        asked = len(server.asked)
        add(bench, f"{web}/x/photos/t.csv?{SECRET}")
        assert len(bench.state()) == 30 and len(server.asked) == asked + 31, (
            "each is asked for again"
        )
        first = bench.frame(split="train").index[:1]
        bench.edit(pd.DataFrame(dict(sample=first, label=["cow"])), who="ann")
        for file in (tmp_path / "bench").rglob("*"):
            assert not file.is_file() or b"s3cr3t" not in file.read_bytes()


def test_parquet_and_zip_at_an_address(photos, tmp_path, monkeypatch):
    files = sorted(photos.rglob("*.png"))
    table = pd.DataFrame(
        dict(image=[f.read_bytes() for f in files], label=[f.parent.name for f in files])
    )
    table.to_parquet(photos / "all.parquet")
    with zipfile.ZipFile(photos / "all.zip", "w") as archive:
        for f in files:
            archive.write(f, f.relative_to(photos))
    with s3_server(monkeypatch) as client:
        put_folder(client, photos)
        bench = add(assay.create(tmp_path / "bench"), "s3://photos/all.parquet")
        state = bench.state()
        assert re.fullmatch(r"s3://photos/all.parquet::0\+\d+:\w+:3", state.uri.iloc[3])
        assert list(state.label) == list(table.label)
        zipped = add(assay.create(tmp_path / "zipped"), "s3://photos/all.zip")
        assert sorted(zipped.state().label) == sorted(table.label)
        assert all(".zip::" in uri for uri in zipped.state().uri), "a zip is read in place"
        assert [f["kind"] for f in bench.check()] == ["elsewhere"]


def test_addresses_in_a_table_of_this_machine(photos, tmp_path):
    files = sorted(photos.rglob("*.png"))
    with web_server(photos) as (web, server):
        rows = [f"{web}/a/{f.relative_to(photos)}?{SECRET}" for f in files]
        table = pd.DataFrame(dict(image=rows, label=[f.parent.name for f in files]))
        table.to_csv(tmp_path / "list.csv", index=False)
        source = read_source(tmp_path / "list.csv")
        assert server.asked == [], "reading a table asks nobody"
        assert "s3cr3t" not in source.frame.to_json() and "30 images" in source.notes[-1]
        bench = add(assay.create(tmp_path / "bench"), tmp_path / "list.csv")
        frame = add(assay.create(tmp_path / "frame"), table)
        assert labels_of(bench) == labels_of(frame) and len(bench.state()) == 30
        assert all(key.startswith(web) for key in labels_of(bench))
        manifest = export_version(bench, tmp_path / "out")
        again = add(assay.create(tmp_path / "again"), tmp_path / "out" / "manifest.csv")
        assert export_version(again, tmp_path / "out2")["tree"] == manifest["tree"]


def test_bad_rows_are_named_and_the_others_can_be_imported(photos, tmp_path):
    with web_server(photos) as (web, _):
        rows = pd.read_csv(photos / "t.csv")
        rows["path"] = [f"{web}/a/{path}" for path in rows.path]
        rows.loc[:2, "path"] = [
            f"{web}/{kind}/none.png?{SECRET}" for kind in ("a", "secret", "moved")
        ]
        rows.to_csv(tmp_path / "list.csv", index=False)
        bench = assay.create(tmp_path / "bench")
        with pytest.raises(UserError, match="404") as refused:
            add(bench, tmp_path / "list.csv")
        assert "403" in str(refused.value) and "s3cr3t" not in str(refused.value)
        assert not bench.file.exists(), "nothing stays"
        add(bench, tmp_path / "list.csv", skip_bad=True)
        assert len(bench.state()) == 27


def test_a_table_that_was_handed_in_fetches_nothing_unasked(photos, tmp_path):
    with web_server(photos) as (web, server):
        rows = pd.read_csv(photos / "t.csv")
        rows["path"] = [f"{web}/a/{path}" for path in rows.path]
        rows.to_csv(tmp_path / "list.csv", index=False)
        bench = assay.create(tmp_path / "bench")
        with open(tmp_path / "list.csv", "rb") as file:
            path = uploads.receive_upload(bench, file, "list.csv")
        with pytest.raises(Question, match="30"):
            add(bench, path)
        assert server.asked == []
        with open(tmp_path / "list.csv", "rb") as file:
            path = uploads.receive_upload(bench, file, "list.csv")
        add(bench, path, fetch=True)
        assert len(server.asked) == 30


def test_a_file_address_reads_this_machine_and_no_further_than_its_path(photos, tmp_path):
    bench = add(assay.create(tmp_path / "bench"), f"file://{photos}/t.csv")
    assert len(bench.state()) == 30 and not any("://" in uri for uri in bench.state().uri)
    (tmp_path / "secret.png").write_bytes(b"x")
    rows = pd.DataFrame(
        dict(path=[f"file://{tmp_path}/secret.png"] * 2 + ["ape/x"], label=list("aab"))
    )
    rows.to_csv(photos / "evil.csv", index=False)
    with pytest.raises(UserError, match="leaves the manifest's folder"):
        read_source(photos / "evil.csv")
    with web_server(photos) as (web, _):
        rows.path = "../../etc/passwd"
        rows.to_csv(photos / "evil.csv", index=False)
        with pytest.raises(UserError, match="leaves the manifest's folder"):
            read_source(f"{web}/evil.csv")


@pytest.mark.daily
def test_a_killed_import_begins_again_with_what_it_has(photos, tmp_path):
    with web_server(photos) as (web, server):
        rows = pd.read_csv(photos / "t.csv")
        rows["path"] = [f"{web}/slow/{path}" for path in rows.path]
        rows.to_csv(tmp_path / "list.csv", index=False)
        server.hold_after = 10
        command = ["import", tmp_path / "list.csv", "-b", tmp_path / "bench", "--who", "ann"]
        process = subprocess.Popen([sys.executable, "-m", "assay", *map(str, command)], cwd=ROOT)
        until = time.monotonic() + 120
        while len(RemoteCache().find(list(rows.path))) < 10 and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        server.hold_after = None
        bench = add(assay.create(tmp_path / "bench"), tmp_path / "list.csv")
        assert len(bench.state()) == 30 and server.unchanged == 10, "ten were there"
        assert [f["kind"] for f in bench.check()] == ["elsewhere"]
