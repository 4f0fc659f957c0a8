"""Objects as labels: each image gets the classes of all its boxes or outlines."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.curation.errors import UserError
from assay.curation.formats.annotations import find_sign
from assay.curation.formats.base import ImportOptions, Listing, Match
from assay.curation.formats.class_names import read_names_file
from assay.curation.formats.coco_classes import find_coco
from assay.curation.formats.json_text import parse_json
from assay.curation.formats.label_sets import BadLabels, count_sets, explain_task, join_names
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.text_tables import read_text
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import MAX_TEXT, find_flaw, format_count

LONGEST_XML = 1 << 24  # bytes of a file of one image


class ImageTags:
    """COCO, YOLO and Pascal VOC: the classes of all objects of an image are its labels.

    Read where --multilabel asks for them; places and sizes of objects are left out.
    """

    name = "image-tags"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        return Match("no", "is asked for: --multilabel takes the classes of an image's objects")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the images with the classes of their objects."""
        root = path if path.is_dir() else path.parent
        root = Path(options.images) if options.images else root
        files = list(list_files(str(root)))
        tags = read_tags(path, root, files)
        samples, left_out = [], list(tags.left_out)
        for key in (f for f in files if f.lower().endswith(SUFFIXES)):
            if key not in tags.names or find_flaw(key, MAX_TEXT):
                continue
            try:
                label = join_names(dict.fromkeys(tags.names[key]))
            except BadLabels as e:
                left_out.append((key, str(e)))
                continue
            split = tags.splits.get(key) or guess_folder(key)
            samples.append(dict(key=key, uri=f"{root}/{key}", label=label, split=split, meta={}))
        listed = {sample["key"] for sample in samples} | {key for key, _ in left_out}
        unread = list_unread(
            (f for f in files if f.lower().endswith(SUFFIXES) and f not in listed),
            "no annotation names them",
        )
        splits = Counter(sample["split"] for sample in samples if sample["split"])
        labels = count_sets(sample["label"] for sample in samples)
        roles = {
            "label": f"the classes of each image's objects in {tags.tool}, {labels}",
            "task": explain_task("--multilabel takes the classes of all objects of an image"),
        }
        if splits:
            found = ", ".join(f"{split} {n:,}" for split, n in splits.items())
            roles["split"] = f"folders and files ({found})"
        return Listing(
            self.name,
            f"{tags.tool}: objects as labels of their images, without their places",
            path.name,
            [samples],
            left_out,
            tags.notes,
            roles,
            unread,
            tags.classes,
            task="multilabel",
        )


FORMAT = ImageTags()


@dataclass
class Tags:
    """What annotations say of images, by their keys."""

    tool: str
    classes: list[str]  # in the order that the source declares
    names: dict[str, list[str]] = field(default_factory=dict)  # image -> the class of each object
    splits: dict[str, str] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_tags(path: Path, root: Path, files: list[str]) -> Tags:
    """Read annotations of a kind that is known; UserError for others."""
    readers: dict[str, Callable[[Path, Path, list[str]], Tags]] = {
        "COCO": read_coco,
        "YOLO": read_yolo,
        "Pascal VOC": read_voc,
    }
    sign = find_sign(path)
    tool = sign.tool if sign else "COCO" if list_coco(path, root, files) else ""
    for name, read in readers.items():
        if tool.startswith(name):
            return read(path, root, files)
    found = f"{sign.tool}: {sign.where} holds {sign.holds}" if sign else "no annotations"
    raise UserError(
        f"expected boxes or outlines of {', '.join(readers)} in {path.name} for --multilabel, found {found}",
        "--pictures-only imports the images without labels; a table may have a column of lists",
    )


def guess_folder(key: str) -> str | None:
    """Guess a split by the folders of an image, the innermost first."""
    return next(filter(None, map(guess_split, reversed(key.split("/")[:-1]))), None)


def read_yolo(path: Path, root: Path, files: list[str]) -> Tags:
    """Read YOLO's text of boxes beside each image, and the names of data.yaml."""
    known = set(files)
    yaml = sorted((f for f in files if f.endswith((".yaml", ".yml"))), key=lambda f: f.count("/"))
    lists = (read_names_file(root / f) for f in yaml)
    lines, pairs = next((found for found in lists if any(found)), ([], []))
    names = dict(pairs) or {str(i): name for i, name in enumerate(lines)}
    if not names:
        raise UserError(
            f"expected the names of the classes in a data.yaml of {path.name}, found none",
            "add it: names: [cat, dog]",
        )
    tags, bare = Tags("YOLO", list(dict.fromkeys(names.values()))), 0
    for image in (f for f in files if f.lower().endswith(SUFFIXES)):
        file = f"{os.path.splitext(swap_folder(image, 'images', 'labels'))[0]}.txt"
        bare += file not in known
        text = (root / file).read_text("utf-8", "replace") if file in known else ""
        numbers = [line.split()[0] for line in text.splitlines() if line.strip()]
        if unknown := [n for n in numbers if n not in names]:
            reason = f"has the class {unknown[0][:40]} in {file}, which data.yaml does not name"
            tags.left_out.append((image, reason))
        else:
            tags.names[image] = [names[n] for n in numbers]
    if bare:
        count = format_count(bare, "image", "has", "have")
        tags.notes.append(f"{count} no file of boxes: taken as without an object, so with no class")
    return tags


def swap_folder(path: str, old: str, new: str) -> str:
    """Replace the last folder of a path that is called `old`."""
    parts = path.split("/")
    at = [i for i, part in enumerate(parts[:-1]) if part == old]
    return "/".join([*parts[: at[-1]], new, *parts[at[-1] + 1 :]]) if at else path


def list_coco(path: Path, root: Path, files: list[str]) -> list[Path]:
    """List the COCO files of a source."""
    there = [path] if path.is_file() else [root / f for f in files if f.lower().endswith(".json")]
    return [file for file in there if file.suffix.lower() == ".json" and find_coco(file)]


def read_coco(path: Path, root: Path, files: list[str]) -> Tags:
    """Read COCO's images, annotations and categories."""
    index, tags = ImageIndex(files), Tags("COCO", [])
    for file in list_coco(path, root, files):
        value: Any = parse_json(read_text(file), file.name)
        try:
            names = {c["id"]: str(c["name"]) for c in value["categories"]}
            images = {image["id"]: str(image["file_name"]) for image in value["images"]}
            objects = [(a["image_id"], names[a["category_id"]]) for a in value["annotations"]]
        except (KeyError, TypeError) as e:
            raise UserError(
                f"expected images, annotations and categories in {file.name}, found none for {e}",
                "each is a list of objects with ids, as COCO has them",
            ) from None
        tags.classes += [name for name in names.values() if name not in tags.classes]
        keys: dict[Any, str] = {}
        for number, name in images.items():
            key, wrong = index.find_one(name, "", "images", file.stem)
            if key is None:
                tags.left_out.append((name, wrong))
                continue
            keys[number] = key
            tags.names.setdefault(key, [])
            if split := guess_split(file.stem.removeprefix("instances_")):
                tags.splits[key] = split
        for number, name in objects:
            if number in keys:
                tags.names[keys[number]].append(name)
    return tags


def read_voc(path: Path, root: Path, files: list[str]) -> Tags:
    """Read Pascal VOC's XML of each image."""
    from xml.etree import ElementTree

    index, tags = ImageIndex(files), Tags("Pascal VOC", [])
    for file in (f for f in files if f.lower().endswith(".xml")):
        text = (root / file).read_bytes()[:LONGEST_XML]
        try:
            if b"<!ENTITY" in text or b"<!DOCTYPE" in text:
                raise ElementTree.ParseError("it declares entities")
            top = ElementTree.fromstring(text)
        except ElementTree.ParseError as e:
            tags.left_out.append((file, f"is no XML of Pascal VOC: {e}"))
            continue
        if top.tag != "annotation":
            continue
        named = top.findtext("filename") or f"{Path(file).stem}.jpg"
        key, wrong = index.find_one(named, "JPEGImages", "")
        if key is None:
            tags.left_out.append((file, wrong))
            continue
        found = [(one.findtext("name") or "").strip() for one in top.iter("object")]
        tags.names[key] = found
        tags.classes += [name for name in dict.fromkeys(found) if name not in tags.classes]
    tags.classes.sort()
    for split in ("train", "val", "test"):
        listed = root / "ImageSets" / "Main" / f"{split}.txt"
        stems = set(listed.read_text("utf-8", "replace").split()) if listed.is_file() else set()
        tags.splits |= {key: split for key in tags.names if Path(key).stem in stems}
    return tags
