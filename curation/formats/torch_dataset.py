"""A version as a torch Dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.media.decoding import STORED_SIDE
from assay.curation.media.files import BadMedia
from assay.curation.media.images import open_original
from assay.curation.media.originals import read_bytes
from assay.curation.media.pixels import Pixels
from assay.curation.media.stored_traits import load_traits
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards
from assay.curation.tasks.base import list_members, task_of
from assay.curation.versioning.class_list import numbered_classes

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image


class TorchDataset:
    """Kept, labelled samples for a torch DataLoader, as torchvision has them.

    An item is (image, target): a PIL image at its own size, or a uint8 array (side, side, 3) with `arrays`; and the
    index of its class in `classes`. `targets` has all of these, `samples` the ids. Of several labels a sample the
    target is 0 or 1 for each class (k,), float32, as losses want it.
    """

    def __init__(
        self,
        bench: Bench,
        frame: pd.DataFrame,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        arrays: bool = False,
        version: str | int = "HEAD",
    ) -> None:
        """Choose the samples of a state.

        version: that it is of, for the order of its classes.
        arrays: the bench's own copies, at the working size: the longest side of any, at most 128 pixels.
        """
        frame, task = frame[frame.label.notna()], task_of(bench)
        used = list_members(task, frame.label)
        self.classes: list[str] = numbered_classes(bench, used, version)
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.targets: list[Any] = list(task.targets(frame.label, self.classes))
        if task.name == "classification":
            self.targets = list(map(int, self.targets))
        else:
            self.targets = [row.astype("f4") for row in self.targets]
        self.samples, self.uris = list(frame.index), list(frame.uri)
        self.transform, self.target_transform, self.arrays = transform, target_transform, arrays
        self.traits = load_traits(bench.arrays)
        longest = int(frame[["width", "height"]].max(axis=None)) if len(frame) else 1
        shards, side = Shards(bench.arrays / "pixels"), min(longest, STORED_SIDE)
        self.pixels = Pixels(shards, frame.content_hash, side)
        # a small image is stored as it is: no file has to be opened for it
        stored = self.pixels.index
        self.small = (stored["height"] == frame.height.to_numpy()) & (
            stored["width"] == frame.width.to_numpy()
        )

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        image = self.pixels[i] if self.arrays else self.load_original(i)
        target = self.targets[i]
        return (
            self.transform(image) if self.transform else image,
            self.target_transform(target) if self.target_transform else target,
        )

    def load_original(self, i: int) -> Image:
        """Load an image at its own size.

        UserError where it cannot be read.
        """
        from PIL import Image

        if self.small[i]:
            return Image.fromarray(self.pixels.read_stored(i))
        try:
            return open_original(read_bytes(self.uris[i]), self.traits)
        except BadMedia as e:
            raise UserError(
                f"expected the image of sample {self.samples[i]}, found that {self.uris[i]} {e}",
                "where the images have moved: assay relocate FOLDER; "
                "arrays=True needs no file, and gives the bench's own small copies",
            ) from None
