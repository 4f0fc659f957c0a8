"""A small residual network."""

from torch import nn
from torch.nn import functional as F

BLOCKS = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
}  # in the four groups of a ResNet, by its depth


class ResNet(nn.Sequential):
    """He et al. 2015, with basic blocks, and the stem that they use on CIFAR: no pooling before the first block."""

    def __init__(self, k, patch, width, blocks):
        stem = (
            nn.Conv2d(3, width, 2 * patch + 1, patch, patch, bias=False),
            nn.BatchNorm2d(width, momentum=0.3),
            nn.ReLU(),
        )
        groups, before = [], width
        for group, many in enumerate(blocks):
            for block in range(many):
                groups.append(Block(before, width << group, stride=2 if group and not block else 1))
                before = width << group
        super().__init__(
            *stem, *groups, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, k)
        )


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1, self.norm1 = (
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after, momentum=0.3),
        )
        self.conv2, self.norm2 = (
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after, momentum=0.3),
        )
        nn.init.zeros_(
            self.norm2.weight
        )  # each block begins as the identity: deep ones train as easily as shallow ones
        same = stride == 1 and before == after
        self.short = (
            nn.Identity()
            if same
            else nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after, momentum=0.3)
            )
        )

    def forward(self, x):
        out = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(out)) + self.short(x))
