"""How tensors lie on disk: immutable .npy shards, and an index from content hash to row, so that one new image costs one image."""

import os
import uuid
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from assay.curation.errors import UserError
from assay.curation.system.permissions import folder, opener

INDEX = np.dtype([("hash", "S32"), ("row", "i8"), ("height", "i4"), ("width", "i4")])
MANY = 1000  # hashes from which on it pays to look for them as numbers first
NAME = 12  # bytes of a shard's digest; names of half that length were drawn by an older Assay, and prove nothing


def save(path, array=None, **arrays):
    """Write one array (.npy) or several by name (.npz) as a whole or not at all: a killed process leaves at most a stray .tmp file."""
    path = Path(path)
    folder(path.parent)
    tmp = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with open(tmp, "wb", opener=opener) as f:
            np.savez(f, **arrays, allow_pickle=False) if array is None else np.save(
                f, array, allow_pickle=False
            )
            f.flush()
            os.fsync(f.fileno())
        os.replace(tmp, path)
    finally:
        tmp.unlink(missing_ok=True)


def load(path, names=None):
    """The arrays of an .npz by name, all or those of `names` that it has, or None where there is no such file. Each carries a checksum: UserError
    where it does not fit."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if names is None or name in names}
    except FileNotFoundError:
        return None
    except Exception as e:  # a flipped bit can make zipfile say anything
        raise damaged(path, e) from None


def written(file):
    """Which writing of a file or folder this is; None where there is none."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino


def find(known, hashes):
    """Where each of `hashes` is in the sorted `known`, both hex digits as S32: (n,) int, -1 where it is missing."""
    known, hashes = np.asarray(known, "S32"), np.asarray(hashes, "S32")
    if not len(known) or np.array_equal(known, hashes):
        return np.arange(len(hashes)) if len(known) else np.full(len(hashes), -1)
    at = np.zeros(len(hashes), int)
    if len(hashes) > MANY:
        at = np.searchsorted(head(known), head(hashes)).clip(max=len(known) - 1)
    left = np.flatnonzero(known[at] != hashes)
    at[left] = np.searchsorted(known, hashes[left]).clip(max=len(known) - 1)
    return np.where(known[at] == hashes, at, -1)


def head(hashes):
    """The first eight digits of each as a number, which is compared four times as fast."""
    return np.ascontiguousarray(hashes).view(">u8")[::4].astype("u8")


def damaged(path, why):
    return UserError(
        f"expected sound arrays in {path}, found: {why}",
        "assay check --repair sets them aside; what they held is derived",
    )


def digest(*arrays):
    """The name of the shard of `arrays`: a hash of its .npy files, header and all."""
    hash = blake2b(digest_size=NAME)
    for array in arrays:
        np.save(SimpleNamespace(write=hash.update), array, allow_pickle=False)
    return hash.hexdigest()


def fault(index):
    """What is wrong with the shard whose index file is `index`: "" for a sound one, "not verifiable" for one whose name is no digest, but
    which makes sense. Reads the whole shard, a block at a time."""
    file = array_of(index)
    try:
        name, hash = file.stem, blake2b(digest_size=NAME)
        for path in (file, index):
            with open(path, "rb") as f:
                while block := f.read(1 << 20):
                    hash.update(block)
        if len(name) == 2 * NAME and hash.hexdigest() != name:
            return "is not what was written: its digest is another"
        return senseless(
            np.load(file, mmap_mode="r", allow_pickle=False), np.load(index, allow_pickle=False)
        ) or ("" if len(name) == 2 * NAME else "not verifiable")
    except FileNotFoundError:
        return "has an index, but no array"
    except (ValueError, EOFError, SyntaxError) as e:  # what np.load says of a broken header
        return f"is no array: {e}"


def senseless(array, index):
    """Why an array and an index, both readable, cannot be a shard of vectors (n, d) or flat pixels; "" where they can."""
    if index.dtype != INDEX or (array.ndim, array.dtype.kind) not in ((1, "u"), (2, "f")):
        return f"has {array.dtype} {array.shape}, index {index.dtype}"
    size = 1 if array.ndim == 2 else 3 * index["height"].astype("i8") * index["width"]
    if len(index) and ((index["row"] < 0) | (size < 1) | (index["row"] + size > len(array))).any():
        return "has an index that points outside its array"
    finite = array.dtype.kind == "u" or all(
        np.isfinite(array[i : i + 4096]).all() for i in range(0, len(array), 4096)
    )
    return "" if finite else "has vectors with NaN or infinity"


def array_of(index):
    """The array that the index file `index` is about."""
    return index.with_name(index.name.replace(".index.npy", ".npy"))


class Shards:
    """A folder of shards. A shard is an array, (n, d) vectors or flat uint8 pixels, and beside it `NAME.index.npy`, written last:
    a shard without its index was never finished and is not read. Its name is the digest of both files, so that it vouches for itself."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.arrays, indexes = [], []
        for path in sorted(self.folder.glob("*.index.npy")):
            try:
                array, index = (
                    np.load(array_of(path), mmap_mode="r", allow_pickle=False),
                    np.load(path, allow_pickle=False),
                )
            except FileNotFoundError:
                continue  # `assay gc` was faster
            except (ValueError, EOFError, SyntaxError) as e:
                raise damaged(path, e) from None
            self.arrays.append(array)
            indexes.append((index, np.full(len(index), len(self.arrays) - 1)))
        index = np.concatenate([i for i, _ in indexes]) if indexes else np.empty(0, INDEX)
        shard = np.concatenate([s for _, s in indexes]) if indexes else np.empty(0, int)
        order = np.argsort(index["hash"], kind="stable")
        self.index, self.shard = index[order], shard[order]

    def find(self, hashes):
        """Position in the index of every hash, (n,), -1 where it is missing."""
        return find(self.index["hash"], hashes)

    def append(self, hashes, array, heights=0, widths=0, rows=None):
        """Store one shard. `rows` says where each hash begins (by default: row i of `array` belongs to hash i)."""
        index = np.zeros(len(hashes), INDEX)
        index["hash"], index["height"], index["width"] = np.asarray(hashes, "S32"), heights, widths
        index["row"] = np.arange(len(hashes)) if rows is None else rows
        name = digest(array, index)
        save(self.folder / f"{name}.npy", array)
        save(self.folder / f"{name}.index.npy", index)

    def rows(self, hashes):
        """The vectors of `hashes` as a lazy (n, d) array that reads only the rows it is asked for."""
        at = self.find(hashes)
        if (at < 0).any():
            raise UserError(
                f"expected {len(at):,} vectors in {self.folder}, found {(at < 0).sum():,} of them missing",
                "run: assay scan",
            )
        return Rows(self.arrays, self.shard[at], self.index["row"][at])


class Rows:
    """A read-only (n, d) array gathered from shards on demand; `rows[index]` is a fresh ndarray, `rows.take(keep)` stays lazy."""

    def __init__(self, arrays, shard, row):
        self.arrays, self.shard, self.row = arrays, shard, row
        self.shape = (len(row), arrays[0].shape[1] if arrays else 0)

    def __len__(self):
        return len(self.row)

    def take(self, keep):
        return Rows(self.arrays, self.shard[keep], self.row[keep])

    def __getitem__(self, keep):
        shard, row = self.shard[keep], self.row[keep]
        if np.ndim(row) == 0:
            return np.array(self.arrays[shard][row])
        out = np.empty((len(row), self.shape[1]), self.arrays[0].dtype if self.arrays else "f4")
        for s in np.unique(shard):
            mine = shard == s
            rows = row[mine]
            contiguous = (
                len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all()
            )
            out[mine] = (
                self.arrays[s][rows[0] : rows[-1] + 1] if contiguous else self.arrays[s][rows]
            )
        return out

    def __matmul__(self, V):
        """These rows times V (d, k), float32 (n, k). A shard of which most rows are wanted is multiplied where it lies: gathering costs more."""
        out = np.empty((len(self), V.shape[1]), "f4")
        for s in np.unique(self.shard):
            mine, array = np.flatnonzero(self.shard == s), self.arrays[s]
            rows = self.row[mine]
            out[mine] = (array @ V)[rows] if 2 * len(rows) > len(array) else array[rows] @ V
        return out

    def __array__(self, dtype=None, copy=None):
        return self[np.arange(len(self))].astype(dtype or self.arrays[0].dtype, copy=False)
