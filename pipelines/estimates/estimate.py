"""Estimate what a scan of many samples takes: hours, requests, bytes, memory and money, from what others took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, isfinite, nan

from assay.curation.errors import UserError
from assay.pipelines.estimates.assumptions import list_assumptions
from assay.pipelines.estimates.parts import (
    GB,
    Part,
    choose_records,
    fit_driver_memory,
    fit_memory,
    list_parts,
)
from assay.pipelines.estimates.prices import Prices
from assay.pipelines.estimates.records import Record, describe_records
from assay.pipelines.indexing.costs import DRIVER

MOST = 10**13  # samples
SIDES = 16, 8192  # pixels
LISTED = 1000  # names that a request for a list of objects returns
OPENING = 2  # requests before the first shard of a source is read, see docs/lab-notebook
# requests of a task whose arrays lie in object storage: its inputs, its rows and its output, each written and read
PER_TASK = 6
IMPORT = "import"


@dataclass(frozen=True)
class Asked:
    """What is to be scanned, and where."""

    samples: int
    side: int | None = None  # pixels of an image; None: as measured
    nodes: int = 1
    cores: int | None = None  # of a node; None: as many as the measured machine has
    shard_samples: int = 10_000  # of a shard of the source

    def __post_init__(self) -> None:
        """UserError for what cannot be."""
        for name in ("samples", "nodes", "cores", "shard_samples"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MOST:
                option = name.replace("_", "-")
                raise UserError(
                    f"expected --{option} from 1 to {MOST:.0e}, found {value:,}",
                    f"for example --{option} {1_000_000 if 'samples' in name else 16}",
                )
        if self.side is not None and not SIDES[0] <= self.side <= SIDES[1]:
            raise UserError(
                f"expected --side from {SIDES[0]} to {SIDES[1]:,} pixels, found {self.side:,}",
                "for example --side 256",
            )


@dataclass(frozen=True)
class Growth:
    """How a part of a step grew with the samples, and what it takes of those that are asked for."""

    step: str
    part: str
    hours: float  # until it is done
    serial: bool  # one process does it, however many nodes there are
    sizes: list[int]  # samples that were measured
    exponent: float | None  # None: one size, taken to grow as the samples do
    low: float | None  # range of the exponent from one size to the next; None under three sizes
    high: float | None
    counted: float  # the power that is counted with


@dataclass(frozen=True)
class Stage:
    """What a step of import and scan takes."""

    stage: str
    hours: float
    serial_hours: float  # of these, of one process: more nodes do not shorten them
    cpu_hours: float
    read_gb: float
    written_gb: float
    requests: int
    money: float


@dataclass(frozen=True)
class Estimate:
    """What import and scan take."""

    asked: Asked
    cores: int  # of a node
    media: str
    prices: Prices
    stages: list[Stage]
    total: Stage
    scan_serial_share: float  # of a scan by one worker, what one process alone does (Amdahl)
    most_speedup: float | None  # how much quicker than now the scan is with nodes without end
    worker_gb: float
    node_gb: float
    driver_gb: float
    growth: list[Growth]
    measured: list[str]  # the constants: which import or scan, when, on which machine
    assumed: list[str]


def estimate(records: Iterable[Record], asked: Asked, prices: Prices) -> Estimate:
    """Estimate what import and scan of the samples take.

    records: of at least one scan by two shards or more; of several of one size the last counts. UserError where there
    is none, or where they are of different samples.
    """
    used = choose_records(records, asked.samples)
    parts, cores = list_parts(used), asked.cores or max(record.cores for record in used)
    growth = [predict_part(part, asked.samples, asked.nodes * cores) for part in parts]
    steps = dict.fromkeys(part.step for part in parts)
    stages = [add_up(step, parts, growth, asked, prices) for step in steps]
    scan = [stage for stage in stages if stage.stage != IMPORT]
    serial = sum(stage.serial_hours for stage in scan)
    # a scan by one worker
    alone = sum(predict_part(part, asked.samples, 1).hours for part in parts if part.step != IMPORT)
    worker = max((fit_memory(part) for part in parts if part.part != DRIVER), default=0.0)
    return Estimate(
        asked=asked,
        cores=cores,
        media=used[0].media,
        prices=prices,
        stages=stages,
        total=sum_stages(stages),
        scan_serial_share=serial / alone if alone else 0.0,
        most_speedup=sum(stage.hours for stage in scan) / serial if serial else None,
        worker_gb=worker,
        node_gb=worker * cores,
        driver_gb=fit_driver_memory(parts, asked.samples),
        growth=growth,
        measured=describe_records(used),
        assumed=list_assumptions(used, parts, asked.samples, asked.side),
    )


def sum_stages(stages: list[Stage]) -> Stage:
    """Add up all columns of stages."""
    rows = [list(vars(stage).values())[1:] for stage in stages]
    return Stage("total", *map(sum, zip(*rows)))


def read_count(given: str | float, option: str) -> int:
    """Read a whole number such as 1000000, 10_000_000, 1,000,000 or 1e9; UserError for none."""
    try:
        number = float(str(given).replace(",", ""))
    except ValueError:
        number = nan
    if not isfinite(number) or number != int(number):
        raise UserError(
            f"expected {option} as a whole number, found {given!r}",
            f"for example {option} 10_000_000, or 1e9",
        )
    return int(number)


def predict_part(part: Part, samples: int, workers: int) -> Growth:
    """Predict how long a part takes so many workers."""
    curve, tasks = part.fit_work(), part.count_tasks(samples)
    seconds = curve.at(samples) * ceil(tasks / workers) / tasks
    return Growth(
        part.step,
        part.part,
        seconds / 3600,
        part.serial,
        sorted(set(part.sizes)),
        curve.exponent,
        curve.low,
        curve.high,
        curve.power if curve.each else 0.0,
    )


def add_up(
    step: str,
    parts: list[Part],
    growth: list[Growth],
    asked: Asked,
    prices: Prices,
) -> Stage:
    """Add up the parts of a step."""
    mine, found = [p for p in parts if p.step == step], [g for g in growth if g.step == step]
    hours = sum(part.hours for part in found)
    read, written = (
        sum(part.fit_bytes(name).at(asked.samples) for part in mine) for name in ("read", "written")
    )
    cpu = sum(p.fit_seconds([c.cpu for c in p.costs]).at(asked.samples) for p in mine)
    if step == IMPORT:
        count = ceil(asked.samples / asked.shard_samples)
        requests = count + OPENING + ceil(count / LISTED)
    else:
        calls = [p.last[0].calls * p.count_tasks(asked.samples) for p in mine if p.part != DRIVER]
        requests = PER_TASK * sum(calls)
    money = (
        hours * (1 if step == IMPORT else asked.nodes) * prices.node_hour
        + requests / 1000 * prices.requests_1000
        + written / GB * prices.storage_gb_month
        + (read / GB * prices.egress_gb if step == IMPORT else 0)
    )
    serial = sum(part.hours for part in found if part.serial)
    return Stage(step, hours, serial, cpu / 3600, read / GB, written / GB, requests, money)
