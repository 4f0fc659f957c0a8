"""Images in data/ and their labels in labels.json, as FiftyOne writes classifications."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_folders import list_unread
from assay.curation.formats.fiftyone_dataset import locate_file
from assay.curation.formats.fiftyone_fields import find_split_tags
from assay.curation.formats.json_edits import JsonText, member_starts
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import find_flaw, format_count

if TYPE_CHECKING:
    import pandas as pd

# both begin so; what stands in `labels` tells one label from boxes
START = re.compile(r'\ufeff?\s*\{\s*"(classes|labels)"\s*:')
LABELS = "labels.json"


class FiftyOneLabels:
    """A FiftyOneImageClassificationDataset: labels.json names each image of data/ without its ending."""

    name = "fiftyone-labels"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        if (path / LABELS).is_file() and (path / "data").is_dir():
            with open(path / LABELS, encoding="utf-8", errors="replace") as file:
                if START.match(file.read(4096)):
                    return Match("sure", "data/ and a labels.json of classes and labels")
        return Match("no", "expects a folder with data/ and FiftyOne's labels.json")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the images that labels.json names."""
        for option in (o for o, column in options.columns.items() if column and column != "none"):
            raise UserError(
                f"--{option}-column: {path.name} has labels.json, without columns", "leave it out"
            )
        text = JsonText(path / LABELS)
        labels, classes = read_labels(text, options)
        files = list(list_files(str(path)))
        by_stem = index_stems(files)
        samples, left_out, seen = [], [], set()
        for name, target in labels.items():
            key, uri, wrong = find_image(path, name, by_stem, options)
            label = None if options.pictures_only else name_class(target, classes)
            flaw = find_flaw(label) if label else ""
            if key in seen:
                wrong = f"is in {LABELS} twice, once as {name}"
            if wrong or flaw:
                left_out.append((key, wrong or f"has a label that {flaw}"))
                continue
            seen.add(key)
            extra = read_attributes(target)
            named = [v for k, v in extra.items() if k in ("split", "tags") and isinstance(v, str)]
            words = find_split_tags({"tags": named}, options.split_map)
            split = words[0] if len(words) == 1 else None
            meta = {k: v for k, v in extra.items() if not (split and v == split)}
            samples.append(dict(key=key, uri=uri, label=label, split=split, meta=meta))
        used = {LABELS, *(sample["key"] for sample in samples)}
        given = Counter(sample["label"] for sample in samples if sample["label"])
        roles = {"label": f"{LABELS} ({len(given):,} classes)", "image": "the files of data/"}
        return Listing(
            self.name,
            "FiftyOne image classifications",
            path.name,
            [samples],
            left_out,
            [],
            roles,
            list_unread(file for file in files if file not in used),
            classes,
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change labels in labels.json; removed images go."""
        if changes.empty:
            return Patch()
        text = JsonText(source / LABELS)
        labels, classes = read_labels(text, options)
        by_stem = index_stems(list_files(str(source)))
        names = {find_image(source, name, by_stem, options)[0]: name for name in labels}
        places = text.members()
        spans = text.members(places["labels"])
        known = list(classes)
        for change in changes.itertuples():
            name = names.get(change.key)
            if name is None or name_class(labels[name], classes) != change.given_label:
                raise UserError(
                    f"expected {change.key} to be {change.given_label} in {source.name}, found otherwise",
                    "it has changed since: import it again",
                )
            if change.removed or change.label == change.given_label:
                continue
            span, target = spans[name], labels[name]
            if isinstance(target, dict):
                span, target = text.members(span)["label"], target.get("label")
            value = change.label
            if classes and value is not None and not isinstance(target, str):
                if value not in known:
                    known.append(value)
                    text.add_element(places["classes"], value)
                value = known.index(value)
            text.replace(span, value)
        gone = {names[key] for key in changes.key[changes.removed]}
        order = {i for i, name in enumerate(spans) if name in gone}
        text.remove(member_starts(text.text, places["labels"].start), order)
        notes = []
        if moved := int(changes.split.notna().sum()):
            notes.append(f"{format_count(moved, 'change')} of split have no place in {LABELS}")
        files = [key for key in changes.key[changes.removed] if (source / key).is_file()]
        return Patch({LABELS: text.write} if text.edits else {}, removed=files, notes=notes)


FORMAT = FiftyOneLabels()


def read_labels(text: JsonText, options: ImportOptions) -> tuple[dict[str, Any], list[str]]:
    """Read the labels by image, and the classes.

    UserError where an image has several labels, or boxes.
    """
    found = text.value if isinstance(text.value, dict) else {}
    labels, classes = found.get("labels"), found.get("classes") or []
    if not isinstance(labels, dict) or not labels:
        raise UserError(f"expected labels in {text.path.name}, found none", "is the file complete?")
    starts = member_starts(text.text, text.members()["labels"].start)
    if len(starts) != len(labels):
        raise UserError(
            f"expected each image once in {text.path.name}, found {len(starts) - len(labels):,} named twice",
            "take the others out",
        )
    several = next((name for name, target in labels.items() if isinstance(target, list)), None)
    if several is not None and not options.pictures_only:
        first = (labels[several] or [None])[0]
        boxes = isinstance(first, dict) and "bounding_box" in first
        raise UserError(
            f"expected one label for each image in {text.path.name}, found "
            f"{'boxes' if boxes else 'a list of labels'} for {several}",
            "these are not read yet; --pictures-only imports the images without labels",
        )
    return labels, [str(name) for name in classes]


def name_class(target: Any, classes: list[str]) -> str | None:
    """Name the class of a label: a word, or a class' number."""
    if isinstance(target, dict):
        target = target.get("label")
    if isinstance(target, list | dict) or target is None:
        return None
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(classes):
        return classes[target]
    return str(target)


def read_attributes(target: Any) -> dict[str, Any]:
    """Read what stands beside a label."""
    if not isinstance(target, dict):
        return {}
    other = {k: v for k, v in target.items() if k not in ("label", "attributes") and v is not None}
    attributes = target.get("attributes")
    return other | (attributes if isinstance(attributes, dict) else {})


def index_stems(files: Any) -> dict[str, list[str]]:
    """Map the images of data/ by name without ending to files."""
    found: dict[str, list[str]] = {}
    for file in files:
        if file.startswith("data/") and file.lower().endswith(SUFFIXES):
            found.setdefault(os.path.splitext(file.removeprefix("data/"))[0], []).append(file)
    return found


def find_image(
    root: Path, name: str, by_stem: dict[str, list[str]], options: ImportOptions
) -> tuple[str, str, str]:
    """Find the image that labels.json names.

    Returns its key, its uri, and what is wrong with it: "" where nothing is.
    """
    if os.path.isabs(name) or "://" in name:
        return locate_file(root, name, options.images)
    files = by_stem.get(os.path.normpath(name.replace("\\", "/")), [])
    if len(files) == 1:
        return files[0], f"{root}/{files[0]}", ""
    two = f"could be {files[0]} or {files[1]}" if files else "is not in data/"
    return name, "", f"names an image that {two}"
