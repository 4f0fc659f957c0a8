"""Shards in a bucket: one request each, none kept, and every fault is right or in words."""

import io
import logging
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats.write import export_version
from assay.curation.media import remote, remote_client, remote_tables
from assay.curation.media.files import BadMedia, content_hash
from assay.curation.media.originals import iter_bytes, read_bytes
from assay.curation.media.remote_cache import RemoteCache
from assay.curation.media.remote_shards import ShardReader
from assay.curation.storage.shards import Shards
from assay.curation.system.scratch import scratch_folder
from tests.helpers import ROOT, png
from tests.remote_servers import put_folder, watched_s3, web_server

SHARDS, EACH = 4, 30
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PAUSE", 0.01)


def make_tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, blob in members:
            told = tarfile.TarInfo(name)
            told.size = len(blob)
            tar.addfile(told, io.BytesIO(blob))
    return out.getvalue()


def make_pictures(seed, channels=3):
    rng = np.random.default_rng(seed)
    return [png(rng.integers(0, 256, (24, 24, channels))) for _ in range(EACH)]


def write_shards(folder, channels=3):
    """Write WebDataset shards, and the names of their numbered classes."""
    folder.mkdir(parents=True)
    for k in range(SHARDS):
        members = []
        for i, blob in enumerate(make_pictures(k, channels)):
            name = f"{k}-{i:03}"
            members += [(f"{name}.png", blob), (f"{name}.cls", str(i % 3).encode())]
        (folder / f"train-{k:03}.tar").write_bytes(make_tar(members))
    (folder / "classes.txt").write_text("ape\nbee\ncat\n")
    return folder


def write_tables(folder):
    """Write Parquet shards with images, labels, and large bytes that nobody needs."""
    folder.mkdir()
    rng = np.random.default_rng(9)
    for k in range(SHARDS):
        frame = pd.DataFrame(
            dict(
                image=make_pictures(k),
                label=[("ape", "bee")[i % 2] for i in range(EACH)],
                mask=[rng.bytes(50_000) for _ in range(EACH)],
            )
        )
        frame.to_parquet(folder / f"part-{k:03}.parquet", row_group_size=10)
    return folder


@pytest.fixture
def shards(tmp_path):
    return write_shards(tmp_path / "shards")


def add(bench, source, **options):
    return bench.add(source, who="ann", progress=False, **options)


def facts(bench):
    state = bench.state()
    return state[["key", "label", "split", "content_hash"]].sort_values("key").values.tolist()


def pixels(bench):
    stored = Shards(bench.arrays / "pixels")
    return dict(zip(stored.index["hash"], zip(stored.index["height"], stored.index["width"])))


def sent(watch, ending=".tar"):
    return sum(r.sent for r in watch.of(ending))


@pytest.mark.daily
def test_a_folder_of_tars_takes_one_request_a_shard(shards, tmp_path, monkeypatch):
    here = add(assay.create(tmp_path / "here"), shards)
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards, prefix="shards/")
        watch.requests.clear()
        there = add(assay.create(tmp_path / "there"), "s3://photos/shards/")
        assert Counter(r.key for r in watch.of(".tar")) == {
            f"photos/shards/train-{k:03}.tar": 1 for k in range(SHARDS)
        }
        assert facts(there) == facts(here) and pixels(there) == pixels(here)
        size = sum(f.stat().st_size for f in shards.glob("*.tar"))
        assert sent(watch) == size
        assert RemoteCache().measure()["bytes"] < size / 20, "what lies here is an index"
        assert not list(scratch_folder().glob("shards-*/*"))
        watch.requests.clear()
        before = there.state()
        add(there, "s3://photos/shards/")
        assert watch.of(".tar") == [], "the listing says that they are the same"
        pd.testing.assert_frame_equal(there.state(), before)


def test_an_original_is_one_range_and_an_export_one_request_a_shard(shards, tmp_path, monkeypatch):
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)
        bench = add(assay.create(tmp_path / "bench"), "s3://photos/train-{000..003}.tar")
        state = bench.state()
        assert set(state.label) == {"ape", "bee", "cat"}, (
            "classes.txt beside them names the numbers"
        )
        watch.requests.clear()
        row = state.iloc[17]
        blob = read_bytes(row.uri)
        assert content_hash(blob) == row.content_hash
        assert [(r.method, r.sent) for r in watch.requests] == [("GET", len(blob))]
        watch.requests.clear()
        export_version(bench, tmp_path / "out", format="folders", copy=True)
        assert len(watch.requests) == SHARDS
        hashes = {content_hash(f.read_bytes()) for f in (tmp_path / "out").rglob("*.png")}
        assert hashes == set(state.content_hash)


def test_an_exported_manifest_is_read_again(shards, tmp_path, monkeypatch):
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards, prefix="a@b/")
        bench = add(assay.create(tmp_path / "bench"), "s3://photos/a@b")
        manifest = export_version(bench, tmp_path / "out")
        watch.requests.clear()
        again = add(assay.create(tmp_path / "again"), tmp_path / "out" / "manifest.csv")
        assert export_version(again, tmp_path / "out2")["tree"] == manifest["tree"]
        assert len(watch.requests) == SHARDS


def test_parquet_takes_two_requests_a_shard_and_the_columns_that_are_needed(tmp_path, monkeypatch):
    tables = write_tables(tmp_path / "tables")
    monkeypatch.setattr(remote_tables, "TAIL", 16 << 10)
    monkeypatch.setattr(remote_tables, "GAP", 4 << 10)
    here = add(assay.create(tmp_path / "here"), tables, columns=dict(image="image"))
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, tables)
        watch.requests.clear()
        there = add(assay.create(tmp_path / "there"), "s3://photos", columns=dict(image="image"))
        assert facts(there) == facts(here) and pixels(there) == pixels(here)
        # a footer, and of each of three row groups what lies before the masks
        assert len(watch.of(".parquet")) == 4 * SHARDS
        size = sum(f.stat().st_size for f in tables.iterdir())
        assert sent(watch, ".parquet") < 0.1 * size
        state = there.state()
        for uris, most in ((state.uri[40:41], 2), (state.uri[41:42], 1), (state.uri, 4 * SHARDS)):
            watch.requests.clear()
            found = dict(iter_bytes(uris))
            hashes = there.state().content_hash[uris.index]
            assert [content_hash(found[i]) for i in range(len(uris))] == list(hashes)
            assert len(watch.requests) <= most


def test_transparent_images_are_laid_on_the_background_that_all_need(tmp_path, monkeypatch):
    shards = write_shards(tmp_path / "shards", channels=4)
    here = add(assay.create(tmp_path / "here"), shards)
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)
        watch.requests.clear()
        there = add(assay.create(tmp_path / "there"), "s3://photos")
        assert facts(there) == facts(here) and pixels(there) == pixels(here)
        assert len(watch.of(".tar")) == 2 * SHARDS, "all are seen before one can be converted"


def test_a_tar_of_class_folders_is_read_as_the_tar(tmp_path, monkeypatch):
    pictures = [p for k in range(3) for p in make_pictures(k)]
    rows = [f"all/{i:03}.png,{'abc'[i % 3]},{'train' if i % 5 else 'val'}" for i in range(90)]
    table = "\n".join(["file,label,split", *rows]).encode()
    members = [(f"{i % 3}/{i:03}.png", blob) for i, blob in enumerate(pictures)]
    (tmp_path / "folders.tar").write_bytes(make_tar(members))
    members = [(f"all/{i:03}.png", blob) for i, blob in enumerate(pictures)]
    (tmp_path / "listed.tar").write_bytes(make_tar([*members, ("labels.csv", table)]))
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, tmp_path)
        for name in ("folders.tar", "listed.tar"):
            watch.requests.clear()
            there = add(assay.create(tmp_path / f"there-{name}"), f"s3://photos/{name}")
            here = add(assay.create(tmp_path / f"here-{name}"), tmp_path / name)
            assert facts(there) == facts(here) and pixels(there) == pixels(here)
            assert [r.method for r in watch.requests] == ["HEAD", "GET"]


@pytest.mark.daily
def test_shards_of_hugging_face_and_texts_need_their_columns_alone(tmp_path, monkeypatch):
    folder = tmp_path / "set"
    folder.mkdir()
    for k in range(2):
        cells = [dict(bytes=blob, path=None) for blob in make_pictures(k)]
        frame = pd.DataFrame(dict(image=cells, label=[("ape", "bee")[i % 2] for i in range(EACH)]))
        frame.to_parquet(folder / f"train-{k:05}-of-00002.parquet")
    texts = pd.DataFrame(
        dict(text=[f"word {i} and more of them" for i in range(40)], label=["a", "b"] * 20)
    )
    texts.to_parquet(tmp_path / "texts.parquet")
    with watched_s3(monkeypatch) as (client, _):
        put_folder(client, tmp_path)
        for name in ("set", "texts.parquet"):
            there = add(assay.create(tmp_path / f"there-{name}"), f"s3://photos/{name}")
            here = add(assay.create(tmp_path / f"here-{name}"), tmp_path / name)
            assert facts(there) == facts(here)
        uris = assay.open(tmp_path / "there-set").state().uri
        assert all(isinstance(blob, bytes) for _, blob in iter_bytes(uris))


def test_what_is_in_doubt_is_asked_after_the_first_shard(tmp_path, monkeypatch):
    folder = tmp_path / "shards"
    folder.mkdir()
    for k in range(20):
        pairs = [(f"{k}-{i}", blob) for i, blob in enumerate(make_pictures(k))]
        members = [m for name, b in pairs for m in ((f"{name}.a.png", b), (f"{name}.b.png", b))]
        members += [(f"{name}.cls", b"ape") for name, _ in pairs]
        (folder / f"{k:03}.tar").write_bytes(make_tar(members))
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, folder)
        watch.requests.clear()
        with pytest.raises(AmbiguousSource, match="one image a sample"):
            add(assay.create(tmp_path / "bench"), "s3://photos")
        assert len(watch.of(".tar")) < 12, "those that were on their way"


# ---- faults


def test_throttling_is_waited_for_and_a_cut_answer_goes_on_where_it_broke(
    shards, tmp_path, monkeypatch
):
    monkeypatch.setattr(remote_client, "PATIENCE", 0.5)
    here = add(assay.create(tmp_path / "here"), shards)
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)
        troubles = {"000.tar": "503 SlowDown", "001.tar": "cut", "002.tar": "slow"}
        watch.requests.clear()
        watch.trouble = lambda method, key, times: times < 1 and troubles.get(key[-7:]) or ""
        there = add(assay.create(tmp_path / "there"), "s3://photos")
        assert facts(there) == facts(here) and pixels(there) == pixels(here)
        counts = Counter(r.key[-7:] for r in watch.of(".tar"))
        assert counts == {"000.tar": 2, "001.tar": 2, "002.tar": 2, "003.tar": 1}
        first, second = watch.of("001.tar")
        # what was on its way when it broke is lost, and nothing before it
        assert 0 < second.first_byte <= first.sent


@pytest.mark.daily
def test_a_bucket_that_throttles_for_ever_is_named(shards, tmp_path, monkeypatch):
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        watch.trouble = lambda method, key, times: "503 SlowDown" if "002" in key else ""
        bench = assay.create(tmp_path / "bench")
        with pytest.raises(UserError, match="train-002.tar was not sent .*503.*4 times"):
            add(bench, "s3://photos")
        assert not bench.file.exists()


def test_a_shard_that_changes_under_way_is_not_made_of_two_halves(shards, tmp_path, monkeypatch):
    other = make_tar([(f"x-{i}.png", blob) for i, blob in enumerate(make_pictures(77))])
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)

        def change(method, key, times):
            if method == "GET" and key.endswith("002.tar"):
                if times == 1:
                    client.put_object(Bucket="photos", Key="train-002.tar", Body=other)
                return "" if times else "cut"
            return ""

        watch.trouble = change
        bench = assay.create(tmp_path / "bench")
        with pytest.raises(UserError, match=r"train-002.tar has changed .*import"):
            add(bench, "s3://photos")
        assert not bench.file.exists(), "nothing half-imported"
        add(bench, "s3://photos")
        assert sum(key.startswith("train-002.tar/x") for key in bench.state().key) == EACH


def test_a_shard_that_changed_since_is_named_and_not_read(shards, tmp_path, monkeypatch):
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)
        bench = add(assay.create(tmp_path / "bench"), "s3://photos")
        blob = (shards / "train-000.tar").read_bytes()
        client.put_object(Bucket="photos", Key="train-001.tar", Body=blob)
        state = bench.state()
        found = dict(iter_bytes(state.uri))
        bad = [state.key.iloc[i] for i, b in found.items() if isinstance(b, BadMedia)]
        assert len(bad) == EACH and all(key.startswith("train-001.tar") for key in bad)
        with pytest.raises(UserError, match="train-001.tar.*has changed .*import its source again"):
            export_version(bench, tmp_path / "out", format="folders", copy=True)
        assert not (tmp_path / "out").exists()
        watch.requests.clear()
        add(bench, "s3://photos", yes=True)
        assert [r.key for r in watch.of(".tar")] == ["photos/train-001.tar"], "the others are known"


def test_a_bucket_that_may_not_be_listed_is_read_by_names_or_refused(shards, tmp_path, monkeypatch):
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)
        watch.trouble = lambda method, key, times: (
            "" if key.endswith(".tar") else "403 AccessDenied"
        )
        bench = assay.create(tmp_path / "bench")
        with pytest.raises(UserError, match="s3://photos.* may not be read .403"):
            add(bench, "s3://photos")
        assert not bench.file.exists()
        watch.requests.clear()
        add(bench, "s3://photos/train-{000..003}.tar")
        assert [r.status for r in watch.of(".tar")] == [200] * SHARDS
        watch.requests.clear()
        add(bench, "s3://photos/train-{000..003}.tar")
        assert [r.status for r in watch.of(".tar")] == [304] * SHARDS and sent(watch) == 0
        watch.trouble = lambda method, key, times: "403 AccessDenied"
        with pytest.raises(UserError, match="train-000.tar may not be read .403"):
            add(bench, "s3://photos/train-{000..003}.tar")


@pytest.mark.parametrize("code", ["403 AccessDenied", "400 ExpiredToken"])
def test_credentials_that_run_out_stop_the_import_which_goes_on_later(
    code, shards, tmp_path, monkeypatch
):
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)
        watch.trouble = lambda method, key, times: (
            code if key.endswith(("002.tar", "003.tar")) else ""
        )
        bench = assay.create(tmp_path / "bench")
        with pytest.raises(UserError, match="may not be read") as refused:
            add(bench, "s3://photos", skip_bad=True)
        assert "2 shards were read" in str(refused.value) and not bench.file.exists()
        assert ("expired" in str(refused.value)) == ("Expired" in code)
        watch.trouble = lambda method, key, times: ""
        watch.requests.clear()
        add(bench, "s3://photos")
        assert sorted(r.key[-7:] for r in watch.of(".tar")) == ["002.tar", "003.tar"]
        assert len(bench.state()) == SHARDS * EACH


def test_a_missing_and_a_truncated_shard_are_named(shards, tmp_path, monkeypatch):
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)
        bench = assay.create(tmp_path / "bench")
        watch.requests.clear()
        with pytest.raises(UserError, match="found 2 missing, first s3://photos/train-004.tar"):
            add(bench, "s3://photos/train-{000..005}.tar")
        assert watch.of(".tar") == []
        half = (shards / "train-002.tar").read_bytes()[:20_000]
        client.put_object(Bucket="photos", Key="train-002.tar", Body=half)
        with pytest.raises(UserError, match="train-002.tar is cut short"):
            add(bench, "s3://photos")
        assert not bench.file.exists()
        out = add(bench, "s3://photos", skip_bad=True)
        assert len(bench.state()) == (SHARDS - 1) * EACH
        (left,) = bench.rows("select key, reason from left_out")
        assert left[0] == "train-002.tar" and "cut short" in left[1] and out


@pytest.mark.daily
def test_a_killed_import_goes_on_with_the_shards_that_it_read(shards, tmp_path, monkeypatch):
    here = add(assay.create(tmp_path / "here"), shards)
    with watched_s3(monkeypatch) as (client, watch):
        put_folder(client, shards)
        watch.trouble = lambda method, key, times: "hold" if key.endswith("003.tar") else ""
        command = ["import", "s3://photos", "-b", tmp_path / "bench", "--who", "ann"]
        process = subprocess.Popen([sys.executable, "-m", "assay", *map(str, command)], cwd=ROOT)
        reader = ShardReader(())
        names = [reader.keys(f"s3://photos/train-{k:03}.tar")[1] for k in range(3)]
        until = time.monotonic() + 120
        while len(RemoteCache().find(names)) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        watch.hold.set()
        watch.trouble = lambda method, key, times: ""
        time.sleep(0.2)
        watch.requests.clear()
        bench = add(assay.create(tmp_path / "bench"), "s3://photos")
        assert facts(bench) == facts(here) and pixels(bench) == pixels(here)
        assert Counter(r.key[-7:] for r in watch.of(".tar"))["003.tar"] == 1


# ---- other storage


@pytest.mark.parametrize("without_ranges", [False, True])
def test_a_server_on_the_web_may_know_no_parts(without_ranges, shards, tmp_path, monkeypatch):
    write_tables(tmp_path / "tables")
    monkeypatch.setattr(remote_tables, "TAIL", 16 << 10)
    with web_server(tmp_path) as (web, server):
        server.without_ranges = without_ranges
        for source in ("tables/part-000.parquet", "shards/train-000.tar"):
            name = source.rpartition("/")[2]
            columns = dict(image="image") if "tables" in source else {}
            there = add(assay.create(tmp_path / f"{name}-1"), f"{web}/a/{source}", columns=columns)
            here = add(assay.create(tmp_path / f"{name}-2"), tmp_path / source, columns=columns)
            assert there.state().content_hash.to_list() == here.state().content_hash.to_list()
            state = there.state()
            found = dict(iter_bytes(state.uri[5:9]))
            assert [content_hash(found[i]) for i in range(4)] == list(state.content_hash[5:9])


def test_shards_on_the_web_and_in_storage_that_fsspec_alone_knows(shards, tmp_path):
    import fsspec

    (shards / "classes.txt").unlink()
    here = facts(add(assay.create(tmp_path / "here"), shards / "train-001.tar"))
    with web_server(shards) as (web, server):
        bench = add(assay.create(tmp_path / "web"), f"{web}/a/train-001.tar")
        assert facts(bench) == here and len(server.asked) == 1
        found = dict(iter_bytes(bench.state().uri))
        hashes = [content_hash(found[i]) for i in range(EACH)]
        assert hashes == list(bench.state().content_hash) and len(server.asked) == 2
        add(bench, f"{web}/a/train-001.tar")
        assert len(bench.state()) == EACH and server.unchanged == 1
    files = fsspec.filesystem("memory")
    for file in shards.iterdir():
        files.pipe_file(f"/box/{file.name}", file.read_bytes())
    bench = add(assay.create(tmp_path / "memory"), "memory://box")
    assert len(bench.state()) == SHARDS * EACH
    found = dict(iter_bytes(bench.state().uri))
    assert [content_hash(found[i]) for i in range(len(found))] == list(bench.state().content_hash)
