"""Zips: hostile ones are refused whole, good ones are what their folder would have been, read in place or handed in."""

import io
import json
import os
import re
import stat
import zipfile

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.formats import uploads, zip_archive, zip_checks
from assay.curation.maintenance.garbage import collect_garbage
from assay.curation.media.originals import read_bytes
from assay.pipelines.cli import output
from assay.pipelines.jobs import job_files, tasks
from tests.browser import browser, workbench
from tests.helpers import digits, folders, png, run_assay


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, bytes)."""
    with zipfile.ZipFile(path, "w", method) as z:
        for name, blob in members:
            z.writestr(name, blob, None if isinstance(name, zipfile.ZipInfo) else method)
    return path


def folder_of(table, top=""):
    return [(f"{top}{r.split}/{r.label}/{r.id}.png", r.image) for r in table.itertuples()]


def info(name, mode=0):
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


def changed(path, old, new):
    """The same file with bytes of its directory changed: what no zip program writes."""
    blob = path.read_bytes()
    assert old in blob
    path.write_bytes(blob.replace(old, new))
    return path


GOOD = [
    (f"{c}/{i}.png", png(np.full((8, 8), 40 * i + 9 * (c == "b")))) for c in "ab" for i in range(3)
]


def hostile(folder):
    """{what is wrong, as it is refused: a zip}"""

    def one(name, *more, **how):
        return zipped(folder / f"{name}.zip", [*GOOD, *more], **how)

    yield "leaves the folder", one("up", ("../evil.png", b"x"))
    yield "leaves the folder", one("deep up", ("a/../../evil.png", b"x"))
    yield "leaves the folder", one("absolute", ("/tmp/evil.png", b"x"))
    yield "leaves the folder", one("drive", ("C:/evil.png", b"x"))
    yield "leaves the folder", one("backslash", ("a\\..\\..\\evil.png", b"x"))
    yield "leaves the folder", changed(one("nul", ("a/evil.png?.exe", b"x")), b"png?", b"png\0")
    yield "is a link", one("link", (info("a/link.png", stat.S_IFLNK | 0o777), b"/etc/passwd"))
    yield (
        "is a link",
        one("folder link", (info("c", stat.S_IFLNK | 0o777), b"/etc"), ("c/evil.png", b"x")),
    )
    yield "is no file", one("pipe", (info("a/pipe.png", stat.S_IFIFO | 0o666), b""))
    yield "neither, first 'a/run.exe'", one("program", ("a/run.exe", b"MZ"))
    yield "neither, first 'inner.zip'", one("nested", ("inner.zip", b"PK"))
    yield "as a file and as a folder", one("both", ("x.png", b"x"), ("x.png/y.png", b"y"))
    yield "another way", one("lzma", method=zipfile.ZIP_LZMA)
    yield "too long a name", one("long", (f"a/{'x' * 300}.png", b"x"))
    yield "found none", zipped(folder / "empty.zip", [("__MACOSX/a/._1.png", b"x")])
    with pytest.warns(UserWarning, match="Duplicate"):
        yield "twice", one("twice", ("a/0.png", b"x"))
    blob = one("encrypted").read_bytes()
    at = blob.index(b"PK\1\2")
    (folder / "encrypted.zip").write_bytes(blob[: at + 8] + b"\1" + blob[at + 9 :])
    yield "is encrypted", folder / "encrypted.zip"
    blob = one("cut").read_bytes()
    (folder / "cut.zip").write_bytes(blob[:-30])
    yield "damaged", folder / "cut.zip"
    (folder / "text.zip").write_bytes(b"no zip at all")
    yield "damaged", folder / "text.zip"
    yield "damaged", altered(one("crc"))
    # two names for the same bytes, as the small bombs that unpack to petabytes have it
    blob = one("overlap").read_bytes()
    first, second = blob.index(b"PK\1\2"), blob.index(b"PK\1\2", blob.index(b"PK\1\2") + 4)
    (folder / "overlap.zip").write_bytes(
        blob[: second + 42] + blob[first + 42 : first + 46] + blob[second + 46 :]
    )
    yield "in the same bytes", folder / "overlap.zip"
    # a member that says it is smaller than it is: what comes out must not be more, and is not what was packed
    liar = one("liar", ("a/bomb.bmp", bytes(5_000_000)))
    yield "damaged", changed(liar, (5_000_000).to_bytes(4, "little"), (500).to_bytes(4, "little"))


def altered(path):
    blob = bytearray(path.read_bytes())
    blob[60] ^= 255
    path.write_bytes(blob)
    return path


def hand_in(bench, path, skip_bad=False):
    """As the page does it."""
    with open(path, "rb") as file:
        return uploads.receive_upload(bench, file, path.name, skip_bad)


@pytest.mark.slow
def test_hostile_zips_are_refused_and_leave_nothing(tmp_path, monkeypatch):
    stored = tmp_path / "zips"
    stored.mkdir()
    bench = assay.create(tmp_path / "bench")
    before = sorted(bench.path.rglob("*"))
    refused = 0
    for word, path in hostile(stored):
        with pytest.raises(UserError, match=re.escape(word)):
            hand_in(bench, path)
        refused += 1
        if path.name != "program.zip":  # read in place, its program is named as not read
            status, _, err = run_assay("import", path, "-b", bench.path)
            assert status == 2 and word in err and "hint: " in err, (path.name, err)
    assert refused == 22
    good = zipped(stored / "good.zip", GOOD)
    for bound, value, word in (
        ("MOST_MEMBERS", 5, "at most 5 members"),
        ("MOST_BYTES", 100, "to declare"),
    ):
        with monkeypatch.context() as m:
            m.setattr(zip_checks if bound == "MOST_MEMBERS" else zip_archive, bound, value)
            with pytest.raises(UserError, match=word):
                hand_in(bench, good)
    left = [p for p in bench.path.rglob("*") if "arrays" not in p.parts]  # what was decoded stays
    assert sorted(left) == before and not bench.rows("select 1 from samples")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bench", "zips"] and not os.path.exists(
        "/tmp/evil.png"
    )


@pytest.mark.slow
def test_what_cannot_be_imported_goes_again_and_what_was_imported_stays(tmp_path):
    path = zipped(
        tmp_path / "cats.zip",
        [*GOOD, ("a/no.png", b"no image"), (".DS_Store", b"x"), ("a/Thumbs.db", b"x")],
    )
    bench = assay.create(tmp_path / "bench")
    there = hand_in(bench, path, True)
    status, _, err = run_assay("import", there, "-b", bench.path)
    assert status == 2 and "a/no.png: is not an image" in err
    assert not list((tmp_path / "bench").glob("uploads"))
    out = imported("--skip-bad", hand_in(bench, path, True), bench=bench.path)
    assert (out["added"], out["left_out"], out["source"], out["kind"]) == (
        6,
        1,
        "cats",
        "class folders",
    )
    files = list((bench.path / "uploads").glob("*/cats/*/*"))
    assert sorted(f.name for f in files) == [
        "0.png",
        "0.png",
        "1.png",
        "1.png",
        "2.png",
        "2.png",
        "no.png",
    ]
    path = zipped(
        tmp_path / "cats.zip", [*GOOD[:5], ("b/9.png", png(np.full((8, 8), 201)))]
    )  # the source has changed
    out = imported("--yes", hand_in(bench, path), bench=bench.path)
    assert (out["added"], out["removed"]) == (1, 1), "a zip of the same name is the same source"
    assert all(map(os.path.isfile, assay.open(bench.path).state().uri)), (
        "what is out can still be looked at"
    )
    (tmp_path / "cats.zip").write_bytes(b"")
    with pytest.raises(UserError, match="damaged"):
        hand_in(bench, tmp_path / "cats.zip")
    assert all(map(os.path.isfile, bench.state().uri))


@pytest.mark.slow
def test_a_zip_at_a_path_is_read_where_it_lies(tmp_path):
    """Nothing of it is unpacked, a damaged member is told by name, and what is no image is told of."""
    members = [*GOOD, ("a/no.png", b"no image"), ("about.docx", b"x"), ("__MACOSX/._x.png", b"x")]
    path = zipped(tmp_path / "cats.zip", members)
    status, _, err = run_assay("import", path, "-b", tmp_path / "bench")
    assert status == 2 and "a/no.png: is not an image" in err
    assert not (tmp_path / "bench" / "assay.duckdb").exists()
    out = imported("--skip-bad", path, bench=tmp_path / "bench")
    assert (out["added"], out["left_out"], out["source"]) == (6, 1, "cats")
    assert [u["ending"] for u in out["unread"]] == [".docx"]
    bench = assay.open(tmp_path / "bench")
    assert not (bench.path / "uploads").exists()
    assert set(bench.state().uri) == {f"{path}::{name}" for name, _ in GOOD}
    assert {read_bytes(uri) for uri in bench.state().uri} == {blob for _, blob in GOOD}


@pytest.mark.slow
def test_a_zip_of_a_parquet_file_is_unpacked(tmp_path):
    table = digits(60)
    blob = io.BytesIO()
    table.to_parquet(blob)
    path = zipped(tmp_path / "digits.zip", [("digits.parquet", blob.getvalue())])
    out = imported("--label-column", "label", path, bench=tmp_path / "bench")
    assert out["added"] == 60 and (tmp_path / "bench" / "uploads").exists()


def imported(*arguments, bench):
    status, out, err = run_assay("import", *arguments, "-b", bench, "--json")
    assert status == 0, err
    return json.loads(out)


@pytest.mark.slow
def test_a_zip_is_what_its_folder_is(tmp_path):
    """Wrapped in a folder or not, split folders or a manifest: the same samples, labels and splits as the folder itself gives."""
    table = digits(60)
    folder = folders(tmp_path / "folder" / "digits", table)
    manifest = pd.DataFrame(
        dict(path="i/" + table.id + ".png", label=table.label, split=table.split)
    ).to_csv(index=False)
    kinds = {
        "wrapped": folder_of(table, "digits/"),
        "twice": folder_of(table, "x/digits/"),
        "bare": folder_of(table),
        "manifest": [
            ("my/list.csv", manifest),
            *((f"my/i/{r.id}.png", r.image) for r in table.itertuples()),
        ],
    }
    want = None
    for kind, members in ({"folder": None} | kinds).items():
        source = folder if members is None else zipped(tmp_path / "digits.zip", members)
        imported(source, bench=tmp_path / kind)
        state = assay.open(tmp_path / kind).state()
        rows = sorted(zip(state.content_hash, state.label, state.split))
        want = want or rows
        assert rows == want and len(rows) == 60, kind
        if kind != "manifest":
            assert set(state.source) == {"digits"} and set(state.key) == {
                n for n, _ in folder_of(table)
            }, kind


def test_a_table_is_kept_beside_the_bench_and_other_files_are_not(tmp_path):
    bench = assay.create(tmp_path / "bench")
    path = uploads.receive_upload(bench, io.BytesIO(b"a,b\n"), "../../my list.csv")
    assert (
        path.name == "my-list.csv"
        and bench.path / "uploads" in path.parents
        and path.read_bytes() == b"a,b\n"
    )
    uploads.discard_upload(bench, path)
    uploads.discard_upload(bench, tmp_path / "other")
    assert not (bench.path / "uploads").exists()
    path = uploads.receive_upload(bench, io.BytesIO(b"a,b\n"), "killed.csv")
    assert collect_garbage(bench)["freed"] == {}, "somebody may be importing it"
    os.utime(path.parent, (0, 0))
    assert (
        collect_garbage(bench)["freed"] == {"handed in and never imported": 4} and not path.exists()
    )
    with pytest.raises(UserError, match=r"\.zip .*\.csv"):
        uploads.receive_upload(bench, io.BytesIO(b"MZ"), "run.exe")


def test_how_far_a_verb_is_can_be_heard(tmp_path, monkeypatch):
    heard = []
    monkeypatch.setattr(output, "LISTENER", lambda often=True, **more: heard.append(more))
    out = imported(zipped(tmp_path / "cats.zip", GOOD), bench=tmp_path / "bench")
    assert (
        heard[0] == dict(share=1.0, text="decoding: 6 of 6")
        and heard[-1]["said"]["added"] == out["added"] == 6
    )


@pytest.mark.daily
def test_an_errand_outlives_its_page_fails_in_words_and_can_be_stopped(tmp_path):
    bench = assay.create(tmp_path / "bench")
    started = tasks.start_task(bench, "import", zipped(tmp_path / "cats.zip", GOOD), "--who", "ann")
    assert [(j["verb"], j["state"]) for j in tasks.list_tasks(bench)] == [("import", "running")]
    with pytest.raises(UserError, match="no other assay import"):
        tasks.start_task(bench, "import", "elsewhere")
    assert started.wait(60) == 0 and tasks.list_tasks(bench) == [] and len(bench.state()) == 6
    assert tasks.start_task(bench, "import", tmp_path / "nothing").wait(60) == 2
    (failed,) = tasks.list_tasks(bench)
    assert (
        failed["state"] == "failed"
        and "found nothing at" in failed["error"]
        and "hint:" in failed["error"]
    )
    job_files.dismiss_job(bench, failed["name"])
    assert tasks.list_tasks(bench) == []
    started = tasks.start_task(bench, "scan", "--embedder", "lite0")
    job_files.stop_job(bench, tasks.list_tasks(bench)[0])
    assert started.wait(60) != 0 and "running" not in {j["state"] for j in tasks.list_tasks(bench)}


@pytest.mark.daily
def test_a_zip_is_handed_in_through_the_page(tmp_path):
    bench = assay.create(tmp_path / "bench")
    table = digits(60)
    with browser() as chrome, workbench(bench.path) as server:
        page = server.page(chrome, "/?who=ann")
        page.get_by_role("tab", name="Upload").click()
        chosen = page.locator('input[type="file"]')
        chosen.set_input_files(zipped(tmp_path / "evil.zip", [*GOOD, ("../evil.png", b"x")]))
        page.get_by_role("button", name="Look at it").click()
        page.get_by_text("leaves the folder that it is unpacked into").wait_for()
        assert not (bench.path / "uploads").exists() and tasks.list_tasks(bench) == []
        chosen.set_input_files(zipped(tmp_path / "digits.zip", folder_of(table)))
        page.get_by_text("evil.zip", exact=True).wait_for(state="detached")
        page.get_by_role("button", name="Look at it").click()
        page.get_by_text("Nothing is imported yet").wait_for(timeout=60_000)
        page.get_by_role("button", name="Import", exact=True).click()
        page.locator(".assay-cards").wait_for(timeout=60_000)
        assert "60" in page.locator(".assay-cards").inner_text()
        page.get_by_role("button", name="Scan").wait_for()
        assert page.foreign == [] and page.failed == []
    state = bench.state()
    assert sorted(zip(state.key, state.label)) == sorted(
        (n, n.split("/")[1]) for n, _ in folder_of(table)
    )
    assert set(bench.rows("select distinct who from edits")) == {("ann",)} and set(
        state.source
    ) == {"digits"}
