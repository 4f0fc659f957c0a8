"""Data sets that FiftyOne exported as they are: metadata.json, samples.json and data/."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats import fiftyone_schema
from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_folders import list_unread
from assay.curation.formats.copying import place_images
from assay.curation.formats.fiftyone_fields import (
    choose_field,
    describe_other_fields,
    find_split_tags,
    read_label,
    read_metadata,
    split_words,
)
from assay.curation.formats.json_edits import JsonText, Span
from assay.curation.media.addresses import is_address
from assay.curation.media.locations import list_files
from assay.curation.text import find_flaw, format_count, safe_name

if TYPE_CHECKING:
    import pandas as pd

HEADER_BYTES = 1 << 16  # of metadata.json that are looked at
SIGNS = ('"sample_fields"', '"sample_collection_name"')


class FiftyOneDataset:
    """A data set as FiftyOne exports it: its label is a field, its split a tag."""

    name = "fiftyone"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        if (path / "samples.json").is_file() and (path / "metadata.json").is_file():
            with open(path / "metadata.json", encoding="utf-8", errors="replace") as file:
                start = file.read(HEADER_BYTES)
            if any(sign in start for sign in SIGNS):
                return Match("sure", "samples.json and FiftyOne's metadata.json")
        return Match("no", "expects a folder with FiftyOne's samples.json and metadata.json")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the samples of samples.json."""
        about = JsonText(path / "metadata.json").value
        about = about if isinstance(about, dict) else {}
        rows = read_rows(JsonText(path / "samples.json"))
        if about.get("media_type") not in ("image", None):
            raise UserError(
                f"expected a data set of images in {path.name}, found one of {about['media_type']}",
                "export its images from FiftyOne",
            )
        field = choose_field(path.name, rows, options)
        samples, left_out, seen = [], [], set()
        for n, row in enumerate(rows):
            key, uri, wrong = locate_file(path, row.get("filepath"), options.images)
            label = read_label(row, field)
            names = find_split_tags(row, options.split_map)
            flaw = find_flaw(label) if label else ""
            several = f"has several splits: {', '.join(names)}" if len(names) > 1 else ""
            twice = f"is in samples.json twice (sample {n})" if key in seen else ""
            reason = wrong or (f"has a label that {flaw}" if flaw else several or twice)
            if reason:
                left_out.append((key or f"sample {n}", reason))
                continue
            seen.add(key)
            split = names[0] if names else None
            meta = read_metadata(row, field, split)
            samples.append(dict(key=key, uri=uri, label=label, split=split, meta=meta))
        used = {
            "samples.json",
            "metadata.json",
            "assay.json",
            *(sample["key"] for sample in samples),
        }
        unread = list_unread(file for file in list_files(str(path)) if file not in used)
        of_fields = about.get("classes")
        classes = of_fields.get(field) if isinstance(of_fields, dict) else None
        classes = classes or about.get("default_classes")
        return Listing(
            self.name,
            "FiftyOne data set",
            path.name,
            [samples],
            left_out,
            describe_other_fields(rows, field),
            describe_roles(samples, field),
            unread,
            [c for c in classes if isinstance(c, str)] if isinstance(classes, list) else [],
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change labels and tags in samples.json; removed samples go."""
        if changes.empty:
            return Patch()
        text = JsonText(source / "samples.json")
        rows = read_rows(text)
        field = choose_field(source.name, rows, options)
        spans = text.elements(text.members()["samples"])
        at = {
            locate_file(source, row.get("filepath"), options.images)[0]: i
            for i, row in enumerate(rows)
        }
        words = split_words(rows, options.split_map)
        for change in changes.itertuples():
            i = at.get(change.key)
            if i is None or read_label(rows[i], field) != change.given_label:
                raise UserError(
                    f"expected {change.key} to be {change.given_label} in {source.name}, found otherwise",
                    "it has changed since: import it again",
                )
            if not change.removed:
                if change.label != change.given_label:
                    set_label(text, spans[i], rows[i], field, change.label)
                if isinstance(change.split, str):
                    set_split(
                        text, spans[i], options.split_map, words.get(change.split, change.split)
                    )
        gone = changes[changes.removed].key
        text.remove(spans, {at[key] for key in gone})
        files = [key for key in gone if not os.path.isabs(key) and (source / key).is_file()]
        return Patch({"samples.json": text.write}, removed=files)

    def write(self, folder: Path, export: Export) -> None:
        """Write a data set that FiftyOne loads; splits are tags."""
        names: dict[str, str] = {}

        def place(row: Any, suffix: str) -> Path:
            stem = safe_name(Path(row.key).stem).encode()[:120].decode(errors="ignore")
            names[row.sample_id] = f"data/{stem}-{row.sample_id[:12]}{suffix}"
            return folder / names[row.sample_id]

        place_images(export.samples, place, export.copy)
        with open(folder / "samples.json", "w", encoding="utf-8") as out:
            out.write('{"samples": [')
            for n, row in enumerate(export.samples.itertuples()):
                sample = fiftyone_schema.make_sample(row, names[row.sample_id])
                out.write((",\n" if n else "\n") + json.dumps(sample, ensure_ascii=False))
            out.write("\n]}\n")
        about = fiftyone_schema.make_metadata(export.name, export.classes)
        (folder / "metadata.json").write_text(json.dumps(about, ensure_ascii=False), "utf-8")


FORMAT = FiftyOneDataset()


def read_rows(text: JsonText) -> list[dict]:
    """Read the samples of samples.json."""
    rows = text.value.get("samples") if isinstance(text.value, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not rows:
        raise UserError(
            f"expected a list of samples in {text.path.name}, found none",
            "is it an export of FiftyOne?",
        )
    return rows


def locate_file(root: Path, given: Any, images: str | Path | None) -> tuple[str, str, str]:
    """Locate a sample's file.

    Returns its key, its uri, and what is wrong with it: "" where nothing is.
    """
    if not isinstance(given, str) or not given:
        return "", "", "has no filepath"
    if is_address(given):
        return given, given, ""
    path = given.replace("\\", "/")
    base = os.path.abspath(os.path.expanduser(images)) if images else str(root)
    uri = os.path.normpath(os.path.join(base, path))
    if not uri.startswith(f"{base}/"):
        return (
            given,
            uri,
            f"names {given[:300]}, which leaves the folder: --images FOLDER says where it is",
        )
    key = uri.removeprefix(f"{base}/")
    return key, uri, "" if os.path.isfile(uri) else f"names {given[:300]}, which is not there"


def describe_roles(samples: list[dict], field: str | None) -> dict[str, str]:
    """Say what became of a data set's fields."""
    classes = {sample["label"] for sample in samples} - {None}
    label = (
        f"the field {field} ({format_count(len(classes), 'class')})"
        if field
        else "none: not asked for"
    )
    roles = {"label": label, "image": "filepath"}
    splits = Counter(sample["split"] for sample in samples if sample["split"])
    if splits:
        roles["split"] = f"tags ({', '.join(f'{name} {n:,}' for name, n in splits.items())})"
    names = sorted({name for sample in samples for name in sample["meta"]})
    if names:
        roles["metadata"] = f"{len(names)} fields: {', '.join(names[:20])}"
    return roles


def set_label(text: JsonText, span: Span, row: dict, field: str | None, label: str | None) -> None:
    """Set a sample's label; a field that is not there is added."""
    assert field, "without a field no label was given"
    members = text.members(span)
    if label is None:
        text.replace(members[field], None)
    elif read_label(row, field) is not None:
        text.replace(text.members(members[field])["label"], label)
    else:
        made = fiftyone_schema.make_classification(label, json.dumps(row.get("_id")) + field)
        if field in members:
            text.replace(members[field], made)
        else:
            text.add_member(span, field, made)


def set_split(text: JsonText, span: Span, split_map: dict[str, str], word: str) -> None:
    """Set the tag that names a sample's split."""
    members = text.members(span)
    row = text.read(span)
    if not isinstance(row.get("tags"), list):
        if "tags" in members:
            return text.replace(members["tags"], [word])
        return text.add_member(span, "tags", [word])
    names = find_split_tags(row, split_map)
    for place, tag in zip(text.elements(members["tags"]), row["tags"]):
        if tag in names:
            return text.replace(place, word)
    text.add_element(members["tags"], word)
