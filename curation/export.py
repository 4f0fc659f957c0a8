"""A version as files that other tools read: a manifest, class folders, or the layout it was imported from with its labels corrected."""

import json
import os
from pathlib import Path

from curation import versions
from curation.arrays import Shards
from curation.errors import UserError
from curation.images import SUFFIXES, BadImage, Pixels, content_hash, iter_bytes
from curation.scratch import whole
from curation.sources import SPLITS, as_texts
from curation.text import safe, write_csv

MAGIC = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"RIFF": ".webp", b"BM": ".bmp", b"II*": ".tif", b"MM\0*": ".tif", b"GIF8": ".gif"}
MAGIC |= {f"P{n}".encode(): ".ppm" for n in range(1, 7)}
MANIFEST = ["sample_id", "path", "label", "split", "source", "key", "content_hash", "given_label", "tags", "meta"]


def export(bench, folder, version="HEAD", format="manifest", copy=False):
    """Write a version into `folder` (new or empty), as `manifest`, `folders` (split/class/image) or `source` (one manifest or class-folder tree
    for each source, in its own layout). Images stay where they are, and are named or linked, unless `copy` takes them along.
    Returns {files, samples, tree, commit}; all or nothing."""
    folder = Path(folder).absolute()
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"expected a new or empty folder, found files in {folder}", "choose another with -o")
    writers = dict(manifest=manifest, folders=folders, source=source)
    if format not in writers:
        raise UserError(f"expected a format {', '.join(writers)}, found {format!r}", "for example --format manifest")
    frame = bench.frame(version).rename_axis("sample_id").reset_index()
    if not len(frame):
        raise UserError(f"expected samples in {version}, found none", "choose another version")
    upto = bench.commits().query("name == @version").upto if version in set(bench.commits().name) else None
    about = dict(
        version=str(version),
        tree=versions.tree(frame.set_index("sample_id")),
        commit=version if upto is not None else None,
        samples=len(frame),
    )
    try:
        with whole(folder) as partial:
            writers[format](partial, frame, copy)
            (partial / "assay.json").write_text(json.dumps(about, indent=1))
    except OSError as e:  # a full disk, or a label that is too long for a folder's name
        raise UserError(f"expected to write {folder}, found: {e.strerror} ({e.filename})", "mend that, or use --format manifest") from None
    return about | dict(folder=str(folder), format=format)


def manifest(folder, frame, copy):
    """manifest.csv and .parquet of any text, exactly; with `copy` the images lie beside them, so that the folder can go anywhere."""
    path = carry(folder / "images", frame) if copy else frame.uri
    table = frame.assign(path=path, tags=[json.dumps(list(t)) for t in frame.tags])[MANIFEST]
    write_csv(table, folder / "manifest.csv")
    table.to_parquet(folder / "manifest.parquet", index=False)


def carry(folder, frame):
    """Copy the images of a frame to `folder`, equal bytes once; returns their paths as seen from beside it."""
    folder.mkdir()
    names, first = {}, frame.drop_duplicates("content_hash")
    for row, blob in blobs(first):
        names[row.content_hash] = row.content_hash + ending(row.uri, blob)
        (folder / names[row.content_hash]).write_bytes(blob)
    return [f"{folder.name}/{names[h]}" for h in frame.content_hash]


def blobs(frame):
    """(row, bytes) of every image, one pass over each file; UserError where they are not what was imported."""
    rows = list(frame.itertuples())
    for i, blob in iter_bytes([row.uri for row in rows]):
        wrong = blob if isinstance(blob, BadImage) else "has changed" if content_hash(blob) != rows[i].content_hash else None
        if wrong:
            raise UserError(
                f"expected the images that were imported, found {rows[i].uri}: it {wrong}", "bring it back, or import its source again"
            )
        yield rows[i], blob


def ending(uri, blob):
    """How an image file's name ends: as it did where that says image, else as its bytes say."""
    suffix = Path(uri).suffix.lower()
    if blob[4:8] == b"ftyp" and suffix not in SUFFIXES:
        return ".avif" if blob[8:12] in (b"avif", b"avis") else ".heic"
    return suffix if suffix in SUFFIXES else next((e for start, e in MAGIC.items() if blob.startswith(start)), ".img")


def folders(folder, frame, copy):
    """split/class/name, unlabelled images in the split itself; a class is `safe`, so that nothing leaves `folder` and import can read it."""

    def place(row, end):
        stem = safe(Path(row.key).stem).encode()[:120].decode(errors="ignore")
        return folder / row.split / (safe(row.label) if row.label is not None else "") / f"{stem}-{row.sample_id[:12]}{end}"

    put(frame, place, copy)


def put(frame, place, copy):
    """Link or copy each image to place(row, how its name ends); what lies in a Parquet file is always copied."""
    link = [not copy and os.path.isfile(uri) for uri in frame.uri]
    for row in frame[link].itertuples():
        make_room(place(row, ending(row.uri, head(row.uri)))).symlink_to(row.uri)
    for row, blob in blobs(frame[[not linked for linked in link]]):
        make_room(place(row, ending(row.uri, blob))).write_bytes(blob)


def make_room(target):
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def head(path):
    with open(path, "rb") as f:
        return f.read(8)


def source(folder, frame, copy):
    """What was imported, with the labels of this version: class folders again, or a table id, path or image, label, split, and metadata."""
    for name, part in frame.groupby("source"):
        if part.key.str.contains("/").all() and all(os.path.isfile(u) and u.endswith(k) for u, k in zip(part.uri, part.key)):
            refile(folder / safe(name), part, copy)
        else:
            table(folder, name, part, copy)


def refile(root, part, copy):
    """Class folders with every image in the folder of its label; a name that is taken there gets the sample id."""
    root.mkdir()
    (root / "assay.json").write_text("{}")  # says that class folders are `safe` names

    def place(row, _):
        parts = [p for p in Path(row.key).parts if p not in ("/", "..")]
        at = parts.index(row.given_label) if row.given_label in parts[:-1] else max(0, len(parts) - 2)
        moved = row.label != row.given_label and str(row.label).lower() in SPLITS  # no new folder of a class may look like a split
        parts[at] = f"%{ord(row.label[0]):02x}{row.label[1:]}" if moved else safe(row.label or parts[at])
        target = root / Path(*parts)
        return target.with_name(f"{target.stem}-{row.sample_id[:8]}{target.suffix}") if os.path.lexists(target) else target

    put(part, place, copy)


def table(folder, name, part, copy):
    """A CSV where a CSV was imported, else Parquet, with image bytes where it held them; refused where it would be read as another text."""
    import pandas as pd

    for column in ("label", "key"):
        odd = [text for text, read in zip(part[column], as_texts(list(part[column]), column)) if text != read]
        if odd:
            raise UserError(
                f"expected text that stays itself in any table, found the {column} {odd[0]!r}", "use --format manifest, which is exact"
            )
    held = not all(map(os.path.isfile, part.uri))
    paths = part.uri if held or not copy else carry(folder / f"{safe(name)}-images", part)
    rows = [
        json.loads(m) | dict(id=k, path=u, label=c, split=s) for m, k, u, c, s in zip(part.meta, part.key, paths, part.label, part.split)
    ]
    rows = pd.DataFrame(rows)
    rows = rows[["id", "path", "label", "split", *(c for c in rows if c not in ("id", "path", "label", "split"))]]
    target = folder / (safe(Path(name).stem) + (".csv" if name.endswith((".csv", ".tsv")) else ".parquet"))
    if os.path.lexists(target):
        raise UserError(
            f"expected a file for each source, found two that are to be {target.name}", "use --format manifest, which holds all"
        )
    if target.suffix == ".csv":
        return write_csv(rows, target)
    if held:
        image = {row.sample_id: blob for row, blob in blobs(part)}
        rows = rows.drop(columns="path").assign(image=[image[s] for s in part.sample_id])
    rows.to_parquet(target, index=False)


class TorchDataset:
    """Kept, labelled samples for a torch DataLoader: (uint8 (h, w, 3) or transform(image), class index)."""

    def __init__(self, bench, frame, transform=None, size=None):
        frame = frame[frame.label.notna()]
        self.classes = sorted(set(frame.label))
        self.samples = list(frame.index)
        self.labels = [self.classes.index(c) for c in frame.label]
        shards = Shards(bench.arrays / "pixels")
        at = shards.find(frame.content_hash)
        side = size or int(max(shards.index["height"][at].max(), shards.index["width"][at].max()))
        self.pixels, self.transform = Pixels(shards, frame.content_hash, side), transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = self.pixels[i]
        return (self.transform(image) if self.transform else image), self.labels[i]
