"""CVAT for images 1.1: annotations.xml with a tag for each image."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import quoteattr

from assay.curation.errors import UserError
from assay.curation.formats.annotations import read_sign
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch, note_lost_splits
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import MAX_TEXT, find_flaw, format_count

if TYPE_CHECKING:
    import pandas as pd

FILE = "annotations.xml"
SHAPES = ("box", "polygon", "polyline", "points", "mask", "ellipse", "cuboid", "skeleton", "track")
HEAD = 1 << 16
MOST = 1 << 30


class Tag(NamedTuple):
    label: str
    start: int  # of the element's bytes
    end: int


class Tagged(NamedTuple):
    name: str
    subset: str | None
    start: int  # of the element <image ...>
    end: int
    tags: list[Tag]
    size: tuple[str | None, str | None]


class Cvat:
    """CVAT for images 1.1, with one tag for each image.

    Several tags, boxes and outlines are refused.
    """

    name = "cvat"
    suffixes = (".xml",)

    def matches(self, path: Path) -> Match:
        file = next(iter(list_several(path)), find_file(path))
        no = Match("no", f"expects CVAT's {FILE} with image tags")
        if file.suffix.lower() != ".xml" or not file.is_file():
            return no
        with open(file, "rb") as opened:
            head = opened.read(HEAD)
        if not re.search(rb"<annotations[\s>]", head) or not re.search(rb"<image\s", head):
            return no
        # boxes are for the format that refuses them
        return no if read_sign(file, FILE) else Match("sure", f"{file.name} is of CVAT for images")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        if several := list_several(path):
            raise UserError(
                f"expected one XML in {path.name}, found {len(several):,}, first {several[0].name}",
                f"import each by its path, with --images {path.name} and a name: --as NAME",
            )
        file = find_file(path)
        root = Path(options.images) if options.images else file.parent
        images, classes, shapes, tags = read_annotations(file.read_bytes(), file)
        if shapes:
            raise UserError(
                f"expected one tag for each image in {file.name}, found {', '.join(shapes)}",
                "Assay does not read boxes and outlines yet; --format annotations --pictures-only "
                "imports the images without labels",
            )
        several = [image.name for image in images if len({t.label for t in image.tags}) > 1]
        if several and not options.pictures_only:
            raise UserError(
                f"expected one tag for each image in {file.name}, found {format_count(len(several), 'image')} "
                f"with several, first {several[0]}: multi-label, which Assay does not read yet",
                "--pictures-only imports the images without labels",
            )
        files = list(list_files(str(root)))
        index = ImageIndex(files)
        samples, left_out, seen = [], [], set()
        for image in images:
            base = f"images/{image.subset}" if image.subset else "images"
            key, wrong = index.find_one(image.name, base, "images", "")
            label = image.tags[0].label if image.tags and image.name not in several else None
            wrong = wrong or find_flaw(label or "") or find_flaw(key or "", MAX_TEXT) or ""
            if key in seen:
                wrong = "is named twice"
            if key is None or wrong:
                left_out.append((image.name, wrong))
                continue
            seen.add(key)
            split = image.subset
            if split and split not in options.split_map:
                split = guess_split(split) or split
            samples.append(dict(key=key, uri=f"{root}/{key}", label=label, split=split, meta={}))
        rest = [f for f in index.images if f not in seen]
        ours = os.path.relpath(file, root)
        unread = list_unread(f for f in files if not f.lower().endswith(SUFFIXES) and f != ours)
        unread += list_unread(rest, f"{file.name} does not name them")
        roles = {"label": f"the image tag ({format_count(len(classes), 'class')} in its list)"}
        if any(s["split"] for s in samples):
            counts = Counter(s["split"] for s in samples)
            roles["split"] = f"the subset ({', '.join(f'{s} {n:,}' for s, n in counts.items())})"
        bare = sum(not image.tags for image in images)
        notes = [f"{format_count(bare, 'image', 'has', 'have')} no tag: no label"] if bare else []
        if tags["attribute"]:
            notes.append(f"{tags['attribute']:,} attributes of tags were not read")
        return Listing(
            self.name,
            "CVAT image tags",
            path.name,
            [samples],
            left_out,
            notes,
            roles,
            unread,
            classes=classes,
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the label of every changed tag, and no other byte."""
        whole = source.is_file()
        file = find_file(source)
        root = Path(options.images) if options.images else file.parent
        blob = file.read_bytes()
        images, classes, _, _ = read_annotations(blob, file)
        index = ImageIndex(list_files(str(root)))
        wanted = {row.key: row for row in iter_changes(changes)}
        edits: list[tuple[int, int, bytes]] = []
        notes = []
        for image in images:
            base = f"images/{image.subset}" if image.subset else "images"
            key, _ = index.find_one(image.name, base, "images", "")
            if (change := wanted.get(key)) is None:
                continue
            now = image.tags[0].label if image.tags else None
            if now != change.given_label:
                raise UserError(
                    f"expected the tag {change.given_label} of {image.name} in {file.name}, "
                    f"found {now or 'none'}",
                    "the source has changed since: import it again",
                )
            if change.label and change.label not in classes:
                notes.append(f"{change.label} is not in the list of labels of {file.name}")
            edits += edit_image(blob, image, change)
        notes += note_lost_splits(changes, "subsets")
        pieces, at = [], 0
        for start, end, new in sorted(edits):
            pieces += [blob[at:start], new]
            at = end
        fresh = b"".join([*pieces, blob[at:]])
        name = "" if whole else file.name
        rewritten = {name: lambda target: target.write_bytes(fresh)} if edits else {}
        return Patch(rewritten=rewritten, notes=list(dict.fromkeys(notes)))


FORMAT = Cvat()


def find_file(path: Path) -> Path:
    """Find annotations.xml in a folder, or the only XML there."""
    if not path.is_dir() or (path / FILE).is_file():
        return path / FILE if path.is_dir() else path
    found = [name for name in os.listdir(path) if name.lower().endswith(".xml")]
    return path / (found[0] if len(found) == 1 else FILE)


def list_several(path: Path) -> list[Path]:
    """List a folder's XML files where none is annotations.xml.

    [] where there are not several.
    """
    if not path.is_dir() or (path / FILE).is_file():
        return []
    found = sorted(path / name for name in os.listdir(path) if name.lower().endswith(".xml"))
    return found if len(found) > 1 else []


def read_annotations(
    blob: bytes, file: Path
) -> tuple[list[Tagged], list[str], list[str], Counter[str]]:
    """Read images and their tags with their places in the bytes.

    Returns (images, declared classes, kinds of shapes found, counts of other elements).
    """
    from xml.parsers import expat

    if len(blob) > MOST:
        raise UserError(f"expected at most 1 GB in {file.name}, found more", "export in parts")
    # bytes and their places agree in UTF-8 alone; entities could grow without end
    declared = re.match(rb"""\s*<\?xml[^>]*encoding\s*=\s*["'](?!utf-8)""", blob[:HEAD], re.I)
    if blob[:2] in (b"\xff\xfe", b"\xfe\xff") or declared or b"<!DOCTYPE" in blob[:HEAD]:
        raise UserError(
            f"expected UTF-8 without a DOCTYPE in {file.name}, found another XML",
            "export it again from CVAT",
        )
    images: list[Tagged] = []
    classes: list[str] = []
    shapes: dict[str, None] = {}
    others: Counter[str] = Counter()
    path: list[str] = []
    starts: list[int] = []
    text: list[str] = []
    parser = expat.ParserCreate()

    def begin(name: str, attributes: dict[str, str]) -> None:
        path.append(name)
        starts.append(parser.CurrentByteIndex)
        text.clear()
        if name == "image":
            size = attributes.get("width"), attributes.get("height")
            images.append(
                Tagged(
                    attributes.get("name", ""), attributes.get("subset"), starts[-1], 0, [], size
                )
            )
        elif name == "tag" and images:
            images[-1].tags.append(Tag(attributes.get("label", ""), starts[-1], 0))
        elif name in SHAPES and ("image" in path or name == "track"):
            shapes[name] = None
        elif "tag" in path:
            others[name] += 1

    def end(name: str) -> None:
        if path[-2:] == ["label", "name"] and "meta" in path:
            classes.append("".join(text).strip())
        if name in ("image", "tag") and images:
            at = parser.CurrentByteIndex
            close = blob.find(b">", at) + 1
            if name == "image":
                images[-1] = images[-1]._replace(end=close)
            else:
                images[-1].tags[-1] = images[-1].tags[-1]._replace(end=close)
        path.pop()
        starts.pop()

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler = text.append
    try:
        parser.Parse(blob, True)
    except expat.ExpatError as e:
        raise UserError(
            f"expected whole XML in {file.name}, found: {e}", "export it again from CVAT"
        ) from e
    return images, list(dict.fromkeys(classes)), list(shapes), others


def edit_image(blob: bytes, image: Tagged, change: Any) -> list[tuple[int, int, bytes]]:
    """Make the edits of one image's element: (start, end, new bytes)."""
    if change.removed:
        end = re.compile(rb"\r?\n?").match(blob, image.end).end()
        before = blob.rfind(b"\n", 0, image.start) + 1
        indent = blob[before : image.start]
        return [(before if not indent.strip() else image.start, end, b"")]
    if change.label == change.given_label:
        return []
    if image.tags and change.label is None:
        edits = []
        for tag in image.tags:
            before = blob.rfind(b"\n", 0, tag.start)
            bare = before >= 0 and not blob[before : tag.start].strip()
            edits.append((before if bare else tag.start, tag.end, b""))
        return edits
    if not image.tags:
        head = start_tag(blob, image.start)
        new = f'<tag label={quoteattr(change.label)} source="manual"></tag>'.encode()
        if blob[head - 2 : head] == b"/>":
            return [(head - 2, head, b">" + new + b"</image>")]
        before = blob.rfind(b"\n", 0, image.start)
        indent = blob[before : image.start] if before >= 0 else b""
        indent = indent + b"  " if not indent.strip() else b""
        return [(head, head, indent + new)]
    edits = []
    for tag in image.tags:
        element = blob[tag.start : start_tag(blob, tag.start)]
        found = re.search(rb"""\slabel\s*=\s*("[^"]*"|'[^']*')""", element)
        assert found, "a tag without a label has an empty one, which is no given label"
        value = quoteattr(change.label)
        if found[1][:1] == b"'" and "'" not in change.label and '"' not in change.label:
            value = f"'{value[1:-1]}'"
        edits.append((tag.start + found.start(1), tag.start + found.end(1), value.encode()))
    return edits


def start_tag(blob: bytes, at: int) -> int:
    """Find the end of the start tag that begins at a byte.

    A > inside quotes does not end it.
    """
    found = re.compile(rb"""<[^>"']*(?:"[^"]*"[^>"']*|'[^']*'[^>"']*)*>""").match(blob, at)
    assert found
    return found.end()
