"""The features of a Hugging Face data set."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assay.curation.media.files import byte_columns

if TYPE_CHECKING:
    import pyarrow as pa

METADATA = b"huggingface"  # the key of the features in a schema's metadata
BOXES = ("bbox", "bboxes", "boxes", "box")
SEQUENCES = ("Sequence", "List", "LargeList")
LONGEST_CAPTION = 60  # characters: what is longer on average is a text, and no name


@dataclass(frozen=True)
class Features:
    """The columns of a data set, by what they hold."""

    types: dict[str, str]  # column -> Image, ClassLabel, Value, Sequence, ...
    classes: dict[str, list[str]] = field(default_factory=dict)  # column of one class -> its names
    # column of several classes a row -> their names; [] where it does not declare them
    several: dict[str, list[str]] = field(default_factory=dict)
    boxes: list[str] = field(default_factory=list)

    @property
    def images(self) -> list[str]:
        return [column for column, kind in self.types.items() if kind == "Image"]


def read_features(schema: pa.Schema, declared: dict[str, Any] | None = None) -> Features:
    """Read the features of a shard.

    From its own schema, else as the data set's card or dataset_info.json declares them, else by
    the types of its columns.
    """
    said = stored_features(schema) or declared or {}
    held = set(byte_columns(schema))
    found = Features({})
    for column in schema:
        about = said.get(column.name)
        kind = about.get("_type") if isinstance(about, dict) else None
        if kind == "Value" and column.name in held:
            kind = "Image"  # declared as bytes
        if kind is None:
            kind = "Image" if column.name in held else "Value"
            kind = "Sequence" if str(column.type).startswith(("list", "large_list")) else kind
            kind = "Sequence" if isinstance(about, list) else kind
            kind = "dict" if str(column.type).startswith("struct") and kind == "Value" else kind
        found.types[column.name] = kind
        if kind == "ClassLabel":
            found.classes[column.name] = [str(name) for name in about.get("names") or []]
        if kind in SEQUENCES and (names := read_set_names(about)) is not None:
            found.several[column.name] = names
        if column.name.lower() in BOXES or names_boxes(str(column.type)):
            found.boxes.append(column.name)
    return found


def read_set_names(about: Any) -> list[str] | None:
    """Read the classes of a list of them; None where it lists something else."""
    inner = about[0] if isinstance(about, list) and about else about
    inner = inner.get("feature") if isinstance(inner, dict) and "feature" in inner else inner
    if not isinstance(inner, dict) or inner.get("_type") != "ClassLabel":
        return None
    return [str(name) for name in inner.get("names") or []]


def names_boxes(kind: str) -> bool:
    """Whether a type has a field of boxes inside."""
    return any(f"{box}: " in kind for box in BOXES)


def stored_features(schema: pa.Schema) -> dict[str, Any] | None:
    """The features that a schema's metadata tells; None where it has none."""
    try:
        features = json.loads((schema.metadata or {})[METADATA])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
    return features if isinstance(features, dict) else None


def card_features(listed: object) -> dict[str, Any]:
    """Bring a card's features into the form that schemas have.

    There they are a list of names and types: {name: label, dtype: {class_label: {names: ...}}}.
    """
    found: dict[str, Any] = {}
    for row in listed if isinstance(listed, list) else []:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            continue
        kind, within = row.get("dtype"), row.get("sequence") or row.get("list")
        if within is not None:
            inner = card_features([{"name": "x", "dtype": within}]).get("x")
            found[row["name"]] = {"_type": "List", "feature": inner}
        elif kind == "image":
            found[row["name"]] = {"_type": "Image"}
        elif isinstance(kind, dict) and "class_label" in kind:
            names = (kind["class_label"] or {}).get("names") or {}
            if isinstance(names, dict):  # by number, as text
                names = [names[key] for key in sorted(names, key=lambda key: int(key))]
            found[row["name"]] = {"_type": "ClassLabel", "names": list(map(str, names))}
    return found
