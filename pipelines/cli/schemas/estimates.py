"""The objects of estimate."""

from __future__ import annotations

from assay.pipelines.cli.schemas.base import Output, Part, says


class EstimateAsked(Part):
    """What is to be scanned, and where."""

    samples: int = says("samples")
    side: int | None = says("side of an image in pixels; null: as measured")
    nodes: int = says("machines")
    cores: int | None = says("cores of each, as asked; null: as many as the measured one has")
    shard_samples: int = says("samples of a shard of the source")


class EstimatePrices(Part):
    """The prices that were counted with."""

    currency: str = says("their currency")
    node_hour: float = says("a node for an hour")
    storage_gb_month: float = says("a GB for a month")
    requests_1000: float = says("1,000 requests to object storage")
    egress_gb: float = says("a GB read from object storage")


class EstimateStage(Part):
    """What a step of import and scan takes."""

    stage: str = says("its name")
    hours: float = says("until it is done")
    serial_hours: float = says("of these, of one process: more nodes do not shorten them")
    cpu_hours: float = says("CPU hours of all processes")
    read_gb: float = says("GB read")
    written_gb: float = says("GB written")
    requests: int = says("requests to object storage")
    money: float = says("its price")


class EstimateGrowth(Part):
    """How a part of a step grew with the samples."""

    step: str = says("the step")
    part: str = says("a stage on all workers, or driver: the process that scans")
    hours: float = says("until it is done")
    serial: bool = says("whether one process does it")
    sizes: list[int] = says("samples that were measured")
    exponent: float | None = says("exponent of its seconds; null: one size was measured")
    low: float | None = says("least exponent from one size to the next; null under three sizes")
    high: float | None = says("greatest exponent from one size to the next; null under three sizes")
    counted: float = says("the power that is counted with")


class EstimateScan(Output):
    """What import and scan of many samples take."""

    asked: EstimateAsked = says("what was asked for")
    cores: int = says("cores of a node")
    media: str = says("what the samples are")
    prices: EstimatePrices = says("prices")
    stages: list[EstimateStage] = says("the steps in their order")
    total: EstimateStage = says("all of them")
    scan_serial_share: float = says("share of the scan's work that one process alone does (Amdahl)")
    most_speedup: float | None = says(
        "how many times as fast the scan is with nodes without end; null: nothing is serial"
    )
    worker_gb: float = says("memory of a worker, GB")
    node_gb: float = says("memory of a node, GB")
    driver_gb: float = says("memory of the process that scans, GB, which one node needs more")
    growth: list[EstimateGrowth] = says("how each part grew")
    measured: list[str] = says("what it rests on: date, machine, import or scan")
    assumed: list[str] = says("what was assumed")


class EstimatePricesFile(Output):
    """An example of prices, written to be edited."""

    file: str = says("where it is")
