"""What every format of data sets keeps: it knows its own, and what it writes it reads again."""

import shutil
import zipfile
from pathlib import Path

import pytest

from assay.curation import UserError
from assay.curation.formats.base import (
    ArchiveFormat,
    DecodedFormat,
    ImportOptions,
    ReadableFormat,
    WritableFormat,
    list_formats,
)
from assay.curation.formats.read import find_format, read_source
from assay.curation.formats.write import export_version
from assay.curation.media.files import content_hash
from assay.curation.media.originals import read_bytes


def named(ability):
    return pytest.mark.parametrize("member", list_formats(ability), ids=lambda f: f.name)


def sources(bench, folder):
    """{path: the format it is of, None for what is no source}"""
    (folder / "cats/a").mkdir(parents=True)
    (folder / "cats/a/1.png").write_bytes(b"any")
    (folder / "list.csv").write_text("path,label\n1.png,a\n2.png,b\n")
    (folder / "list.tsv").write_text("path\tlabel\n")
    (folder / "notes.docx").write_bytes(b"PK")
    (folder / "list.json").write_text("{}")
    with zipfile.ZipFile(folder / "cats.zip", "w") as z:
        z.writestr("a/1.png", b"any")
    bench.frame().to_parquet(folder / "any.parquet")
    export_version(bench, folder / "out")
    own = {"cats": "folders", "list.csv": "table", "list.tsv": "table", "any.parquet": "table"}
    own |= {"out": "manifest", "out/manifest.csv": "manifest", "out/manifest.parquet": "manifest"}
    own |= {"cats.zip": "zip", "notes.docx": None, "list.json": None, "nothing.csv": None}
    return {folder / path: name for path, name in own.items()}


def labels_by_content(source):
    frame = source.frame
    hashes = [content_hash(read_bytes(uri)) for uri in frame.uri]
    return {h: (label, split) for h, label, split in zip(hashes, frame.label, frame.split)}


def labels_of(bench):
    frame = bench.frame()
    return dict(zip(frame.content_hash, zip(frame.label, frame["split"])))


@pytest.fixture
def labels(bench):
    return labels_of(bench)


def test_formats_have_names_of_their_own():
    names = [member.name for member in list_formats()]
    assert len(set(names)) == len(names) and names == [n.lower() for n in names]
    assert {"folders", "manifest", "table", "zip"} <= set(names)


@pytest.mark.parametrize(
    "member",
    [*list_formats(ReadableFormat), *list_formats(ArchiveFormat)],
    ids=lambda f: f.name,
)
def test_a_format_says_no_to_what_is_not_its_own(member, bench, tmp_path):
    for path, name in sources(bench, tmp_path / "sources").items():
        match = member.matches(path)
        assert match.answer in ("sure", "maybe", "no") and match.why
        if member.name == name:
            assert match.answer != "no", path
        # the two that are no proof: any folder could hold classes, any table is a table
        elif (member.name, name) not in {("table", "manifest"), ("folders", "manifest")}:
            assert match.answer == "no", path


def test_the_format_that_reads_a_source_is_the_one_it_is_of(bench, tmp_path):
    for path, name in sources(bench, tmp_path / "sources").items():
        if name in ("folders", "manifest", "table", "zip"):
            assert find_format(path).name == name
        else:
            with pytest.raises(
                UserError, match="expected a folder or a file (to import|that ends in)"
            ):
                find_format(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "member",
    # what holds pixels is read by others: see test_torch_file.py
    [f for f in list_formats(WritableFormat) if not isinstance(f, DecodedFormat)],
    ids=lambda f: f.name,
)
@pytest.mark.parametrize("copy", [True, False], ids=["copy", "named"])
def test_what_is_written_is_read_again(member, copy, request, tmp_path):
    bench = request.getfixturevalue("scanned")
    labels = labels_of(bench)
    out = export_version(bench, tmp_path / "out", format=member.name, copy=copy)
    assert out["samples"] == len(bench.frame()) and out["format"] == member.name
    own = member.name if isinstance(member, ReadableFormat) else None  # else of another format
    source = read_source(tmp_path / "out", ImportOptions(format=own))
    assert labels_by_content(source) == labels and source.left_out == []


@pytest.mark.parametrize(
    "member",
    [f for f in list_formats(WritableFormat) if isinstance(f, ReadableFormat)],
    ids=lambda f: f.name,
)
def test_a_source_that_is_read_holds(member, bench, labels, tmp_path):
    """Also with other names for the splits, which are the importer's; see test_layouts for all."""
    export_version(bench, tmp_path / "out", format=member.name, copy=True)
    path = tmp_path / "out"
    listing = member.read(path, ImportOptions())
    batches = [list(batch) for batch in listing.batches]
    rows = [row for batch in batches for row in batch]
    assert listing.format == member.name and listing.name and listing.kind
    assert len(rows) == len({row["key"] for row in rows}) == len(labels)
    assert all({"key", "uri", "label", "split", "meta"} <= set(row) for row in rows)
    source = read_source(path, ImportOptions(split_map={"test": "val"}))
    assert set(source.frame["split"]) == {"train", "val"}


@pytest.mark.slow
@named(ArchiveFormat)
def test_an_archive_is_unpacked_whole_or_not_at_all(member, bench, tmp_path):
    export_version(bench, tmp_path / "out", format="folders", copy=True)
    (tmp_path / "out" / "assay.json").unlink()
    kind = {"zip": "zip", "tar.gz": "gztar"}[member.name]
    packed = Path(shutil.make_archive(tmp_path / "digits", kind, tmp_path / "out"))
    assert member.matches(packed).answer == "sure"
    place = bench.path / "uploads" / "a"
    with open(packed, "rb") as file:
        path = member.unpack(file, packed.name, place / "digits", False)
    assert len(read_source(path).frame) == len(bench.frame())
    packed.write_bytes(packed.read_bytes()[: packed.stat().st_size // 2])
    with open(packed, "rb") as file, pytest.raises(UserError, match="damaged"):
        member.unpack(file, packed.name, bench.path / "uploads" / "b" / "digits", False)
    assert [p.name for p in (bench.path / "uploads").iterdir()] == ["a"]
