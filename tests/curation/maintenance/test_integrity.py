"""A sound bench and every way to damage it: each damage is found, counted, and mended where it is derived; edits never change."""

import json
import os
import subprocess
import sys
import time
from collections import Counter

import duckdb
import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.maintenance import garbage
from assay.curation.maintenance.array_checks import NOTES, check_arrays
from assay.curation.maintenance.integrity import check_bench
from assay.curation.maintenance.repair import repair_bench
from assay.curation.media.source_decoding import decode_source
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.shards import Shards, shard_digest
from assay.pipelines.cli.main import main
from assay.pipelines.experiments import cells, plan, run
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.own_model import OwnModel
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import ROOT, bench_of, digits, open_copy, png

PLAN = plan.check_plan(dict(question="?", versions=["v1"], architectures=["probe"], seeds=2))


def silent(line):
    pass


@pytest.fixture(scope="module")
def files_once(tmp_path_factory):
    """300 digits as class folders, scanned with raw pixels, two runs."""
    folder = tmp_path_factory.mktemp("files")
    for row in digits(300).itertuples():
        place = folder / "digits" / row.split / row.label
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{row.id}.png").write_bytes(row.image)
    bench = assay.create(folder / "bench")
    ingest(bench, folder / "digits", "tester", ImportOptions(audited_test=True))
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    run.run_plan(bench, PLAN, silent)
    return bench


@pytest.fixture
def sound(files_once, tmp_path):
    """A copy of that bench, and of its images."""
    import shutil

    shutil.copytree(files_once.path.parent, tmp_path / "copy")
    bench = open_copy(tmp_path / "copy" / "bench")
    ingest(
        bench, tmp_path / "copy" / "digits", "tester"
    )  # so that its samples are looked for in the copy
    return bench


def kinds(bench):
    """What is wrong with a bench, counted by kind."""
    return Counter(f["kind"] for f in check_bench(bench) if f["kind"] not in NOTES)


def mend(bench):
    """--repair; what is still wrong, by kind. Edits, samples and commits are what they were, to the byte."""
    before = ledger(bench)
    left = Counter(
        f["kind"] for f in repair_bench(bench, check_bench(bench)) if f["kind"] not in NOTES
    )
    assert ledger(bench) == before
    return left


def ledger(bench):
    return [
        bench.rows(f"select * from {table} order by all")
        for table in ("edits", "samples", "commits")
    ]


def flip(file, seed=0):
    """Turn one bit of a file over, at random."""
    blob, rng = bytearray(file.read_bytes()), np.random.default_rng(seed)
    blob[rng.integers(len(blob))] ^= 1 << int(rng.integers(8))
    file.write_bytes(blob)


def direct(bench, *statements):
    """What no verb of ours does: the file changed behind its back."""
    with duckdb.connect(str(bench.file)) as con:
        for statement in statements:
            con.execute(statement)


def some(bench, pattern):
    return sorted(bench.arrays.glob(pattern))[0]


@pytest.mark.slow
def test_a_sound_bench_has_no_findings(bench, sound):
    assert check_bench(bench) == [] == check_bench(sound)
    a, b = sound.state().query("split == 'train'").index[:2]
    sound.edit(
        pd.DataFrame([dict(sample=a, keep="false"), dict(sample=b, verdict="unsure")]), "ann"
    )
    sound.commit("one out", "ann")
    sound.undo(who="ann")
    told = []
    assert (
        check_bench(sound, lambda done, total: told.append((done, total))) == []
        and (300, 300) in told
    )


SHARD = 24 * "[0-9a-f]" + ".npy"
ARRAYS = {
    "embeddings": (f"embeddings/*/{SHARD}", 0),
    "index of embeddings": ("embeddings/*/*.index.npy", 0),
    "pixels": (f"pixels/{SHARD}", 0),
    "index of pixels": ("pixels/*.index.npy", 0),
    "neighbours": ("graph.npz", 0),
    "probe": ("probe.npz", 0),
    "opinion": ("opinion.npz", 0),
    "predictions": ("runs/*.npz", 1),
}
QUICK = ("pixels",)  # the others once a day


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.daily) for n in ARRAYS]
)
def test_one_flipped_bit_is_found_and_mended(sound, name):
    pattern, trained = ARRAYS[name]
    queue, file = sound.queue(50), some(sound, pattern)
    whole = file.read_bytes()
    flip(file, 3)
    found = [f for f in check_bench(sound) if f["kind"] not in NOTES]
    assert (
        [f["kind"] for f in found][-1] == "damaged"
        and file.name.replace(".index", "") in found[-1]["what"]
        and found[-1]["repair"]
    )
    assert mend(sound) == {}
    scan(sound, ScanOptions(embedder="pixels"), say=silent)
    assert check_bench(sound) == [] and sound.queue(50).equals(queue)
    assert run.run_plan(sound, PLAN, silent) == trained, (
        "a run is trained again where its predictions were lost, and only there"
    )
    assert whole in [f.read_bytes() for f in file.parent.glob("*.np[yz]")] or name in (
        "probe",
        "opinion",
        "neighbours",
        "predictions",
    )


@pytest.mark.slow
def test_bits_flipped_anywhere_are_found(sound):
    """A hundred bits in any file of arrays; one that is not found has changed no array (a date inside a zip header)."""
    files = [*sorted(sound.arrays.rglob("*.npy")), *sorted(sound.arrays.rglob("*.npz"))]
    missed = []
    for seed in range(100):
        file = files[seed % len(files)]
        whole, was = file.read_bytes(), load_arrays(file) if file.suffix == ".npz" else None
        flip(file, seed)
        if not [f for f in check_arrays(sound) if f["kind"] == "damaged"]:
            now = load_arrays(file)
            assert (
                was is not None
                and was.keys() == now.keys()
                and all(was[k].tobytes() == now[k].tobytes() for k in was)
            ), (file, seed)
            missed.append(file)
        file.write_bytes(whole)
    assert len(missed) < 10 and check_bench(sound) == []


@pytest.mark.slow
def test_what_is_remembered_of_versions_and_of_the_last_plan_is_what_was_written_or_not_taken(
    sound,
):
    """One digit changed in either is another training, another margin, another verdict."""
    fresh = cells.describe_version(sound, "v1")
    file = sound.arrays / "contents.npz"
    blob = file.read_bytes()
    assert blob.count(fresh["train_tree"].encode("utf-32-le")) == 1, (
        "it is there, and would be read"
    )
    file.write_bytes(
        blob.replace(
            fresh["train_tree"].encode("utf-32-le"), fresh["train_tree"][::-1].encode("utf-32-le")
        )
    )
    assert (
        kinds(sound)["damaged"] == 1
        and cells.describe_version(sound, "v1") == fresh
        and check_bench(sound) == []
    )
    plan.store_plan(sound, PLAN)
    assert plan.last_plan(sound) == PLAN
    file = sound.path / "plan.json"
    file.write_text(file.read_text().replace('"margin": 0.5', '"margin": 5.5'))
    with pytest.raises(UserError, match="not what was written"):
        plan.last_plan(sound)
    file.write_text(json.dumps(PLAN))
    assert plan.last_plan(sound) == PLAN, "an older Assay wrote no digest"


@pytest.mark.slow
def test_cut_short_or_empty_arrays_are_found_and_named_to_who_uses_them(sound):
    file = some(sound, "embeddings/*/*.index.npy")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="assay check --repair"):
        scan(sound, ScanOptions(embedder="pixels"), say=silent)
    (sound.arrays / "graph.npz").write_bytes(b"")
    assert kinds(sound)["damaged"] == 2 and mend(sound) == {}
    with pytest.raises(UserError, match="run: bench.scan"):
        sound.queue()
    scan(sound, ScanOptions(embedder="pixels"), say=silent)
    assert check_bench(sound) == []


@pytest.mark.slow
def test_vectors_that_make_no_sense(sound):
    array = np.full((1, 768), np.nan, "f4")
    Shards(some(sound, "embeddings/*")).append(["0" * 32], array)
    index = np.zeros(1, np.load(some(sound, "pixels/*.index.npy")).dtype)
    index["row"], index["height"], index["width"] = 90, 8, 8
    name = shard_digest(np.zeros(100, "u1"), index)
    save_arrays(sound.arrays / "pixels" / f"{name}.npy", np.zeros(100, "u1"))
    save_arrays(sound.arrays / "pixels" / f"{name}.index.npy", index)
    found = " ".join(f["what"] for f in check_bench(sound))
    assert (
        kinds(sound) == {"damaged": 2}
        and "NaN" in found
        and "outside its array" in found
        and mend(sound) == {}
    )


@pytest.mark.slow
def test_shards_of_an_older_assay_are_read_but_prove_nothing(sound):
    for n, index in enumerate(sound.arrays.rglob("*.index.npy")):
        for file in (index, index.with_name(index.name.replace(".index", ""))):
            file.rename(file.with_name(f"{n:012x}" + "".join(file.suffixes)))
    found = check_bench(sound)
    assert [(f["kind"], f["n"]) for f in found] == [("not verifiable", n + 1)] and kinds(
        sound
    ) == {}
    assert scan(sound, ScanOptions(embedder="pixels"), say=silent) is not None


@pytest.mark.slow
def test_images_that_went_or_changed(sound):
    state = sound.state()
    gone, changed, tested = (
        state.index[state["split"] == split][0] for split in ("train", "val", "test")
    )
    os.unlink(state.uri[gone])
    for sample in (changed, tested):
        with open(state.uri[sample], "wb") as f:
            f.write(png(np.zeros((8, 8))))
    found = check_bench(sound)
    assert [(f["kind"], f["n"], f["repair"]) for f in found] == [
        ("image", 1, None),
        ("image", 2, None),
    ]
    assert (
        state.uri[gone] in found[0]["what"]
        and state.uri[changed] in found[1]["what"]
        and "import" in found[1]["hint"]
    )
    assert mend(sound) == {"image": 2}, "an image is nothing derived"
    sound.edit(pd.DataFrame(dict(sample=[gone, changed], keep="false")), "ann")
    assert [f["n"] for f in check_bench(sound)] == [1], "a sample that is out may be gone"


@pytest.mark.slow
def test_lost_pixels_are_decoded_again_where_the_original_is_what_it_was(sound):
    state = sound.state()
    with open(state.uri.iloc[0], "wb") as f:
        f.write(png(np.zeros((8, 8))))
    flip(some(sound, "pixels/*.index.npy"), 1)
    kinds_before = kinds(sound)
    assert kinds_before["damaged"] == kinds_before["image"] == 1
    assert mend(sound) == {"image": 1, "pixels": 1}
    pixels = next(f for f in check_bench(sound) if f["kind"] == "pixels")
    assert pixels["n"] == (state.content_hash == state.content_hash.iloc[0]).sum()
    assert set(Shards(sound.arrays / "pixels").index["hash"].astype(str)) == set(
        state.content_hash
    ) - {state.content_hash.iloc[0]}
    assert len(list((sound.arrays / "damaged").iterdir())) == 2, (
        "most of a damaged shard may still be good"
    )


@pytest.mark.slow
def test_orphan_rows(sound):
    sample = sound.state().index[0]
    edit = """insert into edits select seq + 1, uid, prev_hash, batch, origin, '{sample}', 'label', '{value}', verdict, who, why, suggested,
        seconds, ts, kind, origin_kind from edits order by seq desc limit 1"""
    direct(
        sound,
        edit.format(sample="nobody", value='"3"'),
        edit.format(sample=sample, value="[3]"),
        "insert into samples (id, source, key, uri, content_hash) select 'unspoken', source, 'k', uri, content_hash from samples limit 1",
        "insert into issues values ('outlier', 'nobody', 0, null, '', 1), ('outlier', 'noone', 0, null, '', 1)",
        "insert into runs select * replace ('ffff' as key, 9 as seed) from runs limit 1",
    )
    found = [f for f in check_bench(sound) if f["kind"] == "orphan"]
    assert {f["what"].split(", first")[0]: bool(f["repair"]) for f in found} == {
        "1 edit of samples that are not there": False,
        "1 sample that no edit speaks of": False,
        "1 value that no field has": False,
        "2 issues of samples that are not there": True,
        "1 run without predictions": True,
    }
    assert kinds(sound)["log"] == 1, "edits that did not come through the log"
    assert mend(sound) == {"log": 1, "orphan": 3} and len(sound.rows("select * from runs")) == 2


@pytest.mark.slow
def test_a_tampered_edit_and_a_tampered_commit(sound):
    direct(
        sound,
        "update edits set value = '\"9\"' where field = 'label' and value <> '\"9\"' and seq < 20",
    )
    assert kinds(sound) == {"log": 1, "commit": 1} == mend(sound)
    direct(
        sound,
        "insert into commits select 'v9', upto + 1000, tree, name, message, who, ts from commits",
    )
    found = [f["what"] for f in check_bench(sound) if f["kind"] == "commit"]
    assert (
        len(found) == 2
        and found[0].startswith("v1 is not what was committed")
        and found[1].startswith("v9 is edit")
    )


@pytest.mark.slow
def test_a_damaged_bench_file_is_a_finding_and_nothing_is_touched(sound):
    sound.file.write_bytes(sound.file.read_bytes()[: 3 * 4096])
    flip(some(sound, "graph.npz"))
    before = {f: f.read_bytes() for f in sound.path.rglob("*.np[yz]")}
    found = check_bench(assay.Bench(sound.path))
    assert [f["kind"] for f in found] == ["file", "damaged"]
    with pytest.raises(UserError):
        repair_bench(assay.Bench(sound.path), found)
    assert before == {f: f.read_bytes() for f in sound.path.rglob("*.np[yz]")}
    assert main(["check", "--repair", "-b", str(sound.path)]) in (1, 2)


@pytest.mark.daily
def test_a_deleted_run_is_trained_again(sound):
    kept = some(sound, "runs/*.npz").read_bytes()
    some(sound, "runs/*.npz").unlink()
    assert (
        kinds(sound) == {"orphan": 1}
        and run.run_plan(sound, PLAN, silent) == 1
        and check_bench(sound) == []
    )
    some(sound, "runs/*.npz").write_bytes(kept[:-200])
    assert (
        kinds(sound) == {"damaged": 1}
        and run.run_plan(sound, PLAN, silent) == 1
        and check_bench(sound) == []
    )
    some(sound, "runs/*.npz").unlink()
    assert (
        mend(sound) == {}
        and len(sound.rows("select * from runs")) == 1
        and run.run_plan(sound, PLAN, silent) == 1
    )


def litter(bench, tmp_path):
    """What killed and abandoned work leaves behind: {reason: bytes}."""
    source = tmp_path / "never"
    source.mkdir()
    for i in range(3):
        (source / f"{i}.png").write_bytes(png(np.full((9, 9), i)))
    frame = pd.DataFrame(dict(key=range(3), uri=[str(source / f"{i}.png") for i in range(3)]))
    before = set(bench.arrays.rglob("*"))
    decode_source(frame, Shards(bench.arrays / "pixels"), 128)  # an import that never ended
    never = set(bench.arrays.rglob("*")) - before
    Shards(bench.arrays / "embeddings" / "other").append(["0" * 32], np.zeros((1, 4), "f4"))
    save_arrays(bench.arrays / "runs" / "abc.npz", probs=np.zeros(3))
    old = [bench.arrays / "graph.npz.12345678.tmp", bench.arrays / "pixels" / ("0" * 24 + ".npy")]
    for file in old:
        file.write_bytes(b"half")
        os.utime(file, (time.time() - 3600,) * 2)
    for file in old:
        (file.parent / ("1" + file.name)).write_bytes(b"being written")  # but young
    size = lambda files: sum(f.stat().st_size for f in files)  # noqa: E731
    return {
        "pixels of samples that were never imported": size(never),
        "embeddings other, of neither the last scan nor a run": size(
            (bench.arrays / "embeddings" / "other").glob("*")
        ),
        "predictions of no run": size([bench.arrays / "runs" / "abc.npz"]),
        "left unfinished": 8,
    }


@pytest.mark.slow
def test_gc_frees_what_nothing_needs_and_nothing_else(sound, tmp_path):
    before, needed = ledger(sound), set(sound.arrays.rglob("*"))
    expected = litter(sound, tmp_path)
    littered = set(sound.arrays.rglob("*"))
    assert [(f["kind"], f["n"]) for f in check_bench(sound) if f["kind"] != "open"] == [
        ("leftover", 2)
    ]  # of the umask's mode, as the test made them
    would = garbage.collect_garbage(sound, dry_run=True)
    assert (
        would["freed"] == expected
        and would["files"] == 7
        and set(sound.arrays.rglob("*")) == littered
    )
    assert garbage.collect_garbage(sound) == would and garbage.collect_garbage(sound)["bytes"] == 0
    left = {f.name for f in set(sound.arrays.rglob("*")) - needed}
    assert left == {"1graph.npz.12345678.tmp", "1" + "0" * 24 + ".npy"} and needed <= set(
        sound.arrays.rglob("*")
    )
    assert ledger(sound) == before and set(kinds(sound)) <= {"open"}
    said = []
    scan(sound, ScanOptions(embedder="pixels"), say=said.append)
    assert said[0].startswith("embed       0 of 300") and run.run_plan(sound, PLAN, silent) == 0


@pytest.mark.slow
def test_embeddings_that_a_run_was_trained_on_stay(sound, tmp_path):
    scan(
        sound,
        ScanOptions(
            own=OwnModel(
                None,
                pd.DataFrame(
                    np.random.default_rng(0).normal(size=(300, 5)), index=sound.state().index
                ),
                True,
            )
        ),
        say=silent,
    )
    assert set(garbage.collect_garbage(sound)["freed"]) == {
        "judges of scans with other settings"
    }, "two runs name pixels-16"
    direct(sound, "delete from runs")
    for file in (sound.arrays / "runs").glob("*.npz"):
        os.utime(file, (time.time() - 3600,) * 2)
    assert {f["kind"]: f["n"] for f in check_bench(sound)} == {"leftover": 2}
    assert (
        garbage.collect_garbage(sound)["files"] == 4
        and not (sound.arrays / "embeddings" / "pixels-16").exists()
        and check_bench(sound) == []
    )


@pytest.mark.slow
def test_a_pixel_shard_that_is_partly_needed_stays(sound):
    index = some(sound, "pixels/*.index.npy")
    kept = np.load(index)
    array = np.load(index.with_name(index.name.replace(".index", "")))
    extra = kept[:1].copy()
    extra["hash"] = b"f" * 32
    both = np.concatenate([kept, extra])
    Shards(sound.arrays / "pixels").append(
        both["hash"], array, both["height"], both["width"], both["row"]
    )
    found = garbage.collect_garbage(sound)
    assert (found["freed"], found["bytes"], found["files"], found["partly"]) == ({}, 0, 0, 1)


@pytest.mark.daily
@pytest.mark.slow
def test_gc_and_repair_wait_for_an_import_and_a_check_does_not_mind_it(sound, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        dict(
            image=[png(rng.integers(0, 255, (9, 9))) for _ in range(2000)], label=["3", "4"] * 1000
        )
    )
    table.to_parquet(tmp_path / "t.parquet")
    script = """
import sys, assay
from assay.curation.formats.base import ImportOptions
from assay.pipelines.indexing.ingest import ingest
def step(done, total):
    print(done, flush=True)
    sys.stdin.readline()
ingest(assay.open(sys.argv[1]), sys.argv[2], "child", ImportOptions(refreeze_test=True), step)
"""
    command = [sys.executable, "-c", script, str(sound.path), str(tmp_path / "t.parquet")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as child:
        child.stdout.readline()
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "2000\n"  # decoded, and not in the log yet
        assert len(list((sound.arrays / "pixels").glob("*.index.npy"))) == 2
        assert check_bench(sound) == []
        with pytest.raises(UserError, match="found an import"):
            garbage.collect_garbage(sound)
        with pytest.raises(UserError, match="found an import"):
            repair_bench(sound, [])
        child.stdin.write("\n")
        child.stdin.flush()
    assert child.returncode == 0 and len(sound.state()) == 2300
    assert garbage.collect_garbage(sound)["files"] == 0 and [
        (f["kind"], f["n"]) for f in check_bench(sound)
    ] == [("unscanned", 2000)]


@pytest.mark.slow
def test_the_verbs(sound, capsys):
    def run_assay(*words):
        status = main([*words, "-b", str(sound.path)])
        return status, capsys.readouterr().out

    status, out = run_assay("check")
    assert status == 0 and out.startswith("sound: ") and "next: assay status" in out
    flip(some(sound, "graph.npz"), 1)
    status, out = run_assay("check")
    assert (
        status == 1 and "arrays/graph.npz is damaged" in out and "next: assay check --repair" in out
    )
    status, out = run_assay("check", "--repair")
    assert (
        status == 0
        and "repaired, and checked again" in out
        and "next: assay scan --embedder pixels" in out
    )
    assert run_assay("scan", "--embedder", "pixels")[0] == 0
    checked = json.loads(run_assay("check", "--json")[1])
    assert (checked["code"], checked["sound"], checked["findings"]) == ("done", True, [])
    status, out = run_assay("gc", "--dry-run")
    assert status == 0 and "set aside as damaged" in out and "would free" in out
    assert "freed" in run_assay("gc")[1] and json.loads(run_assay("gc", "--json")[1])["files"] == 0
    assert main(["check", "-b", str(sound.path / "nowhere")]) == 2


@pytest.mark.slow
def test_a_wrong_note_of_what_stands_is_found_and_written_anew(bench):
    bench.commit("first", "ann")
    whole = bench.state()
    with bench.transaction() as con:
        con.execute("update standing set label = label - 3 where n % 2 = 0")
    wrong = assay.open(bench.path)
    assert not wrong.state().label.equals(whole.label), "what stands is read from it"
    found = {f["kind"] for f in check_bench(wrong)}
    assert "standing" in found
    assert repair_bench(wrong, check_bench(wrong)) == [] or all(
        f["kind"] in NOTES for f in check_bench(wrong)
    )
    assert assay.open(bench.path).state().equals(whole)


@pytest.mark.daily
@pytest.mark.slow
@pytest.mark.parametrize("damage", [lambda raw: raw[:50], lambda raw: b"?" * 30 + raw[30:], lambda raw: raw[:45] + b"9" + raw[46:],
    lambda raw: raw[:70] + bytes([raw[70] ^ 1]) + raw[71:], lambda raw: raw.replace(b" ", b"\0")])  # fmt: skip
def test_a_damaged_lock_file_is_named_and_mended(tmp_path, damage):
    """It says where the log ends; what cannot be read there must not switch that watch off in silence."""
    bench = bench_of(digits(12), tmp_path)
    lock = bench.path / ".lock"
    raw = lock.read_bytes()
    lock.write_bytes(damage(raw))
    if damage(raw)[40:] != raw[40:]:
        with pytest.raises(UserError, match="found it damaged"):
            assay.open(bench.path)
        broken = assay.Bench(bench.path)
        found = check_bench(broken)
        assert [f["kind"] for f in found] == ["witness"] and repair_bench(broken, found) == []
    bench.set_rule("majority", "ann")
    assert lock.read_bytes()[:8].strip().isdigit() and len(assay.open(bench.path).state()) == 12


def test_what_review_sessions_began_with_goes_when_they_are_over(tmp_path):
    from assay.curation.maintenance.garbage import SESSION, collect_garbage

    bench = bench_of(digits(12), tmp_path)
    folder = bench.arrays / "sessions"
    folder.mkdir()
    for name, days in (("0" * 16, 0), ("1" * 16, 1.1 * SESSION / 86400)):
        (folder / f"{name}.npz").write_bytes(b"")
        then = time.time() - days * 86400
        os.utime(folder / f"{name}.npz", (then, then))
    collect_garbage(bench)
    assert [f.stem for f in folder.iterdir()] == ["0" * 16]
