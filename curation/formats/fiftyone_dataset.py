"""Data sets that FiftyOne exported as they are: metadata.json, samples.json and data/."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats import fiftyone_schema
from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_folders import list_unread
from assay.curation.formats.copying import place_images
from assay.curation.formats.json_text import JsonText, Span
from assay.curation.formats.splits import SPLITS
from assay.curation.media.addresses import is_address
from assay.curation.media.locations import list_files
from assay.curation.text import find_flaw, safe_name

if TYPE_CHECKING:
    import pandas as pd

ONE_LABEL = "Classification"
OWN = ("filepath", "tags", "id", "metadata", "created_at", "last_modified_at")
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
        used = {"samples.json", "metadata.json", *(sample["key"] for sample in samples)}
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
        """Change labels and tags in samples.json; what was removed goes, with its file."""
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
        """Write a data set that FiftyOne loads: its split is the first tag."""
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


def kind_of(value: Any) -> str:
    return value.get("_cls", "") if isinstance(value, dict) else ""


def choose_field(name: str, rows: list[dict], options: ImportOptions) -> str | None:
    """Choose the field that holds the labels; None where none is asked for.

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
        raise UserError(
            f"expected a field of one classification a sample in {name}, found {others or 'none'}",
            "boxes, masks and several labels a sample are not read yet; "
            "--pictures-only imports the images without labels",
        )
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
    """Map our names of splits to the words that a source has for them."""
    found = sorted({tag for row in rows for tag in find_split_tags(row, split_map)})
    return {split_map.get(tag) or SPLITS.get(tag.lower(), tag): tag for tag in found}


def locate_file(root: Path, given: Any, images: str | Path | None) -> tuple[str, str, str]:
    """Locate a sample's file: its key, its uri, and what is wrong with it ("" where nothing is)."""
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
    return [f"the field {name} of {n:,} samples is not read" for name, n in counts.items()]


def describe_roles(samples: list[dict], field: str | None) -> dict[str, str]:
    """Say what became of a data set's fields."""
    classes = {sample["label"] for sample in samples} - {None}
    label = f"the field {field} ({len(classes):,} classes)" if field else "none: not asked for"
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
