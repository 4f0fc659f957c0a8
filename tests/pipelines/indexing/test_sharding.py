"""A scan by shards: whoever does which shard when, and how often, the result is the same to the last byte."""

import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.features import cell_search, knn
from assay.curation.formats.base import ImportOptions
from assay.curation.issues import text_quality
from assay.curation.storage import stages
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.shards import Shards
from assay.curation.system import extras
from assay.pipelines.embedders.embed import embed_shard
from assay.pipelines.engines import ray as ray_engine
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.sharding import ShardOptions, ShardsLeft
from tests.helpers import DATA, ROOT, copied, digits_bench, run_assay

N = 3
WORDS = "apples bears cars dogs eggs figs goats hats ink jars kites lamps".split()
OPTIONS = ScanOptions(embedder="pixels", sharding=ShardOptions(N))
HOW = "--embedder", "pixels"
silent = lambda line: None  # noqa: E731


def slow_vectors(images):
    """A stand-in for a network: small tiles of the image, and time."""
    time.sleep(0.05)
    n = len(images)
    return images.reshape(n, 4, 8, 4, 8, 3).mean((2, 4)).reshape(n, 48).astype("f4")


slow_vectors.side = 32


def files_of(bench):
    """What a scan leaves, as bytes."""
    names = ("graph.npz", "probe.npz", "opinion.npz", "kernel.npz")
    files = {name: bench.arrays / name for name in names}
    kept = {name: file.read_bytes() for name, file in files.items() if file.exists()}
    shards = [
        file
        for folder in ("embeddings", "quality")
        for file in (bench.arrays / folder).rglob("*.npy")
    ]
    kept |= {str(file.relative_to(bench.arrays)): file.read_bytes() for file in shards}
    issues = bench.query("select kind, sample, score, suggestion, why from issues order by all")
    return kept | dict(issues=issues.to_csv().encode())


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


@pytest.fixture(scope="module")
def unscanned(tmp_path_factory):
    return digits_bench(900, tmp_path_factory.mktemp("unscanned"))


@pytest.fixture(scope="module")
def by_shards(unscanned, tmp_path_factory):
    bench = copied(unscanned, tmp_path_factory.mktemp("by-shards") / "bench")
    scan(bench, OPTIONS, say=silent)
    return bench


def run_shard(bench, i):
    return subprocess.Popen(
        [sys.executable, "-m", "assay", "scan", "--shard", f"{i}/{N}", *HOW, "-b", bench.path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_shards_and_one_piece_differ_by_rounding_alone(unscanned, by_shards, tmp_path):
    whole = copied(unscanned, tmp_path / "bench")
    scan(whole, replace(OPTIONS, sharding=ShardOptions()), say=silent)
    a, b = (load_arrays(bench.arrays / "opinion.npz") for bench in (whole, by_shards))
    assert np.array_equal(a["ids"], b["ids"]) and np.array_equal(a["flagged"], b["flagged"])
    assert abs(a["pred_probs"] - b["pred_probs"]).max() < 1e-6
    assert list(whole.queue(50)["sample"]) == list(by_shards.queue(50)["sample"])


@pytest.mark.slow
def test_texts_in_shards_are_as_odd_as_in_one_piece(tmp_path):
    """What is common is counted over all shards: words, scripts, lengths, openings that many share."""
    news = pd.read_parquet(DATA / "noisyag_news.parquet", columns=["text", "label"])[:400]
    odd = ["<b>now</b> read on", "Привет, это новости о спорте и погоде", "cafÃ© naÃ¯ve", "...."]
    alike = [
        f"Click here to subscribe to our letter number {i} on {w}" for i, w in enumerate(WORDS)
    ]
    more = pd.DataFrame(dict(text=[*odd, *alike, "call 555-123-4567"], label=news.label[0]))
    table = pd.concat([news, more, news[:3]], ignore_index=True).drop_duplicates("text")
    table["split"] = np.where(np.arange(len(table)) % 4, "train", "val")
    table.to_csv(tmp_path / "news.csv", index=False)
    found = []
    for shards in (None, 3):
        bench = assay.create(tmp_path / f"bench {shards}")
        columns = dict(text="text", label="label")
        ingest(bench, tmp_path / "news.csv", "tester", ImportOptions(columns=columns, no_test=True))
        options = ScanOptions(embedder="tfidf", effort=0, sharding=ShardOptions(shards))
        scan(bench, options, say=silent)
        found.append(bench.query("select kind, sample, score, why from issues order by all"))
    kinds = set(found[0].kind)
    assert {"markup", "other_script", "broken_encoding", "empty_text", "boilerplate"} <= kinds
    texts = [rows[rows.kind.isin(text_quality.KINDS)] for rows in found]
    assert texts[0].equals(texts[1]) and len(texts[0]) > 10


@pytest.mark.daily
def test_processes_of_one_shard_each_killed_doubled_and_shuffled(unscanned, by_shards, tmp_path):
    bench, lots = copied(unscanned, tmp_path / "bench"), random.Random(0)
    for _ in range(12):
        order = [*range(1, N + 1), lots.randint(1, N)]  # one of them twice
        lots.shuffle(order)
        for a, b in zip(order[::2], order[1::2]):
            both = [run_shard(bench, a), run_shard(bench, b)]
            if lots.random() < 0.3:
                time.sleep(lots.uniform(1.0, 2.5))
                both[0].send_signal(signal.SIGKILL)
            assert all("error" not in process.communicate()[0] for process in both)
        status, out, err = run_assay("scan", "--merge", "--shards", N, *HOW, "-b", bench.path)
        if status == 0:
            break
        assert status == 1 and "not done" in out and f"--shard I/{N}" in out, err
    assert_equal(files_of(by_shards), files_of(bench))


@pytest.mark.daily
def test_a_stage_of_more_parts_than_shards_is_done_by_the_shards(unscanned, tmp_path, monkeypatch):
    """As the search by cells has, whose parts are of 100,000 samples whatever --shards says."""
    monkeypatch.setattr(knn, "CELLS", 200)
    monkeypatch.setattr(cell_search, "SHARD", 100)
    whole, bench = (copied(unscanned, tmp_path / name) for name in ("whole", "bench"))
    scan(whole, replace(OPTIONS, sharding=ShardOptions(N, engine="local")), say=silent)
    for _ in range(30):
        for only in range(N):
            with pytest.raises(ShardsLeft):
                scan(bench, replace(OPTIONS, sharding=ShardOptions(N, only=only)), say=silent)
        try:
            scan(bench, replace(OPTIONS, sharding=ShardOptions(N, merge=True)), say=silent)
        except ShardsLeft as e:
            assert all(f" {n}" not in str(e).partition("not done:")[2] for n in range(N + 1, 30))
        else:
            break
    names = "neighbours", "distances", "pairs"
    one, other = (load_arrays(b.arrays / "graph.npz", names) for b in (whole, bench))
    assert all(np.array_equal(one[name], other[name]) for name in names)


@pytest.mark.daily
def test_a_cluster_that_loses_a_machine_and_gets_another(unscanned, tmp_path):
    from ray.cluster_utils import Cluster

    options = replace(OPTIONS, embedder=f"{__name__}:slow_vectors", effort=0)
    cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=1))
    nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
    bench, lines = copied(unscanned, tmp_path / "bench"), []

    def lose_one(share, text):
        if "embed" in text and nodes:
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            nodes.clear()
            cluster.add_node(num_cpus=1)

    try:
        sharding = ShardOptions(6, engine="ray", address=cluster.address)
        six = replace(options, sharding=sharding)
        scan(bench, six, say=lines.append, progress=lose_one)
    finally:
        cluster.shutdown()
    local = copied(unscanned, tmp_path / "local")
    scan(local, replace(six, sharding=ShardOptions(6)), say=silent)
    assert not nodes and "4 workers (ray)" in lines[0]
    lost = [line for line in lines if "lost the worker" in line]
    assert len(lost) <= 1 and all("1 shard of" in line for line in lost)
    assert_equal(files_of(local), files_of(bench))
    (folder,) = (bench.arrays / "embeddings").iterdir()
    index = Shards(folder).index["hash"]
    assert len(index) == len(np.unique(index)) == bench.state().content_hash.nunique()


def test_a_damaged_output_is_made_anew(by_shards, tmp_path):
    bench = copied(by_shards, tmp_path / "bench")
    made = [f for f in (bench.arrays / "stages").glob("*.npz") if f.name.count(".") == 1]
    file = min(made)
    blob = bytearray(file.read_bytes())
    blob[len(blob) // 2] ^= 1
    file.write_bytes(blob)
    scan(bench, OPTIONS, say=silent)
    assert load_arrays(file) and "stages" not in str(assay.open(bench.path).check(progress=False))
    assert_equal(files_of(by_shards), files_of(bench))


def test_a_worker_refuses_inputs_of_others_and_stages_of_another_version(by_shards, tmp_path):
    bench = copied(by_shards, tmp_path / "bench")
    files = sorted((bench.arrays / "stages").glob("*.inputs.npz"))
    about = [load_arrays(file).get("about") for file in files]
    first, other = (file for file, said in zip(files, about) if said is not None), files[-1]
    file = next(first)
    digest = file.name.removesuffix(".inputs.npz")
    (bench.arrays / "stages" / f"{digest}.npz").unlink()
    given = load_arrays(file)
    file.write_bytes(other.read_bytes())
    with pytest.raises(UserError, match="expected the inputs of a stage .* found others"):
        stages.run_task(bench.arrays, None, 0, digest)
    given["about"] = np.array(str(given["about"]).replace('"number": 1', '"number": 7'))
    stages.save_arrays(
        stages.input_file(bench.arrays / "stages", again := stages.digest_arrays(given)), **given
    )
    with pytest.raises(UserError, match="expected number 7 of the stage .* found number 1"):
        stages.run_task(bench.arrays, None, 0, again)
    given["about"] = np.array(str(given["about"]).replace("sum_columns", "decompose"))
    stages.save_arrays(
        stages.input_file(bench.arrays / "stages", again := stages.digest_arrays(given)), **given
    )
    with pytest.raises(UserError, match="found number None"):
        stages.run_task(bench.arrays, None, 0, again)


def test_sums_are_a_tree_in_the_order_of_the_shards():
    parts = [dict(x=np.array(0.1 * i)) for i in range(7)]
    a, b, c, d, e, f, g = (part["x"] for part in parts)
    assert stages.add_pairwise(parts)["x"] == ((a + b) + (c + d)) + ((e + f) + g)


@pytest.mark.parametrize(
    "asked, error",
    [
        (["--shard", "4/3"], "expected --shard I/N"),
        (["--shard", "one"], "expected --shard I/N"),
        (["--shards", "0"], "expected 1 shard or more"),
        (["--shard", "1/3", "--shards", "2"], "expected --shard 1/3 alone"),
        (["--shard", "1/3", "--merge"], "expected --shard 1/3 alone"),
        (["--shard", "1/3", "--engine", "ray"], "expected --shard and --merge without an engine"),
        (["--merge"], "expected to know how many shards"),
        (["--engine", "slurm"], "expected an engine, found 'slurm'"),
        (["--shards", "2", "--address", "here:1"], "expected an engine that runs on a cluster"),
        (["--engine", "ray", "--address", "127.0.0.1:1"], "expected a Ray cluster at 127.0.0.1:1"),
    ],
)
def test_what_is_asked_wrongly_is_said(by_shards, capsys, asked, error):
    from assay.pipelines.cli.main import main

    assert main(["scan", *asked, "-b", str(by_shards.path)]) == 2
    assert error in capsys.readouterr().err


@pytest.mark.daily
def test_a_machine_with_another_version_is_named(by_shards, monkeypatch):
    monkeypatch.setattr(ray_engine, "code_digest", lambda: "another")
    bench = assay.open(by_shards.path)
    with pytest.raises(UserError, match="expected this Assay on all machines .* here another"):
        scan(bench, replace(OPTIONS, sharding=ShardOptions(2, engine="ray")), say=silent)


@pytest.mark.slow
def test_where_a_table_of_all_would_not_fit_the_likeliest_classes_come_by_shards(
    by_shards, tmp_path, monkeypatch
):
    from assay.curation.label_quality import probe

    monkeypatch.setattr(probe, "DENSE", 1000)
    one, other = (copied(by_shards, tmp_path / name) for name in ("one", "other"))
    scan(one, replace(OPTIONS, sharding=ShardOptions()), say=silent)
    scan(other, OPTIONS, say=silent)
    a, b, whole = (load_arrays(bench.arrays / "opinion.npz") for bench in (one, other, by_shards))
    assert "pred_probs_at" in a and "pred_probs_at" in b and "pred_probs_at" not in whole
    for top in (a, b):
        probs = np.zeros_like(whole["pred_probs"])
        np.put_along_axis(probs, top["pred_probs_at"], top["pred_probs"], 1)
        assert abs(probs - whole["pred_probs"]).max() < 1e-4
    assert abs(a["score"] - b["score"]).max() < 1e-5


@pytest.mark.daily
def test_neighbours_by_cells_come_by_shards(unscanned, tmp_path, monkeypatch):
    for name in ("CELLS", "EXACT"):
        monkeypatch.setattr(knn, name, 300)
    one, other = (copied(unscanned, tmp_path / name) for name in ("one", "other"))
    scan(one, replace(OPTIONS, sharding=ShardOptions()), say=silent)
    scan(other, OPTIONS, say=silent)
    a, b = (load_arrays(bench.arrays / "graph.npz") for bench in (one, other))
    assert np.array_equal(a["hashes"], b["hashes"]) and a["neighbours"].shape == (
        len(a["hashes"]),
        10,
    )
    assert (a["neighbours"] == b["neighbours"]).mean() > 0.999
    assert np.allclose(a["distances"], b["distances"], atol=1e-3)
    assert np.array_equal(a["pairs"], b["pairs"])


def test_a_missing_extra_and_a_model_that_makes_other_vectors_are_named(by_shards, monkeypatch):
    with pytest.raises(UserError, match="expected pixels to make vectors of another, found pixels"):
        embed_shard(by_shards.arrays, None, 0, "", "pixels", None, "image", "another")
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"expected ray for this.*\n.*assay\[ray\]"):
        scan(by_shards, replace(OPTIONS, sharding=ShardOptions(2, engine="ray")), say=silent)
