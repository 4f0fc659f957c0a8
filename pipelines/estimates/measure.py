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
from assay.pipelines.indexing.costs import FILE
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.sharding import ShardOptions

if TYPE_CHECKING:
    import pandas as pd

SIZES = 20_000, 50_000, 100_000  # samples, by which the growth of all but embedding is measured
EMBEDDED = 400, 1_600  # samples that the embedder itself is measured by: its costs grow as they do
MADE = dict(image=make_pictures, text=lambda n, side: make_texts(n, 1))  # of n samples a frame
SHARDS = 4
SIDE = 256  # pixels, where nobody says
BY_EMBEDDER = {"import", "embed", "quality"}  # steps that depend on what a sample is


def measure_machine(embedder: str, side: int | None, say: Tell = print) -> Path:
    """Measure this machine, and keep the records in the user's cache: returns the file.

    Images of the side, or texts, are imported and embedded, some hundreds; of made vectors of as many numbers all else
    is measured, at some sizes. UserError for an embedder of rows, or one that is none.
    """
    file, medium, lines = records_file(embedder, side), medium_of(embedder), []
    for n in EMBEDDED:
        say(f"measuring   {format_count(n, medium)} with {embedder}")
        table = MADE[medium](n, side or SIDE)
        lines += run_scan(table, medium, embedder, 0, lambda step: step in BY_EMBEDDER)
    numbers = lines[-1]["numbers"]
    vectors = f"{embed_texts.__module__}:{embed_texts.__name__}"
    for n in SIZES:
        say(f"measuring   {n:,} made vectors of {format_count(numbers, 'number')}")
        found = run_scan(
            make_texts(n, numbers), "text", vectors, 1, lambda step: step not in BY_EMBEDDER
        )
        lines += [line | dict(media=medium) for line in found]
    half = file.with_suffix(".tmp")
    half.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.replace(half, file)
    return file


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


def run_scan(
    table: pd.DataFrame, medium: str, embedder: str, effort: int, wanted: Callable[[str], bool]
) -> list[dict]:
    """Import and scan a table of samples in a bench of its own; return its records, of the steps that are wanted."""
    with TemporaryDirectory() as folder:
        source = Path(folder) / "made.parquet"
        table.to_parquet(source)
        bench = curation.Bench.create(Path(folder) / "bench")
        columns = dict(label="label", id="id")
        options = ImportOptions(columns=columns, media=medium, no_test=True)
        ingest(bench, source, "assay estimate", options)
        sharding = ShardOptions(SHARDS, large=True)
        asked = ScanOptions(effort=effort, embedder=embedder, sharding=sharding, yes=True)
        scan(bench, asked, "assay estimate", say=lambda line: None)
        lines = [json.loads(line) for line in (bench.arrays / FILE).read_text().splitlines()]
    for line in lines:
        line["costs"] = [cost for cost in line["costs"] if wanted(cost["step"])]
    return [line for line in lines if line["costs"]]
