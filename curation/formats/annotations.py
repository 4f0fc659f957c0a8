"""Recognise boxes, masks and several labels beside images, and refuse them.

Each is refused in one sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing, Match
from assay.curation.formats.coco_classes import find_coco
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import find_flaw

HEAD = 1 << 16  # bytes that are read of a file's beginning, and of its end
LOOKED = 2_000  # files and folders that are looked at for signs
MASKS = ("masks", "mask", "segmentationclass", "segmentationobject", "ground_truth", "gt", "labels")
MASK_NAME = re.compile(r"(.+?)[_ .-](mask|masks|seg|segmentation|labelids|gt)([_ .-]?\d+)?$", re.I)
MASK_WORD = re.compile("mask|seg|labelids|gt", re.I)  # one of which MASK_NAME has
BOX_LINE = re.compile(rb"\s*\d+(\s+-?\d*\.?\d+(e-?\d+)?){4,}\s*$", re.IGNORECASE)


class Sign(NamedTuple):
    """What shows that images have annotations that are no classes."""

    tool: str  # "YOLO"
    holds: str  # "boxes or outlines"
    where: str  # the file that shows it


class Annotations:
    """COCO, YOLO, Pascal VOC, CVAT boxes, LabelMe, VIA, Datumaro, masks.

    Refused; with --pictures-only the images are imported without labels.
    """

    name = "annotations"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        if sign := find_sign(path):
            return Match("sure", f"{sign.tool}: {sign.where} holds {sign.holds}")
        return Match("no", "expects boxes, masks or outlines beside images")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the images alone, where those are asked for."""
        sign = find_sign(path)
        said = f"{sign.tool}: {sign.where} holds {sign.holds}" if sign else "annotations"
        if not options.pictures_only:
            raise UserError(
                f"expected one label for each image in {path.name}, found {said}",
                "--multilabel takes the classes of an image's objects as its labels; --pictures-only imports the"
                " images without labels",
            )
        root = path if path.is_dir() else path.parent
        root = Path(options.images) if options.images else root
        files = list(list_files(str(root)))
        images = [f for f in files if f.lower().endswith(SUFFIXES)]
        masks = set(find_masks(images))
        images = [f for f in images if f not in masks]
        if not images:
            raise UserError(
                f"expected images in {root.name}, found none", "--images FOLDER says where they are"
            )
        samples, left_out = list_bare(root, images)
        unread = list_unread(f for f in files if not f.lower().endswith(SUFFIXES))
        unread += list_unread(sorted(masks), "masks of other images")
        roles = {"label": f"none: {said}, which is not read"}
        return Listing(self.name, "images alone", path.name, [samples], left_out, [], roles, unread)


FORMAT = Annotations()


def list_bare(root: Path, images: list[str]) -> tuple[list[dict], list[tuple[str, str]]]:
    """List images without labels, and (file, reason) of bad ones."""
    bad = {f for f in images if find_flaw(f, 5_000)}
    samples = [
        {"key": f, "uri": f"{root}/{f}", "label": None, "split": None, "meta": {}}
        for f in images
        if f not in bad
    ]
    left_out = [
        (f.encode(errors="replace").decode(), "has a name that is not UTF-8: rename it")
        for f in sorted(bad)
    ]
    return samples, left_out


def find_sign(path: Path) -> Sign | None:
    """Find a sign of annotations in a file, or in a folder.

    Of a folder only the first files are read.
    """
    if path.is_file():
        return read_sign(path, path.name)
    if not path.is_dir():
        return None
    for folder, names in islice(walk_folders(path), LOOKED // 10):
        shown = os.path.relpath(folder, path)
        for ending in (".json", ".xml", ".yaml", ".yml", ".txt", ".csv"):
            # one of each ending stands for its folder, but for the few that lie at the top
            most = 8 if ending == ".json" or shown == "." else 3
            for name in [n for n in names if n.lower().endswith(ending)][:most]:
                where = name if shown == "." else f"{shown}/{name}"
                if sign := read_sign(Path(folder, name), where):
                    return sign
    if (path / "ImageSets" / "Main").is_dir() and (path / "JPEGImages").is_dir():
        return Sign("Pascal VOC", "several classes an image", "ImageSets/Main")
    return find_mask_folder(path)


def walk_folders(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Walk folders from the top; yield each with its sorted files.

    Links to folders are not followed.
    """
    waiting = [str(path)]
    while waiting:
        folder = waiting.pop(0)
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda e: e.name)
        except OSError:
            continue
        yield folder, [e.name for e in entries if not e.is_dir()]
        below = [e.path for e in entries if e.is_dir(follow_symlinks=False)]
        waiting += [f for f in below if not os.path.basename(f).startswith(".")][:LOOKED]


def read_sign(path: Path, where: str) -> Sign | None:
    """Read the start of a file to see which annotations it holds.

    Of JSON the end is read, too.
    """
    ending = path.suffix.lower()
    if ending not in (".json", ".xml", ".yaml", ".yml", ".txt", ".csv") or not path.is_file():
        return None
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
            if ending == ".json":
                file.seek(max(0, path.stat().st_size - HEAD))
                head += b"\n" + file.read(HEAD)
    except OSError:
        return None
    if ending == ".json":
        kind = find_coco(path)
        return read_coco_sign(kind, where) if kind else read_json_sign(head, where)
    if ending == ".xml":
        return read_xml_sign(head, where)
    if ending in (".yaml", ".yml"):
        return read_yaml_sign(path, head, where)
    if ending == ".csv":
        line = head.partition(b"\n")[0]
        if b"region_shape_attributes" in line:
            return Sign("VIA (VGG Image Annotator)", "regions", where)
        return None
    lines = head.splitlines()[:3]
    beside = "labels" in path.parent.name.lower() or has_image(path)
    if lines and beside and all(BOX_LINE.match(line) for line in lines):
        return Sign("YOLO", "boxes or outlines", where)
    return None


def has_image(path: Path) -> bool:
    return any(os.path.isfile(path.with_suffix(s)) for s in (".jpg", ".jpeg", ".png"))


def read_coco_sign(kind: str, where: str) -> Sign | None:
    """Say what COCO's JSON holds: boxes or masks, or other annotations.

    None where each image has one class, which Assay reads.
    """
    holds = {"boxes": "boxes or masks", "other": "images and annotations"}
    return Sign("COCO JSON", holds[kind], where) if kind in holds else None


def read_json_sign(text: bytes, where: str) -> Sign | None:
    if re.search(rb'"(bbox|segmentation)"\s*:', text) and b'"category_id"' in text:
        return Sign("COCO JSON", "boxes or masks", where)
    if b'"dm_format_version"' in text or re.search(rb'"items"\s*:\s*\[\{"id"', text):
        return Sign("Datumaro JSON", "annotations", where)
    if b'"shapes"' in text and b'"imagePath"' in text:
        return Sign("LabelMe", "shapes", where)
    if b'"_via_img_metadata"' in text or b'"shape_attributes"' in text:
        return Sign("VIA (VGG Image Annotator)", "regions", where)
    return None


def read_xml_sign(text: bytes, where: str) -> Sign | None:
    if re.search(rb"<annotation[\s>]", text) and b"<bndbox>" in text:
        return Sign("Pascal VOC XML", "boxes", where)
    if re.search(rb"<annotation[\s>]", text) and b"<polygon>" in text:
        return Sign("LabelMe XML", "outlines", where)
    shapes = rb"<(box|polygon|polyline|points|mask|ellipse|cuboid|skeleton)[\s>]"
    if re.search(rb"<annotations[\s>]", text) and re.search(shapes, text):
        return Sign("CVAT XML", "boxes or outlines", where)
    return None


def read_yaml_sign(path: Path, text: bytes, where: str) -> Sign | None:
    """Find whether a data.yaml has label files beside its images.

    A data set of YOLO's classify has none.
    """
    if not re.search(rb"^\s*[\"']?(nc|names|train)[\"']?\s*:", text, re.MULTILINE):
        return None
    found = (
        name
        for folder, names in islice(walk_folders(path.parent), 200)
        if "labels" in os.path.relpath(folder, path.parent).lower().split(os.sep)
        for name in names
    )
    if any(name.endswith(".txt") for name in found):
        return Sign("YOLO", "boxes or outlines", where)
    return None


def find_mask_folder(path: Path) -> Sign | None:
    """Find a folder of masks: images named as those of another folder."""
    stems: dict[str, set[str]] = {}
    for folder, names in islice(walk_folders(path), LOOKED // 10):
        images = [n for n in names if n.lower().endswith(SUFFIXES)][:LOOKED]
        if images:
            stems[os.path.relpath(folder, path)] = {os.path.splitext(n)[0] for n in images}
    for folder, found in stems.items():
        # a class may be named so, too: its images then have other names, or others lie there
        parts = {part.lower() for part in folder.split(os.sep)}
        if not parts & set(MASKS):
            continue
        plain = {base_stem(stem) for stem in found}
        for other, names in stems.items():
            siblings = {part.lower() for part in other.split(os.sep)}
            pairs = not siblings & set(MASKS) and siblings & {"images", "image", "imgs", "img"}
            if other != folder and (pairs or other == ".") and len(plain & names) > len(plain) / 2:
                return Sign("masks", f"masks of the images in {other}/", f"{folder}/")
    return None


def base_stem(stem: str) -> str:
    """Take the word for a mask off a file's name."""
    found = MASK_WORD.search(stem) and MASK_NAME.match(stem)
    return found[1] if found else stem


def find_masks(images: list[str]) -> Iterator[str]:
    """Find the images that are masks of others: a_mask.png beside a.jpg, masks/a.png."""
    by_file = {file: os.path.splitext(file)[0] for file in images}
    stems = set(by_file.values())
    bare: set[str] = set()
    of_masks: dict[str, bool] = {}  # folder -> whether it is called as one of masks
    for file, stem in by_file.items():
        folder, _, name = stem.rpartition("/")
        base = base_stem(name)
        if folder not in of_masks:
            of_masks[folder] = not {part.lower() for part in folder.split("/")}.isdisjoint(MASKS)
        if base != name and os.path.join(folder, base) in stems:
            yield file
        elif of_masks[folder]:
            bare = bare or {os.path.basename(s) for s in stems}
            found = stems & near(folder, base) if base in bare else ()
            if any(os.path.basename(s) == base and s != stem for s in found):
                yield file


def near(folder: str, base: str) -> set[str]:
    """List the paths at which the image of a mask may lie.

    folder: that of the mask.
    """
    parts = folder.split("/")
    found = {"/".join([*parts[:-1], base])}
    for at, part in enumerate(parts):
        if part.lower() in MASKS:
            for word in ("images", "image", "imgs", "img", "Images", "JPEGImages", "test"):
                found.add("/".join([*parts[:at], word, *parts[at + 1 :], base]))
    return found
