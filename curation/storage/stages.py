"""Stages: pure functions of a shard of rows, whose output is one file named by all that made it.

Of an array in one piece a stage is a call. Of an array with a sharding it is a task a shard, which any process on any
machine may do, once or several times over: the name of its output says what it was made of, by which function, and
which number of that function.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, reduce
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from assay.curation.errors import DamagedFile, UserError
from assay.curation.storage.array_stores import fetch_file, find_store, keep_files
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.shards import DIGEST_SIZE, Rows, SideBySide, fetch_shards, index_file
from assay.curation.system.memory import keep_freed_memory

FOLDER = "stages"  # of arrays/
Arrays = dict[str, np.ndarray]


def stage(number: int) -> Callable[[Callable], Callable]:
    """Mark `work(X, **arrays) -> arrays by name` as a stage.

    number: counted up when it makes other numbers of the same inputs.
    """

    def mark(work: Callable) -> Callable:
        work.number = number  # type: ignore[attr-defined]
        return work

    return mark


def map_rows(
    X: Any, work: Callable, by_row: Arrays, **shared: Any
) -> Iterator[tuple[np.ndarray | slice, Arrays]]:
    """Call a stage on each shard of X (n, d): yields (rows of X, what it made), in the order of the shards.

    by_row: arrays whose first axis is that of X. shared: arrays and numbers that every shard gets; None is left out.
    """
    shared = {name: value for name, value in shared.items() if value is not None}
    if (sharding := getattr(X, "sharding", None)) is None:
        yield slice(None), work(X, **by_row, **shared)
    else:
        yield from sharding.run(X, work, by_row, shared)


def gather_rows(X: Any, work: Callable, by_row: Arrays, **shared: Any) -> Arrays:
    """Call a stage, and put what it made of each row together, in the order of X."""
    out: Arrays = {}
    for rows, made in map_rows(X, work, by_row, **shared):
        if isinstance(rows, slice):
            return made
        for name, array in made.items():
            if name not in out:
                out[name] = np.empty((X.shape[0], *array.shape[1:]), array.dtype)
            out[name][rows] = array
    return out


def sum_rows(X: Any, work: Callable, by_row: Arrays, **shared: Any) -> Arrays:
    """Call a stage, and add up what it made of the shards, as a tree in their order."""
    return add_pairwise(made for _, made in map_rows(X, work, by_row, **shared))


def add_pairwise(parts: Iterable[Arrays]) -> Arrays:
    """Add arrays by name as a binary tree: equal parts in equal order give equal bytes."""
    waiting: list[tuple[int, Arrays]] = []  # (height of the tree, its sum)

    def join(a: Arrays, b: Arrays) -> Arrays:
        return {name: a[name] + b[name] for name in a}

    for part in parts:
        height, total = 0, part
        while waiting and waiting[-1][0] == height:
            total, height = join(waiting.pop()[1], total), height + 1
        waiting.append((height, total))
    _, total = waiting.pop()
    while waiting:
        total = join(waiting.pop()[1], total)
    return total


# ---- shards


class Part(NamedTuple):
    """What a stage gets of one shard."""

    inputs: Arrays
    X: Rows | SideBySide | None = None  # rows that stay where they lie


@dataclass(frozen=True)
class Stages:
    """How a scan's arrays are cut into shards, and who works on these."""

    arrays: Path
    n: int  # shards
    # (name of the stage, work(arrays, tell, **shard), shards): have them done, wherever; each shard has its number
    # as `shard`, from 0
    do: Callable[[str, Callable, list[dict]], object]
    large: bool = False  # work as on millions, however few there are: for a measurement

    def cut(self, X: Rows | SideBySide) -> Sharding:
        """Cut rows into even shards, as they lie in their files: each shard reads few of these."""
        first = X.list_rows()[0]
        order = np.lexsort((first.row, first.shard))
        shards = [order[part] for part in cut_evenly(len(order), self.n)]
        return Sharding(self, [rows for rows in shards if len(rows)])

    def run(
        self, work: Callable, parts: Iterable[Part], shared: dict[str, Any]
    ) -> Iterator[Arrays]:
        """Have a stage done where it is not, and yield what it made of each part, in their order.

        shared: what all of them get: arrays, numbers, or the path of a `.npy` file in `arrays` whose name says what is
        in it.
        """
        folder, name = self.arrays / FOLDER, work.__name__
        kept = describe_shared(self.arrays, shared)
        key, todo, tasks = digest_arrays(kept), [], []
        needed = {self.arrays / str(kept[name]) for name in kept if name.startswith("path ")}
        here, there = list_done(folder)
        known = here | there
        for number, part in enumerate(parts):
            inputs = describe_part(self.arrays, work, key, part)
            tasks.append(task := dict(shard=number, digest=digest_arrays(inputs)))
            if f"{task['digest']}.npz" not in known:
                todo.append(task)
                if not (file := input_file(folder, task["digest"])).exists():
                    save_arrays(file, **inputs)
                needed |= {file, *list_used(part)}
        if todo:
            if not (file := folder / f"{key}.shared.npz").exists():
                save_arrays(file, **kept)
            keep_files(file, *sorted(needed))
            self.do(name, run_task, todo)
        if store := find_store(folder):
            files = [folder / f"{task['digest']}.npz" for task in tasks]
            store.keep(file for file in files if file.name in here)  # whose way there was cut short
            with suppress(DamagedFile):  # it is done again
                store.fetch(files, is_readable)
        for task in tasks:
            yield self.load(name, task)

    def store(self, array: np.ndarray) -> Path:
        """Store an array as a file that every shard may read a part of."""
        file = self.arrays / FOLDER / f"{digest_arrays(dict(array=array))}.npy"
        if not file.exists():
            save_arrays(file, array)
        return file

    def load(self, name: str, task: dict) -> Arrays:
        """Load what a task made; it is done again where that is damaged or gone."""
        file = self.arrays / FOLDER / f"{task['digest']}.npz"
        for _ in range(2):
            try:
                fetch_file(file, is_readable)
                if (made := load_arrays(file)) is not None:
                    return made
            except DamagedFile:
                file.unlink(missing_ok=True)
                if store := find_store(file):
                    store.discard([file])
            self.do(name, run_task, [task])
        raise UserError(
            f"expected the output of {name} in {file}, found none", "is its disk full? Scan again"
        )


def cut_evenly(n: int, parts: int) -> list[slice]:
    """Cut n rows into even parts."""
    at = [i * n // parts for i in range(parts + 1)]
    return [slice(a, b) for a, b in zip(at, at[1:])]


@dataclass(frozen=True)
class Sharding:
    """The shards of an array's rows."""

    stages: Stages
    shards: list[np.ndarray]  # the rows of each

    def run(
        self, X: Rows | SideBySide, work: Callable, by_row: Arrays, shared: dict[str, Any]
    ) -> Iterator[tuple[np.ndarray, Arrays]]:
        """Have a stage done where it is not, and yield (rows, what it made) of each shard."""
        parts = (
            Part({name: array[rows] for name, array in by_row.items()}, X.take(rows))
            for rows in self.shards
        )
        yield from zip(self.shards, self.stages.run(work, parts, shared))


# ---- tasks: a stage's work on one part, known by the digest of all that goes in


def input_file(folder: Path, digest: str) -> Path:
    """Name the file of a task's inputs."""
    return folder / f"{digest}.inputs.npz"


def describe_shared(arrays: Path, shared: dict[str, Any]) -> Arrays:
    """Describe what all shards get: what its file holds. See load_shared."""
    out = {}
    for name, value in shared.items():
        if isinstance(value, Path):
            out[f"path {name}"] = np.array(str(value.relative_to(arrays)))
        else:
            out[name] = np.asarray(value)
    return out


def describe_part(arrays: Path, work: Callable, shared: str, part: Part) -> Arrays:
    """Describe a stage's work on a part: what its input file holds.

    shared: digest of what all shards get. Rows are named by the files they lie in: these never change.
    """
    given = {f"row {name}": array for name, array in part.inputs.items()}
    files: list[list[str]] = []
    for i, rows in enumerate(part.X.list_rows() if part.X is not None else ()):
        used, at = np.unique(rows.shard, return_inverse=True)
        files.append([str(rows.files[s].relative_to(arrays)) for s in used])
        given |= {f"file {i}": at.astype("i4"), f"at {i}": rows.row}
    about = dict(
        work=f"{work.__module__}:{work.__name__}",
        number=work.number,  # type: ignore[attr-defined]
        shared=shared,
        files=files,
    )
    return given | dict(about=np.array(json.dumps(about)))


def digest_arrays(arrays: Arrays) -> str:
    """Name arrays by their content: names, types, shapes and bytes."""
    digest = blake2b(digest_size=DIGEST_SIZE)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}\0{array.dtype.str}\0{arrays[name].shape}\0".encode())
        digest.update(array.tobytes() if array.dtype.kind in "US" else array.data)
    return digest.hexdigest()


def run_task(arrays: Path, tell: Callable, shard: int, digest: str) -> None:
    """Do a task, whose inputs are written down: in one thread, so that it makes the same everywhere.

    Nothing is done where its output is there. UserError where the stage here has another number.
    """
    import scipy.linalg.blas  # noqa: F401 - only libraries that are loaded can be limited
    from threadpoolctl import threadpool_limits

    folder = arrays / FOLDER
    if (file := folder / f"{digest}.npz").exists():
        keep_files(file)
        return
    given = load_inputs(folder, digest)
    about = json.loads(str(given.pop("about")))
    work = load_stage(about["work"], about["number"])
    X = [open_rows(arrays, about["files"], given)] if about["files"] else []
    by_row = {
        name.removeprefix("row "): array for name, array in given.items() if name.startswith("row ")
    }
    keep_freed_memory()
    with threadpool_limits(1):
        made = work(*X, **by_row, **load_shared(arrays, about["shared"]))
    save_arrays(file, **made)
    keep_files(file)


def load_inputs(folder: Path, digest: str) -> Arrays:
    """Load the inputs of a task, as they were written down."""
    return load_digested(input_file(folder, digest), digest)


def is_whole(arrays: Path, digest: str) -> bool:
    """Tell whether a task is about all samples at once: it was given no rows of its own."""
    with np.load(input_file(arrays / FOLDER, digest), allow_pickle=False) as given:
        return given.files == ["about"]


def count_row_bytes(arrays: Path, digest: str) -> int:
    """Count the bytes of the rows that a task reads where they lie."""
    file, total = input_file(arrays / FOLDER, digest), 0
    about = load_arrays(file, ["about"])
    if not about:  # of no stage, but of stored samples
        return 0
    for i, names in enumerate(json.loads(str(about["about"]))["files"]):
        rows = len((load_arrays(file, [f"at {i}"]) or {})[f"at {i}"])
        total += rows * open_array(arrays / names[0])[:1].nbytes if names else 0
    return total


def load_digested(file: Path, digest: str) -> Arrays:
    """Load arrays of a known digest; UserError where they are gone, or others."""
    fetch_file(file, is_readable)
    given = load_arrays(file)
    if given is None or digest_arrays(given) != digest:
        found = "none" if given is None else "others"
        raise UserError(
            f"expected the inputs of a stage in {file}, found {found}",
            "do all machines see the same arrays? Scan again",
        )
    return given


def load_stage(name: str, number: int) -> Callable:
    """Import a stage by its name; UserError where it is none, or has another number."""
    module, _, function = name.partition(":")
    try:
        work = getattr(import_module(module), function)
    except (ImportError, AttributeError) as e:
        work, found = None, str(e)
    else:
        found = f"number {getattr(work, 'number', None)}"
    if getattr(work, "number", None) != number:
        raise UserError(
            f"expected number {number} of the stage {name}, found {found}",
            "install the same version of Assay on all machines",
        )
    return work


@lru_cache(4)
def load_shared(arrays: Path, key: str) -> dict[str, Any]:
    """Load what all shards of a stage get; numbers come as numbers, files are mapped into memory."""
    out: dict[str, Any] = {}
    for name, array in load_digested(arrays / FOLDER / f"{key}.shared.npz", key).items():
        if name.startswith("path "):
            out[name.removeprefix("path ")] = open_array(arrays / str(array))
        else:
            out[name] = array if array.ndim else array.item()
    return out


def open_rows(arrays: Path, files: list[list[str]], given: Arrays) -> Rows | SideBySide:
    """Open the rows of a task."""
    first, *more = (
        Rows([open_array(arrays / name) for name in names], given[f"file {i}"], given[f"at {i}"])
        for i, names in enumerate(files)
    )
    return reduce(SideBySide, more, first)


@lru_cache(256)
def open_array(path: Path) -> np.ndarray:
    """Map an array of a shard, or one that stages share, into memory."""
    if store := find_store(path):
        if path.parent.name == FOLDER:
            store.fetch([path], is_named)
        else:
            fetch_shards([path], store)
    return np.load(path, mmap_mode="r", allow_pickle=False)


# ---- in object storage


def list_done(folder: Path) -> tuple[set[str], set[str]]:
    """List the files of stages that are here, and those that all machines find."""
    here = {file.name for file in folder.glob("*.npz")}
    if (store := find_store(folder)) is None:
        return here, set()
    store.look(folder)
    return here, set(store.list_sizes(folder) or ())


def list_used(part: Part) -> Iterator[Path]:
    """List the files in which the rows of a part lie, with their indexes."""
    for rows in part.X.list_rows() if part.X is not None else ():
        for s in np.unique(rows.shard):
            yield from (rows.files[s], index_file(rows.files[s]))


def is_readable(file: Path, fetched: Path) -> bool:
    """Tell whether arrays that were fetched fit their checksums."""
    try:
        return load_arrays(fetched) is not None
    except DamagedFile:
        return False


def is_named(file: Path, fetched: Path) -> bool:
    """Tell whether an array that was fetched is the one that its name says."""
    try:
        array = np.load(fetched, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError):
        return False
    return digest_arrays(dict(array=array)) == file.stem
