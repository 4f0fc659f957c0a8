"""Save and load arrays by name; look up hashes.

Shards of vectors and pixels are in shards.py.
"""

from __future__ import annotations

import os
import struct
import uuid
import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from assay.curation.errors import DamagedFile
from assay.curation.system.permissions import make_folder, opener

ZIP_HEADER = 30  # bytes of a zip's header of a file, before its name
MANY = 1000  # hashes from which on it pays to look for them as numbers first


def save_arrays(path: str | Path, array: np.ndarray | None = None, **arrays: np.ndarray) -> None:
    """Write one array (.npy), or several by name (.npz).

    As a whole or not at all: a killed process leaves at most a stray .tmp file.
    """
    path = Path(path)
    make_folder(path.parent)
    tmp = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with open(tmp, "wb", opener=opener) as f:
            if array is None:
                np.savez(f, **arrays, allow_pickle=False)
            else:
                np.save(f, array, allow_pickle=False)
            f.flush()
            os.fsync(f.fileno())
        os.replace(tmp, path)
    finally:
        tmp.unlink(missing_ok=True)


def load_arrays(
    path: str | Path, names: Collection[str] | None = None
) -> dict[str, np.ndarray] | None:
    """Load the arrays of an .npz by name.

    All of them, or those of `names` that it has; None where there is no such file. Each carries a
    checksum: DamagedFile where it does not fit.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if names is None or name in names}
    except FileNotFoundError:
        return None
    except Exception as e:  # a flipped bit can make zipfile say anything
        raise damaged_arrays(path, e) from None


def map_array(path: str | Path, name: str) -> np.ndarray:
    """Map one array of an .npz into memory, read-only.

    Its checksum is read once, now: DamagedFile where it does not fit. What replaces the file later
    is another file.
    """
    try:
        with zipfile.ZipFile(path) as file, open(path, "rb") as raw:
            about = file.getinfo(f"{name}.npy")
            with file.open(about) as member:
                while member.read(1 << 20):
                    pass
            raw.seek(about.header_offset)
            *_, name_size, extra_size = struct.unpack("<4s5H3I2H", raw.read(ZIP_HEADER))
            raw.seek(name_size + extra_size, os.SEEK_CUR)
            version = np.lib.format.read_magic(raw)
            assert about.compress_type == zipfile.ZIP_STORED and version == (1, 0)
            shape, in_columns, dtype = np.lib.format.read_array_header_1_0(raw)
            order = "F" if in_columns else "C"
            return np.memmap(path, dtype, "r", raw.tell(), shape, order)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as e:
        raise damaged_arrays(path, e) from None


def damaged_arrays(path: str | Path, why: object) -> DamagedFile:
    """The error for arrays that cannot be read."""
    return DamagedFile(
        f"expected sound arrays in {path}, found: {why}",
        "assay check --repair sets them aside; what they held is derived",
        str(why),
    )


def file_stamp(file: Path) -> tuple[int, int] | None:
    """Stamp a file or folder, so that a new writing shows.

    None where there is no such file.
    """
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino


def locate_hashes(known: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Find each hash in a sorted array.

    Returns positions, (n,) int, -1 where one is missing.

    known, hashes  # (m,) and (n,) hex digits as S32
    """
    known, hashes = np.asarray(known, "S32"), np.asarray(hashes, "S32")
    if not len(known):
        return np.full(len(hashes), -1)
    if np.array_equal(known, hashes):
        return np.arange(len(hashes))
    at = np.zeros(len(hashes), int)
    if len(hashes) > MANY:
        digits = leading_digits(hashes)
        order = np.argsort(
            digits
        )  # in order they are found ten times as fast: `known` is walked once
        at[order] = np.searchsorted(leading_digits(known), digits[order]).clip(max=len(known) - 1)
    left = np.flatnonzero(known[at] != hashes)
    at[left] = np.searchsorted(known, hashes[left]).clip(max=len(known) - 1)
    return np.where(known[at] == hashes, at, -1)


def sort_hashes(hashes: np.ndarray) -> np.ndarray:
    """Find the order of hashes, (n,) int; equal ones stay in theirs.

    hashes  # (n,) hex digits as S32
    """
    digits = leading_digits(hashes)
    order = np.argsort(digits, kind="stable")
    same = np.diff(digits[order]) == 0
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    order[tied] = order[tied][np.argsort(hashes[order[tied]], kind="stable")]
    return order


def leading_digits(hashes: np.ndarray) -> np.ndarray:
    """Take the first eight digits of each hash as a number.

    These are compared four times as fast.
    """
    return np.ascontiguousarray(hashes).view(">u8")[::4].astype("u8")
