"""WebDataset shards: what is asked, what is refused, and what an export looks like to webdataset's own reader."""

import io
import json
import tarfile
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import webdataset

import assay
from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats import shard_export
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.json_text import replace_field
from assay.curation.formats.preview import preview_source
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version, write_in_place
from assay.curation.media.containers import tar_index
from assay.curation.media.originals import iter_bytes, read_bytes
from tests.helpers import bench_of, digits, png, run_assay


def picture(i):
    return png(np.full((8, 8, 3), (i * 37) % 256))


def tar(path, members, **how):
    """A tar of (name or TarInfo, bytes)."""
    with tarfile.open(path, "w", **how) as t:
        for name, blob in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(blob)
            t.addfile(info, io.BytesIO(blob))
    return path


def shard(path, n=6, **cells):
    """A shard of n samples; cells: ending -> what the i-th has there."""
    rows = [("png", picture), *cells.items()]
    return tar(path, [(f"s{i}.{e}", make(i)) for i in range(n) for e, make in rows])


def member(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


GOOD = [
    (f"s{i}.{e}", b) for i in range(4) for e, b in (("png", picture(i)), ("cls", b"%d" % (i % 2)))
]


def hostile(folder):
    """{what is wrong, as it is refused: a tar}"""

    def one(name, *more, **how):
        return tar(folder / f"{name}.tar", [*GOOD, *more], **how)

    yield "is a link", one("symlink", (member("a.png", tarfile.SYMTYPE, "/etc/passwd"), b""))
    yield "is a link", one("hardlink", (member("a.png", tarfile.LNKTYPE, "s0.png"), b""))
    yield "is a device", one("device", (member("a.png", tarfile.CHRTYPE), b""))
    yield "is a pipe", one("pipe", (member("a.png", tarfile.FIFOTYPE), b""))
    yield "leaves the folder", one("absolute", ("/tmp/evil.png", b"x"))
    yield "leaves the folder", one("up", ("a/../../evil.png", b"x"))
    yield "leaves the folder", one("backslash", ("..\\evil.png", b"x"))
    yield "twice", one("twice", ("s0.png", b"x"))
    sparse = tarfile.TarInfo("bomb.png")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": str(1 << 50)}
    yield "sparse", one("sparse", (sparse, b"0\n"), format=tarfile.PAX_FORMAT)
    liar = tarfile.TarInfo("liar.png")
    liar.pax_headers = {"size": str(10 << 40)}
    yield "cut short", one("liar", (liar, b"x"), format=tarfile.PAX_FORMAT)
    whole = one("whole").read_bytes()
    (folder / "cut.tar").write_bytes(whole[: whole.index(b"s3.png") + 530])
    yield "cut short", folder / "cut.tar"
    (folder / "joined.tar").write_bytes(whole + whole)
    yield "joined", folder / "joined.tar"
    at = whole.index(b"s2.png")
    (folder / "rot.tar").write_bytes(whole[:at] + b"S" + whole[at + 1 :])
    yield "damaged at byte", folder / "rot.tar"
    (folder / "text.tar").write_bytes(b"no tar at all" * 100)
    yield "expected a folder or a file", folder / "text.tar"
    (folder / "zeros.tar").write_bytes(bytes(10240))
    yield "expected a folder or a file", folder / "zeros.tar"
    yield "cannot be read", one("json", ("s0.json", b"[" * 100_000))
    yield "more than 1,048,576", one("long json", ("s0.json", b"{" + b" " * (2 << 20) + b"}"))
    yield "no object", one("list", ("s0.json", b"[1, 2]"))
    yield (
        "a.tar, which may hold more",
        tar(folder / "nested.tar", [("c/1.png", b"x"), ("d/a.tar", whole)]),
    )


def test_hostile_tars_are_refused_in_words(tmp_path):
    bench = assay.create(tmp_path / "bench")
    count = 0
    (tmp_path / "tars").mkdir()
    for word, path in hostile(tmp_path / "tars"):
        status, _, err = run_assay("import", path, "-b", bench.path)
        assert status == 2 and word in err and "hint: " in err, (path.name, err)
        count += 1
    assert count == 19 and not len(bench.state())


def test_an_endless_list_of_members_takes_little(tmp_path, monkeypatch):
    monkeypatch.setattr(tar_index, "MOST_MEMBERS", 1_000)
    path = tar(tmp_path / "many.tar", [(f"{i}.png", b"") for i in range(1_500)])
    tracemalloc.start()
    with pytest.raises(UserError, match="more than 1,000 files"):
        read_source(path)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_a_shard_whose_writer_was_stopped_is_read_and_said(tmp_path):
    path = shard(tmp_path / "a.tar", cls=lambda i: b"%d" % (i % 2))
    end = path.read_bytes().rstrip(b"\0")
    path.write_bytes(end + bytes(-len(end) % 512))
    source = read_source(path)
    assert len(source.frame) == 6 and any("no end mark" in note for note in source.notes)


@pytest.mark.parametrize(
    "cells, word",
    [
        (dict(txt=lambda i: b"a photograph of %d cats" % i), "captions are no classes"),
        (dict(json=lambda i: b'{"boxes": [[1, 2, 3, 4]], "id": %d}' % i), "--label-column FIELD"),
        (dict(json=lambda i: b'{"labels": ["a", "b"]}'), "several labels"),
        (dict(cls=lambda i: b"1,%d" % i), "several labels"),
        (dict(json=lambda i: b"{"), "cannot be read"),
        (dict(cls=lambda i: b"\xff\xfe"), "cannot be read"),
    ],
)
def test_what_is_no_class_is_refused_and_imported_as_pictures(tmp_path, cells, word):
    path = shard(tmp_path / "a.tar", **cells)
    status, _, err = run_assay("import", path, "-b", tmp_path / "bench")
    assert status == 2 and word in err
    if "cannot" not in word:
        source = read_source(path, ImportOptions(pictures_only=True))
        assert len(source.frame) == 6 and source.frame.label.isna().all()


def test_two_labels_that_differ_and_two_images_are_asked(tmp_path):
    path = shard(
        tmp_path / "a.tar",
        json=lambda i: json.dumps({"label": f"n{i % 2}", "category": f"c{i % 3}"}).encode(),
    )
    with pytest.raises(AmbiguousSource) as e:
        read_source(path)
    assert [r.option for r in e.value.readings] == [
        "--label-column label",
        "--label-column category",
    ]
    source = read_source(path, ImportOptions(dict(label="category")))
    assert list(source.frame.label) == [f"c{i % 3}" for i in range(6)]
    assert source.frame.meta[0] == {"label": "n0"}
    path = shard(tmp_path / "b.tar", cls=lambda i: b"%d" % (i % 2), **{"seg.png": picture})
    with pytest.raises(AmbiguousSource, match="--image-column seg.png"):
        read_source(path)
    source = read_source(path, ImportOptions(dict(image="png")))
    assert [read_bytes(u) for u in source.frame.uri] == [picture(i) for i in range(6)]
    assert [u.ending for u in source.unread] == [".seg.png"]


def test_braces_folders_and_names_of_shards(tmp_path):
    for split, n in (("train", 2), ("val", 1)):
        for i in range(n):
            (tmp_path / "s" / split).mkdir(parents=True, exist_ok=True)
            shard(tmp_path / "s" / split / f"{i:06}.tar", cls=lambda i: b"%d" % (i % 3))
    (tmp_path / "s" / "classes.json").write_text('{"0": "ape", "1": "bee", "2": "cow"}')
    (tmp_path / "s" / "sizes.json").write_text("{}")
    source = read_source(tmp_path / "s")
    assert source.frame["split"].value_counts().to_dict() == {"train": 12, "val": 6}
    assert source.classes == ["ape", "bee", "cow"] and "classes.json" in source.roles["label"]
    assert [u.first for u in source.unread] == ["sizes.json"]
    braces = read_source(tmp_path / "s" / "train" / "{000000..000001}.tar")
    assert len(braces.frame) == 12
    with pytest.raises(UserError, match="1 missing"):
        read_source(tmp_path / "s" / "train" / "{000000..000002}.tar")


def test_a_new_class_gets_a_number_and_a_label_that_goes_its_member(tmp_path):
    root = tmp_path / "s"
    root.mkdir()
    shard(root / "0.tar", 8, cls=lambda i: b"%d" % (i % 2))
    shard(root / "1.tar", 8, cls=lambda i: b"%d" % (i % 2)).touch()
    (root / "classes.txt").write_bytes(b"ape\r\nbee\r\n")
    untouched = (root / "1.tar").read_bytes()
    bench = assay.create(tmp_path / "bench").add(root, who="ann", progress=False)
    frame = bench.frame().sort_values("key")
    first, second, third = frame.index[:3]
    bench.edit(pd.DataFrame(dict(sample=[first], label=["cow"])), who="ann", new_classes=["cow"])
    bench.edit(pd.DataFrame(dict(sample=[third], keep=[False])), who="ann")
    write_in_place(bench)
    assert (root / "classes.txt").read_bytes() == b"ape\r\nbee\r\ncow\r\n"
    assert (root / "1.tar").read_bytes() == untouched
    rows = list(webdataset.WebDataset(str(root / "0.tar"), shardshuffle=False))
    assert [r["__key__"] for r in rows] == ["s0", "s1", "s3", "s4", "s5", "s6", "s7"]
    assert rows[0]["cls"] == b"2" and rows[1]["cls"] == b"1" and rows[0]["png"] == picture(0)


def test_a_source_that_changed_since_is_not_patched(tmp_path):
    path = shard(tmp_path / "a.tar", cls=lambda i: b"%d" % (i % 2))
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    i = bench.frame().index[bench.frame().key == "s0"][0]
    bench.edit(pd.DataFrame(dict(sample=[i], label=["1"])), who="ann")
    shard(path, cls=lambda i: b"%d" % (2 - i % 2))
    before = path.read_bytes()
    with pytest.raises(UserError, match="changed since"):
        write_in_place(bench)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "old, new",
    [
        ('{"label": "a", "x": 1.50}', '{"label": "b", "x": 1.50}'),
        (
            '\ufeff{ "x":[{"label":"a"}],\r\n"label"\t:\t"a"}\n',
            '\ufeff{ "x":[{"label":"a"}],\r\n"label"\t:\t"b"}\n',
        ),
        ('{"x": 1}', '{"label": "b", "x": 1}'),
        ("{}", '{"label": "b"}'),
        ('{"label": 1, "label": 2}', '{"label": 1, "label": "b"}'),
    ],
)
def test_a_field_is_replaced_and_nothing_beside_it(old, new):
    assert replace_field(old.encode(), "label", "b").decode() == new


@pytest.mark.slow
def test_an_export_is_read_by_webdataset_and_is_the_same_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_export, "MOST_SAMPLES", 20)
    bench = bench_of(digits(90), tmp_path / "digits")
    for name in ("one", "two"):
        export_version(bench, tmp_path / name, format="webdataset")
    shards = sorted((tmp_path / "one").glob("*.tar"))
    assert [s.name for s in shards if "train" in s.name] == [f"train-{i:06}.tar" for i in range(3)]
    assert all(s.read_bytes() == (tmp_path / "two" / s.name).read_bytes() for s in shards)
    names = (tmp_path / "one" / "classes.txt").read_text().splitlines()
    frame = bench.frame()
    seen = 0
    for row in webdataset.WebDataset([str(s) for s in shards], shardshuffle=False).decode():
        sample = frame.loc[row["__key__"]]
        assert names[row["cls"]] == sample.label == row["json"]["label"]
        assert row["__url__"].split("/")[-1].startswith(sample["split"])
        assert row["png"] == read_bytes(sample.uri)
        seen += 1
    assert seen == len(frame) == 90


def test_many_members_are_read_in_one_pass(tmp_path):
    path = shard(tmp_path / "a.tar", 50, cls=lambda i: b"%d" % (i % 2))
    uris = [f"{path}::s{i}.png" for i in range(50)][::-1] + [f"{path}::none.png"]
    found = dict(iter_bytes(uris))
    assert all(found[i] == picture(49 - i) for i in range(50))
    assert "has no member" in str(found[50])


def test_a_dry_run_says_how_shards_are_read(tmp_path):
    path = shard(tmp_path / "train-0.tar", cls=lambda i: b"%d" % (i % 2))
    out = preview_source(path)
    assert out["format"] == "webdataset" and out["splits"] == {"train": 6}
    assert "classes are numbers" in " ".join(out["notes"]) and ".cls" in out["roles"]["label"]


def test_a_sample_without_its_cls_gets_one_beside_its_json(tmp_path):
    path = shard(
        tmp_path / "a.tar",
        cls=lambda i: b"%d" % (i % 2),
        json=lambda i: b'{"patient": "p%d", "part": "train"}' % (i // 2),
    )
    rows = [
        (m.name, read_bytes(f"{path}::{m.name}")) for m in tar_index.index_tar(str(path)).members
    ]
    tar(path, [row for row in rows if row[0] != "s3.cls"])
    columns = dict(group="patient", split="part")
    source = read_source(path, ImportOptions(columns))
    assert list(source.frame.group) == [f"p{i // 2}" for i in range(6)]
    assert "part (train 6)" in source.roles["split"]
    bench = assay.create(tmp_path / "bench").add(path, columns=columns, who="ann", progress=False)
    state = bench.state()
    (sample,) = state.index[state.key == "s3"]
    assert state.label[sample] is None or state.label.isna()[sample]
    bench.edit(pd.DataFrame(dict(sample=[sample], label=["1"])), who="ann")
    write_in_place(bench)
    rows = {r["__key__"]: r for r in webdataset.WebDataset(str(path), shardshuffle=False)}
    assert rows["s3"]["cls"] == b"1" and rows["s3"]["json"] == b'{"patient": "p1", "part": "train"}'
    with pytest.raises(UserError, match="--group-column takes"):
        read_source(path, ImportOptions(dict(group="pat")))


def test_a_manifest_of_samples_in_a_tar_is_read_again(tmp_path):
    path = shard(tmp_path / "a.tar", 12, cls=lambda i: b"%d" % (i % 2))
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    out = export_version(bench, tmp_path / "out")
    again = assay.create(tmp_path / "again").add(tmp_path / "out", who="ann", progress=False)
    assert export_version(again, tmp_path / "twice")["tree"] == out["tree"]


def test_names_with_further_dots_keep_their_labels(tmp_path):
    rows = [("png", picture), ("cls", lambda i: b"%d" % (i % 2))]
    names = [(f"img.{i:03}.{e}", make(i)) for i in range(6) for e, make in rows]
    source = read_source(tar(tmp_path / "a.tar", names))
    assert source.format == "webdataset" and source.unread == []
    assert dict(source.frame.label.value_counts()) == {"0": 3, "1": 3}
    assert "img.000" in source.frame.key[0] and "further dots" in str(source.notes)
    views = [(f"{i}.left.png", picture(i)) for i in range(4)]
    views += [(f"{i}.cls", b"%d" % (i % 2)) for i in range(4)]
    found = read_source(tar(tmp_path / "b.tar", sorted(views))).frame
    assert list(found.key) == ["0", "1", "2", "3"], "webdataset's own rule, where it finds a label"
