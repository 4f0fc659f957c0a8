"""Measure what imports and scans cost on this machine, on samples that are made for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from assay import curation
from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.media.base import media_type
from assay.curation.storage.interface import Tell
from assay.curation.system.user_cache import cache_folder
from assay.curation.text import format_count, safe_name
from assay.pipelines.embedders.base import find_embedder
from assay.pipelines.estimates.made_samples import embed_texts, make_pictures, make_texts
from assay.pipelines.indexing.costs import DRIVER, FILE
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.sharding import ShardOptions

if TYPE_CHECKING:
    import pandas as pd

SIZES = 20_000, 50_000, 100_000  # samples, by which the growth of all but embedding is measured
# samples that import and embedder are measured by: their costs grow as these do
EMBEDDED = 500, 3_000
FIRST = 100  # samples before those: a model that is made once, and files that are not in memory yet, cost none of them
MADE = dict(image=make_pictures, text=lambda n, side: make_texts(n, 1))  # of n samples a frame
SHARDS = 4
SIDE = 256  # pixels, where nobody says


def measure_machine(embedder: str, side: int | None, say: Tell = print) -> Path:
    """Measure this machine, and keep the records in the user's cache: returns the file.

    Images of the side, or texts, are imported and embedded, some thousands; of made vectors of as many numbers all else
    is measured, at some sizes. UserError for an embedder of rows, or one that is none.
    """
    file, medium, lines = records_file(embedder, side), medium_of(embedder), []
    run_scan(MADE[medium](FIRST, side or SIDE), medium, embedder)
    for n in EMBEDDED:
        say(f"measuring   {format_count(n, medium)} with {embedder}")
        found = run_scan(MADE[medium](n, side or SIDE), medium, embedder)
        lines += keep_costs(found, is_of_samples)
    numbers = lines[-1]["numbers"]
    vectors = f"{embed_texts.__module__}:{embed_texts.__name__}"
    for n in SIZES:
        say(f"measuring   {format_count(n, 'made vector')} of {format_count(numbers, 'number')}")
        found = run_scan(make_texts(n, numbers), "text", vectors)
        found = keep_costs(found, lambda cost: not is_of_samples(cost))
        lines += [line | dict(media=medium) for line in found]
    half = file.with_suffix(".tmp")
    half.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.replace(half, file)
    return file


def is_of_samples(cost: dict) -> bool:
    """Whether a cost depends on what a sample is: all else is measured on made vectors."""
    step, driver = cost["step"], cost["part"] == DRIVER
    return step in ("import", "quality") or (step == "embed" and not driver)


def keep_costs(lines: list[dict], wanted: Callable[[dict], bool]) -> list[dict]:
    """Keep the costs that are wanted, and the records that have some."""
    kept = [line | dict(costs=[*filter(wanted, line["costs"])]) for line in lines]
    return [line for line in kept if line["costs"]]


def medium_of(embedder: str) -> str:
    """The medium that an embedder is measured on; UserError where no samples are made of it."""
    medium = find_embedder(embedder).media or "image"
    if medium not in MADE:
        raise UserError(
            f"expected an embedder of {' or '.join(MADE)}s, found {embedder}, which is for {medium}s",
            "scan a bench of yours by shards, and name it: assay estimate --from BENCH",
        )
    return medium


def records_file(embedder: str, side: int | None) -> Path:
    """Name the file of what was measured with an embedder, of images of a side."""
    about = embedder if media_type(medium_of(embedder)).column else f"{embedder}-{side or SIDE}"
    return cache_folder("estimates") / f"{safe_name(about)}.jsonl"


def run_scan(table: pd.DataFrame, medium: str, embedder: str) -> list[dict]:
    """Import and scan a table of samples in a bench of its own, as millions would be; return its records."""
    with TemporaryDirectory() as folder:
        source = Path(folder) / "made.parquet"
        table.to_parquet(source)
        bench = curation.create(Path(folder) / "bench")
        columns = dict(label="label", id="id")
        options = ImportOptions(columns=columns, media=medium, no_test=True)
        ingest(bench, source, "assay estimate", options)
        sharding = ShardOptions(SHARDS, large=True)
        asked = ScanOptions(embedder=embedder, sharding=sharding, yes=True)
        scan(bench, asked, "assay estimate", say=lambda line: None)
        return [json.loads(line) for line in (bench.arrays / FILE).read_text().splitlines()]
