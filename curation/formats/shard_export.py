"""Write a version as WebDataset shards, the same bytes each time."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from assay.curation.formats.base import Export
from assay.curation.formats.copying import choose_suffix, read_originals
from assay.curation.text import safe_name

MOST_SAMPLES, MOST_BYTES = 10_000, 1_000_000_000  # of a shard


class ShardWriter:
    """Shards of one split, opened as they fill."""

    def __init__(self, folder: Path, split: str) -> None:
        self.folder, self.split = folder, split
        self.shard: tarfile.TarFile | None = None
        self.count = self.samples = 0

    def add(self, members: list[tuple[str, bytes]]) -> None:
        """Add the members of one sample."""
        size = sum(len(blob) for _, blob in members)
        if self.shard and (self.samples == MOST_SAMPLES or self.shard.offset + size > MOST_BYTES):
            self.close()
        if not self.shard:
            name = f"{safe_name(self.split)}-{self.count:06}.tar"
            self.shard = tarfile.open(self.folder / name, "w", format=tarfile.USTAR_FORMAT)
            self.count, self.samples = self.count + 1, 0
        for name, blob in members:
            info = tarfile.TarInfo(name)  # of no time, no owner: the same bytes each time
            info.size = len(blob)
            self.shard.addfile(info, io.BytesIO(blob))
        self.shard.members = []  # tarfile keeps them all
        self.samples += 1

    def close(self) -> None:
        if self.shard:
            self.shard.close()
        self.shard = None


def write_shards(folder: Path, export: Export) -> None:
    """Write SPLIT-000000.tar, ... and classes.txt.

    A sample is ID.jpg (its file as it is), ID.cls (the line of its class in classes.txt, from 0) and ID.json, with
    the name. One without a label has no .cls, nor has a label set: ID.json lists the names.
    """
    for split, samples in export.samples.groupby("split", sort=True):
        writer = ShardWriter(folder, str(split))
        try:
            for row, blob in read_originals(samples.sort_values(["source", "key"])):
                writer.add(list_members(row, blob, None if export.several else export.classes))
        finally:
            writer.close()
    lines = [
        json.dumps(name)[1:-1] if len(name.splitlines()) != 1 else name for name in export.classes
    ]
    (folder / "classes.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def list_members(row: Any, blob: bytes, classes: list[str] | None) -> list[tuple[str, bytes]]:
    """List the members of a sample: (name, bytes); classes: by number, None for label sets."""

    def spell(label: str | None) -> Any:
        return json.loads(label) if classes is None and label is not None else label

    fields = dict(
        label=spell(row.label),
        sample_id=row.sample_id,
        content_hash=row.content_hash,
        source=row.source,
        key=row.key,
        given_label=spell(row.given_label),
        tags=list(row.tags),
        meta=json.loads(row.meta) if isinstance(row.meta, str) else row.meta,
    )
    members = [(f"{row.sample_id}{choose_suffix(row.uri, blob)}", blob)]
    if row.label is not None and classes is not None:
        members.append((f"{row.sample_id}.cls", str(classes.index(row.label)).encode()))
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True)
    return [*members, (f"{row.sample_id}.json", text.encode("utf-8", "surrogatepass"))]
