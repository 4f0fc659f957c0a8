"""Declare a Hugging Face data set's new class names and row counts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.formats.hf_features import METADATA, stored_features
from assay.curation.formats.hf_shards import FRONT

if TYPE_CHECKING:
    import pyarrow as pa


def declare_in_schema(schema: pa.Schema, column: str, names: Sequence[str]) -> pa.Schema:
    """Declare all class names of a column in a schema's metadata."""
    if not names or column not in (stored_features(schema) or {}):
        return schema
    told = json.loads(schema.metadata[METADATA])
    told["info"]["features"][column]["names"] = list(names)
    return schema.with_metadata(schema.metadata | {METADATA: json.dumps(told).encode()})


def write_info(file: Path, column: str, names: Sequence[str], target: Path) -> None:
    """Write dataset_info.json with all class names of a column."""
    info = json.loads(file.read_text("utf-8"))
    if column in (info.get("features") or {}):
        info["features"][column]["names"] = list(names)
    target.write_text(json.dumps(info, indent=2), "utf-8")  # as the library `datasets` writes it


def write_card(
    card: Path, column: str | None, fresh: Mapping[int, str], rows: Mapping[str, int], target: Path
) -> None:
    """Write README.md with new class names and each split's row count.

    fresh: number -> name. rows: by the data set's word for the split. All else stays as it was.
    """
    text = card.read_bytes().decode("utf-8", "surrogateescape")
    head = FRONT.match(text)
    if head:
        new = declare_in_head(head[1], column, fresh) if column and fresh else head[1]
        new = count_in_head(new, rows)
        text = text[: head.start(1)] + new + text[head.end(1) :]
    target.write_bytes(text.encode("utf-8", "surrogateescape"))


def declare_in_head(head: str, column: str, fresh: Mapping[int, str]) -> str:
    """Add names behind the last one of a column's classes."""
    last = min(fresh) - 1
    block = re.compile(
        rf"^ *- name: ['\"]?{re.escape(column)}['\"]?\r?\n(?:(?!^ *- name:).*\r?\n)*?"
        rf"(?P<line>(?P<indent> +)(?P<quote>['\"]?){last}(?P=quote): .*(?P<end>\r?\n))",
        re.MULTILINE,
    )
    pieces, at = [], 0
    for found in block.finditer(head):
        quote = found["quote"]
        lines = [
            f"{found['indent']}{quote}{number}{quote}: {json.dumps(name, ensure_ascii=False)}{found['end']}"
            for number, name in fresh.items()
        ]
        pieces += [head[at : found.end("line")], *lines]
        at = found.end("line")
    return "".join([*pieces, head[at:]])


def count_in_head(head: str, rows: Mapping[str, int]) -> str:
    """Set the number of examples of each split."""
    for split, n in rows.items():
        pattern = rf"(^ *- name: ['\"]?{re.escape(split)}['\"]?\r?\n(?:(?!^ *- name:).*\r?\n)*? *num_examples: )\d+"
        head = re.sub(pattern, rf"\g<1>{n}", head, count=1, flags=re.MULTILINE)
    return head
