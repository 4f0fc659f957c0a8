"""Hugging Face data sets: Parquet shards, as push_to_hub lays them out."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch
from assay.curation.formats.column_files import PARQUET, list_shards
from assay.curation.formats.hf_features import stored_features
from assay.curation.formats.hf_listing import make_listing
from assay.curation.formats.hf_names import write_card
from assay.curation.formats.hf_patches import plan_shards
from assay.curation.formats.hf_rows import Shard, ShardRows, count_rows, read_shards
from assay.curation.formats.hf_shards import (
    CARD,
    SHARD_NAME,
    ShardFolder,
    find_root,
    find_shards,
    has_card,
    list_first_files,
)
from assay.curation.formats.hf_writer import write_shards

if TYPE_CHECKING:
    import pandas as pd


MOST_OPENED = 20  # files, of which one may show whose they are


class HuggingFace:
    """Parquet shards of Hugging Face, a file for each part of a split: class names, configurations."""

    name = "huggingface"
    suffixes = PARQUET

    def matches(self, path: Path) -> Match:
        if path.is_file() and path.suffix.lower() in PARQUET:
            if has_features(path):
                return Match("sure", "its schema holds the features of Hugging Face")
        elif path.is_dir():
            root = find_snapshot(path)
            files = list(islice(list_first_files(root), MOST_OPENED))
            first = files[0] if files else None
            if first and has_card(root):
                return Match(
                    "sure", "its README.md declares a data set, and Parquet files lie there"
                )
            named = first and SHARD_NAME.fullmatch(first.name) and not list_shards(path)
            if first and (named or any(map(has_features, files))):
                return Match("sure", f"{first.name} is a shard of a Hugging Face data set")
        return Match(
            "no", "expects Parquet with the features of Hugging Face, or a folder of shards"
        )

    def read(self, path: Path, options: ImportOptions) -> Listing:
        folder, rows = read_all(path, options)
        kind = f"Parquet of Hugging Face, {len(folder.shards):,} "
        kind += "file" if len(folder.shards) == 1 else "shards"
        if folder.config:
            kind += f", configuration {folder.config}"
        return make_listing(self.name, kind, path.name, folder.shards, rows, folder.unread)

    def write(self, folder: Path, export: Export) -> None:
        """Write Parquet shards with images, class names and metadata, and a card.

        Images are always taken along: shards hold their bytes.
        """
        write_shards(folder, export)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change labels in their shards, remove rows, and move others.

        All other cells stay.
        """
        folder, rows = read_all(source, options)
        plan = plan_shards(rows, changes, source, options.split_map)
        files = plan.list_files(source)
        card = find_snapshot(source) / CARD
        more = plan.count_changed()
        if files and card.is_file() and (plan.fresh or more):
            counts: Counter[str] = Counter()
            for shard in folder.shards:
                counts[shard.split or ""] += count_rows(shard)
            wanted = {split: counts[split] + n for split, n in more.items()}
            fresh = dict(enumerate(plan.fresh, len(plan.names)))
            write = partial(write_card, card, plan.column, fresh, wanted)
            files[os.path.relpath(card, source)] = write
        return Patch(files, notes=plan.notes)


FORMAT = HuggingFace()


def read_all(path: Path, options: ImportOptions) -> tuple[ShardFolder, ShardRows]:
    """Find and read the shards of a source."""
    if path.is_file():
        match = SHARD_NAME.fullmatch(path.name)
        folder = ShardFolder([Shard(path, "", match and match["split"])], {}, [], None)
    else:
        folder = find_shards(find_root(path), options, path.name)
    return folder, read_shards(folder.shards, path.name, options, folder.declared)


def find_snapshot(path: Path) -> Path:
    """Find the folder of the files, else return the folder itself."""
    try:
        return find_root(path)
    except (UserError, OSError):
        return path


def has_features(path: Path) -> bool:
    """Whether a Parquet file's schema tells Hugging Face's features."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return stored_features(pq.read_schema(path)) is not None
    except (OSError, ValueError, pa.ArrowException):
        return False
