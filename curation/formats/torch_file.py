"""A version as tensors, a file for each split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.base import Export
from assay.curation.formats.copying import read_originals
from assay.curation.media.decoding import STORED_SIDE
from assay.curation.media.files import BadMedia
from assay.curation.media.images import open_original
from assay.curation.media.pixels import Pixels
from assay.curation.media.stored_traits import load_traits
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards
from assay.curation.system.extras import require
from assay.curation.tasks.multilabel import set_targets
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd


class TorchFile:
    """train.pt, val.pt, ...: uint8 images (n, 3, h, w), targets, classes and ids; for torch.load(weights_only=True)."""

    name = "torch"
    read_by = "torch.load(file, weights_only=True)"

    def write(self, folder: Path, export: Export) -> list[str]:
        """Write a file for each split; returns its shape and size.

        Images have their own size, and all one; or are squares of `side` pixels, resized from the bench's own copies,
        as training sees them. A sample without a label has the target -1. Targets of label sets are 0 or 1 for each
        class (n, k), and float32, as losses want them. UserError for images of several sizes.
        """
        require("train", "torch")
        import torch

        samples, side, classes = export.samples, export.side, export.classes
        assert export.bench, "the bench has the pixels"
        check_sizes(samples, side)
        out = []
        for split, rows in samples.groupby("split", sort=False):
            check_memory(rows, side, str(split))
            images = load_images(export.bench, rows, side)
            data = dict(
                images=torch.from_numpy(images),
                targets=torch.from_numpy(number_labels(rows.label, classes, export.several)),
                classes=classes,
                ids=list(map(str, rows.sample_id)),
                keys=list(map(str, rows.key)),
                split=str(split),
            )
            file = folder / f"{split}.pt"
            torch.save(data, file)
            shape = " x ".join(f"{n:,}" for n in images.shape)
            out.append(f"{file.name}: uint8 {shape}, {format_count(file.stat().st_size, 'byte')}")
        return out


FORMAT = TorchFile()


def number_labels(labels: pd.Series, classes: list[str], several: bool) -> np.ndarray:
    """Number labels: class indices (n,) int64, or of sets 0 and 1 (n, k) float32; -1 for none."""
    if several:
        return set_targets(labels, classes).astype("f4")
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index.get(label, -1) for label in labels], "i8")


def check_sizes(samples: pd.DataFrame, side: int | None) -> None:
    """Refuse images that make no one tensor."""
    if side is not None:
        if not 1 <= side <= STORED_SIDE:
            raise UserError(
                f"expected a --size, 1 to {STORED_SIDE} pixels of the bench's own copies, found {side}",
                "for larger ones: --format folders --copy, or bench.dataset(transform=...)",
            )
        return
    sizes = samples.groupby(["width", "height"]).size().sort_values(ascending=False)
    if len(sizes) > 1:
        shown = ", ".join(f"{w} x {h} ({n:,})" for (w, h), n in list(sizes.items())[:3])
        raise UserError(
            f"expected images of one size, found {len(sizes):,}: {shown}{' ...' * (len(sizes) > 3)}",
            f"--size SIDE makes squares of so many pixels, {STORED_SIDE} at most; "
            "--format folders --copy keeps each at its own",
        )


def check_memory(rows: pd.DataFrame, side: int | None, split: str) -> None:
    """Refuse a tensor that does not fit into memory."""
    import psutil

    pixels = side * side if side else int(rows.width.iloc[0]) * int(rows.height.iloc[0])
    needed, free = 3 * pixels * len(rows), psutil.virtual_memory().available
    if 2 * needed > free:
        raise UserError(
            f"expected the images of {split} to fit into memory, found {2 * needed / 1e9:.1f} GB needed "
            f"and {free / 1e9:.1f} free",
            "--size SIDE makes them smaller; --format folders --copy needs no memory",
        )


def load_images(bench: Bench, rows: pd.DataFrame, side: int | None) -> np.ndarray:
    """Load images (n, 3, h, w) uint8."""
    if side is not None:
        pixels = Pixels(Shards(bench.arrays / "pixels"), rows.content_hash, side)
        return np.ascontiguousarray(pixels[:].transpose(0, 3, 1, 2))
    height, width = int(rows.height.iloc[0]), int(rows.width.iloc[0])
    out, traits = np.empty((len(rows), 3, height, width), "u1"), load_traits(bench.arrays)
    place = {sample: i for i, sample in enumerate(rows.sample_id)}
    for row, blob in read_originals(rows):
        try:
            image = open_original(blob, traits)
        except BadMedia as e:
            raise UserError(
                f"expected the image {row.uri}, found that it {e}", "bring it back"
            ) from None
        out[place[row.sample_id]] = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    return out
