"""What imports and scans by shards cost: a line of JSON each in the bench, which `assay estimate` reads."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from assay.curation.features.scan_settings import read_settings
from assay.curation.media.base import media_of
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import array_file
from assay.curation.storage.stages import FOLDER, count_row_bytes, is_whole
from assay.curation.system.permissions import make_folder, opener

FILE = "measured.jsonl"  # of arrays/
DRIVER = "driver"  # the process that scans, whose work no further worker shortens
GLANCE = 0.1  # seconds between two looks at the memory


@dataclass
class Cost:
    """What a part of a step cost: a stage on all its workers, or the driver."""

    step: str
    part: str
    calls: int = 0  # how often the stage was run
    tasks: int = 0  # shards that were worked on, of all calls
    seconds: float = 0.0  # of all tasks, each alone
    wall: float = 0.0  # until the last task of each call was done
    cpu: float = 0.0  # seconds
    waited: float = 0.0  # of the seconds: for a core that had other work, where the system tells
    read: int = 0  # bytes
    written: int = 0  # bytes
    whole: bool = False  # its one task is about all samples, however many workers there are
    memory: int = 0  # bytes, the most of one process; files that are mapped are not counted


class Meter:
    """Measures this process, from when it is made until it is stopped: `spent`, fields of Cost."""

    def __init__(self) -> None:
        import psutil

        self.process, self.over = psutil.Process(), threading.Event()
        self.began, self.cpu, self.bytes = time.monotonic(), time.process_time(), self.count_bytes()
        self.waited = count_waiting()
        self.memory = self.own_memory()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def watch(self) -> None:
        """Keep the most memory that was seen."""
        while not self.over.wait(GLANCE):
            self.memory = max(self.memory, self.own_memory())

    def own_memory(self) -> int:
        """Bytes that are this process's own: no mapped files, where the system tells them apart."""
        found = self.process.memory_info()
        return int(found.rss - getattr(found, "shared", 0))

    def count_bytes(self) -> tuple[int, int]:
        """Bytes (read, written) so far; zeros on a system that does not count."""
        if not hasattr(self.process, "io_counters"):
            return 0, 0
        found = self.process.io_counters()
        return int(getattr(found, "read_chars", 0)), int(getattr(found, "write_chars", 0))

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop to measure."""
        self.over.set()
        self.watcher.join()
        read, written = self.count_bytes()
        self.spent: dict[str, Any] = dict(
            seconds=time.monotonic() - self.began,
            cpu=time.process_time() - self.cpu,
            waited=count_waiting() - self.waited,
            read=read - self.bytes[0],
            written=written - self.bytes[1],
            memory=max(self.memory, self.own_memory()),
        )


def count_waiting() -> float:
    """Seconds that this thread waited for a core so far; 0 on a system that does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def measure_task(arrays: Path, tell: Callable, work: str, **shard: Any) -> dict[str, Any]:
    """Do a shard's work on a worker, and return what it cost: fields of Cost.

    work: its module and name, as name_work writes them.
    """
    module, _, name = work.partition(":")
    with Meter() as meter:
        getattr(import_module(module), name)(arrays, tell, **shard)
    meter.spent["read"] += count_row_bytes(arrays, shard["digest"])
    return meter.spent | dict(whole=is_whole(arrays, shard["digest"]))


def name_work(work: Callable) -> str:
    """Write a function as measure_task finds it."""
    return f"{work.__module__}:{work.__name__}"


@dataclass
class Costs:
    """What a scan by shards costs, step after step."""

    whole: bool  # nothing was there that an earlier scan had made
    workers: int = 0  # 0: none, the scan is in one piece, and not measured
    shards: int = 0
    rows: dict[tuple[str, str], Cost] = field(default_factory=dict)
    step: str = ""
    away: float = 0.0  # seconds of the step in which the driver waited for its workers
    away_waited: float = 0.0  # of these: for a core
    meter: Meter | None = None

    def begin(self, step: str) -> None:
        """End the step before, and begin another."""
        self.end()
        if self.workers:
            self.step, self.away, self.away_waited, self.meter = step, 0.0, 0.0, Meter()

    def end(self) -> None:
        """End the step: what the workers did not do was the driver's."""
        if self.meter is not None:
            self.meter.stop()
            spent = self.meter.spent
            spent["seconds"] = max(0.0, spent["seconds"] - self.away)
            spent["waited"] = max(0.0, spent["waited"] - self.away_waited)
            self.add(DRIVER, [spent], spent["seconds"])
            self.meter = None

    def add_step(self, step: str, spent: dict[str, Any]) -> None:
        """Add a step of the driver alone, which was measured: see Meter."""
        if self.workers:
            self.step = step
            self.add(DRIVER, [spent], spent["seconds"])

    def add(self, part: str, tasks: list[dict[str, Any]], wall: float, waited: float = 0.0) -> None:
        """Add a call of a stage: what each of its tasks cost, and how long all took.

        waited: seconds of the wall clock in which the driver waited for a core.
        """
        key = self.step, part
        row = self.rows.setdefault(key, Cost(*key))
        row.calls, row.tasks, row.wall = row.calls + 1, row.tasks + len(tasks), row.wall + wall
        for spent in tasks:
            for name in ("seconds", "cpu", "waited", "read", "written"):
                setattr(row, name, getattr(row, name) + spent[name])
            row.memory = max(row.memory, spent["memory"])
            row.whole |= spent.get("whole", False)
        if part != DRIVER:
            self.away, self.away_waited = self.away + wall, self.away_waited + waited


def begin_costs(bench: Bench, workers: int, shards: int) -> Costs:
    """Begin to measure a scan; one that goes on from an earlier one will keep no record."""
    made = [*(bench.arrays / FOLDER).glob("*.npz"), *(bench.arrays / "embeddings").glob("*/*.npy")]
    return Costs(not made, workers, shards)


def keep_scan_costs(bench: Bench, costs: Costs, samples: int, **about: Any) -> None:
    """Keep what a scan cost, if it was one by shards that did all of its work.

    about: what it was asked for.
    """
    if not costs.whole:
        return
    folder = bench.arrays / "embeddings" / read_settings(bench)["folder"]
    vectors = array_file(next(folder.glob("*.index.npy")))
    numbers = np.load(vectors, mmap_mode="r", allow_pickle=False).shape[1]
    write_record(
        bench,
        kind="scan",
        samples=samples,
        numbers=int(numbers),
        workers=costs.workers,
        shards=costs.shards,
        **about,
        costs=[asdict(row) for row in costs.rows.values()],
    )


def keep_import_costs(bench: Bench, samples: int, spent: dict[str, Any]) -> None:
    """Keep what an import of new samples cost: spent, see Meter."""
    if not samples:
        return
    media = media_of(bench)
    sides = "select avg(sqrt(width * height)) from samples"
    side = None if media.column else round(bench.rows(sides)[0][0])
    cost = Cost("import", DRIVER, 1, 1, wall=spent["seconds"], **spent)
    write_record(
        bench, kind="import", media=media.name, samples=samples, side=side, costs=[asdict(cost)]
    )


def write_record(bench: Bench, **record: Any) -> None:
    """Add a record to those of the bench, with the date and the machine."""
    about = dict(date=datetime.now(UTC).isoformat(timespec="seconds"), machine=describe_machine())
    make_folder(bench.arrays)
    with open(bench.arrays / FILE, "a", opener=opener) as file:
        file.write(json.dumps(about | record) + "\n")


def describe_machine() -> dict[str, Any]:
    """Describe this machine: the model of its CPU, and its cores."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), model)
    affinity = getattr(os, "sched_getaffinity", None)
    return dict(cpu=model, cores=len(affinity(0)) if affinity else os.cpu_count() or 1)
