"""Hugging Face data sets on disk: the Arrow shards that save_to_disk writes."""

from __future__ import annotations

import json
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch, Unread
from assay.curation.formats.hf_features import stored_features
from assay.curation.formats.hf_listing import make_listing
from assay.curation.formats.hf_names import write_info
from assay.curation.formats.hf_patches import plan_shards
from assay.curation.formats.hf_rows import Shard, ShardRows, read_shards
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.containers.arrow import open_batches
from assay.curation.media.locations import list_files

if TYPE_CHECKING:
    import pandas as pd

SPLITS, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"


class SavedToDisk:
    """What Hugging Face's save_to_disk writes: Arrow shards with their state, a folder a split."""

    name = "huggingface-disk"
    suffixes = (".arrow",)

    def matches(self, path: Path) -> Match:
        if (path / SPLITS).is_file():
            return Match("sure", f"{SPLITS} lies there, which save_to_disk writes")
        if (path / STATE).is_file() and (path / INFO).is_file():
            return Match("sure", f"{STATE} and {INFO} lie there, which save_to_disk writes")
        if path.is_file() and path.suffix.lower() == ".arrow" and has_features(path):
            return Match("sure", "its schema holds the features of Hugging Face")
        return Match("no", f"expects {SPLITS} or {STATE} in the folder, or an .arrow file")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        shards, rows, unread = read_all(path, options)
        kind = f"Arrow of Hugging Face, {len(shards):,} {'shard' if len(shards) == 1 else 'shards'}"
        return make_listing(self.name, kind, path.name, shards, rows, unread)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Put new labels into their shards, with a new fingerprint.

        With the old one, what others cached of the old labels would be taken for these.
        """
        _, rows, _ = read_all(source, options)
        plan = plan_shards(rows, changes, source, options.split_map)
        files = plan.list_files(source)
        names = [*plan.names, *plan.fresh]
        for file in [file for file in files if file]:
            state, info = Path(file).with_name(STATE), Path(file).with_name(INFO)
            if (source / state).is_file():
                files[str(state)] = partial(write_state, source / state, str(sorted_text(changes)))
            if plan.fresh and (source / info).is_file():
                files[str(info)] = partial(write_info, source / info, plan.column or "", names)
        return Patch(files, notes=plan.notes)


FORMAT = SavedToDisk()


def read_all(path: Path, options: ImportOptions) -> tuple[list[Shard], ShardRows, list[Unread]]:
    """Find and read the shards of a source."""
    if path.is_file():
        shards, declared = [Shard(path, "", None)], None
        return shards, read_shards(shards, path.name, options, declared), []
    folders = {None: path}
    if (path / SPLITS).is_file():
        splits = read_json(path / SPLITS).get("splits")
        if not isinstance(splits, list) or not all(is_name(split) for split in splits):
            raise UserError(
                f"expected the names of splits in {path.name}/{SPLITS}, found {str(splits)[:100]}",
                "save the data set again: dataset.save_to_disk(...)",
            )
        folders = {split: path / split for split in splits}
    shards, declared, ours = [], None, {SPLITS}
    for split, folder in folders.items():
        below = f"{split}/" if split else ""
        state = read_json(folder / STATE)
        declared = declared or read_json(folder / INFO).get("features")
        ours |= {f"{below}{STATE}", f"{below}{INFO}"}
        files = [row.get("filename") for row in state.get("_data_files") or []]
        if not files or not all(is_name(file) for file in files):
            raise UserError(
                f"expected the names of shards in {below}{STATE} of {path.name}, found {str(files)[:100]}",
                "save the data set again: dataset.save_to_disk(...)",
            )
        named = split or state.get("_split")
        shards += [Shard(folder / file, f"{below}{file}", named) for file in files]
    ours |= {shard.file for shard in shards}
    unread = list_unread(file for file in list_files(str(path)) if file not in ours)
    return shards, read_shards(shards, path.name, options, declared), unread


def is_name(name: object) -> bool:
    """Whether a text names something directly in a folder."""
    return (
        isinstance(name, str)
        and name not in ("", ".", "..")
        and "/" not in name
        and "\0" not in name
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a small file that save_to_disk writes."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise UserError(
            f"expected {path.name} in {path.parent.name}, found {describe(e)}",
            "is the data set complete? save it again: dataset.save_to_disk(...)",
        ) from e
    return found if isinstance(found, dict) else {}


def describe(error: Exception) -> str:
    return "none" if isinstance(error, OSError) else f"no JSON ({str(error)[:100]})"


def has_features(path: Path) -> bool:
    """Whether an Arrow file's schema tells Hugging Face's features."""
    import pyarrow as pa

    try:
        with open_batches(str(path)) as (schema, _):
            return stored_features(schema) is not None
    except (OSError, ValueError, pa.ArrowException):
        return False


def sorted_text(changes: pd.DataFrame) -> list[tuple[str, str]]:
    """What a fingerprint is made of: which samples have which label now."""
    return sorted((key, str(label)) for key, label in zip(changes.key, changes.label))


def write_state(path: Path, changed: str, target: Path) -> None:
    """Write state.json with a new fingerprint, all else as it was."""
    text = path.read_bytes().decode("utf-8")
    old = json.loads(text).get("_fingerprint")
    new = blake2b(f"{old} {changed}".encode(), digest_size=8).hexdigest()
    if isinstance(old, str):
        text = text.replace(f'"_fingerprint": {json.dumps(old)}', f'"_fingerprint": "{new}"')
    target.write_bytes(text.encode("utf-8"))
