"""Scan by shards: on this machine's cores, on a cluster, or one shard a process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.media.bucket_arrays import explain_full_disk
from assay.curation.storage.array_stores import ArrayStore, find_store
from assay.curation.storage.interface import Bench, Progress, Tell
from assay.curation.storage.left_tasks import write_left
from assay.curation.storage.stages import FOLDER, Stages, run_task
from assay.curation.text import format_count
from assay.pipelines.engines.base import Crew, Failure, find_engine
from assay.pipelines.indexing.array_storage import describe_shards, do_shard
from assay.pipelines.indexing.costs import (
    Costs,
    begin_costs,
    count_waiting,
    measure_task,
    name_work,
)
from assay.pipelines.indexing.scan_progress import describe_left

ROWS = 100_000  # of a shard, where nobody says how many shards there shall be
ONE_PIECE = 1_000_000  # samples, up to which a scan is not cut into shards
TRIES = 3  # times that a shard is begun whose worker is lost
SAY_AFTER = 10  # seconds, from which on a stage is worth a line


@dataclass(frozen=True)
class ShardOptions:
    """How a scan is cut into shards, and who works on these."""

    shards: int | None = None  # None: as the number of samples asks for
    only: int | None = None  # of each stage this shard alone, from 0, and nothing is merged
    merge: bool = False  # what is done is merged, and no shard is worked on
    engine: str = "local"
    address: str | None = None  # of a cluster
    large: bool = False  # work as on millions, however few there are: for a measurement

    def __post_init__(self) -> None:
        """Refuse what cannot be meant together: UserError."""
        if self.shards is not None and self.shards < 1:
            raise UserError(f"expected 1 shard or more, found {self.shards}", "leave it out")
        if self.merge and self.shards is None:
            raise UserError(
                "expected to know how many shards are merged, found no word",
                "say --merge --shards N",
            )
        if (self.merge or self.only is not None) and (self.engine != "local" or self.address):
            raise UserError(
                f"expected --shard and --merge without an engine, found {self.engine}",
                "leave --engine and --address out: whatever started this process is the engine",
            )

    def count(self, n: int) -> int | None:
        """Say how many shards n samples make; None: they stay in one piece."""
        if self.shards is not None:
            return self.shards
        if n > ONE_PIECE or self.engine != "local" or self.address:
            return max(1, -(-n // ROWS))
        return None


class ShardsLeft(UserError):
    """Some shards of a stage are not done, and are not to be done here."""

    code = "shards_left"


@contextmanager
def open_stages(
    bench: Bench,
    n: int,
    options: ShardOptions,
    patience: float,
    say: Tell,
    progress: Progress | None,
) -> Iterator[Costs]:
    """Have the bench's arrays worked on by shards meanwhile; yields what they cost.

    n: samples. patience: seconds without a word after which a worker that embeds is stuck.
    """
    engine, shards, costs = find_engine(options.engine), options.count(n), Costs(whole=False)
    if shards is None:
        yield costs
        return
    try:
        if options.only is not None or options.merge:
            worker = OneShard(bench, shards, options.only)
            bench.stages = Stages(bench.arrays, shards, worker.do)
            yield costs
            return
        with engine.open_crew(bench, find_arrays, shards, address=options.address) as crew:
            say(f"shards      {shards:,}, {format_count(crew.size, 'worker')} ({engine.name})")
            costs, store = begin_costs(bench, crew.size, shards), find_store(bench.arrays)
            many = ManyShards(crew, patience, say, progress, costs, store)
            bench.stages = Stages(bench.arrays, shards, many.do, options.large)
            yield costs
    finally:
        costs.end()
        bench.stages = None


def find_arrays(path: str, tell: Callable) -> Path:
    """Find what a worker works on: the arrays of the bench at a path."""
    return Path(path) / "arrays"


class ManyShards:
    """All shards, on the workers of an engine."""

    def __init__(
        self,
        crew: Crew,
        patience: float,
        say: Tell,
        progress: Progress | None,
        costs: Costs,
        store: ArrayStore | None,
    ) -> None:
        self.crew, self.patience, self.say, self.progress = crew, patience, say, progress
        self.costs, self.store = costs, store

    def do(self, name: str, work: Callable, shards: list[dict]) -> None:
        """Have a stage's shards done; those whose worker was lost are begun again.

        UserError where one fails.
        """
        began, spent, total = time.monotonic(), [], len(shards)
        waited = count_waiting()
        shards = [shard | dict(work=name_work(work)) for shard in shards]
        # one computation tells nothing on its way, and ends
        patience = None if work is run_task else self.patience
        do: Callable = measure_task
        if self.store:
            shards, do = describe_shards(shards, self.store.address), do_shard
        for attempt in range(TRIES):
            lost = []
            for out in self.crew.run(shards, do, patience=lambda shard: patience):
                if not isinstance(out, Failure):
                    spent.append(out.value)
                    if self.progress:
                        left = describe_left(began, len(spent), total)
                        text = f"{name}: {len(spent):,} of {format_count(total, 'shard')}, {left}"
                        self.progress(len(spent) / total, text)
                elif out.lost:
                    lost.append(out)
                else:
                    raise UserError(
                        f"expected shard {out.shard['shard'] + 1} of {name}, found: {out.error}",
                        out.hint or "run the scan again: what is done is kept",
                    )
            if not lost:
                break
            again = "is begun again" if attempt < TRIES - 1 else "is given up"
            self.say(
                f"note: {format_count(len(lost), 'shard')} of {name} lost the worker ({lost[0].error}): {again}"
            )
            shards = [out.shard for out in lost]
        else:
            raise UserError(
                f"expected {format_count(total, 'shard')} of {name}, found that {len(lost):,}"
                f" lost the worker {TRIES} times: {lost[0].error}",
                "what is done is kept: run the scan again, with more memory a worker",
            )
        seconds = time.monotonic() - began
        self.costs.add(name, spent, seconds, count_waiting() - waited)
        if seconds > SAY_AFTER:
            self.say(f"stage       {name}: {format_count(total, 'shard')} in {seconds:.0f} s")


class OneShard:
    """One shard of each stage, in this process, or none."""

    def __init__(self, bench: Bench, n: int, only: int | None) -> None:
        self.bench, self.n, self.only = bench, n, only

    def do(self, name: str, work: Callable, shards: list[dict]) -> None:
        """Do what is ours of a stage; ShardsLeft where others have some left.

        A stage may have more parts than there are shards: every n-th is of the same one.
        """
        left = [shard for shard in shards if shard["shard"] % self.n != self.only]
        for shard in shards:
            if shard["shard"] % self.n == self.only:
                with explain_full_disk(self.bench.arrays):
                    work(self.bench.arrays, lambda **about: None, **shard)
        if left:
            if work is run_task and self.only is None and find_store(self.bench.arrays):
                write_left(self.bench.arrays / FOLDER, self.n, left)
            numbers = sorted({shard["shard"] % self.n + 1 for shard in left})
            some = ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
            raise ShardsLeft(
                f"expected {format_count(self.n, 'shard')} of {name}, found"
                f" {format_count(len(numbers), 'shard')} not done: {some}",
                f"assay scan --shard I/{self.n} -b {self.bench.given} for each of them, then --merge;"
                f" assay scan --shards {self.n} -b {self.bench.given} does all that is left here",
            )
