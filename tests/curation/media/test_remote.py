"""Images at addresses, from real servers: each fetched once, many at a time, and every fault in words."""

import logging
import os
import time

import numpy as np
import pytest

from assay.curation.errors import UserError
from assay.curation.media import addresses, remote, remote_cache, remote_client
from assay.curation.media.files import BadMedia
from assay.curation.media.originals import iter_bytes, read_bytes
from assay.curation.media.relocation import is_in_place
from tests.helpers import png
from tests.remote_servers import put_folder, s3_server, web_server

SECRET = "X-Amz-Signature=s3cr3t&X-Amz-Expires=60"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, and little patience."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    monkeypatch.setattr(remote_cache.RemoteCache, "since_trim", remote_cache.TRIM_EVERY)
    return tmp_path / "cache" / "remote"


@pytest.fixture
def photos(tmp_path):
    """A folder of 40 pictures of noise, called 0.png and so on."""
    folder, rng = tmp_path / "photos", np.random.default_rng(0)
    folder.mkdir()
    for i in range(40):
        (folder / f"{i}.png").write_bytes(png(rng.integers(0, 256, (8, 8, 3))))
    return folder


def read_all(uris, fresh=False):
    return dict(iter_bytes(uris, fresh))


def test_many_are_fetched_at_a_time_and_each_once(photos):
    with web_server(photos) as (web, server):
        server.slowness = 0.1
        uris = [f"{web}/slow/{i}.png" for i in range(40)] * 2
        began = time.monotonic()
        found = read_all(uris)
        took = time.monotonic() - began
        assert [found[i] for i in range(80)] == [
            (photos / f"{i % 40}.png").read_bytes() for i in range(80)
        ]
        assert len(server.asked) == 40
        assert 8 < server.most <= remote.IN_FLIGHT and took < 40 * 0.1
        assert read_all(uris) == found and len(server.asked) == 40, "they are kept"


def test_a_later_import_asks_whether_they_are_the_same(photos):
    with web_server(photos) as (web, server):
        uri = f"{web}/a/0.png"
        old = read_bytes(uri)
        (photos / "0.png").write_bytes((photos / "1.png").read_bytes())
        os.utime(photos / "0.png", (1, 1))
        assert read_bytes(uri) == old, "nobody asked"
        new = read_all([uri], fresh=True)[0]
        assert new == (photos / "1.png").read_bytes() != old
        assert read_all([uri], fresh=True)[0] == new and len(server.asked) == 3
        assert server.unchanged == 1, "what is the same is not sent again"


FAULTS = {  # path: what is said of it
    "nothing/x.png": "is not there (404)",
    "secret/0.png": "may not be read (403)",
    "inside/0.png": "link-local",
    "short/0.png": "ClientPayloadError",
    "slow/0.png": "timeout",
}


@pytest.mark.parametrize("path", FAULTS)
def test_a_fault_is_said_in_words_and_keeps_the_secret(path, photos, monkeypatch, caplog):
    monkeypatch.setattr(remote_client, "PATIENCE", 0.3)
    with web_server(photos) as (web, server):
        server.slowness = 2
        found = read_all([f"{web}/{path}?{SECRET}", f"{web}/a/1.png"])
    assert FAULTS[path] in str(found[0]) and "s3cr3t" not in str(found[0]) + caplog.text
    assert found[1] == (photos / "1.png").read_bytes(), "the others are read"


def test_what_fails_for_a_moment_is_asked_again(photos):
    with web_server(photos) as (web, server):
        assert read_bytes(f"{web}/shaky/3.png") == (photos / "3.png").read_bytes()
        assert len(server.asked) == 3
        assert read_bytes(f"{web}/moved/a/4.png") == (photos / "4.png").read_bytes()


def test_hosts_that_nobody_has_are_named_once_tried():
    began = time.monotonic()
    found = read_all([f"https://nobody.invalid/{i}.png" for i in range(200)])
    assert all("no host is called nobody.invalid" in str(blob) for blob in found.values())
    closed = read_all(["http://127.0.0.1:9/0.png"])[0]
    assert "cannot be reached" in str(closed)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "uri",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/a.png",
        "http://[::ffff:169.254.169.254]:80/a.png",
        "http://2852039166/a.png",  # 169.254.169.254 as one number
        "http://0xa9fea9fe/a.png",
    ],
)
def test_nothing_is_fetched_from_the_machine_s_own_link(uri):
    blob = read_all([uri])[0]
    assert isinstance(blob, BadMedia)
    assert any(words in str(blob) for words in ("nothing is fetched", "DNS", "is none"))


def test_a_file_without_end_is_stopped(photos, monkeypatch):
    monkeypatch.setattr(remote_client, "MAX_BYTES", 1 << 20)
    with web_server(photos) as (web, server):
        blob = read_all([f"{web}/endless/0.png"])[0]
        assert "is larger than" in str(blob) and server.sent < 50 << 20


def test_a_bucket_is_read_with_the_credentials_that_there_are(photos, monkeypatch):
    with s3_server(monkeypatch) as client:
        put_folder(client, photos)
        uris = [f"s3://photos/{i}.png" for i in range(40)]
        found = read_all([*uris, "s3://photos/none.png", "s3://nobody-has-this/0.png"])
        assert [found[i] for i in range(40)] == [
            (photos / f"{i}.png").read_bytes() for i in range(40)
        ]
        assert "404" in str(found[40]) and "404" in str(found[41])
        client.put_object(Bucket="photos", Key="0.png", Body=b"other")
        assert read_bytes(uris[0]) == found[0]
        assert read_all(uris[:1], fresh=True)[0] == b"other"


def test_what_is_kept_is_bounded_and_believed_by_its_bytes(photos, cache, monkeypatch):
    size = sum(file.stat().st_size for file in photos.iterdir())
    with web_server(photos) as (web, server):
        uris = [f"{web}/a/{i}.png" for i in range(40)]
        read_all(uris)
        (kept,) = [f for f in cache.glob("objects/*/*") if f.read_bytes() == read_bytes(uris[5])]
        kept.write_bytes(b"somebody else's")
        assert read_bytes(uris[5]) == (photos / "5.png").read_bytes(), "fetched again"
        monkeypatch.setenv("ASSAY_REMOTE_CACHE_GB", str(size / 2 / 1e9))
        remote_cache.RemoteCache().trim()
        left = remote_cache.RemoteCache().measure()
        assert 0 < left["files"] < 40 and left["bytes"] <= size / 2
        assert len(read_all(uris)) == 40, "what went is fetched again"


def test_an_address_keeps_no_secret():
    clean = {
        f"https://h/a.png?{SECRET}": "https://h/a.png",
        "https://h/a.png?id=5&sig=x&se=2030&sp=r": "https://h/a.png?id=5",
        "https://h/a.png?se=1&id=5": "https://h/a.png?se=1&id=5",  # no signature: it means something
        "https://ann:pw@h/a.png#x": "https://h/a.png",
        "sftp://ann:pw@h/a@b.png": "sftp://h/a@b.png",
        "https://h/a.png?access_token=x": "https://h/a.png",
        "S3://B/a.PNG": "s3://B/a.PNG",
        "s3://b/a?b#c.png": "s3://b/a?b#c.png",  # of a key in a bucket all of it is the name
    }
    assert {text: addresses.clean_address(text) for text in clean} == clean
    assert addresses.whole_address("https://h/a.png?id=5").endswith("sp=r")


def test_addresses_are_known_from_paths():
    for text in ("s3://b/x", "HTTPS://h/x", "abfss://c@a/x"):
        assert addresses.is_address(text) and is_in_place(text), "nobody asks the network"
    for text in ("C:/x.png", "a/b.png", "a://b", "://x", "/a/http://x"):
        assert not addresses.is_address(text)
    with pytest.raises(UserError, match="hf download"):
        addresses.check_scheme("hf://datasets/a/b")
    with pytest.raises(UserError, match="found zip://"):
        addresses.check_scheme("zip://a")
    with pytest.raises(UserError, match=r"assay\[gcs\]"):
        addresses.check_scheme("gs://b/x")
