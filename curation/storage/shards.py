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

from assay.curation.errors import DamagedFile, NotScanned
from assay.curation.storage.array_stores import ArrayStore, find_store
from assay.curation.storage.arrays import (
    damaged_arrays,
    locate_hashes,
    save_arrays,
    sort_hashes,
)
from assay.curation.text import format_count

INDEX = np.dtype([("hash", "S32"), ("row", "i8"), ("height", "i4"), ("width", "i4")])
# bytes of a shard's digest; names of half that length were drawn by an older Assay, and prove nothing
DIGEST_SIZE = 12


class Shards:
    """A folder of shards."""

    arrays: list[np.ndarray] | FetchedArrays

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
        self.only = None if only is None else [f"{name}.index.npy" for name in only]
        self.wanted = None if wanted is None else np.unique(np.asarray(wanted, "S32"))
        self.store = find_store(self.folder)
        self.open()

    def open(self) -> None:
        """Read the indexes, and map the arrays: those that lie in object storage when they are asked for."""
        arrays, self.files, indexes = [], [], []
        for path in sorted(self.list_indexes()):
            try:
                if self.store is None:
                    arrays.append(np.load(array_file(path), mmap_mode="r", allow_pickle=False))
                index = np.load(path, allow_pickle=False)
            except FileNotFoundError:
                continue  # `assay gc` was faster
            except (ValueError, EOFError, SyntaxError) as e:
                raise damaged_arrays(path, e) from None
            if self.wanted is not None:
                index = index[locate_hashes(self.wanted, index["hash"]) >= 0]
            self.files.append(array_file(path))
            indexes.append((index, np.full(len(index), len(self.files) - 1)))
        self.arrays = FetchedArrays(self.files, self.store) if self.store else arrays
        index = np.concatenate([i for i, _ in indexes]) if indexes else np.empty(0, INDEX)
        shard = np.concatenate([s for _, s in indexes]) if indexes else np.empty(0, int)
        order = sort_hashes(index["hash"])
        self.index, self.shard = index[order], shard[order]

    def list_indexes(self) -> list[Path]:
        """List the index files, after fetching those that are missing here."""
        names = {path.name for path in self.folder.glob("*.index.npy")}
        if self.store is None:
            return [self.folder / name for name in (names if self.only is None else self.only)]
        there = self.store.list_sizes(self.folder)
        if self.only is None:
            known = names | {name for name in there or () if name.endswith(".index.npy")}
        else:
            known = set(self.only)
        self.store.fetch([self.folder / name for name in known - names], is_index)
        found = [self.folder / name for name in known]
        # of an array that is nowhere the index is of no use
        return [
            f
            for f in found
            if there is None or array_file(f).name in there or array_file(f).exists()
        ]

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """Find each hash in the index, (n,) int, -1 where missing."""
        return locate_hashes(self.index["hash"], hashes)

    def find_all(self, hashes: np.ndarray) -> np.ndarray:
        """Find each hash as `find` does; where some are missing, object storage is looked at."""
        at = self.find(hashes)
        if (at < 0).any() and self.store and self.only is None:
            self.store.look(self.folder)
            self.open()
            at = self.find(hashes)
        return at

    def append(
        self,
        hashes: Sequence[str] | np.ndarray,
        array: np.ndarray,
        heights: np.ndarray | int = 0,
        widths: np.ndarray | int = 0,
        rows: np.ndarray | None = None,
    ) -> Path:
        """Store one shard; returns its index file.

        rows  # (n,) where each hash begins; by default row i of `array` belongs to hash i
        """
        index = np.zeros(len(hashes), INDEX)
        index["hash"], index["height"], index["width"] = np.asarray(hashes, "S32"), heights, widths
        index["row"] = np.arange(len(hashes)) if rows is None else rows
        name = shard_digest(array, index)
        save_arrays(self.folder / f"{name}.npy", array)
        save_arrays(file := self.folder / f"{name}.index.npy", index)
        return file

    def rows(self, hashes: np.ndarray) -> Rows:
        """Gather the vectors of hashes lazily, (n, d).

        Only rows that are asked for are read.
        """
        at = self.find_all(hashes)
        if (at < 0).any():
            raise NotScanned(
                f"expected {format_count(len(at), 'vector')} in {self.folder}, "
                f"found {(at < 0).sum():,} of them missing",
                "run: assay scan",
            )
        return Rows(self.arrays, self.shard[at], self.index["row"][at], self.files)


class FetchedArrays(Sequence):
    """The arrays of shards in object storage, each fetched when it is first asked for."""

    def __init__(self, files: list[Path], store: ArrayStore) -> None:
        self.files, self.store = files, store
        self.opened: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: Any) -> Any:
        if number not in self.opened:
            self.fetch([number])
            self.opened[int(number)] = self.open(self.files[number])
        return self.opened[number]

    def open(self, file: Path) -> np.ndarray:
        """Map an array into memory; NotScanned where it is nowhere."""
        try:
            return np.load(file, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise NotScanned(
                f"expected {file} here or in {self.store.address}, found none",
                "run: assay scan; where these are pixels: assay check --repair",
            ) from None
        except (ValueError, EOFError, SyntaxError) as e:
            raise damaged_arrays(file, e) from None

    def fetch(self, numbers: Iterable[int]) -> None:
        """Fetch some of the arrays that are missing here, several at once."""
        fetch_shards([self.files[i] for i in numbers if i not in self.opened], self.store)


def fetch_arrays(arrays: Sequence[np.ndarray], numbers: Iterable[int]) -> None:
    """Have some arrays of shards on this machine before they are read one by one."""
    if isinstance(arrays, FetchedArrays):
        arrays.fetch(numbers)


class Rows:
    """A read-only (n, d) array, gathered from shards on demand.

    `rows[index]` is a fresh ndarray; `rows.take(keep)` stays lazy.
    """

    sharding: Any = None  # see stages.Sharding; None: in one piece

    def __init__(
        self,
        arrays: Sequence[np.ndarray],
        shard: np.ndarray,
        row: np.ndarray,
        files: Sequence[Path] = (),
        one: tuple[int, ...] | None = None,
    ) -> None:
        """Row i is row[i] of arrays[shard[i]], of shape `one`; `files` are those of the arrays."""
        self.arrays, self.shard, self.row, self.files = arrays, shard, row, files
        if one is None:
            one = self.example.shape[1:] if len(arrays) else (0,)
        self.shape = (len(row), *one)

    @property
    def example(self) -> np.ndarray:
        """One of the arrays, of which some row is wanted where any is."""
        return self.arrays[self.shard[0] if len(self.shard) else 0]

    def __len__(self) -> int:
        return len(self.row)

    def list_rows(self) -> list[Rows]:
        """List the arrays that lie side by side: this one."""
        return [self]

    def take(self, keep: np.ndarray) -> Rows:
        """Select rows by a mask or by their numbers."""
        return Rows(self.arrays, self.shard[keep], self.row[keep], self.files, self.shape[1:])

    def __getitem__(self, keep: np.ndarray | slice | int) -> np.ndarray:
        shard, row = self.shard[keep], self.row[keep]
        if np.ndim(row) == 0:
            return np.array(self.arrays[shard][row])
        out = np.empty((len(row), self.shape[1]), self.example.dtype if len(self.arrays) else "f4")
        fetch_arrays(self.arrays, used := np.unique(shard))
        for s in used:
            mine = shard == s
            out[mine] = read_rows(self.arrays[s], row[mine])
        return out

    def __matmul__(self, V: np.ndarray) -> np.ndarray:
        """Multiply these rows with V (d, k), float32 (n, k).

        A shard of which most rows are wanted is multiplied where it lies: gathering costs more.
        """
        out = np.empty((len(self), V.shape[1]), "f4")
        fetch_arrays(self.arrays, used := np.unique(self.shard))
        for s in used:
            mine, array = np.flatnonzero(self.shard == s), self.arrays[s]
            rows = self.row[mine]
            out[mine] = (array @ V)[rows] if 2 * len(rows) > len(array) else array[rows] @ V
        return out

    def __array__(self, dtype: np.typing.DTypeLike = None, copy: bool | None = None) -> np.ndarray:
        return self[np.arange(len(self))].astype(dtype or self.example.dtype, copy=False)


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


def index_file(array: Path) -> Path:
    """Name the index file of an array."""
    return array.with_name(f"{array.stem}.index.npy")


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
        if verifiable and digest_files(file, index) != file.stem:
            return "is not what was written: its digest is another"
        array = np.load(file, mmap_mode="r", allow_pickle=False)
        mismatch = find_mismatch(array, np.load(index, allow_pickle=False))
        return mismatch or ("" if verifiable else "not verifiable")
    except FileNotFoundError:
        return "has an index, but no array"
    except (ValueError, EOFError, SyntaxError) as e:  # what np.load says of a broken header
        return f"is no array: {e}"


def digest_files(*files: Path) -> str:
    """Digest the bytes of files, one after the other, a block at a time."""
    digest = blake2b(digest_size=DIGEST_SIZE)
    for path in files:
        with open(path, "rb") as f:
            while block := f.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


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


# ---- shards in object storage


def is_index(file: Path, fetched: Path) -> bool:
    """Tell whether a file that was fetched is an index."""
    try:
        return np.load(fetched, allow_pickle=False).dtype == INDEX
    except (ValueError, EOFError, SyntaxError):
        return False


def is_array(file: Path, fetched: Path) -> bool:
    """Tell whether a file that was fetched is the array of a shard, whose index is here."""
    if len(file.stem) == 2 * DIGEST_SIZE:
        return digest_files(fetched, index_file(file)) == file.stem
    try:  # the name of an older Assay proves nothing
        array = np.load(fetched, mmap_mode="r", allow_pickle=False)
        return not find_mismatch(array, np.load(index_file(file), allow_pickle=False))
    except (ValueError, EOFError, SyntaxError):
        return False


def fetch_shards(files: Iterable[Path], store: ArrayStore) -> None:
    """Fetch the arrays of shards that are missing here, each with its index; DamagedFile names a wrong one."""
    files = [file for file in files if not file.exists()]
    store.fetch(map(index_file, files), is_index)
    try:
        store.fetch(files, is_array)
    except DamagedFile:
        for file in files:  # nobody can tell which of the two is wrong
            if not file.exists():
                index_file(file).unlink(missing_ok=True)
        raise


def keep_shards(indexes: Iterable[Path], store: ArrayStore) -> int:
    """Put shards that object storage lacks there; returns how many files."""
    return store.keep(file for index in indexes for file in (array_file(index), index))
