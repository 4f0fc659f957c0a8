"""How tensors lie on disk: immutable .npy shards, and an index from content hash to row, so that one new image costs one image."""

import os
import uuid
from pathlib import Path

import numpy as np

INDEX = np.dtype([("hash", "S32"), ("row", "i8"), ("height", "i4"), ("width", "i4")])


def save(path, array=None, **arrays):
    """Write one array (.npy) or several by name (.npz) as a whole or not at all: a killed process leaves at most a stray .tmp file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with open(tmp, "wb") as f:
            np.savez(f, **arrays, allow_pickle=False) if array is None else np.save(f, array, allow_pickle=False)
            f.flush()
            os.fsync(f.fileno())
        os.replace(tmp, path)
    finally:
        tmp.unlink(missing_ok=True)


def load(path):
    """The arrays of an .npz by name, or None where there is no such file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        return None


class Shards:
    """A folder of shards. A shard is an array, (n, d) vectors or flat uint8 pixels, and beside it `NAME.index.npy`, written last:
    a shard without its index was never finished and is not read."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.arrays, indexes = [], []
        for path in sorted(self.folder.glob("*.index.npy")):
            index = np.load(path, allow_pickle=False)
            self.arrays.append(np.load(path.with_name(path.name.replace(".index.npy", ".npy")), mmap_mode="r", allow_pickle=False))
            indexes.append((index, np.full(len(index), len(self.arrays) - 1)))
        index = np.concatenate([i for i, _ in indexes]) if indexes else np.empty(0, INDEX)
        shard = np.concatenate([s for _, s in indexes]) if indexes else np.empty(0, int)
        order = np.argsort(index["hash"], kind="stable")
        self.index, self.shard = index[order], shard[order]

    def find(self, hashes):
        """Position in the index of every hash, (n,), -1 where it is missing."""
        hashes = np.asarray(hashes, "S32")
        if not len(self.index):
            return np.full(len(hashes), -1)
        at = np.searchsorted(self.index["hash"], hashes).clip(max=len(self.index) - 1)
        return np.where(self.index["hash"][at] == hashes, at, -1)

    def append(self, hashes, array, heights=0, widths=0, rows=None):
        """Store one shard. `rows` says where each hash begins (by default: row i of `array` belongs to hash i)."""
        index = np.zeros(len(hashes), INDEX)
        index["hash"], index["height"], index["width"] = np.asarray(hashes, "S32"), heights, widths
        index["row"] = np.arange(len(hashes)) if rows is None else rows
        name = uuid.uuid4().hex[:12]
        save(self.folder / f"{name}.npy", array)
        save(self.folder / f"{name}.index.npy", index)

    def rows(self, hashes):
        """The vectors of `hashes` as a lazy (n, d) array that reads only the rows it is asked for."""
        at = self.find(hashes)
        assert (at >= 0).all(), f"{(at < 0).sum()} of {len(at)} hashes have no row in {self.folder}"
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
            contiguous = len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all()
            out[mine] = self.arrays[s][rows[0] : rows[-1] + 1] if contiguous else self.arrays[s][rows]
        return out

    def __array__(self, dtype=None, copy=None):
        return self[np.arange(len(self))].astype(dtype or self.arrays[0].dtype, copy=False)
