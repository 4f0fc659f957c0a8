"""The samples that a table lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing
from assay.curation.formats.table_columns import Roles, as_texts, as_written, choose_roles
from assay.curation.formats.table_files import Table
from assay.curation.media.locations import Place, locate_bytes, locate_paths
from assay.curation.text import MAX_NAME, MAX_TEXT, find_flaw

SAMPLE_ID = re.compile("[0-9a-f]{32}")


def list_samples(path: Path, table: Table, options: ImportOptions) -> Listing:
    """List the samples of the table at `path`.

    A manifest that Assay exported is read exactly.
    """
    columns, n = table.columns, len(table.places)
    if not n and not table.left_out:
        raise UserError(
            f"expected rows in {path.name}, found {'a header only' if columns else 'nothing'}",
            "add rows",
        )
    exported = is_exported(table)
    roles = choose_roles(table, options.columns, path.name, exported)
    texts = as_written if exported else as_texts
    labels, splits, ids, groups = (
        texts(columns[name], name) if name else [None] * n
        for name in (roles.label, roles.split, roles.id, roles.group)
    )
    hashes: list[Any] = [None] * n
    if exported:
        hashes = columns.get("content_hash", hashes)
    metas = read_metadata(table, roles, exported)
    images = locate_images(path, table, roles.image, exported)
    if exported and options.images:
        images = locate_bytes(images, hashes, str(options.images))
    samples, left_out = [], list(table.left_out)
    first: dict[tuple[str, str | None], str] = {}  # (key or id, its text): where it came first
    for i, (key, uri, missing) in enumerate(images):
        key, place = ids[i] if roles.id else key, table.places[i]
        sample: dict[str, Any] = dict(
            key=key, uri=uri, label=labels[i], split=splits[i], meta=metas[i]
        )
        if roles.group:
            sample["group"] = groups[i]
        if exported:
            sample |= dict(id=columns["sample_id"][i], content_hash=hashes[i])
            if ("key", key) in first:  # two sources of one bench may have the same key
                sample["key"] = sample["id"]
        names = [(name, sample[name]) for name in ("key", "id") if name in sample]
        twice = [first[name] for name in names if name in first]
        wrong = find_bad_text(sample)
        if key is None or wrong:
            reason = f"has {wrong}" if wrong else f"has no {roles.id or roles.image}"
            left_out.append((place, reason))
        elif exported and not SAMPLE_ID.fullmatch(str(sample["id"])):
            reason = f"has the sample_id {sample['id']}, which is not 32 hex digits ({place})"
            left_out.append((key, reason))
        elif twice:
            left_out.append((key, f"on {place} has the same id as {twice[0]}"))
        elif missing:
            left_out.append((key, f"{missing} ({place})"))
        else:
            samples.append(sample)
            first |= dict.fromkeys(names, place)
    kind = f"{path.suffix[1:].lower()} {describe_rows(table, roles)}"
    return Listing("manifest" if exported else "table", kind, path.name, [samples], left_out)


def is_exported(table: Table) -> bool:
    """Whether Assay exported a table as a manifest."""
    first = next(iter(table.columns), "")
    return first == "sample_id" and any(
        SAMPLE_ID.fullmatch(str(v)) for v in table.columns["sample_id"]
    )


def describe_rows(table: Table, roles: Roles) -> str:
    return "of images" if roles.image in table.byte_columns else "manifest"


def locate_images(path: Path, table: Table, column: str, exported: bool) -> Iterator[Place]:
    """Locate the image of each row."""
    if column not in table.byte_columns:
        texts = as_written if exported else as_texts
        return locate_paths(path.parent, texts(table.columns[column], column), exported)
    suffix = "" if column == table.image_column else f"::{column}"
    return (Place(str(i), f"{path}::{i}{suffix}", "") for i in range(len(table.places)))


def find_bad_text(sample: dict) -> str | None:
    """Say what keeps a sample's key or label out."""
    for what, most in (("key", MAX_TEXT), ("label", MAX_NAME)):
        if sample[what] and (wrong := find_flaw(sample[what], most)):
            return f"{what} that {wrong}"
    return None


def read_metadata(table: Table, roles: Roles, exported: bool) -> list[dict[str, Any]]:
    """Read the other columns of each row: {column: JSON value}.

    Empty cells are left out.
    """
    # the group stays: splits may be drawn by it again
    other = {roles.image, roles.id, roles.split, roles.label}
    if exported:
        other |= {"sample_id", "content_hash"}
    meta = {name: values for name, values in table.columns.items() if name not in other}
    meta = json.loads(
        json.dumps(meta, default=lambda v: None if isinstance(v, bytes) else str(v)),
        parse_constant=lambda _: None,  # NaN
    )
    rows = (
        {name: values[i] for name, values in meta.items() if values[i] is not None}
        for i in range(len(table.places))
    )
    return [unpack_metadata(row) if exported else row for row in rows]


def unpack_metadata(meta: dict[str, Any]) -> dict[str, Any]:
    """Unpack metadata that Assay exported in one cell.

    The export's own columns stay beside them.
    """
    try:
        return json.loads(meta["meta"]) | {name: v for name, v in meta.items() if name != "meta"}
    except (KeyError, ValueError, TypeError, RecursionError):
        return meta
