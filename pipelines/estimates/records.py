"""Records of what imports and scans cost, as costs.py wrote them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.indexing.costs import DRIVER, FILE, Cost

STEPS = "import read embed neighbours kernel leakage quality labels issues gaps version".split()
SUMMED = "calls tasks seconds wall cpu waited read written".split()


@dataclass(frozen=True)
class Record:
    """What one import, or one scan by shards, cost."""

    kind: str  # import or scan
    date: str
    cpu: str
    cores: int
    media: str
    samples: int
    costs: list[Cost]
    side: int | None = None  # pixels of an image, of an import
    numbers: int | None = None  # of a vector
    embedder: str | None = None
    effort: int | None = None
    engine: str | None = None
    workers: int = 1
    shards: int = 1
    large: bool = False  # a small one that worked as on millions


def describe_records(records: list[Record]) -> list[str]:
    """Describe records: a line for those that differ in their samples alone."""
    alike: dict[tuple, list[Record]] = {}
    for record in records:
        about = [value for name, value in vars(record).items() if name not in ("samples", "costs")]
        about[1] = record.date[:10]
        alike.setdefault(tuple(about), []).append(record)
    return [describe_alike(group) for group in alike.values()]


def describe_alike(records: list[Record]) -> str:
    """Describe records of one kind, day and machine."""
    one = records[0]
    sizes = ", ".join(f"{record.samples:,}" for record in records)
    what = f"{one.kind} of {sizes} {one.media}s" + (f", {one.side} pixels" if one.side else "")
    if one.kind == "scan":
        what += (
            f", {format_count(one.numbers or 0, 'number')} ({one.embedder}), {one.shards} shards,"
            f" {format_count(one.workers, 'worker')} ({one.engine})"
        )
    return f"{one.date[:10]}, {one.cpu}, {format_count(one.cores, 'core')}: {what}"


def read_records(file: Path) -> list[Record]:
    """Read the records of a file; none where there is none. UserError where it is damaged."""
    if not file.exists():
        return []
    try:
        return [make_record(json.loads(line)) for line in file.read_text().splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise UserError(
            f"expected records of costs in {file}, found it damaged: {type(e).__name__}: {e}",
            "delete it, and measure again",
        ) from None


def make_record(line: dict) -> Record:
    """Make a record of a line of JSON."""
    machine, costs = line.pop("machine"), [Cost(**cost) for cost in line.pop("costs")]
    if other := {cost.step for cost in costs} - {*STEPS}:
        raise ValueError(f"no step of a scan: {', '.join(other)}")
    return Record(**line, cpu=machine["cpu"], cores=machine["cores"], costs=costs)


def add_imports(records: Iterable[Record]) -> Iterator[Record]:
    """Add up the imports of a bench: after each, what all of its samples cost so far."""
    total, samples = Cost("import", DRIVER), 0
    for record in records:
        if record.kind != "import":
            yield record
            continue
        (cost,) = record.costs
        samples += record.samples
        sums = {name: getattr(total, name) + getattr(cost, name) for name in SUMMED}
        total = Cost("import", DRIVER, **sums, memory=max(total.memory, cost.memory))
        about = {name: value for name, value in vars(record).items() if name != "costs"}
        yield Record(**about | dict(samples=samples, costs=[total]))


def read_bench_records(bench: Bench) -> list[Record]:
    """Read what imports and scans of a bench cost; UserError where no scan by shards left a record."""
    found = [*add_imports(read_records(bench.arrays / FILE))]
    if not any(record.kind == "scan" and record.shards > 1 for record in found):
        raise UserError(
            f"expected what a scan by shards cost in {bench.given}, found no record of one",
            "a scan leaves one that begins from nothing, by 2 shards or more (assay scan --shards N in a new"
            " bench); --shard and --merge leave none",
        )
    return found
