"""Arrays in a bucket: the same bytes as on a disk, each fetched once by its name, and every fault is right or in words."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest

import assay
from assay import UserError
from assay.curation.errors import Question
from assay.curation.maintenance import bucket_garbage
from assay.curation.maintenance.array_checks import NOTES
from assay.curation.media import remote
from assay.curation.media.base import read_texts
from assay.curation.storage import array_stores
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.sharding import ShardOptions
from tests.app.test_texts import write_texts
from tests.helpers import ROOT, bench_of, copied, digits, digits_bench
from tests.pipelines.indexing.test_sharding import assert_equal, files_of, silent
from tests.remote_servers import watched_s3

N, ADDRESS = 3, "s3://arrays/team"
OPTIONS = ScanOptions(embedder="pixels", sharding=ShardOptions(N))
THERE = replace(OPTIONS, arrays=ADDRESS)
HOW = "--embedder", "pixels"
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """A cache of one's own, and nothing that an earlier test connected."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    monkeypatch.setattr(array_stores, "_stores", {})


@pytest.fixture
def bucket(monkeypatch):
    with watched_s3(monkeypatch) as (client, watch):
        client.create_bucket(Bucket="arrays")
        yield client, watch


@pytest.fixture(scope="module")
def unscanned(tmp_path_factory):
    return digits_bench(600, tmp_path_factory.mktemp("unscanned"))


@pytest.fixture(scope="module")
def here(unscanned, tmp_path_factory):
    """The same scan by shards, on a disk alone."""
    bench = copied(unscanned, tmp_path_factory.mktemp("here") / "bench")
    scan(bench, OPTIONS, say=silent)
    return bench


def asked(watch, method="GET"):
    """How often each object was asked for, by the end of its key; listings left out."""
    found = Counter(r.key for r in watch.requests if r.method == method)
    return {key: n for key, n in found.items() if key.endswith((".npy", ".npz"))}


def lose_cache(bench):
    """Delete what can be fetched."""
    for name in ("embeddings", "quality", "pixels", "decoded", "stages"):
        shutil.rmtree(bench.arrays / name, ignore_errors=True)


def test_a_scan_there_is_a_scan_here_and_what_is_lost_is_fetched_once(
    unscanned, here, tmp_path, bucket
):
    bench, (client, watch) = copied(unscanned, tmp_path / "bench"), bucket
    scan(bench, THERE, say=silent)
    assert_equal(files_of(here), files_of(bench))
    assert asked(watch) == {}, "all that it needs is here"
    stored = {o["Key"]: o["Size"] for o in client.list_objects_v2(Bucket="arrays")["Contents"]}
    assert assay.open(bench.path).status()["arrays"] == ADDRESS
    shards = [f for f in bench.arrays.rglob("*.npy")]
    names = {key.split("/", 2)[2]: size for key, size in stored.items()}
    assert all(names[str(f.relative_to(bench.arrays))] == f.stat().st_size for f in shards)

    lose_cache(bench)
    watch.requests.clear()
    again = assay.open(bench.path)
    scan(again, OPTIONS, say=silent)
    assert_equal(files_of(here), files_of(again))
    assert set(asked(watch).values()) == {1} and asked(watch, "PUT") == {}
    assert not [key for key in asked(watch) if key.endswith(".inputs.npz")], "nothing is done anew"


def run_there(*args, bench, cache=None):
    env = dict(os.environ, ASSAY_CACHE=str(cache)) if cache else None
    return subprocess.run(
        [sys.executable, "-m", "assay", "scan", *map(str, args), *HOW, "-b", bench.path],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_a_scan_in_one_piece_puts_and_fetches_as_well(kind, tmp_path, bucket):
    _, watch = bucket
    table, embedder = (digits(300), "pixels") if kind == "images" else (write_texts(), "tfidf")
    one, options = bench_of(table, tmp_path / "one"), ScanOptions(embedder=embedder)
    other = copied(one, tmp_path / "other")
    scan(one, options, say=silent)
    scan(other, replace(options, arrays=ADDRESS), say=silent)
    assert_equal(files_of(one), files_of(other))
    lose_cache(other)
    shutil.rmtree(other.arrays / "texts", ignore_errors=True)
    watch.requests.clear()
    again = assay.open(other.path)
    sample = again.state().index[0]
    assert again.embeddings().loc[sample].notna().all() and len(again.queue(3))
    scan(again, options, say=silent)
    assert_equal(files_of(one), files_of(again))
    assert set(asked(watch).values()) == {1} and asked(watch, "PUT") == {}
    hashes = one.state().content_hash
    assert read_texts(again, hashes) == read_texts(one, hashes)


@pytest.mark.daily
def test_shards_done_on_machines_that_share_nothing_but_the_bucket(
    unscanned, here, tmp_path, bucket
):
    """Each has a copy of the bench without its arrays; only the one that imported has pixels to begin with."""
    one, two, third = (copied(unscanned, tmp_path / name) for name in ("one", "two", "third"))
    for bench in (one, two):
        shutil.rmtree(bench.arrays)
    for _ in range(12):
        out = run_there("--merge", "--shards", N, "--arrays", ADDRESS, bench=third)
        if out.returncode != 1:
            break
        for i in range(1, N + 1):
            bench = one if i % 2 else two
            cache = tmp_path / f"cache-{bench.path.parent.name}"
            done = run_there("--shard", f"{i}/{N}", "--arrays", ADDRESS, bench=bench, cache=cache)
            assert done.returncode == 0 and "error" not in done.stderr, done.stderr
    assert out.returncode == 0, out.stdout + out.stderr
    assert_equal(files_of(here), files_of(assay.open(third.path)))
    assert not (one.arrays / "probe.npz").exists() and list((one.arrays / "stages").glob("*.npz"))


@pytest.mark.daily
def test_machines_of_a_cluster_need_no_folder_of_the_bench(
    unscanned, here, tmp_path, bucket, monkeypatch
):
    """The bench is opened through a descriptor of this process: no other process finds that path."""
    from ray.cluster_utils import Cluster

    _, watch = bucket
    folder = copied(unscanned, tmp_path / "bench").path.parent
    opened = os.open(folder, os.O_RDONLY)
    cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=0))
    caches = [tmp_path / "node-1", tmp_path / "node-2"]
    try:
        for cache in caches:
            with monkeypatch.context() as node:
                node.setenv("ASSAY_CACHE", str(cache))
                cluster.add_node(num_cpus=1)
        bench, lines = assay.open(f"/proc/self/fd/{opened}/bench"), []
        sharding = ShardOptions(N, engine="ray", address=cluster.address)
        scan(bench, replace(THERE, sharding=sharding), say=lines.append)
    finally:
        cluster.shutdown()
        os.close(opened)
    assert any("2 workers (ray)" in line for line in lines)
    assert_equal(files_of(here), files_of(assay.open(folder / "bench")))
    made = [{f.name for f in cache.glob("arrays/*/stages/*.npz")} for cache in caches]
    assert any(made) and not list((folder / "bench").rglob("*.tmp"))
    most = sum(bool(files) for files in made) + 1  # the nodes, and who merges
    assert max(asked(watch).values()) <= most


@pytest.fixture(scope="module")
def there_once(unscanned, tmp_path_factory):
    """A bench that was scanned with its arrays in a bucket, its cache, and what the bucket holds by key."""
    folder = tmp_path_factory.mktemp("there")
    with pytest.MonkeyPatch.context() as patch, watched_s3(patch) as (client, _):
        patch.setenv("ASSAY_CACHE", str(folder / "cache"))
        patch.setattr(array_stores, "_stores", {})
        client.create_bucket(Bucket="arrays")
        bench = copied(unscanned, folder / "there")
        scan(bench, THERE, say=silent)
        return bench, folder / "cache", {key: read_object(client, key) for key in keys(client)}


@pytest.fixture
def there(there_once, tmp_path, bucket):
    """A bench that was scanned with its arrays in the bucket."""
    (client, watch), (bench, cache, objects) = bucket, there_once
    for key, body in objects.items():
        client.put_object(Bucket="arrays", Key=key, Body=body)
    shutil.copytree(cache, tmp_path / "cache", dirs_exist_ok=True)
    bench = copied(bench, tmp_path / "there")
    watch.requests.clear()
    return bench


def read_object(client, key):
    return client.get_object(Bucket="arrays", Key=key)["Body"].read()


def keys(client, part=""):
    listed = client.list_objects_v2(Bucket="arrays").get("Contents", [])
    return [o["Key"] for o in listed if part in o["Key"]]


def test_throttling_cut_and_slow_answers_change_nothing(there, here, bucket, monkeypatch):
    _, watch = bucket
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    lose_cache(there)
    (there.arrays / "graph.npz").unlink()
    troubles = ["503 SlowDown", "cut", "", "500 InternalError", ""]
    numbers = {}

    def trouble(method, key, times):
        n = numbers.setdefault(key, len(numbers))
        return troubles[n % 5] if times == 0 and method in ("GET", "PUT") else ""

    watch.trouble, watch.times = trouble, Counter()
    scan(there, OPTIONS, say=silent)
    assert_equal(files_of(here), files_of(there))
    assert {r.status for r in watch.requests} >= {503, 500, 206}, "a cut answer goes on"


def test_a_scan_that_was_killed_while_it_put_a_file_goes_on(unscanned, here, tmp_path, bucket):
    (client, watch), bench = bucket, copied(unscanned, tmp_path / "bench")
    held = []

    def hold_output(method, key, times):
        output = method == "PUT" and "/stages/" in key and ".inputs" not in key
        if output and ".shared" not in key and len(held) < 2:
            held.append(key.removeprefix("arrays/"))
            return "hold"
        return ""

    watch.trouble = hold_output
    command = ["-m", "assay", "scan", "--shards", N, "--arrays", ADDRESS, *HOW, "-b", bench.path]
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, start_new_session=True
    )
    until = time.monotonic() + 120
    while not held and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert held and held[0] not in keys(client)
    watch.hold.set()
    time.sleep(0.5)
    client.delete_object(Bucket="arrays", Key=held[0])  # the server may have taken it since
    watch.trouble = lambda method, key, times: ""
    again = assay.open(bench.path)
    scan(again, OPTIONS, say=silent)
    assert_equal(files_of(here), files_of(again))
    assert held[0] in keys(client)


@pytest.mark.daily
def test_what_may_not_be_done_is_said_before_the_work(unscanned, tmp_path, bucket, monkeypatch):
    (client, watch), bench = bucket, copied(unscanned, tmp_path / "bench")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for address, words in (
        ("s3://nobody/x", "expected a bucket at s3://nobody, found none"),
        ("https://example.com/x", "expected object storage for --arrays, found https://"),
        ("/mnt/shared", "expected an address for --arrays"),
    ):
        with pytest.raises(UserError, match=words):
            scan(bench, replace(OPTIONS, arrays=address), say=silent)
    watch.trouble = lambda method, key, times: "403 AccessDenied" if method == "PUT" else ""
    with pytest.raises(UserError, match="may not be written .403.*right to list, read, write"):
        scan(bench, THERE, say=silent)
    watch.trouble = lambda method, key, times: "403 RequestTimeTooSkewed" if method == "PUT" else ""
    with pytest.raises(UserError, match="clock is wrong by over 15 minutes"):
        scan(bench, THERE, say=silent)
    watch.trouble = lambda method, key, times: "503 SlowDown" if method == "PUT" else ""
    with pytest.raises(UserError, match="was not written .s3://arrays answered 503., 4 times"):
        scan(bench, THERE, say=silent)
    assert assay.open(bench.path).arrays_address is None and not keys(client)
    assert not list(bench.arrays.glob("embeddings/*"))
    watch.trouble = lambda method, key, times: (
        "403 AccessDenied" if method == "PUT" and "/embeddings/" in key else ""
    )
    with pytest.raises(UserError, match="embeddings.*may not be written .403"):
        scan(bench, THERE, say=silent)


def test_an_endpoint_that_does_not_answer_is_named(there, monkeypatch):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    assert len(there.queue(3)), "what is here is read here"
    with pytest.raises(UserError, match="cannot be listed: s3://arrays cannot be reached"):
        scan(there, OPTIONS, say=silent)
    found = there.check(progress=False)
    assert "are not checked" in str(found)


def test_a_damaged_object_is_named_and_a_damaged_output_done_again(there, here, bucket):
    client, _ = bucket
    vectors = next(k for k in keys(client, "/embeddings/") if not k.endswith(".index.npy"))
    body = bytearray(client.get_object(Bucket="arrays", Key=vectors)["Body"].read())
    body[len(body) // 2] ^= 1
    client.put_object(Bucket="arrays", Key=vectors, Body=bytes(body))
    for key in keys(client, "/stages/")[::2]:
        if key.count(".") == 1 and key.endswith(".npz"):
            client.put_object(Bucket="arrays", Key=key, Body=body)
    lose_cache(there)
    (there.arrays / "probe.npz").unlink()
    with pytest.raises(
        UserError, match="expected .* at s3://arrays.*something else.*\n.*delete it"
    ):
        scan(there, OPTIONS, say=silent)
    assert not list(there.arrays.rglob("*.tmp"))
    client.delete_object(Bucket="arrays", Key=vectors)
    scan(there, OPTIONS, say=silent)
    assert_equal(files_of(here), files_of(there))


@pytest.mark.daily
def test_two_benches_under_one_prefix_leave_each_other_alone(there, here, tmp_path, bucket):
    client, watch = bucket
    other = bench_of(digits(300, seed=5), tmp_path / "other")
    before = set(keys(client))
    scan(other, replace(THERE, sharding=ShardOptions(2)), say=silent)
    mine = set(keys(client)) - before
    assert mine and not {k.split("/")[1] for k in mine} & {k.split("/")[1] for k in before}
    other.gc()
    assert before <= set(keys(client))
    lose_cache(there)
    scan(there, OPTIONS, say=silent)
    assert_equal(files_of(here), files_of(there))


def test_check_knows_both_places_and_repair_makes_them_equal(there, here, bucket):
    client, watch = bucket
    assert not [f for f in there.check(progress=False) if f["kind"] not in NOTES]
    first, second = keys(client, "/pixels/")[:2]
    client.delete_object(Bucket="arrays", Key=first)
    client.put_object(Bucket="arrays", Key=second, Body=b"half")
    file = next(f for f in there.arrays.glob("embeddings/*/*.npy") if ".index" not in f.name)
    blob = bytearray(file.read_bytes())
    blob[-1] ^= 1
    file.write_bytes(blob)
    found = {f["kind"]: f for f in there.check(progress=False)}
    assert found["bucket"]["n"] == 2 and "fetched again from s3://" in found["damaged"]["repair"]
    left = there.check(repair=True, progress=False)
    assert not [f for f in left if f["kind"] not in NOTES], left
    assert {first, second} <= set(keys(client)) and (there.arrays / "probe.npz").exists()
    assert there.embeddings().shape[0] == len(there.state()), "fetched when it is asked for"
    assert_equal(files_of(here), files_of(there))
    lose_cache(there)
    kinds = [f["kind"] for f in there.check(progress=False)]
    assert set(kinds) == {"elsewhere"}, "what lies there alone is no fault"


def test_garbage_goes_there_too_and_what_is_at_work_stays(there, bucket, monkeypatch):
    client, _ = bucket
    assert keys(client, "/stages/") and there.gc()
    assert keys(client, "/stages/"), "a machine may be at work on what was put there today"
    monkeypatch.setattr(bucket_garbage, "STAGES", -1)
    needed = {k for k in keys(client) if "/stages/" not in k}
    freed = there.gc(dry_run=True)["freed"]
    assert any(why.startswith("in s3://arrays") for why in freed) and keys(client, "/stages/")
    there.gc()
    assert set(keys(client)) == needed
    lose_cache(there)
    assert len(there.queue(5)) and there.embeddings().shape[0] == len(there.state())


def test_arrays_are_taken_home(there, here, bucket):
    client, watch = bucket
    lose_cache(there)
    lines = []
    scan(there, replace(OPTIONS, arrays="local"), say=lines.append)
    assert "is not deleted" in lines[0] and assay.open(there.path).arrays_address is None
    watch.requests.clear()
    again = assay.open(there.path)
    scan(again, OPTIONS, say=silent)
    assert watch.requests == [] and keys(client)
    assert_equal(files_of(here), files_of(again))


def test_a_bench_of_somebody_else_puts_nothing_anywhere(there, tmp_path, bucket, monkeypatch):
    _, watch = bucket
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "mine"))
    theirs = assay.open(there.path)
    watch.requests.clear()
    with pytest.raises(Question, match="may go to s3://arrays/team.*\n.*--arrays s3://arrays/team"):
        scan(theirs, OPTIONS, say=silent)
    assert watch.requests == []
    assert "nobody said so on this machine" in str(theirs.check(progress=False))


FULL = """
import resource, sys
import assay
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
assay.open(sys.argv[1]).embeddings()
"""


def test_a_full_disk_is_named_and_nothing_half_is_kept(there):
    lose_cache(there)
    run = [sys.executable, "-c", FULL, there.path]
    out = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert "expected room in" in out.stderr and "nothing half is kept" in out.stderr, out.stderr
    left = [f for f in there.arrays.rglob("embeddings/*/*") if ".index" not in f.name]
    assert left == [], left
    assert there.embeddings().shape[0] == len(there.state())
