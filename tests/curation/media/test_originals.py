"""The bytes of files, of Parquet rows, and of a column."""

import os
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.curation.media import files
from assay.curation.media.containers import read_ahead
from assay.curation.media.files import BadMedia
from assay.curation.media.originals import iter_bytes, read_bytes
from tests.pictures import photo, saved


def test_bytes_of_files_and_of_parquet_rows(tmp_path):
    blobs = [saved(photo(seed=i)) for i in range(700)]
    pq.write_table(
        pa.table({"image": blobs, "thumb": blobs[::-1]}), tmp_path / "a.parquet", row_group_size=300
    )
    hugging = [{"bytes": b, "path": "x"} for b in blobs[:2]] + [{"bytes": None, "path": "x"}, None]
    pq.write_table(pa.table({"img": hugging}), tmp_path / "b.parquet")
    (tmp_path / "c.png").write_bytes(blobs[5])
    a, b = tmp_path / "a.parquet", tmp_path / "b.parquet"
    uris = [
        f"{a}::699",
        f"{tmp_path}/c.png",
        f"{a}::0",
        f"{b}::1",
        f"{a}::0",
        f"{a}::3::thumb",
        f"{a}::301",
    ]
    assert dict(iter_bytes(uris)) == dict(enumerate(blobs[i] for i in (699, 5, 0, 1, 0, 696, 301)))
    assert [read_bytes(uri) for uri in uris[:3]] == [blobs[699], blobs[5], blobs[0]]
    missing = [
        f"{b}::2",
        f"{b}::3",
        f"{a}::700",
        f"{a}::0::label",
        f"{tmp_path}/no.parquet::0",
        f"{tmp_path}/no.png",
        "/",
    ]
    assert all(isinstance(blob, BadMedia) and str(blob) for _, blob in iter_bytes(missing))
    with pytest.raises(BadMedia, match="no such file"):
        read_bytes(f"{tmp_path}/none.png")
    (tmp_path / "cut.parquet").write_bytes(a.read_bytes()[:2000])
    assert "cannot be read" in str(dict(iter_bytes([f"{tmp_path}/cut.parquet::0"]))[0])


def test_a_pipe_is_no_image(tmp_path):
    os.mkfifo(tmp_path / "wait.png")
    assert "is a pipe" in str(dict(iter_bytes([f"{tmp_path}/wait.png"]))[0])  # and did not wait


def test_pieces_that_are_read_ahead_are_those_of_the_file(tmp_path):
    """Small and large ones, near and far, back again, and beyond the end."""
    rng = np.random.default_rng(0)
    blob = rng.bytes(3 * read_ahead.AHEAD + 77)
    (tmp_path / "file").write_bytes(blob)
    with open(tmp_path / "file", "rb", buffering=0) as opened:
        file, at = read_ahead.ReadAhead(opened.fileno()), 0
        for n in range(4_000):
            size = int(rng.integers(0, 9_000 if n % 50 else 2 * read_ahead.AHEAD))
            assert file.read(size, at) == blob[at : at + size], (n, at, size)
            at = int(rng.integers(0, len(blob) + 99)) if n % 40 == 0 else at + size
            at = 0 if at > len(blob) + 99 else at + int(rng.integers(0, 2 * read_ahead.NEAR))


def test_a_file_that_is_called_as_a_member_is_read_itself(tmp_path):
    """Among few members and among many."""
    with zipfile.ZipFile(tmp_path / "cats.zip", "w") as z:
        for i in range(300):
            z.writestr(f"{i}.png", f"member {i}")
    for i in (20, 250):
        (tmp_path / f"cats.zip::{i}.png").write_bytes(b"a file")
    found = dict(iter_bytes(f"{tmp_path}/cats.zip::{i}.png" for i in range(300)))
    assert [i for i in range(300) if found[i] == b"a file"] == [20, 250]
    assert sum(found[i] == f"member {i}".encode() for i in range(300)) == 298


def test_a_file_that_grows_or_has_no_size_is_read_whole():
    assert read_bytes("/proc/self/status").startswith(b"Name:")  # it says that it has 0 bytes


def test_the_column_of_bytes():
    b, t = pa.binary(), pa.string()
    assert files.image_column(pa.schema({"pic": b, "path": t})) == "pic"
    assert (
        files.image_column(pa.schema({"mask": b, "Image": pa.struct({"bytes": b, "path": t})}))
        == "Image"
    )
    assert (
        files.image_column(pa.schema({"mask": b, "photo": b})) is None
        and files.image_column(pa.schema({"path": t})) is None
    )
