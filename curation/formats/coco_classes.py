"""COCO's JSON with one class an image and no boxes.

iNaturalist's competitions have it.
"""

from __future__ import annotations

import mmap
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_names import tell_apart
from assay.curation.formats.json_edits import JsonText
from assay.curation.formats.json_text import parse_json
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.text_tables import read_text
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import MAX_TEXT, find_flaw, format_count

if TYPE_CHECKING:
    import pandas as pd

PARTS = (b'"images"', b'"annotations"', b'"categories"', b'"category_id"')
BOXES = (b'"bbox"', b'"segmentation"')
OTHERS = (b'"caption"', b'"keypoints"', b'"segments_info"')
START = re.compile(rb"(\xef\xbb\xbf)?\s*\{")
FOLDERS = ("", "annotations")  # where the files of a folder lie
PLAIN = ("id", "file_name", "width", "height", "license")  # no metadata of an image
MOST_FILES = 20


class CocoClasses:
    """COCO's JSON with one class an image and no boxes, as iNaturalist has it.

    Several annotations an image, boxes and captions are refused.
    """

    name = "coco-classes"
    suffixes = (".json",)

    def matches(self, path: Path) -> Match:
        files = [path] if path.is_file() else list_classes(path)
        if files and find_coco(files[0]) == "classes":
            return Match("sure", f"{files[0].name} has images, categories and one for each image")
        return Match("no", "expects COCO's JSON without boxes")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the images of the files, and all others as unlabelled."""
        root = find_root(path, options)
        files = list(list_files(str(root)))
        index = ImageIndex(files)
        samples: dict[str, dict] = {}
        left_out: list[tuple[str, str]] = []
        classes: list[str] = []
        parents: dict[str, str] = {}
        counts: Counter[str] = Counter()
        used = [path] if path.is_file() else list_classes(path)
        for file in used:
            data = parse_data(file)
            names = name_categories(data)
            split = guess_split(file.stem)
            classes += names.values()
            parents |= find_parents(data, names)
            for image, key, wrong in find_images(data, index):
                label = names.get(data.labels.get(image["id"]))
                wrong = wrong or find_flaw(label or "") or find_flaw(key or "", MAX_TEXT) or ""
                if key in samples:
                    wrong = f"is listed twice ({file.name})"
                if key is None or wrong:
                    left_out.append((str(image.get("file_name")), wrong))
                    continue
                meta = {k: v for k, v in image.items() if k not in PLAIN and is_plain(v)}
                samples[key] = dict(
                    key=key, uri=f"{root}/{key}", label=label, split=split, meta=meta
                )
                counts[split or ""] += 1
        notes = []
        if rest := [f for f in index.images if f not in samples] if path.is_dir() else []:
            for f in rest:
                samples[f] = dict(key=f, uri=f"{root}/{f}", label=None, split=None, meta={})
            notes.append(f"{format_count(len(rest), 'image')} in no file: they have no label")
        own = {os.path.relpath(file, root) for file in used}
        unread = list_unread(f for f in files if not f.lower().endswith(SUFFIXES) and f not in own)
        roles = {"image": "file_name of images", "label": "category_id of annotations"}
        if any(counts):
            found = ", ".join(f"{split or 'none'} {n:,}" for split, n in counts.items())
            roles["split"] = f"the files' names ({found})"
        return Listing(
            self.name,
            f"COCO's JSON without boxes: {', '.join(file.name for file in used[:5])}",
            path.name,
            [list(samples.values())],
            left_out,
            notes,
            roles,
            unread if path.is_dir() else [],
            list(dict.fromkeys(classes)),
            parents,
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change category_id in the files; add new classes to the categories."""
        root = find_root(source, options)
        index = ImageIndex(list_files(str(root)))
        wanted = {row.key: row for row in iter_changes(changes)}
        rewritten: dict[str, Callable[[Path], None]] = {}
        notes: list[str] = []
        for file in [source] if source.is_file() else list_classes(source):
            text = change_file(file, index, wanted, notes)
            if text.edits:
                name = "" if source.is_file() else str(file.relative_to(source))
                rewritten[name] = text.write
        if changes.split.notna().any():
            notes.append("changed splits stay as they are: the files' names say them")
        gone = [] if source.is_file() else remove_images(source, root, wanted, notes)
        return Patch(rewritten, removed=gone, notes=list(dict.fromkeys(notes)))


FORMAT = CocoClasses()


@dataclass
class Data:
    """What one file holds."""

    name: str
    images: list[dict]
    categories: list[dict]
    labels: dict[Any, Any]  # image's id -> category's


def find_coco(path: Path) -> Literal["classes", "boxes", "other"] | None:
    """Find which kind of COCO's JSON a file is.

    None where it is none. Looks for words in all of it.
    """
    try:
        with open(path, "rb") as file:
            if not START.match(file.read(64)):
                return None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
                if any(held.find(word) < 0 for word in PARTS[:2]):
                    return None
                if any(held.find(word) >= 0 for word in BOXES):
                    return "boxes"
                plain = all(held.find(word) >= 0 for word in PARTS)
                return "other" if not plain or any(held.find(w) >= 0 for w in OTHERS) else "classes"
    except (OSError, ValueError):
        return None


def list_classes(path: Path) -> list[Path]:
    """List the files of a folder that are COCO's without boxes."""
    found: list[Path] = []
    for folder in FOLDERS:
        if (path / folder).is_dir():
            names = sorted(n for n in os.listdir(path / folder) if n.lower().endswith(".json"))
            found += [path / folder / name for name in names[:MOST_FILES]]
    return [file for file in found if file.is_file() and find_coco(file) == "classes"]


def find_root(path: Path, options: ImportOptions) -> Path:
    if options.images:
        return Path(options.images)
    return path.parent if path.is_file() else path


def is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def parse_data(path: Path) -> Data:
    """Read a file of COCO's images, annotations and categories.

    UserError where an image has several labels, or parts are missing.
    """
    value = parse_json(read_text(path), path.name)
    parts = [value.get(key) for key in ("images", "annotations", "categories")]
    whole = all(isinstance(p, list) and all(isinstance(v, dict) for v in p) for p in parts)
    if not whole or any("id" not in v for p in (parts[0], parts[2]) for v in p):
        raise UserError(
            f"expected images, annotations and categories in {path.name}, found other parts",
            "each is a list of objects with an id, as COCO has them",
        )
    images, annotations, categories = parts
    labels: dict[Any, Any] = {}
    for annotation in annotations:
        image, category = annotation.get("image_id"), annotation.get("category_id")
        if labels.setdefault(image, category) != category:
            raise UserError(
                f"expected one label for each image in {path.name}, found several for image {image}",
                "Assay does not read these yet; --pictures-only with the images' folder imports them"
                " without labels",
            )
    return Data(path.name, images, categories, labels)


def name_categories(data: Data) -> dict[Any, str]:
    """Name each category; two of one name get their id behind it."""
    pairs = {str(c["id"]): str(c.get("name", c["id"])) for c in data.categories}
    names = tell_apart(pairs, set(pairs))
    return {c["id"]: names[str(c["id"])] for c in data.categories}


def find_parents(data: Data, names: dict[Any, str]) -> dict[str, str]:
    """Find what each class is a kind of: its supercategory.

    {} where there are not several of these.
    """
    above = {
        names[c["id"]]: str(c["supercategory"]) for c in data.categories if c.get("supercategory")
    }
    several = len(set(above.values())) > 1 and not set(above.values()) & set(names.values())
    return above if several else {}


def find_images(data: Data, index: ImageIndex) -> Iterator[tuple[dict, str | None, str]]:
    """Find the file of each image: (image, file, what is wrong)."""
    for image in data.images:
        key, wrong = index.find_one(str(image.get("file_name", "")), "", "images")
        yield image, key, wrong


def remove_images(source: Path, root: Path, wanted: dict, notes: list[str]) -> list[str]:
    """List the image files to remove from the source.

    One that no file names would be imported again, without a label. Those outside of the source
    stay, and a note says so.
    """
    gone = []
    for key in (key for key, row in wanted.items() if row.removed):
        place = os.path.relpath(root / key, source)
        if place.startswith("../"):
            notes.append(f"{key} lies outside of {source.name} and stays there: without a label")
        else:
            gone.append(place)
    return gone


def change_file(path: Path, index: ImageIndex, wanted: dict, notes: list[str]) -> JsonText:
    """Plan the changes of one file."""
    text, data = JsonText(path), parse_data(path)
    names = name_categories(data)
    ids = {name: number for number, name in names.items()}
    by_id = {
        image["id"]: wanted[key] for image, key, _ in find_images(data, index) if key in wanted
    }
    for image, row in by_id.items():
        given = names.get(data.labels.get(image))
        if given != row.given_label:
            raise UserError(
                f"expected {row.given_label} for {row.key} in {path.name}, found {given}",
                "the source has changed since: import it again",
            )
    members = text.members()
    gone: list[int] = []
    places = text.elements(members["annotations"])
    labelled = set()
    for i, span in enumerate(places):
        change = by_id.get(text.read(span).get("image_id"))
        if change is None:
            continue
        labelled.add(change.key)
        if change.removed or change.label is None:
            gone.append(i)
        elif change.label != change.given_label:
            if change.label not in ids:
                ids[change.label] = max((n for n in ids.values() if type(n) is int), default=0) + 1
                text.add_element(
                    members["categories"], dict(id=ids[change.label], name=change.label)
                )
                notes.append(f"a new category in {path.name}: {change.label}")
            text.replace(text.members(span)["category_id"], ids[change.label])
    text.remove(places, gone)
    images = text.elements(members["images"])
    removed = {image for image, row in by_id.items() if row.removed}
    text.remove(images, [i for i, span in enumerate(images) if text.read(span)["id"] in removed])
    for row in by_id.values():
        if row.label is not None and not row.removed and row.key not in labelled:
            notes.append(f"{row.key}: {path.name} has no annotation of it to change")
    return text
