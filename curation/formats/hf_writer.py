"""Write a version as Parquet shards and a card, for datasets.load_dataset."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.formats.base import Export
from assay.curation.formats.copying import read_originals
from assay.curation.formats.hf_features import METADATA
from assay.curation.formats.hf_rows import NO_LABEL
from assay.curation.formats.hf_shards import CARD
from assay.curation.tasks.multilabel import read_set
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SPLIT_NAMES = {"val": "validation"}  # as Hugging Face calls it
ORDER = ("train", "val", "test", "pool", "guard")
GROUP_ROWS, GROUP_BYTES = 100, 64 << 20  # of a row group at most
SHARD_BYTES = 500 << 20  # after which the next shard begins
MOST_COLUMNS = 1_000  # of metadata


@dataclass
class SplitFiles:
    """What was written of a split."""

    name: str
    files: list[Path] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0  # of images


def write_shards(folder: Path, export: Export) -> None:
    """Write a version's samples into data/, and README.md with their features."""
    metas = [parse_metadata(meta) for meta in export.samples.meta]
    kinds = choose_kinds(metas)
    samples = export.samples.assign(parsed=metas)
    features = make_features(export.classes, kinds, export.several)
    (folder / "data").mkdir()
    written = []
    there = samples["split"].unique()
    for split in sorted(there, key=lambda s: ORDER.index(s) if s in ORDER else len(ORDER)):
        part = samples[samples["split"] == split]
        name = SPLIT_NAMES.get(split, split)
        written.append(write_split(folder / "data", name, part, export.classes, kinds, features))
    (folder / CARD).write_text(make_card(export, features, written), encoding="utf-8")


def write_split(
    folder: Path,
    name: str,
    samples: pd.DataFrame,
    classes: list[str],
    kinds: dict[str, str],
    features: dict[str, Any],
) -> SplitFiles:
    """Write a split's shards, in the order in which images are read."""
    done = SplitFiles(name)
    number = {label: i for i, label in enumerate(classes)}
    several = "feature" in features.get("label", {})
    schema = make_schema(features, kinds)
    writer, size = None, 0
    for group in group_rows(read_originals(samples)):
        if writer is None or size > SHARD_BYTES:
            if writer:
                writer.close()
            path = folder / f"{name}-{len(done.files):05}.part"
            writer, size = open_writer(path, schema), 0
            done.files.append(path)
        columns: dict[str, list] = {
            "image": [dict(bytes=blob, path=os.path.basename(row.key)) for row, blob in group]
        }
        if classes:
            columns["label"] = [number_label(row.label, number, several) for row, _ in group]
        for column, kind in kinds.items():
            columns[column] = [cast_value(row.parsed.get(column), kind) for row, _ in group]
        writer.write_table(make_table(columns, schema))
        size += sum(len(blob) for _, blob in group)
        done.rows += len(group)
        done.bytes += sum(len(blob) for _, blob in group)
    if writer:
        writer.close()
    for i, path in enumerate(done.files):
        place = folder / f"{name}-{i:05}-of-{len(done.files):05}.parquet"
        done.files[i] = path.rename(place)
    return done


def number_label(label: str | None, number: dict[str, int], several: bool) -> Any:
    """Number a label: its class, -1 for none; or the classes of a set, None for none."""
    if several:
        return None if label is None else [number[name] for name in read_set(label)]
    return number.get(label, NO_LABEL) if label else NO_LABEL


def group_rows(rows: Iterator[tuple[Any, bytes]]) -> Iterator[list[tuple[Any, bytes]]]:
    """Group rows into what one row group holds."""
    group: list[tuple[Any, bytes]] = []
    size = 0
    for row, blob in rows:
        if group and (len(group) == GROUP_ROWS or size + len(blob) > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append((row, blob))
        size += len(blob)
    if group:
        yield group


def open_writer(path: Path, schema: pa.Schema) -> Any:
    """Open a Parquet writer as Hugging Face does for images."""
    import pyarrow.parquet as pq

    codecs = {name: "SNAPPY" for name in schema.names if name != "image"}
    codecs |= {"image.bytes": "NONE", "image.path": "SNAPPY"}  # images are compressed already
    plain = [name for name in schema.names if name != "image"]
    return pq.ParquetWriter(
        path, schema, compression=codecs, use_dictionary=plain, write_page_index=True
    )


def make_table(columns: dict[str, list], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    arrays = [pa.array(columns[column.name], column.type) for column in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


# ---- features


def parse_metadata(meta: object) -> dict[str, Any]:
    """Parse the metadata of a sample from a state's JSON."""
    found = json.loads(meta) if isinstance(meta, str) else meta
    return found if isinstance(found, dict) else {}


def choose_kinds(metas: list[dict[str, Any]]) -> dict[str, str]:
    """Choose the dtype of each column of metadata.

    What is of several types, or a list, becomes JSON in text.
    """
    seen: dict[str, set[type]] = {}
    for meta in metas:
        for column, value in meta.items():
            if value is not None:
                seen.setdefault(column, set()).add(type(value))
    words = {bool: "bool", int: "int64", float: "float64", str: "string"}
    kinds = {}
    for column, types in list(seen.items())[:MOST_COLUMNS]:
        if column in ("image", "label"):
            continue
        if types == {int, float}:
            types = {float}
        (kind,) = types if len(types) == 1 else (object,)
        kinds[column] = words.get(kind, "string")
        if kind is int and not all(
            -(2**63) <= meta[column] < 2**63 for meta in metas if meta.get(column) is not None
        ):
            kinds[column] = "string"
    return kinds


def cast_value(value: Any, kind: str) -> Any:
    """Bring a value to the type of its column."""
    if value is None or (kind == "string" and isinstance(value, str)):
        return value
    if kind == "string":
        return json.dumps(value, ensure_ascii=False)
    return float(value) if kind == "float64" else value


def make_features(
    classes: list[str], kinds: dict[str, str], several: bool = False
) -> dict[str, Any]:
    """Make the features in the form that a schema's metadata has."""
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    if classes:
        features["label"] = {"names": list(classes), "_type": "ClassLabel"}
    if classes and several:
        features["label"] = {"feature": features["label"], "_type": "Sequence"}
    return features | {c: {"dtype": kind, "_type": "Value"} for c, kind in kinds.items()}


def make_schema(features: dict[str, Any], kinds: dict[str, str]) -> pa.Schema:
    import pyarrow as pa

    types = {"bool": pa.bool_(), "int64": pa.int64(), "float64": pa.float64()}
    types["string"] = pa.string()
    found = {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()}
    if "feature" in features.get("label", {}):
        found["label"] = pa.list_(pa.int64())
    found |= {column: types[kind] for column, kind in kinds.items()}
    told = {METADATA: json.dumps({"info": {"features": features}}).encode()}
    return pa.schema([(column, found[column]) for column in features], told)


def make_card(export: Export, features: dict[str, Any], written: list[SplitFiles]) -> str:
    """Make README.md: features, splits and files as its head, a sentence below."""
    import yaml

    listed = []
    for column, about in features.items():
        kind: Any = about.get("dtype", "image")
        of = about.get("feature", about)
        if of["_type"] == "ClassLabel":
            names = {str(i): name for i, name in enumerate(of["names"])}
            kind = {"class_label": {"names": names}}
        listed.append({"name": column, "sequence" if "feature" in about else "dtype": kind})
    splits = [dict(name=s.name, num_bytes=s.bytes, num_examples=s.rows) for s in written]
    size = sum(file.stat().st_size for s in written for file in s.files)
    head = dict(
        dataset_info=dict(
            features=listed,
            splits=splits,
            download_size=size,
            dataset_size=sum(s.bytes for s in written),
        ),
        configs=[
            dict(
                config_name="default",
                data_files=[dict(split=s.name, path=f"data/{s.name}-*") for s in written],
            )
        ],
    )
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=1 << 20)
    title = " ".join(export.name.split())
    n = sum(s.rows for s in written)
    return (
        f"---\n{text}---\n\n# {title}\n\n{format_count(n, 'image')} in {format_count(len(export.classes), 'class')},"
        f" exported by Assay at {export.version}. {'null' if export.several else NO_LABEL} says that an image has no"
        " label.\n"
    )
