"""Estimate what a scan of many samples takes: hours, requests, bytes, memory and money, from what others took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, inf, isfinite, nan

from assay.curation.errors import UserError
from assay.curation.features.knn import CELLS
from assay.curation.storage.stored_shards import PART
from assay.curation.text import format_count
from assay.pipelines.estimates.growth import LEAST, Curve, fit_curve
from assay.pipelines.estimates.prices import Prices
from assay.pipelines.estimates.records import STEPS, Record, describe_records
from assay.pipelines.indexing.costs import DRIVER, Cost
from assay.pipelines.indexing.sharding import ROWS

MOST = 10**13  # samples
SIDES = 16, 8192  # pixels
LISTED = 1000  # names that a request for a list of objects returns
OPENING = 2  # requests before the first shard of a source is read, see docs/lab-notebook
# requests of a task whose arrays lie in object storage: its inputs, its rows and its output, each written and read
PER_TASK = 6
GB = 1e9
IMPORT = "import"
# seconds, and samples: what took less, or was measured on fewer, is taken to grow as the samples do at most
SURE, MANY = 0.5, 10_000
BUSY = 0.05  # share of the seconds that processes waited for a core, from which on it is said
ASSUMED = (
    "each core of a node is as fast as one that was measured, and all reach the same storage",
    "the cluster is paid for while it waits for the process that scans; the import runs before it, on one node",
    "requests: one a shard of the source and those that list them; six a task of a stage, as if the bench's arrays lay"
    " in object storage too (on a shared file system they cost nothing)",
    "all that is written is stored for a month; what the import reads is the source's egress",
    "memory is what processes hold themselves; files that are mapped come on top, as far as they fit",
    "the map is not counted",
)


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
        """Whether one process does it: the driver, or one task however many shards there are."""
        cost, record = self.last
        return self.part == DRIVER or (cost.tasks == cost.calls and record.shards > 1)

    def count_tasks(self, shards: int) -> int:
        """Tasks of a call of it, in a scan of so many shards."""
        cost, record = self.last
        return 1 if self.serial else max(1, round(cost.tasks / cost.calls / record.shards * shards))

    def fit_work(self) -> Curve:
        """Fit the seconds that its workers are taken for, all together; without those that they waited for a core."""
        work = []
        for cost, record in zip(self.costs, self.records):
            quiet = cost.wall * (1 - min(1.0, cost.waited / max(cost.seconds, LEAST)))
            tasks = cost.tasks / cost.calls
            work.append(quiet * tasks / ceil(tasks / record.workers))
        return fit_curve(self.sizes, work, SURE if max(self.sizes) >= MANY else inf)

    def fit(self, name: str) -> Curve:
        """Fit another field of its costs, which counts CPU seconds or bytes, by a line."""
        return fit_curve(self.sizes, [getattr(cost, name) for cost in self.costs], inf)


def estimate(records: Iterable[Record], asked: Asked, prices: Prices) -> Estimate:
    """Estimate what import and scan of the samples take.

    records: of at least one scan by two shards or more; of several of one size the last counts. UserError where there
    is none, or where they are of different samples.
    """
    used = choose_records(records, asked.samples)
    parts, cores = list_parts(used), asked.cores or max(record.cores for record in used)
    shards, workers = ceil(asked.samples / ROWS), asked.nodes * cores
    growth = [predict_part(part, asked.samples, shards, workers) for part in parts]
    steps = dict.fromkeys(part.step for part in parts)
    stages = [add_up(step, parts, growth, asked, shards, prices) for step in steps]
    scan = [stage for stage in stages if stage.stage != IMPORT]
    serial = sum(stage.serial_hours for stage in scan)
    # a scan by one worker
    alone = sum(
        predict_part(part, asked.samples, shards, 1).hours for part in parts if part.step != IMPORT
    )
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
        assumed=[*ASSUMED, *describe_gaps(used, parts, asked)],
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


def predict_part(part: Part, samples: int, shards: int, workers: int) -> Growth:
    """Predict how long a part takes so many workers."""
    curve, tasks = part.fit_work(), part.count_tasks(shards)
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
    shards: int,
    prices: Prices,
) -> Stage:
    """Add up the parts of a step."""
    mine, found = [p for p in parts if p.step == step], [g for g in growth if g.step == step]
    hours = sum(part.hours for part in found)
    read, written, cpu = (
        sum(part.fit(name).at(asked.samples) for part in mine)
        for name in ("read", "written", "cpu")
    )
    if step == IMPORT:
        count = ceil(asked.samples / asked.shard_samples)
        requests = count + OPENING + ceil(count / LISTED)
    else:
        calls = [p.last[0].calls * p.count_tasks(shards) for p in mine if p.part != DRIVER]
        requests = PER_TASK * sum(calls)
    money = (
        hours * (1 if step == IMPORT else asked.nodes) * prices.node_hour
        + requests / 1000 * prices.requests_1000
        + written / GB * prices.storage_gb_month
        + (read / GB * prices.egress_gb if step == IMPORT else 0)
    )
    serial = sum(part.hours for part in found if part.serial)
    return Stage(step, hours, serial, cpu / 3600, read / GB, written / GB, requests, money)


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
    fits = [part.fit("memory") for part in drivers if max(part.sizes) == most]
    return max(curve.at(samples) for curve in fits) / GB


def describe_gaps(records: list[Record], parts: list[Part], asked: Asked) -> list[str]:
    """Say what was assumed since it was not measured."""
    said, sides = [], {record.side for record in records if record.side}
    if single := sorted({part.step for part in parts if len(set(part.sizes)) < 2}, key=STEPS.index):
        said.append(f"of one size alone: {', '.join(single)}; taken to grow as the samples do")
    if constant := [
        f"{part.step}, {part.part}"
        for part in parts
        if part.part != DRIVER and len(set(part.sizes)) > 1 and not part.fit_work().each
    ]:
        said.append(
            f"did not grow with the samples, and are counted as constant: {'; '.join(constant)}"
        )
    if missing := [s for s in ("import", "embed") if s not in {part.step for part in parts}]:
        said.append(f"not measured, and not counted: {', '.join(missing)}")
    if asked.side and sides and sides != {asked.side}:
        said.append(
            f"images of {' and '.join(f'{side:,}' for side in sorted(sides))} pixels were measured, not of"
            f" {asked.side:,}: the import of larger ones takes longer (measure it: --measure --side {asked.side})"
        )
    if asked.side and not sides:
        said.append(f"no images were measured: --side {asked.side} changes nothing")
    scans = [record for record in records if "neighbours" in steps_of(record)]
    if asked.samples > CELLS and not any(map(is_large, scans)):
        said.append(
            f"no scan of more than {CELLS:,} was measured: of more, neighbours are found in another way"
        )
    if waited := sum(cost.waited for record in records for cost in record.costs):
        share = waited / sum(cost.seconds for record in records for cost in record.costs)
        if share > BUSY:
            said.append(
                f"the machine had other work while it was measured: {share:.0%} of the seconds, in which processes"
                " waited for a core, are left out; measure it again when it is quiet"
            )
    largest = max(record.samples for record in records if record.kind == "scan")
    if asked.samples > 10 * largest:
        said.append(
            f"{format_count(asked.samples, 'sample')} are {asked.samples / largest:,.0f} times the"
            f" largest scan that was measured: the exponents decide"
        )
    return said
