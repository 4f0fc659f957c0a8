"""What the members of a shard's sample become when its label changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assay.curation.errors import UserError
from assay.curation.formats.json_text import replace_field
from assay.curation.formats.shard_files import ShardSample
from assay.curation.formats.shard_labels import ShardLabels
from assay.curation.text import format_count


def changed_since(key: str, given: str | None) -> UserError:
    return UserError(
        f"expected {key} to be labelled {given}, as when it was imported, found another label",
        "the source has changed since: import it again",
    )


def encode_label(
    labels: ShardLabels, cell: str, label: str | None, fresh: list[str], source: Path
) -> Any:
    """Encode a label as one of the cells says it."""
    known = labels.raw.get(cell, {})
    if labels.several and label is not None:
        return json.loads(label)
    if label is None or label in known:
        return known.get(label or "")
    numbers = bool(known) and all(str(value).strip().isdigit() for value in known.values())
    if not numbers and known or labels.exact and cell == labels.shown:
        return label
    if cell == labels.numbered:
        if label in labels.names:
            number = labels.names.index(label)
        elif source.is_dir() and labels.names_file and labels.names_file.suffix == ".txt":
            if label not in fresh:
                fresh.append(label)
            number = len(labels.names) + fresh.index(label)
        else:
            raise UserError(
                f"expected one of the {format_count(len(labels.names), 'named class')}, found {label}",
                f"add it to {labels.names_file and labels.names_file.name}, and import again",
            )
    elif label.isdigit():
        number = int(label)
    else:
        raise UserError(
            f"expected classes by number in {cell}, as all others there, found {label}",
            "list the names in classes.txt beside the shards, and import again",
        )
    return str(number) if isinstance(next(iter(known.values()), ""), str) else number


def change_cell(
    sample: ShardSample, cell: str, value: Any, labels: ShardLabels
) -> tuple[str, bytes | None]:
    """Change the member that says a sample's label.

    Returns (member, its new bytes); None: it goes.
    """
    base = next(iter(sample.members.values())).name
    if cell in labels.endings or not labels.cells or "json" not in sample.members:
        member = sample.members.get(cell)
        stem = base[: base.index(".", base.rfind("/") + 1)]
        name = member.name if member else f"{stem}.{cell}"
        return name, None if value is None else str(value).encode()
    member = sample.members["json"]
    with open(sample.path, "rb") as file:
        file.seek(member.data)
        return member.name, replace_field(file.read(member.size), cell, value)


def change_again(before: bytes | None, blob: bytes | None, cell: str, value: Any) -> bytes | None:
    """Change a second field of a JSON that was changed already."""
    return blob if before is None else replace_field(before, cell, value)


def add_names(file: Path, fresh: list[str], target: Path) -> None:
    """Write a list of class names with more at its end."""
    blob = file.read_bytes()
    line_end = "\r\n" if b"\r\n" in blob else "\n"
    if blob and not blob.endswith(b"\n"):
        blob += line_end.encode()
    target.write_bytes(blob + "".join(f"{name}{line_end}" for name in fresh).encode())
