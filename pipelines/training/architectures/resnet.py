"""A small residual network (He et al. 2015) with basic blocks.

Its stem is the one that they use on CIFAR: no pooling before the first block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.pipelines.training.architectures.base import Recipe
from assay.pipelines.training.data import TrainingData

if TYPE_CHECKING:
    from torch import nn

BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}  # depth: blocks in four groups


class ResNet:
    """Four groups of residual blocks; the first has `width` channels, each next twice as many."""

    recipe = Recipe(
        "resnet", "pixels", lr=5e-3, smoothing=0.1, loss="ce", epochs=0, side=64, width=16, depth=18
    )

    def build(self, recipe: Recipe, data: TrainingData) -> nn.Module:
        from torch import nn

        from assay.pipelines.training.layers import fit_scale, image_network, patch_side

        patch = patch_side(*recipe.input_size(*data.rows.shape[1:3]))
        channels = recipe.width
        parts = [
            nn.Conv2d(3, channels, 2 * patch + 1, patch, patch, bias=False),
            nn.BatchNorm2d(channels, momentum=0.3),
            nn.ReLU(),
        ]
        for group, blocks in enumerate(BLOCKS[recipe.depth]):
            after = recipe.width << group
            for block in range(blocks):
                parts.append(build_block(channels, after, stride=2 if group and not block else 1))
                channels = after
        parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, data.n_classes)]
        return image_network(fit_scale(data), nn.Sequential(*parts))


def build_block(before: int, after: int, stride: int) -> nn.Module:
    """Build two convolutions and the shortcut beside them.

    `before` and `after` are numbers of channels.
    """
    from torch import nn

    from assay.pipelines.training.layers import Residual

    body = nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False),
        nn.BatchNorm2d(after, momentum=0.3),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, 1, 1, bias=False),
        nn.BatchNorm2d(after, momentum=0.3),
    )
    # each block begins as the identity: deep ones train as easily as shallow ones
    nn.init.zeros_(body[-1].weight)
    if stride == 1 and before == after:
        return Residual(body, nn.Identity())
    shortcut = nn.Conv2d(before, after, 1, stride, bias=False)
    return Residual(body, nn.Sequential(shortcut, nn.BatchNorm2d(after, momentum=0.3)))


ARCHITECTURE = ResNet()
