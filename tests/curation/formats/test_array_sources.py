"""Arrays of images: what is asked and refused, hostile files, and what medical and digit sets look like."""

import gzip
import io
import pickle
import struct
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io

import assay
from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version, write_in_place
from assay.curation.media.containers import npz as npz_container
from assay.curation.media.containers.base import find_container
from assay.curation.media.images import decode_pixels
from assay.curation.media.originals import iter_bytes, read_bytes
from tests.helpers import run_assay

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (12, 8, 8, 3), dtype="u1")
Y = np.arange(12) % 3


def npz(path, compressed=False, **arrays):
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def npy_header(shape, dtype="|u1"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def hostile(folder):
    """{what is wrong, as it is refused: a file}"""

    class Evil:
        def __reduce__(self):
            return (open, (str(folder / "evil"), "w"))

    yield "Python objects", npz(folder / "o.npz", x=X, y=np.array([Evil()] * 12, object))
    for name, blob in (("big", npy_header((10**12, 100, 100))), ("short", npy_header((99, 8, 8)))):
        (folder / f"{name}.npy").write_bytes(blob + bytes(500))
        yield "says that it holds", folder / f"{name}.npy"
        with zipfile.ZipFile(folder / f"{name}.npz", "w") as z:
            z.writestr("x.npy", blob + bytes(500))
        yield "says that it holds", folder / f"{name}.npz"
    (folder / "code.npy").write_bytes(npy_header("__import__('os').system('x')"))
    yield "no sound .npy header", folder / "code.npy"
    with zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as z:
        with z.open("x.npy", "w", force_zip64=True) as file:
            file.write(npy_header((20 << 10, 32, 32)))
            for _ in range(20):
                file.write(bytes(1 << 20))
    yield "unpacks to 0 GB", folder / "bomb.npz"
    blob = npz(folder / "whole.npz", x=X, y=Y).read_bytes()
    (folder / "cut.npz").write_bytes(blob[: len(blob) // 2])
    yield "damaged", folder / "cut.npz"
    magic = bytes([0, 0, 8, 3]) + struct.pack(">3i", 10**9, 1000, 1000)
    (folder / "a-images-idx3-ubyte").write_bytes(magic)
    yield "says that it holds", folder / "a-images-idx3-ubyte"
    (folder / "b-images-idx3-ubyte.gz").write_bytes(gzip.compress(magic))
    yield "says that it holds", folder / "b-images-idx3-ubyte.gz"
    (folder / "c-images-idx3-ubyte").write_bytes(b"\x89PNG" + bytes(40))
    yield "is no IDX file", folder / "c-images-idx3-ubyte"
    (folder / "v73.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512))
    yield "-v7", folder / "v73.mat"
    (folder / "rot.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"\xff" * 64)
    yield "damaged", folder / "rot.mat"
    (folder / "rot.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    yield "HDF5", folder / "rot.h5"
    py = folder / "cifar-10-batches-py"
    py.mkdir()
    (py / "data_batch_1").write_bytes(pickle.dumps({b"data": X, b"e": Evil()}, 2))
    yield "never loaded", py
    (folder / "data_batch_9.bin").write_bytes(bytes(3073 * 2 + 5))
    yield "expected a folder or a file", folder / "data_batch_9.bin"


def test_hostile_arrays_are_refused_in_words_and_run_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_container, "MUCH", 1 << 20)  # as if 20 MB were gigabytes
    (tmp_path / "in").mkdir()
    bench = assay.create(tmp_path / "bench")
    count = 0
    for word, path in hostile(tmp_path / "in"):
        status, _, err = run_assay("import", path, "-b", bench.path)
        assert status == 2 and word in err and "hint: " in err, (path.name, err)
        count += 1
    assert count == 16 and not (tmp_path / "in" / "evil").exists()


@pytest.mark.parametrize(
    "arrays, word",
    [
        (dict(x=X / 255, y=Y), r"\(images \* 255\).astype\('uint8'\)"),
        (dict(x=X.astype("i8"), y=Y), "uint8"),
        (dict(x=np.zeros((12, 8, 8, 4), "u1"), y=Y), "four channels"),
        (dict(x=X.reshape(12, -1), y=Y), "reshape"),
        (dict(x=X, y=Y[:5]), "expected a label for each"),
        (dict(x=X, y=RNG.integers(0, 2, (12, 14))), "several labels"),
        (dict(x=X, y=RNG.random(12)), "a measure is no class"),
        (dict(x=np.asfortranarray(X), y=Y), "ascontiguousarray"),
        (dict(y=Y), "expected an array of images"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(tmp_path, arrays, word):
    with pytest.raises(UserError, match=word):
        read_source(npz(tmp_path / "a.npz", **arrays))


def test_several_arrays_are_asked(tmp_path):
    path = npz(tmp_path / "a.npz", images=X, imgs=X[::-1], labels=Y)
    with pytest.raises(AmbiguousSource, match="--image-column imgs"):
        read_source(path)
    source = read_source(path, ImportOptions(dict(image="imgs")))
    assert (decode_pixels(read_bytes(source.frame.uri[0])) == X[-1]).all()
    path = npz(tmp_path / "b.npz", images=X, coarse_labels=Y % 2, fine_labels=Y)
    with pytest.raises(AmbiguousSource, match="--label-column coarse_labels"):
        read_source(path)
    source = read_source(path, ImportOptions(dict(label="fine_labels")))
    assert list(source.frame.label) == [str(y) for y in Y]
    with pytest.raises(UserError, match="without columns"):
        read_source(path, ImportOptions(dict(group="patient")))


def test_names_of_splits_one_hot_rows_and_labels_that_are_missing(tmp_path):
    labels = np.where(Y == 2, -1, Y)
    source = read_source(npz(tmp_path / "a.npz", Xtr=X, ytr=labels, Xte=X[:4], yte=labels[:4]))
    assert source.frame["split"].value_counts().to_dict() == {"train": 8, "pool": 4 + 1, "test": 3}
    source = read_source(npz(tmp_path / "b.npz", x=X, y=np.eye(3)[Y], classes=["a", "b", "c"]))
    assert list(source.frame.label[:3]) == ["a", "b", "c"] and "one-hot" in str(source.notes)
    assert source.classes == ["a", "b", "c"]


@pytest.mark.parametrize("compressed", [False, True])
def test_an_npz_keeps_all_other_bytes_and_its_types(tmp_path, compressed):
    arrays = dict(x=X, y=np.eye(3, dtype="f4")[Y], about=np.arange(5.0))
    path = npz(tmp_path / "a.npz", compressed, **arrays)
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    row = bench.frame(split="train").iloc[0]
    i, number = int(row.key.removeprefix("x/")), (int(row.label) + 1) % 3
    bench.edit(pd.DataFrame(dict(sample=[row.name], label=[str(number)])), who="ann")
    export_version(bench, tmp_path / "out", format="source")
    with np.load(tmp_path / "out" / "a.npz") as new:
        want = arrays["y"].copy()
        want[i] = np.eye(3)[number]
        assert new["y"].dtype == np.float32 and (new["y"] == want).all()
        assert (new["x"] == X).all() and list(new) == list(arrays)
    old, new = (p.read_bytes() for p in (path, tmp_path / "out" / "a.npz"))
    at = old.index(b"y.npy")
    assert new[: at - 30] == old[: at - 30], "the images' bytes are the same"


def test_a_name_that_numbers_cannot_say_is_refused_and_a_removed_row_goes(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=Y.astype("u1"))
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    first, second = bench.frame().index[:2]
    bench.edit(pd.DataFrame(dict(sample=[first], keep=[False])), who="ann")
    write_in_place(bench)
    with np.load(path) as left:
        assert (left["x"] == X[1:]).all() and (left["y"] == Y[1:]).all()
    bench.edit(
        pd.DataFrame(dict(sample=[second], label=["a cat"])), who="ann", new_classes=["a cat"]
    )
    before = path.read_bytes()
    with pytest.raises(UserError, match="found a cat"):
        write_in_place(bench)
    assert path.read_bytes() == before


def test_cifar_100_asks_which_label(tmp_path):
    records = np.hstack(
        [
            np.array([[i % 2, i % 5] for i in range(10)], "u1"),
            RNG.integers(0, 256, (10, 3072), dtype="u1"),
        ]
    )
    (tmp_path / "train.bin").write_bytes(records.tobytes())
    (tmp_path / "fine_label_names.txt").write_text("a\nb\nc\nd\ne\n")
    with pytest.raises(AmbiguousSource, match="--label-column coarse"):
        read_source(tmp_path)
    source = read_source(tmp_path, ImportOptions(dict(label="fine")))
    assert list(source.frame.label) == [*"abcde"] * 2 and source.unread == []
    pixels = decode_pixels(read_bytes(source.frame.uri[7]))
    assert (pixels == records[7, 2:].reshape(3, 32, 32).transpose(1, 2, 0)).all()


def test_every_container_reads_rows_as_its_library_does(tmp_path):
    """In any order, some twice, beside rows that are not there."""
    npz(tmp_path / "a.npz", x=X)
    npz(tmp_path / "c.npz", True, x=X)
    np.save(tmp_path / "a.npy", X)
    scipy.io.savemat(tmp_path / "a.mat", dict(x=X.transpose(1, 2, 3, 0)))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=X, chunks=(5, 8, 8, 3), compression="gzip")
    rows = [11, 3, 3, 0, 7]
    for name in ("a.npz", "c.npz", "a.npy", "a.mat", "a.h5"):
        prefix = f"{tmp_path / name}::" + ("" if name == "a.npy" else "x/")
        found = dict(iter_bytes([*(f"{prefix}{row}" for row in rows), f"{prefix}12"]))
        for i, row in enumerate(rows):
            assert (decode_pixels(found[i]) == X[row]).all(), name
        assert "has no image" in str(found[5])
        container = find_container(str(tmp_path / name))
        assert len(container.list_members(str(tmp_path / name))) == 12


def test_an_array_of_one_channel_and_of_planes_is_the_same_picture(tmp_path):
    grey = X[..., 0]
    for shape in (grey, grey[..., None], grey[:, None]):
        path = npz(tmp_path / f"{shape.ndim}.npz", x=shape)
        blob = read_bytes(f"{path}::x/2")
        assert blob == b"P5\n8 8\n255\n" + grey[2].tobytes()
    blob = read_bytes(f"{npz(tmp_path / 'p.npz', x=X.transpose(0, 3, 1, 2).copy())}::x/2")
    assert blob == b"P6\n8 8\n255\n" + X[2].tobytes()


def test_a_truncated_gzip_is_told(tmp_path):
    blob = bytes([0, 0, 8, 3]) + struct.pack(">3i", 12, 8, 8) + X[..., 0].tobytes()
    packed = gzip.compress(blob)
    (tmp_path / "x-images-idx3-ubyte.gz").write_bytes(packed[: len(packed) // 2])
    labels = bytes([0, 0, 8, 1]) + struct.pack(">i", 12) + Y.astype("u1").tobytes()
    (tmp_path / "x-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    status, _, err = run_assay("import", tmp_path, "-b", tmp_path / "bench")
    assert status == 2 and "hint: " in err and "Traceback" not in err
    (tmp_path / "x-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels[:-2]))
    with pytest.raises(UserError, match="12 bytes of values"):
        read_source(tmp_path)
    assert io.BytesIO(packed).read(2) == b"\x1f\x8b"
