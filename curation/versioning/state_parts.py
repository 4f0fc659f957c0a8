"""The parts of a large state: immutable files, each of a range of samples in the log's order.

A part is named by what is in it, so two versions share each part in which no sample differs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import DamagedFile
from assay.curation.storage.arrays import damaged_arrays, load_arrays, save_arrays
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1  # raise it when a part says the same otherwise
FOLDER = "parts"
ROWS = 250_000  # samples of a part: 2 MB
CODED = ("label", "given_label", "split", "verdict", "who", "tags")  # few different values
FLAGS = ("keep", "reviewed", "known")  # known: whether the log says anything of the sample
COUNTED = ("split", "label", "keep", "reviewed")


@dataclass(frozen=True)
class StatePart:
    """What stands for some samples, as columns of codes."""

    codes: dict[str, np.ndarray]  # (n,) unsigned: 0 is none, i the value i - 1
    values: dict[str, list]  # of each coded column, sorted
    flags: dict[str, np.ndarray]  # (n,) bool

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, known: np.ndarray) -> StatePart:
        """Code what states.read_values returned: (frame, known)."""
        codes, values = {}, {}
        for name in CODED:
            codes[name], values[name] = code_values(name, frame[name].to_numpy(object))
        flags = {name: frame[name].to_numpy(bool) for name in FLAGS if name != "known"}
        return cls(codes, values, flags | dict(known=known))

    def __len__(self) -> int:
        return len(next(iter((*self.flags.values(), *self.codes.values()))))

    def take(self, name: str, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Give a column at some rows, as states.read_values has it."""
        if name in FLAGS:
            return self.flags[name][rows]
        return list_values(name, self.values[name])[self.codes[name][rows]]

    def replace(self, rows: np.ndarray, other: StatePart) -> StatePart:
        """Put another part's samples in the place of some rows."""
        codes, values = {}, {}
        for name in self.codes:
            column = self.take(name)
            column[rows] = other.take(name)
            codes[name], values[name] = code_values(name, column)
        flags = {name: column.copy() for name, column in self.flags.items()}
        for name, column in flags.items():
            column[rows] = other.flags[name]
        return StatePart(codes, values, flags)

    def select(self, rows: np.ndarray) -> StatePart:
        """Give some of its samples."""
        codes, flags = (
            {name: column[rows] for name, column in columns.items()}
            for columns in (self.codes, self.flags)
        )
        return StatePart(codes, self.values, flags)

    def tidy(self) -> StatePart:
        """Leave out the values that no sample has."""
        codes, values = {}, {}
        for name, column in self.codes.items():
            there, numbers = np.unique(column, return_inverse=True)
            values[name] = [self.values[name][code - 1] for code in there if code]
            shift = 0 if 0 in there else 1
            codes[name] = (numbers + shift).astype(np.min_scalar_type(len(values[name])))
        return StatePart(codes, values, self.flags)

    def isin(self, name: str, values: Collection[str]) -> np.ndarray:
        """Mark the samples (n,) that have one of the values in a coded column."""
        wanted = [value in values for value in self.values[name]]
        return np.array([False, *wanted])[self.codes[name]]

    def has(self, name: str) -> np.ndarray:
        """Mark the samples (n,) that have any value in a coded column."""
        return self.codes[name] > 0

    def differs(self, other: StatePart, name: str) -> np.ndarray:
        """Mark the samples (n,) of which two parts say different things."""
        if name in FLAGS:
            return self.flags[name] != other.flags[name]
        numbers: dict = {None: 0}
        mine, theirs = (
            np.array([numbers.setdefault(v, len(numbers)) for v in (None, *part.values[name])])
            for part in (self, other)
        )
        return mine[self.codes[name]] != theirs[other.codes[name]]

    def count(self) -> Counter[tuple]:
        """Count known samples: {(split, label, keep, reviewed): n}."""
        known = self.flags["known"]
        split, label, keep, reviewed = (
            (self.flags if name in FLAGS else self.codes)[name][known].astype("i8")
            for name in COUNTED
        )
        splits, labels = ((None, *self.values[name]) for name in COUNTED[:2])
        packed = ((split * len(labels) + label) * 2 + keep) * 2 + reviewed
        out: Counter[tuple] = Counter()
        for p, n in zip(*(a.tolist() for a in np.unique(packed, return_counts=True))):
            at, of = divmod(p // 4, len(labels))
            out[splits[at], labels[of], bool(p & 2), bool(p & 1)] = n
        return out

    # ---- as a file

    def to_arrays(self) -> dict[str, np.ndarray]:
        values = {f"{name}_values": write_json(self.values[name]) for name in CODED}
        counts = write_json([[*key, n] for key, n in self.count().items()])
        about = dict(format=np.array(FORMAT), counts=counts)
        return about | self.codes | self.flags | values

    @classmethod
    def from_arrays(cls, kept: dict[str, np.ndarray]) -> StatePart:
        names = [name for name in CODED if name in kept]
        return cls(
            {name: kept[name] for name in names},
            {name: read_values(name, kept[f"{name}_values"]) for name in names},
            {name: kept[name] for name in FLAGS if name in kept},
        )

    def digest(self) -> str:
        """Digest what is in it: the same for equal samples, whoever wrote them."""
        told = blake2b(digest_size=16)
        for name, array in sorted(self.to_arrays().items()):
            told.update(f"{name} {array.dtype.str} {array.shape} ".encode())
            told.update(np.ascontiguousarray(array).data)
        return told.hexdigest()


def code_values(name: str, column: np.ndarray) -> tuple[np.ndarray, list]:
    """Code a column (n,) of objects: codes (n,), and the sorted values that it has."""
    import pandas as pd

    codes, found = pd.factorize(column, use_na_sentinel=False)
    # None comes back as NaN
    there = [i for i, v in enumerate(found) if isinstance(v, str) or isinstance(v, tuple) and v]
    texts = {json.dumps(found[i]): i for i in there}
    order = np.zeros(len(found), np.min_scalar_type(len(texts)))
    order[[texts[text] for text in sorted(texts)]] = np.arange(1, len(texts) + 1)
    return order[codes], [found[texts[text]] for text in sorted(texts)]


def list_values(name: str, values: list) -> np.ndarray:
    """List what codes mean: (values + 1,) objects, the first of which is none."""
    out = np.empty(len(values) + 1, object)
    out[0] = () if name == "tags" else None
    for i, value in enumerate(values):
        out[i + 1] = value
    return out


def write_json(value: list) -> np.ndarray:
    return np.array(json.dumps(value).encode())


def read_values(name: str, written: np.ndarray) -> list:
    values = json.loads(written.item())
    return [tuple(value) for value in values] if name == "tags" else values


# ---- the folder


def parts_folder(bench: Bench) -> Path:
    """The folder of all parts, which every version shares."""
    return bench.arrays / "states" / FOLDER


def save_part(bench: Bench, first: int, part: StatePart, anew: bool = False) -> str:
    """Write a part of the samples from row `first` on; returns its name.

    What is there is not written again. anew: even then, in place of a damaged one.
    """
    name = f"{first:011d}-{part.digest()}"
    file = parts_folder(bench) / f"{name}.npz"
    if anew or not file.exists():
        save_arrays(file, **part.to_arrays())
    return name


def load_part(bench: Bench, name: str, columns: tuple[str, ...] = (*CODED, *FLAGS)) -> StatePart:
    """Read columns of a part; DamagedFile where it is not what was written, or gone."""
    file = parts_folder(bench) / f"{name}.npz"
    kept = load_arrays(file, [*columns, *(f"{c}_values" for c in columns if c in CODED)])
    if kept is None:
        raise damaged_arrays(file, "no such file")
    return StatePart.from_arrays(kept)


def load_counts(bench: Bench, name: str) -> Counter[tuple]:
    """Read how many samples of a part there are of each kind: see StatePart.count."""
    file = parts_folder(bench) / f"{name}.npz"
    kept = load_arrays(file, ["counts"])
    if kept is None:
        raise damaged_arrays(file, "no such file")
    return Counter({tuple(key): n for *key, n in json.loads(kept["counts"].item())})


def find_damage(file: Path) -> str:
    """Say what is wrong with a part; "" where it is what its name says."""
    try:
        kept = load_arrays(file)
        sound = kept is not None and StatePart.from_arrays(kept).digest() == file.stem.split("-")[1]
    except (DamagedFile, KeyError, ValueError) as e:
        return getattr(e, "reason", str(e))
    return "" if sound else "it is not what its name says"
