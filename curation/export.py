"""A version as files that other tools read: a manifest, class folders, or the layout it was imported from with its labels corrected."""

import json
import os
from pathlib import Path

from curation import versions
from curation.arrays import Shards
from curation.errors import UserError
from curation.images import Pixels, read_bytes

MAGIC = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"RIFF": ".webp", b"BM": ".bmp", b"II*": ".tif", b"MM\0*": ".tif", b"GIF8": ".gif"}
MANIFEST = ["sample_id", "path", "label", "split", "source", "key", "content_hash", "given_label", "tags", "meta"]


def export(bench, folder, version="HEAD", format="manifest", copy=False):
    """Write a version into `folder` (new or empty), as `manifest`, `folders` (split/class/image, links unless `copy`) or `source` (one manifest
    or class-folder tree for each source, in its own layout). Returns {files, samples, tree, commit}; all or nothing."""
    folder = Path(folder).absolute()
    if folder.exists() and any(folder.iterdir()):
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
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        writers[format](partial, frame, copy)
        (partial / "assay.json").write_text(json.dumps(about, indent=1))
        if folder.exists():
            folder.rmdir()
        os.replace(partial, folder)
    except BaseException:
        import shutil

        shutil.rmtree(partial, ignore_errors=True)
        raise
    return about | dict(folder=str(folder), format=format)


def manifest(folder, frame, copy):
    table = frame.assign(path=frame.uri, tags=[json.dumps(list(t)) for t in frame.tags])[MANIFEST]
    table.to_csv(folder / "manifest.csv", index=False)
    table.to_parquet(folder / "manifest.parquet", index=False)


def folders(folder, frame, copy):
    """split/class/name; a class is a folder's name with / and control characters written as %xx, so that nothing leaves `folder`."""
    for row in frame.itertuples():
        place = folder / row.split / (safe(row.label) if row.label is not None else "unlabelled")
        place.mkdir(parents=True, exist_ok=True)
        put(row.uri, place / f"{safe(Path(row.key).stem)[:80]}-{row.sample_id[:12]}", copy)


def put(uri, target, copy):
    """Link or copy an image to `target` with its ending; what lies in a Parquet file is always copied."""
    if os.path.isfile(uri) and not copy:
        return target.with_name(target.name + Path(uri).suffix.lower()).symlink_to(uri)
    blob = read_bytes(uri)
    ending = next((e for start, e in MAGIC.items() if blob.startswith(start)), ".img")
    target.with_name(target.name + ending).write_bytes(blob)


def safe(name):
    out = "".join(c if c.isprintable() and c not in '/\\:*?"<>|%' else "".join(f"%{b:02x}" for b in c.encode()) for c in name).strip()[:200]
    return {"": "%20", ".": "%2e", "..": "%2e%2e"}.get(out, out)


def source(folder, frame, copy):
    """What was imported, with the labels of this version: class folders again, or a table id, path or image, label, split, and metadata."""
    for name, part in frame.groupby("source"):
        if part.key.str.contains("/").all() and all(os.path.isfile(u) and u.endswith(k) for u, k in zip(part.uri, part.key)):
            refile(folder / safe(name), part, copy)
        else:
            table(folder, name, part)


def refile(root, part, copy):
    """Class folders with every image in the folder of its label; a name that is taken there gets the sample id."""
    for row in part.itertuples():
        parts = list(Path(row.key).parts)
        at = parts.index(row.given_label) if row.given_label in parts[:-1] else max(0, len(parts) - 2)
        parts[at] = row.label or parts[at]
        place = root / Path(*map(safe, parts))
        place.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(place):
            place = place.with_name(f"{place.stem}-{row.sample_id[:8]}{place.suffix}")
        place.write_bytes(read_bytes(row.uri)) if copy else place.symlink_to(row.uri)


def table(folder, name, part):
    """A CSV where a CSV was imported, else Parquet, with image bytes where it held them."""
    import pandas as pd

    rows = [
        json.loads(m) | dict(id=k, path=u, label=c, split=s) for m, k, u, c, s in zip(part.meta, part.key, part.uri, part.label, part.split)
    ]
    rows = pd.DataFrame(rows)
    rows = rows[["id", "path", "label", "split", *(c for c in rows if c not in ("id", "path", "label", "split"))]]
    if name.endswith((".csv", ".tsv")):
        return rows.to_csv(folder / (safe(Path(name).stem) + ".csv"), index=False)
    if not all(map(os.path.isfile, part.uri)):
        rows = rows.drop(columns="path").assign(image=[read_bytes(u) for u in part.uri])
    rows.to_parquet(folder / (safe(Path(name).stem) + ".parquet"), index=False)


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
