"""Keep vectors and pixels in immutable shards, found by content hash.

One new image costs one image: it goes into a new shard. A shard is an array, (n, d) vectors or
flat uint8 pixels, and beside it `NAME.index.npy`, written last: a shard without its index was
never finished and is not read. Its name is the digest of both files, so it vouches for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from assay.curation.errors import NotScanned
from assay.curation.storage.arrays import damaged_arrays, locate_hashes, save_arrays
from assay.curation.text import format_count

INDEX = np.dtype([("hash", "S32"), ("row", "i8"), ("height", "i4"), ("width", "i4")])
# bytes of a shard's digest; names of half that length were drawn by an older Assay, and prove nothing
DIGEST_SIZE = 12


class Shards:
    """A folder of shards."""

    def __init__(
        self,
        folder: str | Path,
        only: Iterable[str] | None = None,
        wanted: np.ndarray | None = None,
    ) -> None:
        """Open all shards of a folder, or only those of some names.

        wanted: the hashes that will be asked for, where they are few of all: no others are held.
        """
        self.folder = Path(folder)
        self.arrays, self.files, indexes = [], [], []
        few = None if wanted is None else np.unique(np.asarray(wanted, "S32"))
        names = self.folder.glob("*.index.npy")
        if only is not None:
            names = (self.folder / f"{name}.index.npy" for name in only)
        for path in sorted(names):
            try:
                array = np.load(array_file(path), mmap_mode="r", allow_pickle=False)
                index = np.load(path, allow_pickle=False)
            except FileNotFoundError:
                continue  # `assay gc` was faster
            except (ValueError, EOFError, SyntaxError) as e:
                raise damaged_arrays(path, e) from None
            if few is not None:
                index = index[locate_hashes(few, index["hash"]) >= 0]
            self.arrays.append(array)
            self.files.append(array_file(path))
            indexes.append((index, np.full(len(index), len(self.arrays) - 1)))
        index = np.concatenate([i for i, _ in indexes]) if indexes else np.empty(0, INDEX)
        shard = np.concatenate([s for _, s in indexes]) if indexes else np.empty(0, int)
        order = np.argsort(index["hash"], kind="stable")
        self.index, self.shard = index[order], shard[order]

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """Find each hash in the index, (n,) int, -1 where missing."""
        return locate_hashes(self.index["hash"], hashes)

    def append(
        self,
        hashes: Sequence[str] | np.ndarray,
        array: np.ndarray,
        heights: np.ndarray | int = 0,
        widths: np.ndarray | int = 0,
        rows: np.ndarray | None = None,
    ) -> None:
        """Store one shard.

        rows  # (n,) where each hash begins; by default row i of `array` belongs to hash i
        """
        index = np.zeros(len(hashes), INDEX)
        index["hash"], index["height"], index["width"] = np.asarray(hashes, "S32"), heights, widths
        index["row"] = np.arange(len(hashes)) if rows is None else rows
        name = shard_digest(array, index)
        save_arrays(self.folder / f"{name}.npy", array)
        save_arrays(self.folder / f"{name}.index.npy", index)

    def rows(self, hashes: np.ndarray) -> Rows:
        """Gather the vectors of hashes lazily, (n, d).

        Only rows that are asked for are read.
        """
        at = self.find(hashes)
        if (at < 0).any():
            raise NotScanned(
                f"expected {format_count(len(at), 'vector')} in {self.folder}, "
                f"found {(at < 0).sum():,} of them missing",
                "run: assay scan",
            )
        return Rows(self.arrays, self.shard[at], self.index["row"][at], self.files)


class Rows:
    """A read-only (n, d) array, gathered from shards on demand.

    `rows[index]` is a fresh ndarray; `rows.take(keep)` stays lazy.
    """

    sharding: Any = None  # see stages.Sharding; None: in one piece

    def __init__(
        self,
        arrays: list[np.ndarray],
        shard: np.ndarray,
        row: np.ndarray,
        files: Sequence[Path] = (),
    ) -> None:
        """Row i is row[i] of arrays[shard[i]]; `files` are those of the arrays."""
        self.arrays, self.shard, self.row, self.files = arrays, shard, row, files
        self.shape = (len(row), *arrays[0].shape[1:]) if arrays else (0, 0)

    def __len__(self) -> int:
        return len(self.row)

    def list_rows(self) -> list[Rows]:
        """List the arrays that lie side by side: this one."""
        return [self]

    def take(self, keep: np.ndarray) -> Rows:
        """Select rows by a mask or by their numbers."""
        return Rows(self.arrays, self.shard[keep], self.row[keep], self.files)

    def __getitem__(self, keep: np.ndarray | slice | int) -> np.ndarray:
        shard, row = self.shard[keep], self.row[keep]
        if np.ndim(row) == 0:
            return np.array(self.arrays[shard][row])
        out = np.empty((len(row), self.shape[1]), self.arrays[0].dtype if self.arrays else "f4")
        for s in np.unique(shard):
            mine = shard == s
            out[mine] = read_rows(self.arrays[s], row[mine])
        return out

    def __matmul__(self, V: np.ndarray) -> np.ndarray:
        """Multiply these rows with V (d, k), float32 (n, k).

        A shard of which most rows are wanted is multiplied where it lies: gathering costs more.
        """
        out = np.empty((len(self), V.shape[1]), "f4")
        for s in np.unique(self.shard):
            mine, array = np.flatnonzero(self.shard == s), self.arrays[s]
            rows = self.row[mine]
            out[mine] = (array @ V)[rows] if 2 * len(rows) > len(array) else array[rows] @ V
        return out

    def __array__(self, dtype: np.typing.DTypeLike = None, copy: bool | None = None) -> np.ndarray:
        return self[np.arange(len(self))].astype(dtype or self.arrays[0].dtype, copy=False)


class SideBySide:
    """Rows of two arrays side by side, (n, d + m), read as `Rows` are."""

    weights: np.ndarray | None = None  # (d + m,) what the probe multiplies its columns by
    sharding: Any = None  # see stages.Sharding; None: in one piece

    def __init__(self, left: Rows | SideBySide, right: Rows) -> None:
        self.left, self.right = left, right
        self.shape = (len(left), left.shape[1] + right.shape[1])

    def __len__(self) -> int:
        return len(self.left)

    def list_rows(self) -> list[Rows]:
        """List the arrays that lie side by side."""
        return [*self.left.list_rows(), *self.right.list_rows()]

    def take(self, keep: np.ndarray) -> SideBySide:
        """Select rows by a mask or by their numbers."""
        out = SideBySide(self.left.take(keep), self.right.take(keep))
        out.weights = self.weights
        return out

    def __getitem__(self, keep: np.ndarray | slice | int) -> np.ndarray:
        return np.concatenate([self.left[keep], self.right[keep]], axis=-1)

    def __matmul__(self, V: np.ndarray) -> np.ndarray:
        """Multiply these rows with V (d + m, k), float32 (n, k)."""
        d = self.left.shape[1]
        return self.left @ V[:d] + self.right @ V[d:]

    def __array__(self, dtype: np.typing.DTypeLike = None, copy: bool | None = None) -> np.ndarray:
        return self[np.arange(len(self))].astype(dtype or "f4", copy=False)


def read_rows(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Read rows of an array, as one piece where that is possible."""
    side_by_side = len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all()
    return array[rows[0] : rows[-1] + 1] if side_by_side else array[rows]


def array_file(index: Path) -> Path:
    """Name the array that an index file is about."""
    return index.with_name(index.name.replace(".index.npy", ".npy"))


def shard_digest(*arrays: np.ndarray) -> str:
    """Name a shard: a hash of its .npy files, header and all."""
    digest = blake2b(digest_size=DIGEST_SIZE)
    for array in arrays:
        np.save(SimpleNamespace(write=digest.update), array, allow_pickle=False)
    return digest.hexdigest()


def find_fault(index: Path) -> str:
    """Say what is wrong with an index file's shard.

    "" for a sound one, "not verifiable" for one whose name is no digest, but which makes sense.
    Reads the whole shard, a block at a time.
    """
    file = array_file(index)
    verifiable = len(file.stem) == 2 * DIGEST_SIZE
    try:
        digest = blake2b(digest_size=DIGEST_SIZE)
        for path in (file, index):
            with open(path, "rb") as f:
                while block := f.read(1 << 20):
                    digest.update(block)
        if verifiable and digest.hexdigest() != file.stem:
            return "is not what was written: its digest is another"
        array = np.load(file, mmap_mode="r", allow_pickle=False)
        mismatch = find_mismatch(array, np.load(index, allow_pickle=False))
        return mismatch or ("" if verifiable else "not verifiable")
    except FileNotFoundError:
        return "has an index, but no array"
    except (ValueError, EOFError, SyntaxError) as e:  # what np.load says of a broken header
        return f"is no array: {e}"


def find_mismatch(array: np.ndarray, index: np.ndarray) -> str:
    """Say why an array and an index cannot be a shard.

    "" where they can. Both are readable. A shard is vectors (n, d), or flat pixels or texts.
    """
    if index.dtype != INDEX or (array.ndim, array.dtype.kind) not in ((1, "u"), (2, "f")):
        return f"has {array.dtype} {array.shape}, index {index.dtype}"
    height, width = index["height"].astype("i8"), index["width"]
    # of height 0 are texts, whose width counts bytes
    size = 1 if array.ndim == 2 else np.where(height > 0, 3 * height * width, width)
    if len(index) and ((index["row"] < 0) | (size < 1) | (index["row"] + size > len(array))).any():
        return "has an index that points outside its array"
    finite = array.dtype.kind == "u" or all(
        np.isfinite(array[i : i + 4096]).all() for i in range(0, len(array), 4096)
    )
    return "" if finite else "has vectors with NaN or infinity"
