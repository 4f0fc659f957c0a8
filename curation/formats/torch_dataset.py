"""A version as a torch Dataset."""

from assay.curation.media.pixels import Pixels
from assay.curation.storage.arrays import Shards


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
