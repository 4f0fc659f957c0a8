"""The verb estimate."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from assay import curation
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import draw_table, line_printer, print_line, print_result
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    from assay.pipelines.estimates.estimate import Asked, Estimate, Growth, Stage
    from assay.pipelines.estimates.records import Record

SHOWN = 0.01  # share of a scan's hours from which on the growth of a part is printed


def run_estimate(args: argparse.Namespace) -> None:
    """Estimate what a scan of many samples takes: hours, memory, money.

    It rests on what imports and scans by shards took on this machine: of the benches that --from names, else of made
    samples, which --measure imports and scans (some minutes). It prints them, how they grew, and what is assumed.
    """
    from assay.pipelines.estimates.estimate import estimate
    from assay.pipelines.estimates.prices import read_prices, write_example

    if args.write_prices:
        write_example(args.write_prices)
        print_line(args, f"prices      an example, to be edited: {args.write_prices}")
        written = dict(file=args.write_prices)
        next_step = f"assay estimate --samples 1e9 --prices {args.write_prices}"
        return print_result(args, written, next_step, schema="estimate-prices")
    asked, prices = read_asked(args), read_prices(args.prices)
    found = estimate(read_measured(args, asked), asked, prices)
    if not args.json:
        print_estimate(args, found)
    print_result(args, asdict(found) | dict(prices=prices.model_dump()), suggest_next(args))


def suggest_next(args: argparse.Namespace) -> str | None:
    """Say what to do next."""
    return (
        None
        if args.prices
        else "assay estimate --write-prices prices.toml, edit it, --prices prices.toml"
    )


def read_asked(args: argparse.Namespace) -> Asked:
    """Read what is to be estimated; UserError where it is missing or none."""
    from assay.pipelines.estimates.estimate import Asked, read_count

    if args.samples is None:
        raise UserError(
            "expected how many samples, found no --samples", "for example --samples 1e9"
        )
    return Asked(
        samples=read_count(args.samples, "--samples"),
        side=args.side,
        nodes=args.nodes,
        cores=args.cores,
        shard_samples=read_count(args.shard_samples, "--shard-samples"),
    )


def read_measured(args: argparse.Namespace, asked: Asked) -> list[Record]:
    """Read what was measured: of the benches that are named, or of this machine; UserError where nothing was."""
    from assay.pipelines.estimates.measure import measure_machine, records_file
    from assay.pipelines.estimates.records import read_bench_records, read_records

    benches = [*([args.bench] if args.bench else []), *(args.from_ or [])]
    if benches and (args.measure or args.embedder):
        option = "--measure" if args.measure else "--embedder"
        raise UserError(
            f"expected {option}, or benches that were measured, found both", "leave one out"
        )
    embedder = args.embedder or "lite0"
    if benches:
        opened = [curation.open(Path(place)) for place in benches]
        return [record for bench in opened for record in read_bench_records(bench)]
    if args.measure:
        return read_records(measure_machine(embedder, asked.side, line_printer(args)))
    if found := read_records(records_file(embedder, asked.side)):
        return found
    side = f" --side {asked.side}" if asked.side else ""
    raise UserError(
        f"expected to know what scans take on this machine, found nothing measured with {embedder}{side}",
        "add --measure (some minutes), or --from BENCH, a bench that was scanned by --shards",
    )


# ---- print


def print_estimate(args: argparse.Namespace, found: Estimate) -> None:
    """Print an estimate: a table, what limits it, and what it rests on."""
    import pandas as pd

    rows = [format_stage(stage, found.prices.currency) for stage in (*found.stages, found.total)]
    table = pd.DataFrame(rows)
    draw_table(table, list(table))
    for line in describe_estimate(found):
        print_line(args, line)


def format_stage(stage: Stage, currency: str) -> dict[str, str]:
    """Format a row of the table."""
    return {
        "stage": stage.stage,
        "hours": format_number(stage.hours),
        "of them serial": format_number(stage.serial_hours),
        "CPU hours": format_number(stage.cpu_hours),
        "GB read": format_number(stage.read_gb),
        "GB written": format_number(stage.written_gb),
        "requests": f"{stage.requests:,}",
        currency: f"{stage.money:,.2f}",
    }


def format_number(value: float) -> str:
    """Format a number by three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def describe_estimate(found: Estimate) -> Iterator[str]:
    """Describe what limits an estimate, and what it rests on."""
    asked, hours = found.asked, {stage.stage: stage.hours for stage in found.stages}
    imported = hours.pop("import", None)
    scan = sum(hours.values())
    first = "" if imported is None else f"the import {format_number(imported)} hours on one, "
    yield (
        f"nodes       {asked.nodes:,} of {format_count(found.cores, 'core')}: {first}the scan"
        f" {format_number(scan)} hours on all; {found.total.money:,.2f} {found.prices.currency} by the prices given"
    )
    more = (
        f"; nodes without end would be {found.most_speedup:.3g} times as fast as these"
        if found.most_speedup
        else ""
    )
    yield (
        f"serial      {found.scan_serial_share:.1%} of the scan's work is one process's, which no node shortens{more}"
    )
    yield (
        f"memory      {format_number(found.node_gb)} GB a node ({found.worker_gb:.2f} a worker), on the one that scans"
        f" {format_number(found.driver_gb)} GB more"
    )
    for line in found.measured:
        yield f"measured    {line}"
    for growth in found.growth:
        if growth.step == "import" or growth.hours >= SHOWN * scan:
            yield f"growth      {describe_growth(growth)}"
    for line in found.assumed:
        yield f"assumed     {line}"


def describe_growth(growth: Growth) -> str:
    """Describe how a part of a step grew."""
    who = " (one process)" if growth.serial else ""
    sizes = ", ".join(f"{size:,}" for size in growth.sizes)
    if growth.exponent is None:
        how = f"one size, {sizes}: assumed to grow as the samples do"
    else:
        span = f" [{growth.low:.2f}, {growth.high:.2f}]" if growth.low is not None else ""
        how = f"exponent {growth.exponent:.2f}{span} over {sizes}"
        if growth.exponent <= 1 or growth.counted <= 1:
            how += f", counted as a fixed part and {growth.counted:.0f}"
    return f"{growth.step}, {growth.part}{who}: {format_number(growth.hours)} hours; {how}"


def add(verbs: Verbs) -> None:
    """Add the verb estimate."""
    verb = verbs.add("estimate", run_estimate)
    verb.add_argument(
        "--samples", metavar="N", help="samples to import and scan, such as 1e9 or 10_000_000"
    )
    verb.add_argument(
        "--side",
        type=int,
        metavar="PIXELS",
        help="side of an image (default: 256, or as in the benches)",
    )
    verb.add_argument("--nodes", type=int, default=1, metavar="N", help="machines (default: 1)")
    verb.add_argument(
        "--cores",
        type=int,
        metavar="N",
        help="cores of each (default: as many as the measured one has)",
    )
    verb.add_argument("--embedder", help="that is measured, of images or texts (default: lite0)")
    verb.add_argument(
        "--shard-samples",
        default="10_000",
        metavar="N",
        help="samples of a tar or Parquet shard of the source (default: 10,000)",
    )
    verb.add_argument(
        "--from",
        dest="from_",
        nargs="+",
        action="extend",
        metavar="BENCH",
        help="benches that were scanned by shards (--shards N, two sizes or more say how it grows)",
    )
    verb.add_argument(
        "--measure",
        action="store_true",
        help="measure this machine now, on made samples, and keep it",
    )
    verb.add_argument("--prices", metavar="FILE", help="prices in TOML (default: an example)")
    verb.add_argument(
        "--write-prices", metavar="FILE", help="write the example, to be edited, and no more"
    )
