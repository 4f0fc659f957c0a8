"""What the fields of a sample hold, as FiftyOne exports it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UnknownColumn, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.split_words import SPLITS
from assay.curation.text import format_count

ONE_LABEL = "Classification"
OWN = ("filepath", "tags", "id", "metadata", "created_at", "last_modified_at")


def kind_of(value: Any) -> str:
    return value.get("_cls", "") if isinstance(value, dict) else ""


def choose_field(name: str, rows: list[dict], options: ImportOptions) -> str | None:
    """Choose the field of the labels; None where none is asked for.

    UserError where there is none, AmbiguousSource where there are several.
    """
    kinds: dict[str, set[str]] = {}
    for row in rows:
        for field, value in row.items():
            if kind := kind_of(value):
                kinds.setdefault(field, set()).add(kind)
    fields = [field for field, found in kinds.items() if found == {ONE_LABEL}]
    asked = options.columns.get("label")
    if asked == "none" or options.pictures_only:
        return None
    if asked in fields:
        return asked
    if asked or not fields:
        others = ", ".join(f"{field} ({', '.join(sorted(k))})" for field, k in kinds.items())
        problem = (
            f"expected a field of one classification a sample in {name}, found {others or 'none'}"
        )
        hint = (
            "boxes, masks and several labels a sample are not read yet; "
            "--pictures-only imports the images without labels"
        )
        if asked and asked not in kinds:
            raise UnknownColumn(problem, hint, asked, kinds)
        raise UserError(problem, hint)
    if len(fields) == 1 or "ground_truth" in fields:
        return fields[0] if len(fields) == 1 else "ground_truth"
    readings = [Reading(describe_field(rows, f), f"--label-column {f}") for f in fields]
    raise AmbiguousSource(
        f"expected one field of classifications in {name}, found {len(fields)}: {', '.join(fields)}",
        [*readings, Reading("no labels", "--label-column none")],
    )


def describe_field(rows: list[dict], field: str) -> str:
    counts = Counter(read_label(row, field) for row in rows)
    some = ", ".join(f"{label} {n:,}" for label, n in counts.most_common(3) if label)
    return f"{len(set(counts) - {None}):,} classes: {some}"


def read_label(row: dict, field: str | None) -> str | None:
    value = row.get(field) if field else None
    label = value.get("label") if isinstance(value, dict) else None
    return None if label is None else str(label)


def find_split_tags(row: dict, split_map: dict[str, str]) -> list[str]:
    """Find the tags of a sample that name splits."""
    tags = [tag for tag in list_tags(row) if isinstance(tag, str)]
    return sorted({tag for tag in tags if tag in split_map or tag.lower() in SPLITS})


def list_tags(row: dict) -> list:
    return row["tags"] if isinstance(row.get("tags"), list) else []


def split_words(rows: list[dict], split_map: dict[str, str]) -> dict[str, str]:
    """Map our names of splits to the words of a source."""
    found = sorted({tag for row in rows for tag in find_split_tags(row, split_map)})
    return {split_map.get(tag) or SPLITS.get(tag.lower(), tag): tag for tag in found}


def read_metadata(row: dict, field: str | None, split: str | None) -> dict[str, Any]:
    """Read the other fields of a sample."""
    meta: dict[str, Any] = {}
    for name, value in row.items():
        if name == "tags":
            value = [tag for tag in list_tags(row) if tag != split]
        elif name.startswith("_") or name in OWN or name == field:
            continue
        elif kind_of(value):
            value = value.get("label") if kind_of(value) == ONE_LABEL else None
        if value not in (None, []):
            meta[name] = value
    if meta and any(word in (text := json.dumps(meta)) for word in ("NaN", "Infinity")):
        meta = json.loads(text, parse_constant=lambda _: None)
    return meta


def describe_other_fields(rows: list[dict], field: str | None) -> list[str]:
    """Describe the fields of labels that are not read."""
    counts = Counter(
        f"{name} ({kind_of(value)})"
        for row in rows
        for name, value in row.items()
        if name != field and kind_of(value) not in ("", ONE_LABEL)
    )
    return [
        f"the field {name} of {format_count(n, 'sample')} is not read" for name, n in counts.items()
    ]
