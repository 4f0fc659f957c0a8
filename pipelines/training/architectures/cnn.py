"""A small convolutional network."""

from torch import nn
from torch.nn import functional as F


def cnn(k, patch, width):
    """After airbench94 (Keller Jordan): a stem and three groups of two convolutions."""
    wide = 4 * width
    stem = nn.Conv2d(3, 24, 2 * patch, patch, padding=patch // 2), nn.GELU()
    groups = Group(24, width), Group(width, wide), Group(wide, wide)
    return nn.Sequential(*stem, *groups, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(wide, k))


class Group(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv1, self.norm1 = (
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after, momentum=0.3),
        )
        self.conv2, self.norm2 = (
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after, momentum=0.3),
        )

    def forward(self, x):
        x = F.gelu(
            self.norm1(F.max_pool2d(self.conv1(x), 2, ceil_mode=True))
        )  # ceil: one pixel stays one pixel
        return F.gelu(self.norm2(self.conv2(x)))
