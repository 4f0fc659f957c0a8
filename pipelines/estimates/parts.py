"""The parts of imports and scans, each with what it cost at the sizes that were measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, inf

from assay.curation.errors import UserError
from assay.curation.features.knn import CELLS
from assay.curation.storage.stored_shards import PART
from assay.pipelines.estimates.growth import LEAST, Curve, fit_curve
from assay.pipelines.estimates.records import STEPS, Record
from assay.pipelines.indexing.costs import DRIVER, Cost
from assay.pipelines.indexing.sharding import ROWS

# seconds, and samples: what took less, or was measured on fewer, is taken to grow as the samples do at most
SURE, MANY = 0.5, 10_000
GB = 1e9


@dataclass
class Part:
    """A part of a step, as it was measured at some sizes."""

    step: str
    part: str
    sizes: list[int]
    costs: list[Cost]
    records: list[Record]

    @property
    def last(self) -> tuple[Cost, Record]:
        """The largest that was measured."""
        return max(zip(self.costs, self.records), key=lambda pair: pair[1].samples)

    @property
    def serial(self) -> bool:
        """Whether one process does it, however many shards there are."""
        return self.part == DRIVER or self.last[0].whole

    def count_tasks(self, samples: int) -> int:
        """Tasks of a call of it, in a scan of so many samples."""
        cost, record = self.last
        tasks = cost.tasks / cost.calls
        if self.serial:
            return 1
        if tasks == record.shards:  # one for each shard of the scan
            return ceil(samples / ROWS)
        return max(1, round(tasks * samples / record.samples))

    def fit_work(self) -> Curve:
        """Fit the seconds that its workers are taken for, all together; without those that they waited for a core."""
        work = []
        for cost, record in zip(self.costs, self.records):
            quiet = cost.wall * (1 - min(1.0, cost.waited / max(cost.seconds, LEAST)))
            tasks = cost.tasks / cost.calls
            work.append(quiet * tasks / ceil(tasks / record.workers))
        return self.fit_seconds(work)

    def fit_seconds(self, seconds: list[float]) -> Curve:
        """Fit seconds at its sizes."""
        return fit_curve(self.sizes, seconds, SURE if max(self.sizes) >= MANY else inf)

    def fit_bytes(self, name: str) -> Curve:
        """Fit a field of its costs that counts bytes, by a line."""
        return fit_curve(self.sizes, [getattr(cost, name) for cost in self.costs], inf)


def choose_records(records: Iterable[Record], samples: int) -> list[Record]:
    """Choose the records that an estimate rests on, the smallest first; UserError where there are none.

    Of many samples neighbours are found by cells: scans that did are taken, where there are some.
    """
    found = [record for record in records if record.kind == "import" or record.shards > 1]
    scans = [record for record in found if record.kind == "scan"]
    hint = (
        "measure this machine: assay estimate --measure; or scan a new bench: assay scan --shards 4"
    )
    if not scans:
        raise UserError("expected what scans by shards cost, found no record of one", hint)
    for name in ("media", "effort", "embedder", "numbers", "engine"):
        kinds = sorted({str(getattr(r, name)) for r in scans if "neighbours" in steps_of(r)})
        if len(kinds) > 1:
            raise UserError(
                f"expected scans of one {name}, found {', '.join(kinds)}", "name others by --from"
            )
    if samples > CELLS and any(map(is_large, scans)):
        found = [
            r for r in found if r.kind == "import" or is_large(r) or "neighbours" not in steps_of(r)
        ]
    # of several of one size the last counts
    last = {(r.kind, r.samples, r.embedder, r.numbers): r for r in found}
    return sorted(last.values(), key=lambda record: (record.kind, record.samples))


def is_large(record: Record) -> bool:
    """Whether a scan worked as one of millions does."""
    return record.large or record.samples > CELLS


def steps_of(record: Record) -> set[str]:
    """The steps that a record is about."""
    return {cost.step for cost in record.costs}


def list_parts(records: list[Record]) -> list[Part]:
    """List the parts of all steps, in their order, each with what it cost at every size."""
    found: dict[tuple[str, str], list[tuple[Cost, Record]]] = defaultdict(list)
    for record in records:
        for cost in record.costs:
            found[cost.step, cost.part].append((cost, record))
    parts = [
        Part(*key, [r.samples for _, r in pairs], [c for c, _ in pairs], [r for _, r in pairs])
        for key, pairs in found.items()
    ]
    return sorted(parts, key=lambda part: STEPS.index(part.step))


def fit_memory(part: Part) -> float:
    """Fit the memory of a worker by the rows that it holds, for shards of ROWS: GB."""
    # what embeds and measures images holds a part of its shard at a time
    most = PART if part.step in ("embed", "quality") else inf
    rows = [min(most, record.samples / record.shards) for record in part.records]
    return fit_curve(rows, [cost.memory for cost in part.costs], inf).at(min(most, ROWS)) / GB


def fit_driver_memory(parts: list[Part], samples: int) -> float:
    """Fit the memory of the process that scans, by what was measured on the most samples: GB."""
    drivers = [part for part in parts if part.part == DRIVER]
    most = max(max(part.sizes) for part in drivers)
    fits = [part.fit_bytes("memory") for part in drivers if max(part.sizes) == most]
    return max(curve.at(samples) for curve in fits) / GB
